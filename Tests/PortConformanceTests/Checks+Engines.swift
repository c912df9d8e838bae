// SPDX-License-Identifier: Apache-2.0
import Ports
import Testing

/// Versions, certificates.
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

}
