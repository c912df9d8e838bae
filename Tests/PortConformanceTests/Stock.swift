// SPDX-License-Identifier: Apache-2.0
import LoopbackPKI
import Ports
import SecretMemory
import Simulation
import WrapperConfiguration

/// What every vault under test holds, so that one suite fits all of them.
///
/// Mounts `secret` (KV v2) and `legacy` (KV v1); the namespace `team` with its own `secret`; a
/// policy for `secret/data/app` alone; an AppRole role and a JWT role `app` with that policy.
enum Stock {
    /// Fields of `secret/app`, in JSON.
    static let appJSON = #"""
        {"password":"p\"w\\\n<é>😀","empty":"","number":1500,"yes":true,
         "object":{"a":"b"},"list":[1],"nothing":null,"nul":"a\u0000b"}
        """#
    /// The same for the simulation.
    static let appFields: [(name: String, value: SimulatedJSON)] = [
        ("password", .string("p\"w\\\n<é>😀")), ("empty", .string("")),
        ("number", .number("1500")), ("yes", .bool(true)),
        ("object", .object([("a", .string("b"))])), ("list", .array([.number("1")])),
        ("nothing", .null), ("nul", .string("a\0b")),
    ]
    static let largeBytes = 1 << 20
    /// What the policy `app` lets a token use.
    static let policyPaths = [
        "secret/data/app", "database/creds/app", "database/creds/short", "pki/issue/web",
        "pki/issue/leased", "transit/encrypt/app", "transit/decrypt/app",
    ]
    /// What the policy `revoke` adds.
    static let revokingPaths = ["sys/leases/revoke"]
    /// Of tokens that logins grant (seconds).
    static let tokenSeconds = 600

    static func simulatedVault(jwt: String) -> SimulatedVault {
        var vault = SimulatedVault()
        vault.put(mount: "secret", name: "app", fields: appFields)
        vault.put(mount: "secret", name: "other", fields: [("a", .string("b"))])
        for (name, count) in [("large", largeBytes), ("larger", largeBytes + 1)] {
            vault.put(
                mount: "secret", name: name,
                fields: [("a", .string(String(repeating: "x", count: count)))])
        }
        vault.put(mount: "secret", name: "deleted", fields: [("a", .string("b"))])
        vault.mark(mount: "secret", name: "deleted", .deleted)
        vault.put(mount: "secret", name: "destroyed", fields: [("a", .string("b"))])
        vault.mark(mount: "secret", name: "destroyed", .destroyed)
        vault.namespaces[""]?.mounts["legacy"] = .keyValue1([:])
        vault.put(
            mount: "legacy", name: "db", fields: [("data", .string("v1")), ("b", .string("c"))])
        vault.namespaces["team"] = .init()
        vault.put(
            mount: "secret", name: "app", fields: [("a", .string("team's"))], namespace: "team")
        vault.addToken(
            "s.limited", readable: policyPaths, secondsToLive: tokenSeconds, isRenewable: true)
        vault.addToken("s.expired", readable: policyPaths, secondsToLive: 0)
        addEngines(to: &vault)
        func role(_ credential: String) -> SimulatedVault.Role {
            .init(
                credentials: [credential], readable: policyPaths + revokingPaths,
                secondsToLive: tokenSeconds)
        }
        vault.namespaces[""]?.authBackends = [
            "approle": .appRole(["role-id": role("secret-id")]),
            "jwt": .jwt(["app": role(jwt)]), "cert": .certificate(["app": role("workload")]),
        ]
        return vault
    }

    private static func addEngines(to vault: inout SimulatedVault) {
        vault.mount(
            .database([
                "app": .init(secondsToLive: 60, maxSecondsToLive: 3600),
                "short": .init(secondsToLive: 2, maxSecondsToLive: 4),
            ]), at: "database")
        vault.mount(
            .pki([
                "web": .init(secondsToLive: 60, maxSecondsToLive: 3600, grantsLease: false),
                "leased": .init(secondsToLive: 60, maxSecondsToLive: 3600),
            ]), at: "pki")
        vault.mount(.transit(["app": 1, "second": 1]), at: "transit")
    }
}

/// Credentials that a vault under test has given out.
struct Credentials: Sendable {
    var root: String
    /// May read `secret/data/app` and nothing else.
    var limited: String
    /// Was valid once.
    var expired: String
    var roleID: String
    var secretID: String
    var jwt: String
}

/// Which client certificate a store shows.
enum ClientCertificate: Sendable {
    case none, good, otherAuthority
}

/// How a store under test is set up.
struct StoreOptions {
    var auth: AuthMethod
    /// Handed over, or written to the file that `auth` names.
    var credential: String?
    var namespace: String?
    var isSecretIDWrapped = false
    var client = ClientCertificate.none
}

/// A vault under test, with a way to make stores that use it.
protocol StoreBench {
    var credentials: Credentials { get }
    func store(_ options: StoreOptions) throws -> StoreUnderTest
    func seal() throws
    func unseal() throws
    /// Lets time pass for the vault.
    func wait(milliseconds: Int) throws
    /// A renewable token of the policy `app`.
    func makeToken(seconds: Int, secondsMax: Int) throws -> String
    /// A new secret id of the AppRole role, wrapped.
    func wrapSecretID(seconds: Int) throws -> String
    /// Something in the form of a wrapped secret id, that was not made at a role.
    func wrap(secretID: String) throws -> String
    /// Another version of the KV v2 secret `secret/<name>`, with a field `a`.
    func putVersion(of name: String) throws
    /// A transit key with `derived=true` that no other check knows.
    func putDerivedKey() throws -> String
    func rotate(key: String) throws
    /// `min_decryption_version`
    func exclude(versionsBelow version: Int, of key: String) throws
    /// `transit/rewrap/<key>`, with further fields in base64.
    func rewrap(_ ciphertext: String, key: String, _ fields: [String: [UInt8]]) throws -> String
}

extension StoreBench {
    var appRole: AuthMethod { .appRole(roleID: credentials.roleID, secretIDFile: nil) }

    func wait(seconds: Int) throws { try wait(milliseconds: seconds * 1000) }

    /// A KV v2 secret that no other check knows, in its first version.
    func putFreshSecret() throws -> String {
        let name = "fresh-\(UInt64.random(in: 0 ... .max))"
        try putVersion(of: name)
        return name
    }

    /// Logged in.
    func store(token: String) throws -> StoreUnderTest {
        let store = try store(StoreOptions(auth: .token(file: nil), credential: token))
        try store.logIn()
        return store
    }

    func appRoleStore(isLoggedIn: Bool = true) throws -> StoreUnderTest {
        let store = try store(
            StoreOptions(auth: appRole, credential: credentials.secretID))
        if isLoggedIn { try store.logIn() }
        return store
    }

    func store(_ auth: AuthMethod, client: ClientCertificate) throws -> StoreUnderTest {
        try store(StoreOptions(auth: auth, client: client))
    }

    func store(_ auth: AuthMethod, wrapped: String) throws -> StoreUnderTest {
        try store(StoreOptions(auth: auth, credential: wrapped, isSecretIDWrapped: true))
    }

    /// Logs in and reads with a fresh store.
    func read(
        _ path: String, _ fields: [String], auth: AuthMethod, credential: String,
        namespace: String?
    ) throws -> [String] {
        let store = try store(
            StoreOptions(auth: auth, credential: credential, namespace: namespace))
        try store.logIn()
        return try store.read(path, fields).values
    }

    /// With the root token.
    func read(_ path: String, _ fields: [String], namespace: String? = nil) throws -> [String] {
        try read(
            path, fields, auth: .token(file: nil), credential: credentials.root,
            namespace: namespace)
    }

    func read(_ path: String, _ fields: [String], token: String) throws -> [String] {
        try read(
            path, fields, auth: .token(file: nil), credential: token, namespace: nil)
    }
}
