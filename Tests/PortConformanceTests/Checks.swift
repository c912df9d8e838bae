// SPDX-License-Identifier: Apache-2.0
import Ports
import Testing
import WrapperConfiguration

/// One thing that every `SecretStore` does alike.
struct Check: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let run: @Sendable (any StoreBench) throws -> Void

    init(_ name: String, _ run: @escaping @Sendable (any StoreBench) throws -> Void) {
        testDescription = name
        self.run = run
    }

    /// Reading fails in exactly this way.
    private static func fails(
        _ name: String, _ failure: SecretStoreFailure,
        _ body: @escaping @Sendable (any StoreBench) throws -> [String]
    ) -> Check {
        Check(name) { bench in
            #expect(throws: failure) { () throws in _ = try body(bench) }
        }
    }

    static let all: [Check] = reading + refusing + loggingIn + logins + leases + engines

    private static let reading = [
        Check("fields come unescaped, in order, with and without data/ in the path") { bench in
            let fields = ["yes", "password", "empty", "number", "password"]
            for path in ["secret/app", "secret/data/app"] {
                let values = try bench.read(path, fields)
                #expect(values == ["true", "p\"w\\\n<é>😀", "", "1500", "p\"w\\\n<é>😀"])
            }
        },
        Check("a KV v1 secret may have a field called data") { bench in
            let values = try bench.read("legacy/db", ["data", "b"])
            #expect(values == ["v1", "c"])
        },
        Check("the names of fields come without a value") { bench in
            let store = try bench.store(token: bench.credentials.limited)
            let names = try store.fieldNames("secret/app")
            #expect(names.sorted() == Stock.appFields.map(\.name).sorted())
            #expect(try store.fieldNames("secret/data/app") == names)
            let administrator = try bench.store(token: bench.credentials.root)
            #expect(try administrator.fieldNames("legacy/db").sorted() == ["b", "data"])
            for (path, failure) in [
                ("secret/deleted", SecretStoreFailure.versionDeleted(path: "secret/deleted")),
                ("secret/destroyed", .versionDestroyed(path: "secret/destroyed")),
                ("secret/none", .notFound(path: "secret/none")),
                ("nothing/none", .mountUnknown(path: "nothing/none")),
            ] {
                #expect(throws: failure) { try administrator.fieldNames(path) }
            }
            #expect(throws: SecretStoreFailure.permissionDenied(path: "secret/other")) {
                try store.fieldNames("secret/other")
            }
        },
        Check("a value of 1 MiB is read") { bench in
            let values = try bench.read("secret/large", ["a"])
            #expect(values.map(\.utf8.count) == [Stock.largeBytes])
        },
        Check("a namespace holds its own secrets") { bench in
            let values = try bench.read("secret/app", ["a"], namespace: "team")
            #expect(values == ["team's"])
        },
        Check("a token with a policy for the path reads it") { bench in
            let values = try bench.read(
                "secret/app", ["yes"], token: bench.credentials.limited)
            #expect(values == ["true"])
        },
    ]

    private static let refusing = [
        fails("a deleted version", .versionDeleted(path: "secret/deleted")) {
            try $0.read("secret/deleted", ["a"])
        },
        fails("a destroyed version", .versionDestroyed(path: "secret/destroyed")) {
            try $0.read("secret/destroyed", ["a"])
        },
        fails("a KV v2 secret that does not exist", .notFound(path: "secret/none")) {
            try $0.read("secret/none", ["a"])
        },
        fails("a KV v1 secret that does not exist", .notFound(path: "legacy/none")) {
            try $0.read("legacy/none", ["a"])
        },
        fails("an unknown mount", .mountUnknown(path: "unknown/app")) {
            try $0.read("unknown/app", ["a"])
        },
        fails(
            "an unknown namespace", .loginRefused(method: "token", role: "", status: 404)
        ) {
            try $0.read("secret/app", ["a"], namespace: "nobody")
        },
        fails("a missing field", .fieldMissing(path: "secret/app", field: "nope")) {
            try $0.read("secret/app", ["yes", "nope"])
        },
        fails("an object", .fieldNotText(path: "secret/app", field: "object")) {
            try $0.read("secret/app", ["object"])
        },
        fails("a list", .fieldNotText(path: "secret/app", field: "list")) {
            try $0.read("secret/app", ["list"])
        },
        fails("null", .fieldNotText(path: "secret/app", field: "nothing")) {
            try $0.read("secret/app", ["nothing"])
        },
        fails("a NUL byte", .valueContainsNUL(path: "secret/app", field: "nul")) {
            try $0.read("secret/app", ["yes", "nul"])
        },
        fails(
            "a value of 1 MiB and one byte",
            .valueTooLarge(path: "secret/larger", field: "a", limitBytes: Stock.largeBytes)
        ) { try $0.read("secret/larger", ["a"]) },
        fails("an unknown token", .tokenInvalid) {
            try $0.read("secret/app", ["yes"], token: "s.unknown")
        },
        fails("an expired token", .tokenInvalid) {
            try $0.read("secret/app", ["yes"], token: $0.credentials.expired)
        },
        fails("a path the policy leaves out", .permissionDenied(path: "secret/other")) {
            try $0.read("secret/other", ["a"], token: $0.credentials.limited)
        },
        fails("a mount the policy leaves out", .mountUnknown(path: "legacy/db")) {
            try $0.read("legacy/db", ["b"], token: $0.credentials.limited)
        },
    ]

    private static let jwt = AuthMethod.jwt(role: "app", tokenFile: "")

    private static let loggingIn = [
        Check("AppRole logs in and reads") { bench in
            let values = try bench.read(
                "secret/app", ["yes"], auth: bench.appRole,
                credential: bench.credentials.secretID, namespace: nil)
            #expect(values == ["true"])
        },
        Check("JWT logs in and reads") { bench in
            let values = try bench.read(
                "secret/app", ["yes"], auth: jwt, credential: bench.credentials.jwt,
                namespace: nil)
            #expect(values == ["true"])
        },
        Check("a wrong AppRole secret id") { bench in
            let failure = SecretStoreFailure.loginRefused(
                method: "approle", role: bench.credentials.roleID, status: 400)
            #expect(throws: failure) {
                try bench.read(
                    "secret/app", ["yes"], auth: bench.appRole, credential: "wrong",
                    namespace: nil)
            }
        },
        fails(
            "a wrong AppRole role",
            .loginRefused(method: "approle", role: "stranger", status: 400)
        ) {
            try $0.read(
                "secret/app", ["yes"], auth: .appRole(roleID: "stranger", secretIDFile: nil),
                credential: $0.credentials.secretID, namespace: nil)
        },
        fails("a wrong JWT role", .loginRefused(method: "jwt", role: "stranger", status: 400)) {
            try $0.read(
                "secret/app", ["yes"], auth: .jwt(role: "stranger", tokenFile: ""),
                credential: $0.credentials.jwt, namespace: nil)
        },
        fails("a JWT that proves nothing", .loginRefused(method: "jwt", role: "app", status: 400)) {
            try $0.read(
                "secret/app", ["yes"], auth: jwt, credential: "e30.e30.AAAA", namespace: nil)
        },
    ]
}
