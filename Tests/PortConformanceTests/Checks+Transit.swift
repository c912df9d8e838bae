// SPDX-License-Identifier: Apache-2.0
import Ports
import Testing

/// Transit keys, and what binds a ciphertext.
extension Check {
    static let transit = openings + derivations

    private static func refused(_ key: String) -> SecretStoreFailure {
        .unexpectedStatus(path: "transit/decrypt/\(key)", status: 400)
    }

    private static let openings = [
        Check("transit gives back what it was given") { bench in
            let store = try bench.appRoleStore()
            for plaintext in [
                [], [0], Array("a key of 32 bytes, or so it says".utf8), [255, 0, 1],
                Array(0...255),
            ] {
                for data in [[], Array("bucket/object".utf8)] {
                    let binding = TransitBinding.associatedData(data)
                    let sealed = try store.encrypt(plaintext, key: "app", binding: binding)
                    #expect(sealed.hasPrefix("vault:v1:"))
                    #expect(try store.encrypt(plaintext, key: "app", binding: binding) != sealed)
                    #expect(
                        try store.decrypt(sealed, key: "app", binding: binding) == plaintext)
                }
            }
        },
        Check("transit refuses what was changed, other data and another key") { bench in
            let store = try bench.store(token: bench.credentials.root)
            let binding = TransitBinding.associatedData(Array("bucket/object".utf8))
            let sealed = try store.encrypt([1, 2, 3, 4, 5, 6], key: "app", binding: binding)
            try expectRefusals(of: sealed, key: "app", binding, store)
            for (key, other) in [
                ("app", TransitBinding.associatedData(Array("bucket/other".utf8))),
                ("app", .none), ("second", binding),
            ] {
                #expect(throws: refused(key)) {
                    try store.decrypt(sealed, key: key, binding: other)
                }
            }
            #expect(throws: SecretStoreFailure.notFound(path: "transit/decrypt/none")) {
                try store.decrypt(sealed, key: "none", binding: binding)
            }
            #expect(try store.decrypt(sealed, key: "app", binding: binding).count == 6)
        },
        Check("transit with a key or a mount that the policy leaves out") { bench in
            let store = try bench.store(token: bench.credentials.limited)
            #expect(
                throws: SecretStoreFailure.permissionDenied(path: "transit/encrypt/second")
            ) { try store.encrypt([1], key: "second") }
            #expect(
                throws: SecretStoreFailure.permissionDenied(path: "transit/decrypt/second")
            ) { try store.decrypt("vault:v1:AAAA", key: "second") }
        },
    ]

    /// What no key has ever made.
    private static func expectRefusals(
        of sealed: String, key: String, _ binding: TransitBinding, _ store: StoreUnderTest
    ) throws {
        var wrong = ["vault:v1:AAAA", "nonsense", "vault:v9:" + sealed.dropFirst(9), "vault:v1:@@"]
        let body = Array(sealed.utf8).count - "vault:v1:".utf8.count
        for position in [0, body / 2, body - 5] {
            var changed = Array(sealed.utf8)
            let index = "vault:v1:".utf8.count + position
            changed[index] = changed[index] == 65 ? 66 : 65
            wrong.append(String(decoding: changed, as: UTF8.self))
        }
        for text in wrong {
            #expect(throws: refused(key)) {
                try store.decrypt(text, key: key, binding: binding)
            }
        }
    }

    private static let context = Array("what this key is for, 32 bytes..".utf8)
    private static let otherContext = Array("what that key is for, 32 bytes..".utf8)

    private static let derivations = [
        Check("a derived key gives back what it was given, for the same context only") { bench in
            let store = try bench.store(token: bench.credentials.root)
            let key = try bench.putDerivedKey()
            let binding = TransitBinding.derivation(context)
            let sealed = try store.encrypt([1, 2, 3, 4, 5, 6], key: key, binding: binding)
            #expect(try store.decrypt(sealed, key: key, binding: binding) == [1, 2, 3, 4, 5, 6])
            try expectRefusals(of: sealed, key: key, binding, store)
            for other in [
                TransitBinding.derivation(otherContext), .none, .associatedData(context),
            ] {
                #expect(throws: refused(key)) {
                    try store.decrypt(sealed, key: key, binding: other)
                }
            }
            #expect(
                throws: SecretStoreFailure.unexpectedStatus(
                    path: "transit/encrypt/\(key)", status: 400)
            ) { try store.encrypt([1], key: key) }
        },
        Check("a key that is not derived ignores the context") { bench in
            let store = try bench.store(token: bench.credentials.root)
            let sealed = try store.encrypt([7], key: "app", binding: .derivation(context))
            #expect(
                try store.decrypt(sealed, key: "app", binding: .derivation(otherContext)) == [7])
        },
        Check("a rewrap inside the vault keeps the context") { bench in
            let store = try bench.store(token: bench.credentials.root)
            let key = try bench.putDerivedKey()
            let sealed = try store.encrypt([8, 9], key: key, binding: .derivation(context))
            try bench.rotate(key: key)
            let rewrapped = try bench.rewrap(sealed, key: key, ["context": context])
            #expect(rewrapped.hasPrefix("vault:v2:"))
            #expect(
                try store.decrypt(rewrapped, key: key, binding: .derivation(context)) == [8, 9])
            #expect(throws: refused(key)) {
                try store.decrypt(rewrapped, key: key, binding: .derivation(otherContext))
            }
            #expect(throws: (any Error).self) {
                try bench.rewrap(sealed, key: key, ["context": otherContext])
            }
            // The older one goes on, until the key's settings exclude it.
            #expect(try store.decrypt(sealed, key: key, binding: .derivation(context)) == [8, 9])
            try bench.exclude(versionsBelow: 2, of: key)
            #expect(throws: SecretStoreFailure.versionDeleted(path: "transit/decrypt/\(key)")) {
                try store.decrypt(sealed, key: key, binding: .derivation(context))
            }
            #expect(
                try store.decrypt(rewrapped, key: key, binding: .derivation(context)) == [8, 9])
        },
        Check("a rewrap inside the vault does not know additional data") { bench in
            let store = try bench.store(token: bench.credentials.root)
            let sealed = try store.encrypt([8], key: "app", binding: .associatedData(context))
            #expect(throws: (any Error).self) {
                try bench.rewrap(sealed, key: "app", ["associated_data": context])
            }
            #expect(throws: (any Error).self) { try bench.rewrap(sealed, key: "app", [:]) }
            let free = try store.encrypt([8], key: "app")
            // What is free stays so.
            let rewrapped = try bench.rewrap(free, key: "app", ["associated_data": context])
            #expect(try store.decrypt(rewrapped, key: "app") == [8])
            #expect(throws: refused("app")) {
                try store.decrypt(rewrapped, key: "app", binding: .associatedData(context))
            }
        },
    ]
}
