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
    /// Below limits of the servers' own, above ours.
    static let policyPaths = ["secret/data/app"]

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
        vault.addToken("s.limited", readable: policyPaths)
        vault.addToken("s.expired", readable: policyPaths, secondsToLive: 0)
        vault.namespaces[""]?.authBackends = [
            "approle": .appRole([
                "role-id": .init(credentials: ["secret-id"], readable: policyPaths)
            ]),
            "jwt": .jwt(["app": .init(credentials: [jwt], readable: policyPaths)]),
        ]
        return vault
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

/// A vault under test, with a way to make the store that reads it.
protocol StoreBench: Sendable {
    var credentials: Credentials { get }
    /// Seals the vault for good.
    func seal() throws
    /// Reads with a fresh store; `inspect` sees how often each value came.
    func read(
        _ path: String, _ fields: [String], auth: AuthMethod, credential: String,
        namespace: String?
    ) throws -> [String]
}

extension StoreBench {
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

/// Logs in and reads: what a store is for, whatever stands behind it.
func exercise<Store: SecretStore & ~Copyable>(
    _ store: inout Store, _ path: String, _ fields: [String]
) throws -> [String] {
    _ = try store.logIn()
    defer { store.forget() }
    var values: [String] = []
    do {
        _ = try store.read(SecretQuery(path: path), fields: fields, onLease: { _ in }) {
            index, value in
            precondition(index == values.count, "fields come once each, in order")
            values.append(value.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
        }
    } catch {
        precondition(values.isEmpty, "a failed read hands nothing over")
        throw error
    }
    return values
}
