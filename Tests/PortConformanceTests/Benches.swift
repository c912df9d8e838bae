// SPDX-License-Identifier: Apache-2.0
import Foundation
import LoopbackPKI
import OpenBaoServer
import Ports
import SecretMemory
import Simulation
import Synchronization
import VaultListener
import VaultSecretStore
import WrapperConfiguration

/// The fake store on the fake vault.
final class SimulatedBench: StoreBench {
    let credentials: Credentials
    private let vault: Mutex<SimulatedVault>

    init() {
        credentials = Credentials(
            root: SimulatedVault.rootToken, limited: "s.limited", expired: "s.expired",
            roleID: "role-id", secretID: "secret-id", jwt: "jwt")
        vault = Mutex(Stock.simulatedVault(jwt: "jwt"))
    }

    func seal() { vault.withLock { $0.condition = .sealed } }

    func read(
        _ path: String, _ fields: [String], auth: AuthMethod, credential: String,
        namespace: String?
    ) throws -> [String] {
        var settings = VaultSettings(
            origin: Origin(scheme: "https", host: "127.0.0.1", port: 8200), auth: auth)
        settings.namespace = namespace
        var store = SimulatedSecretStore(
            server: SimulatedVaultServer(vault.withLock { $0 }), settings: settings,
            credential: credential)
        return try exercise(&store, path, fields)
    }
}

/// The real adapter, over TLS, on whatever listens at a port.
struct AdapterClient: Sendable {
    let port: UInt16
    let authorityFile: String
    /// Writes a credential where the settings can name it.
    let file: @Sendable (_ name: String, _ text: String) throws -> String

    func read(
        _ path: String, _ fields: [String], auth: AuthMethod, credential: String,
        namespace: String?
    ) throws -> [String] {
        var auth = auth
        if case .jwt(let role, _) = auth {
            auth = .jwt(role: role, tokenFile: try file("jwt", credential))
        }
        var settings = VaultSettings(
            origin: Origin(scheme: "https", host: "127.0.0.1", port: port), auth: auth)
        settings.trustAnchorsFile = authorityFile
        settings.minimumTier = .ordinary
        settings.namespace = namespace
        var handed = try SecretBuffer(
            capacity: max(credential.utf8.count, 1), minimumTier: .ordinary)
        try handed.append(text: credential)
        var store = try VaultSecretStore(
            settings: settings, credential: handed, openSSLMemory: .unchanged)
        return try exercise(&store, path, fields)
    }
}

/// The real adapter on the fake vault behind a real TLS listener.
final class LoopbackBench: StoreBench {
    let credentials: Credentials
    private let vault: LoopbackVault
    private let client: AdapterClient

    init() throws {
        credentials = SimulatedBench().credentials
        let made = try LoopbackVault(vault: Stock.simulatedVault(jwt: credentials.jwt))
        vault = made
        client = AdapterClient(
            port: made.listener.port, authorityFile: made.authorityFile,
            file: { [unowned made] in try made.file($0, $1) })
    }

    func seal() { vault.listener.withVault { $0.condition = .sealed } }

    func read(
        _ path: String, _ fields: [String], auth: AuthMethod, credential: String,
        namespace: String?
    ) throws -> [String] {
        try client.read(
            path, fields, auth: auth, credential: credential, namespace: namespace)
    }
}

/// The real adapter on a real OpenBao.
final class OpenBaoBench: StoreBench {
    let credentials: Credentials
    let server: OpenBaoServer
    let keys: OpenBaoServer.Keys
    private let client: AdapterClient

    /// One server for all tests that do not change its state.
    static let shared = Result { try OpenBaoBench() }

    init() throws {
        let server = try OpenBaoServer()
        self.server = server
        keys = try server.initialize()
        client = Self.client(of: server)
        credentials = try Self.stock(server, root: keys.rootToken)
    }

    static func client(of server: OpenBaoServer) -> AdapterClient {
        AdapterClient(
            port: server.port, authorityFile: server.authorityFile,
            file: { [unowned server] in try server.file($0, $1) })
    }

    func seal() throws { try server.seal(keys) }

    func read(
        _ path: String, _ fields: [String], auth: AuthMethod, credential: String,
        namespace: String?
    ) throws -> [String] {
        try client.read(
            path, fields, auth: auth, credential: credential, namespace: namespace)
    }

    private static func stock(_ server: OpenBaoServer, root: String) throws -> Credentials {
        try server.enableKeyValue(version: 2, at: "secret", token: root)
        try server.enableKeyValue(version: 1, at: "legacy", token: root)
        let small = #"{"a":"b"}"#
        for (name, json) in [
            ("app", Stock.appJSON), ("other", small), ("deleted", small), ("destroyed", small),
            ("large", large(Stock.largeBytes)), ("larger", large(Stock.largeBytes + 1)),
        ] {
            try server.putSecret(json, mount: "secret", name: name, token: root)
        }
        try server.bao(["kv", "delete", "-mount=secret", "deleted"], token: root)
        try server.bao(["kv", "destroy", "-mount=secret", "-versions=1", "destroyed"], token: root)
        try server.putSecret(
            #"{"data":"v1","b":"c"}"#, mount: "legacy", name: "db", token: root)
        try server.bao(["namespace", "create", "team"], token: root)
        try server.enableKeyValue(version: 2, at: "secret", token: root, namespace: "team")
        try server.putSecret(
            #"{"a":"team's"}"#, mount: "secret", name: "app", token: root, namespace: "team")
        try server.addPolicy("app", reading: Stock.policyPaths, token: root)
        let signer = try TokenSigner()
        try server.enableJWT(publicKeyPEM: signer.publicKeyPEM, policy: "app", token: root)
        let role = try server.enableAppRole(policy: "app", token: root)
        let now = Int(Date().timeIntervalSince1970)
        let claims = #"{"sub":"workload","aud":"vault","iat":\#(now),"exp":\#(now + 3600)}"#
        return Credentials(
            root: root,
            limited: try server.makeToken(policy: "app", lifetime: "10m", token: root),
            expired: try expiredToken(server, root: root), roleID: role.roleID,
            secretID: role.secretID, jwt: try signer.sign(claims: claims))
    }

    private static func large(_ count: Int) -> String {
        #"{"a":""# + String(repeating: "x", count: count) + #""}"#
    }

    /// A token of one second, waited for until the server no longer knows it.
    private static func expiredToken(_ server: OpenBaoServer, root: String) throws -> String {
        let made = try server.makeToken(policy: "app", lifetime: "1s", token: root)
        for _ in 0..<100 {
            guard (try? server.bao(["token", "lookup"], token: made)) != nil else { return made }
            Thread.sleep(forTimeInterval: 0.1)
        }
        throw OpenBaoFailure(command: "token lookup", output: "the token does not expire")
    }
}
