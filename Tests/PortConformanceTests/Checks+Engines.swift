// SPDX-License-Identifier: Apache-2.0
import Ports
import Testing

/// Versions, certificates, transit.
extension Check {
    static let engines = versions + pki + transit

    private static let versions = [
        Check("a KV v2 secret has a version, and a new one has the next") { bench in
            let store = try bench.store(token: bench.credentials.root)
            let name = try bench.putFreshSecret()
            #expect(try store.read("secret/\(name)", ["a"]).facts == SecretFacts(version: 1))
            #expect(try store.currentVersion("secret/data/\(name)") == 1)
            try bench.putVersion(of: name)
            #expect(try store.currentVersion("secret/\(name)") == 2)
            #expect(try store.read("secret/\(name)", ["a"]).facts == SecretFacts(version: 2))
        },
        Check("elsewhere there are no versions") { bench in
            let store = try bench.store(token: bench.credentials.root)
            for path in ["legacy/db", "database/creds/app", "pki/issue/web"] {
                #expect(try store.currentVersion(path) == nil)
            }
            #expect(try store.read("legacy/db", ["b"]).facts == SecretFacts())
        },
        Check("the version of what is deleted, destroyed, missing or forbidden") { bench in
            let store = try bench.store(token: bench.credentials.limited)
            #expect(throws: SecretStoreFailure.permissionDenied(path: "secret/other")) {
                try store.currentVersion("secret/other")
            }
            let administrator = try bench.store(token: bench.credentials.root)
            for (path, failure) in [
                ("secret/deleted", SecretStoreFailure.versionDeleted(path: "secret/deleted")),
                ("secret/destroyed", .versionDestroyed(path: "secret/destroyed")),
                ("secret/none", .notFound(path: "secret/none")),
                ("nothing/none", .mountUnknown(path: "nothing/none")),
            ] {
                #expect(throws: failure) { try administrator.currentVersion(path) }
            }
        },
        Check("parameters for a KV secret are refused, and it stays as it was") { bench in
            let store = try bench.store(token: bench.credentials.root)
            for path in ["secret/app", "legacy/db"] {
                let failure = SecretStoreFailure.responseMalformed(
                    path: path, detail: "the engine is kv, which takes no parameters")
                #expect(throws: failure) {
                    try store.read(path, ["b"], parameters: ["b": "changed"])
                }
            }
            #expect(try store.read("legacy/db", ["b"]).values == ["c"])
        },
    ]

    private static let pki = [
        Check("a certificate is issued, and says when it ends") { bench in
            let store = try bench.appRoleStore()
            let issued = try store.read(
                "pki/issue/web", ["certificate", "private_key"],
                parameters: ["common_name": "web.test", "ttl": "30s"])
            #expect(issued.values[0].hasPrefix("-----BEGIN CERTIFICATE-----"))
            #expect(issued.values[1].contains("PRIVATE KEY-----"))
            #expect(issued.facts.lease == nil && issued.facts.version == nil)
            // Whole seconds, and the two clocks are read a little apart.
            #expect(
                (Duration.seconds(20)...Duration.seconds(31)).contains(
                    try #require(issued.facts.lifetime)))
        },
        Check("a certificate request that the engine refuses") { bench in
            let store = try bench.appRoleStore()
            let path = "pki/issue/web"
            #expect(throws: SecretStoreFailure.unexpectedStatus(path: path, status: 400)) {
                try store.read(path, ["certificate"], parameters: ["ttl": "30s"])
            }
            #expect(throws: SecretStoreFailure.unexpectedStatus(path: path, status: 405)) {
                try store.read(path, ["certificate"])
            }
        },
        Check("a chain of certificates is one text, as in a bundle file") { bench in
            let store = try bench.appRoleStore()
            let issued = try store.read(
                "pki/issue/web", ["issuing_ca", "ca_chain", "ca_chain"],
                parameters: ["common_name": "web.test"])
            #expect(issued.values[0].hasPrefix("-----BEGIN CERTIFICATE-----"))
            #expect(issued.values[1].hasPrefix(issued.values[0]))
            #expect(issued.values[1] == issued.values[2])
        },
    ]

    private static let transit = [
        Check("transit gives back what it was given") { bench in
            let store = try bench.appRoleStore()
            for plaintext in [
                [], [0], Array("a key of 32 bytes, or so it says".utf8), [255, 0, 1],
                Array(0...255),
            ] {
                for context in [[], Array("bucket/object".utf8)] {
                    let sealed = try store.encrypt(plaintext, key: "app", context: context)
                    #expect(sealed.hasPrefix("vault:v1:"))
                    #expect(try store.encrypt(plaintext, key: "app", context: context) != sealed)
                    #expect(
                        try store.decrypt(sealed, key: "app", context: context) == plaintext)
                }
            }
        },
        Check("transit refuses what was changed, another context and another key") { bench in
            let store = try bench.store(token: bench.credentials.root)
            let context = Array("bucket/object".utf8)
            let sealed = try store.encrypt([1, 2, 3, 4, 5, 6], key: "app", context: context)
            let other = Array("bucket/other".utf8)
            func expectRefusal(_ text: String, _ key: String, _ context: [UInt8]) {
                let failure = SecretStoreFailure.unexpectedStatus(
                    path: "transit/decrypt/\(key)", status: 400)
                #expect(throws: failure) {
                    try store.decrypt(text, key: key, context: context)
                }
            }
            expectRefusal(sealed, "app", other)
            expectRefusal(sealed, "app", [])
            expectRefusal(sealed, "second", context)
            expectRefusal(sealed, "none", context)
            expectRefusal("vault:v1:AAAA", "app", context)
            expectRefusal("nonsense", "app", context)
            let body = Array(sealed.utf8).count - "vault:v1:".utf8.count
            for position in [0, body / 2, body - 5] {
                var changed = Array(sealed.utf8)
                let index = "vault:v1:".utf8.count + position
                changed[index] = changed[index] == 65 ? 66 : 65
                expectRefusal(String(decoding: changed, as: UTF8.self), "app", context)
            }
            #expect(try store.decrypt(sealed, key: "app", context: context).count == 6)
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
}
