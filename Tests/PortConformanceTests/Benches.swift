// SPDX-License-Identifier: Apache-2.0
import Foundation
import LoopbackPKI
import OpenBaoServer
import Ports
import SecretMemory
import Simulation
import Testing
import VaultListener
import VaultSecretStore
import WrapperConfiguration

/// The fake store on the fake vault.
final class SimulatedBench: StoreBench {
    let credentials = Credentials(
        root: SimulatedVault.rootToken, limited: "s.limited", expired: "s.expired",
        roleID: "role-id", secretID: "secret-id", jwt: "jwt")
    let server = SimulatedVaultServer(Stock.simulatedVault(jwt: "jwt"))
    /// Time that passed and is no whole second yet.
    private var milliseconds = 0

    func store(_ options: StoreOptions) throws -> StoreUnderTest {
        var settings = VaultSettings(
            origin: Origin(scheme: "https", host: "127.0.0.1", port: 8200), auth: options.auth)
        settings.namespace = options.namespace
        settings.isSecretIDWrapped = options.isSecretIDWrapped
        var credential = options.credential
        switch options.client {
        case .none: break
        case .good: credential = "workload"
        case .otherAuthority: credential = "nobody"
        }
        return StoreUnderTest(
            SimulatedSecretStore(server: server, settings: settings, credential: credential))
    }

    func seal() { server.vault.condition = .sealed }
    func unseal() { server.vault.condition = .active }

    func wait(milliseconds passing: Int) {
        milliseconds += passing
        server.vault.advance(seconds: milliseconds / 1000)
        milliseconds %= 1000
    }

    func makeToken(seconds: Int, secondsMax: Int) -> String {
        server.vault.addShortToken(seconds: seconds, secondsMax: secondsMax)
    }

    func wrapSecretID(seconds: Int) throws -> String {
        let made = server.vault.wrapSecretID(
            roleID: credentials.roleID, secondsToLive: seconds)
        return try #require(made)
    }

    func wrap(secretID: String) -> String {
        server.vault.wrap(.object([("secret_id", .string(secretID))]))
    }

    func putVersion(of name: String) {
        server.vault.put(mount: "secret", name: name, fields: [("a", .string("b"))])
    }
}

extension SimulatedVault {
    mutating func addShortToken(seconds: Int, secondsMax: Int) -> String {
        addToken(
            "s.short", readable: Stock.policyPaths, secondsToLive: seconds,
            maxSecondsToLive: secondsMax, isRenewable: true)
        return "s.short"
    }
}

/// The real adapter, over TLS, on whatever listens at a port.
struct AdapterClient: Sendable {
    let port: UInt16
    let authorityFile: String
    /// Whose client certificates are good.
    let pki: LoopbackPKI
    /// Writes a credential where the settings can name it.
    let file: @Sendable (_ name: String, _ text: String) throws -> String

    func store(_ options: StoreOptions) throws -> StoreUnderTest {
        var auth = options.auth
        var handed: SecretBuffer?
        if let credential = options.credential {
            var buffer = try SecretBuffer(
                capacity: max(credential.utf8.count, 1), minimumTier: .ordinary)
            try buffer.append(text: credential)
            handed = consume buffer
            if case .jwt(let role, _) = auth {
                let name = "jwt-\(UInt64.random(in: 0 ... .max))"
                auth = .jwt(role: role, tokenFile: try file(name, credential))
            }
        }
        var settings = VaultSettings(
            origin: Origin(scheme: "https", host: "127.0.0.1", port: port), auth: auth)
        settings.trustAnchorsFile = authorityFile
        settings.minimumTier = .ordinary
        settings.namespace = options.namespace
        settings.isSecretIDWrapped = options.isSecretIDWrapped
        try addCertificate(options.client, to: &settings)
        return StoreUnderTest(
            try VaultSecretStore(
                settings: settings, credential: handed, openSSLMemory: .unchanged))
    }

    private func addCertificate(
        _ client: ClientCertificate, to settings: inout VaultSettings
    ) throws {
        let identity: Identity
        switch client {
        case .none: return
        case .good: identity = try pki.client()
        case .otherAuthority: identity = try LoopbackPKI(commonName: "Another CA").client()
        }
        let name = "client-\(UInt64.random(in: 0 ... .max))"
        settings.clientCertificateFile = try file(name + ".pem", identity.certificatePEM)
        settings.clientKeyFile = try file(name + "-key.pem", identity.keyPEM)
    }
}

/// The real adapter on the fake vault behind a real TLS listener.
final class LoopbackBench: StoreBench {
    let credentials: Credentials
    let vault: LoopbackVault
    private let client: AdapterClient
    private var milliseconds = 0

    init() throws {
        credentials = SimulatedBench().credentials
        var simulated = Stock.simulatedVault(jwt: credentials.jwt)
        // The adapter reads the real clock.
        simulated.startedAt = Int64(Date().timeIntervalSince1970)
        let made = try LoopbackVault(vault: simulated, askForClientCertificate: true)
        vault = made
        client = AdapterClient(
            port: made.listener.port, authorityFile: made.authorityFile, pki: made.pki,
            file: { [unowned made] in try made.file($0, $1) })
    }

    func store(_ options: StoreOptions) throws -> StoreUnderTest { try client.store(options) }

    func seal() { vault.listener.withVault { $0.condition = .sealed } }
    func unseal() { vault.listener.withVault { $0.condition = .active } }

    func wait(milliseconds passing: Int) {
        milliseconds += passing
        let seconds = milliseconds / 1000
        milliseconds %= 1000
        vault.listener.withVault { $0.advance(seconds: seconds) }
    }

    func makeToken(seconds: Int, secondsMax: Int) -> String {
        vault.listener.withVault { $0.addShortToken(seconds: seconds, secondsMax: secondsMax) }
    }

    func wrapSecretID(seconds: Int) throws -> String {
        let made = vault.listener.withVault { vault in
            vault.wrapSecretID(roleID: "role-id", secondsToLive: seconds)
        }
        return try #require(made)
    }

    func wrap(secretID: String) -> String {
        vault.listener.withVault { $0.wrap(.object([("secret_id", .string(secretID))])) }
    }

    func putVersion(of name: String) {
        vault.listener.withVault {
            $0.put(mount: "secret", name: name, fields: [("a", .string("b"))])
        }
    }
}

/// The real adapter on a real OpenBao, its `database` engine on a real PostgreSQL.
final class OpenBaoBench: StoreBench, Sendable {
    let credentials: Credentials
    let server: OpenBaoServer
    let keys: OpenBaoServer.Keys
    private let database: PostgreSQLServer
    private let client: AdapterClient

    /// One server for all tests that do not change its state.
    static let shared = Result { try OpenBaoBench() }

    init() throws {
        let database = try PostgreSQLServer()
        self.database = database
        let server = try OpenBaoServer()
        self.server = server
        keys = try server.initialize()
        client = Self.client(of: server)
        credentials = try Self.stock(server, root: keys.rootToken)
        try Self.addEngines(to: server, database: database, root: keys.rootToken)
    }

    static func client(of server: OpenBaoServer) -> AdapterClient {
        AdapterClient(
            port: server.port, authorityFile: server.authorityFile, pki: server.pki,
            file: { [unowned server] in try server.file($0, $1) })
    }

    func store(_ options: StoreOptions) throws -> StoreUnderTest { try client.store(options) }

    func seal() throws { try server.seal(keys) }
    func unseal() throws { try server.unseal(keys) }

    func wait(milliseconds: Int) {
        Thread.sleep(forTimeInterval: TimeInterval(milliseconds) / 1000)
    }

    func makeToken(seconds: Int, secondsMax: Int) throws -> String {
        try server.makeToken(
            policy: "app", lifetime: "\(seconds)s", longest: "\(secondsMax)s",
            token: keys.rootToken)
    }

    func wrapSecretID(seconds: Int) throws -> String {
        try server.wrapSecretID(lifetime: "\(seconds)s", token: keys.rootToken)
    }

    func wrap(secretID: String) throws -> String {
        try server.wrap("secret_id=\(secretID)", token: keys.rootToken)
    }

    func putVersion(of name: String) throws {
        try server.putSecret(
            #"{"a":"b"}"#, mount: "secret", name: name, token: keys.rootToken)
    }

    private static func addEngines(
        to server: OpenBaoServer, database: PostgreSQLServer, root: String
    ) throws {
        try server.enableDatabase(database, token: root)
        try server.addDatabaseRole("app", lifetime: "60s", longest: "1h", token: root)
        try server.addDatabaseRole("short", lifetime: "2s", longest: "4s", token: root)
        try server.enablePKI(token: root)
        try server.enableTransit(keys: ["app", "second"], token: root)
        try server.enableCertificateLogin(policies: "app,revoke", token: root)
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
        try server.addPolicy("app", using: Stock.policyPaths, token: root)
        try server.addPolicy("revoke", using: Stock.revokingPaths, token: root)
        let signer = try TokenSigner()
        try server.enableJWT(publicKeyPEM: signer.publicKeyPEM, policy: "app", token: root)
        let role = try server.enableAppRole(policy: "app,revoke", token: root)
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
