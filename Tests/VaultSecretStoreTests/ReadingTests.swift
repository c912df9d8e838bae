// SPDX-License-Identifier: Apache-2.0
import Ports
import SecretMemory
import Simulation
import Testing
import VaultListener
import VaultSecretStore
import WrapperConfiguration

/// A vault with one secret of each kind.
func stockedVault() -> SimulatedVault {
    var vault = SimulatedVault()
    vault.put(
        mount: "secret", name: "app",
        fields: [
            ("password", .string("p\"w\\\n<é>😀")), ("empty", .string("")),
            ("number", .number("1.50e3")), ("yes", .bool(true)),
            ("object", .object([("a", .string("b"))])), ("list", .array([])), ("nothing", .null),
            ("nul", .string("a\0b")),
            ("chain", .array([.string(pemBlock("one\"")), .string(pemBlock("twö"))])),
            ("single", .array([.string(pemBlock("one"))])),
            ("mixed", .array([.string(pemBlock("one")), .string("two")])),
            ("numbers", .array([.number("1")])),
        ])
    vault.put(mount: "secret", name: "data/deep", fields: [("a", .string("deep"))])
    vault.put(mount: "secret", name: "deleted", fields: [("a", .string("b"))])
    vault.mark(mount: "secret", name: "deleted", .deleted)
    vault.put(mount: "secret", name: "destroyed", fields: [("a", .string("b"))])
    vault.mark(mount: "secret", name: "destroyed", .destroyed)
    vault.namespaces[""]?.mounts["legacy"] = .keyValue1([:])
    vault.put(mount: "legacy", name: "db", fields: [("data", .string("v1")), ("b", .string("c"))])
    vault.put(mount: "legacy", name: "data/db", fields: [("a", .string("v1 below data/"))])
    vault.namespaces[""]?.mounts["transit"] = .other(type: "transit")
    vault.addToken("s.limited", readable: ["secret/data/other"])
    vault.addToken("s.blind", readable: [])
    return vault
}

/// A PEM block of no meaning.
func pemBlock(_ text: String) -> String {
    "-----BEGIN CERTIFICATE-----\n\(text)\n-----END CERTIFICATE-----"
}

@Suite("Reading secrets") struct ReadingTests {
    let vault: LoopbackVault

    init() throws { vault = try LoopbackVault(vault: stockedVault()) }

    @Test(arguments: ["secret/app", "secret/data/app", "/secret//app/"])
    func `fields arrive unescaped and in the order asked for, with or without data`(
        _ path: String
    ) throws {
        let fields = ["yes", "password", "empty", "number", "password"]
        let values = try vault.read(path, fields)
        #expect(values == ["true", "p\"w\\\n<é>😀", "", "1.50e3", "p\"w\\\n<é>😀"])
    }

    @Test func `a KV v1 secret may have a field called data, and names below data`() throws {
        #expect(try vault.read("legacy/db", ["data", "b"]) == ["v1", "c"])
        #expect(try vault.read("legacy/data/db", ["a"]) == ["v1 below data/"])
    }

    @Test func `a KV v2 name below data is written in the API's form`() throws {
        #expect(try vault.read("secret/data/data/deep", ["a"]) == ["deep"])
    }

    @Test func `a given token is looked up; a path costs one question for the mount and one read`()
        throws
    {
        _ = try vault.read("secret/app", ["password", "empty"])
        let log = vault.listener.withVault { $0.log }
        #expect(
            log == [
                "GET /v1/auth/token/lookup-self",
                "GET /v1/sys/internal/ui/mounts/secret/app", "GET /v1/secret/data/app",
            ])
        #expect(vault.listener.handshakes == 1)
    }

    @Test(arguments: [
        ("secret/deleted", SecretStoreFailure.versionDeleted(path: "secret/deleted")),
        ("secret/destroyed", .versionDestroyed(path: "secret/destroyed")),
        ("secret/none", .notFound(path: "secret/none")),
        ("legacy/none", .notFound(path: "legacy/none")),
        ("unknown/app", .mountUnknown(path: "unknown/app")),
        ("transit/app", .notFound(path: "transit/app")),
        ("secret", .mountUnknown(path: "secret")),
        ("secret/../sys/app", .mountUnknown(path: "secret/../sys/app")),
    ])
    func `each way of having no secret is told apart`(
        _ path: String, _ failure: SecretStoreFailure
    ) {
        #expect(throws: failure) { try vault.read(path, ["a"]) }
    }

    @Test func `a missing field is named`() {
        #expect(throws: SecretStoreFailure.fieldMissing(path: "secret/app", field: "nope")) {
            try vault.read("secret/app", ["password", "nope"])
        }
    }

    @Test func `a list of PEM blocks is their bundle, whichever else is read`() throws {
        let chain = "\(pemBlock("one\""))\n\(pemBlock("twö"))"
        let fields = ["chain", "yes", "single", "chain", "number"]
        let values = try vault.read("secret/app", fields)
        #expect(values == [chain, "true", pemBlock("one"), chain, "1.50e3"])
    }

    @Test(arguments: ["object", "list", "nothing", "mixed", "numbers"])
    func `a field that is no text is refused`(_ field: String) {
        #expect(throws: SecretStoreFailure.fieldNotText(path: "secret/app", field: field)) {
            try vault.read("secret/app", [field])
        }
    }

    @Test func `a value with a NUL byte is refused and nothing is handed over`() throws {
        var store = try VaultSecretStore(
            settings: vault.settings(), credential: .testing(SimulatedVault.rootToken),
            openSSLMemory: .unchanged)
        _ = try store.logIn()
        var received = 0
        #expect(throws: SecretStoreFailure.valueContainsNUL(path: "secret/app", field: "nul")) {
            try store.read(path: "secret/app", fields: ["password", "nul"]) { _, _ in
                received += 1
            }
        }
        #expect(received == 0)
        // The store is still usable.
        try store.read(path: "secret/app", fields: ["password"]) { _, _ in received += 1 }
        #expect(received == 1)
    }

    @Test func `a value of 1 MiB is read and one byte more is refused`() throws {
        let limit = 1 << 20
        vault.listener.withVault { vault in
            // Escaped as \u003c each, this text would be too large as a whole answer; newlines
            // double and stay within it.
            let text = String(repeating: "\n", count: limit)
            vault.put(
                mount: "secret", name: "big",
                fields: [("a", .string(text)), ("b", .string("tail"))])
            vault.put(mount: "secret", name: "bigger", fields: [("a", .string(text + "\n"))])
        }
        let values = try vault.read("secret/big", ["a", "b"])
        #expect(values[0].utf8.count == limit)
        #expect(values[0].utf8.allSatisfy { $0 == 10 })
        #expect(values[1] == "tail")
        let failure = SecretStoreFailure.valueTooLarge(
            path: "secret/bigger", field: "a", limitBytes: limit)
        #expect(throws: failure) { try vault.read("secret/bigger", ["a"]) }
    }

    @Test func `chunked answers and connections closed after each answer work`() throws {
        vault.listener.setFault(.chunked(bytes: 7))
        #expect(try vault.read("secret/app", ["yes"]) == ["true"])
        vault.listener.setFault(.closing)
        let before = vault.listener.handshakes
        #expect(try vault.read("secret/app", ["yes"]) == ["true"])
        #expect(vault.listener.handshakes == before + 3)
    }

    @Test func `a namespace is sent with every request`() throws {
        vault.listener.withVault { vault in
            vault.namespaces["team"] = .init()
            vault.put(
                mount: "secret", name: "app", fields: [("a", .string("team's"))],
                namespace: "team")
        }
        var settings = vault.settings()
        settings.namespace = "team/"
        #expect(try vault.read("secret/app", ["a"], settings: settings) == ["team's"])
        settings.namespace = "nobody"
        #expect(
            throws: SecretStoreFailure.loginRefused(method: "token", role: "", status: 404)
        ) {
            try vault.read("secret/app", ["a"], settings: settings)
        }
    }

    @Test func `a token without the right, and an unknown or expired one, are told apart`() {
        #expect(throws: SecretStoreFailure.permissionDenied(path: "secret/app")) {
            try vault.read("secret/app", ["yes"], credential: "s.limited")
        }
        #expect(throws: SecretStoreFailure.mountUnknown(path: "secret/app")) {
            try vault.read("secret/app", ["yes"], credential: "s.blind")
        }
        #expect(throws: SecretStoreFailure.tokenInvalid) {
            try vault.read("secret/app", ["yes"], credential: "s.unknown")
        }
        vault.listener.withVault { $0.addToken("s.short", secondsToLive: 60) }
        #expect(throws: Never.self) {
            try vault.read("secret/app", ["yes"], credential: "s.short")
        }
        vault.listener.withVault { $0.advance(seconds: 60) }
        #expect(throws: SecretStoreFailure.tokenInvalid) {
            try vault.read("secret/app", ["yes"], credential: "s.short")
        }
        #expect(throws: SecretStoreFailure.tokenInvalid) {
            try vault.read("secret/app", ["yes"], credential: "s.with\r\nX-Evil: 1")
        }
    }
}
