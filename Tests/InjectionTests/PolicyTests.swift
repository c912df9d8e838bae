// SPDX-License-Identifier: Apache-2.0
import Injection
import Testing
import WrapperConfiguration

@Suite struct `A policy` {
    static func parse(_ text: String) throws -> CloudTaserPolicy {
        try CloudTaserPolicy(spec: Array(text.utf8))
    }

    @Test func `is read with its defaults on the strict side`() throws {
        let policy = try Self.parse(Case.policyText)
        #expect(policy.vaults.map(\.name) == ["main", "other"])
        #expect(policy.vaults[0].origin.port == 8200)
        #expect(policy.vaults[0].method == .kubernetes)
        #expect(policy.agent == .required)
        #expect(policy.agentSocket == .csi(driver: "agent.csi.cloudtaser.io"))
        #expect(policy.minimumTier == .secret)
        #expect(policy.delivery == ["splice"])
        #expect(policy.ephemeralContainers == .refuse)
        #expect(policy.tokenSeconds == 600)
        #expect(!policy.allowsAllSystemCalls)
        #expect(policy.entrypoints == .registry)
    }

    @Test func `may say everything`() throws {
        let policy = try Self.parse(
            """
            {"vaults":[{"name":"v","address":"https://v/prefix","method":"jwt","mount":"m",
             "namespace":"n","audience":"a","trustAnchors":{"configMap":"c","key":"k"}}],
             "grants":[{"namespaceLabels":{"team":"a"},"vault":"v","roles":["r"],
              "paths":["p/+/x"]}],
             "wrapper":{"image":"w","pullPolicy":"Always"},"delivery":["file","splice"],
             "minimumTier":"locked","agent":"preferred","agentSocket":{"hostPath":"/run/c"},
             "allowAllSystemCalls":true,"tokenSeconds":86400,"entrypoints":"explicit-command",
             "architectures":["arm64"],"ephemeralContainers":"warn"}
            """)
        #expect(policy.vaults[0].method == .jwt)
        #expect(policy.vaults[0].pathPrefix == "/prefix")
        #expect(policy.delivery == ["file", "splice"])
        #expect(policy.agentSocket == .hostPath(folder: "/run/c"))
        #expect(policy.architectures == ["arm64"])
        #expect(policy.ephemeralContainers == .warn)
    }

    @Test(arguments: [
        (#""x":1,"wrapper""#, "x"), (#""delivery":["magic"],"wrapper""#, "delivery[0]"),
        (#""delivery":[],"wrapper""#, "delivery"), (#""agent":"maybe","wrapper""#, "agent"),
        (#""minimumTier":"low","wrapper""#, "minimumTier"),
        (#""tokenSeconds":599,"wrapper""#, "tokenSeconds"),
        (#""tokenSeconds":86401,"wrapper""#, "tokenSeconds"),
        (#""tokenSeconds":"600","wrapper""#, "tokenSeconds"),
        (#""agentSocket":{},"wrapper""#, "agentSocket"),
        (#""agentSocket":{"hostPath":"run"},"wrapper""#, "agentSocket"),
        (#""agentSocket":{"hostPath":"/r","csiDriver":"d"},"wrapper""#, "agentSocket"),
        (#""allowAllSystemCalls":"no","wrapper""#, "allowAllSystemCalls"),
    ])
    func `that is wrong is refused with the field`(text: String, field: String) throws {
        let changed = Case.policyText.replacing(#""wrapper""#, with: text)
        let refusal = #expect(throws: Refusal.self) { try Self.parse(changed) }
        #expect(refusal?.field == field)
    }

    @Test(arguments: [
        (#""audience":"vault""#, #""audiences":"vault""#, "vaults[0].audiences"),
        (#""audience":"vault","#, "", "vaults[0].audience"),
        ("https://vault", "http://vault", "vaults[0].address"),
        ("example.eu:8200", "example.eu:8200/$x", "vaults[0].address"),
        (#""name":"other""#, #""name":"main""#, "vaults[1].name"),
        (#""vault":"main""#, #""vault":"none""#, "grants[0].vault"),
        (#""namespaces":["shop"]"#, #""namespaces":[]"#, "grants[0].namespaces"),
        ("database/creds/shop", "*/x", "grants[0].paths[1]"),
        ("database/creds/shop", "a/+b", "grants[0].paths[1]"),
        ("database/creds/shop", "a//b", "grants[0].paths[1]"),
        ("shop-*", "", "grants[0].roles[0]"),
        (#""key":"ca.pem""#, #""keys":"ca.pem""#, "vaults[0].trustAnchors.keys"),
        (#""image""#, #""images""#, "wrapper.images"),
        (#""mount":"kubernetes-eu""#, #""mount":"a/../b""#, "vaults[0].mount"),
        (#""namespace":"tenants/shop""#, #""namespace":"a b""#, "vaults[0].namespace"),
    ])
    func `of which a part is wrong is refused with the field`(
        right: String, wrong: String, field: String
    ) throws {
        let changed = Case.policyText.replacing(right, with: wrong)
        #expect(changed != Case.policyText)
        let refusal = #expect(throws: Refusal.self) { try Self.parse(changed) }
        #expect(refusal?.field == field)
    }

    @Test func `has limits`() throws {
        func policy(vaults: Int = 1, grants: Int = 1, paths: Int = 1) -> String {
            let list = (0..<vaults).map {
                #"{"name":"v\#($0)","address":"https://v\#($0)","audience":"a"}"#
            }
            let texts = (0..<paths).map { #""p/\#($0)""# }.joined(separator: ",")
            let grant = #"{"namespaces":["n"],"vault":"v0","roles":["r"],"paths":[\#(texts)]}"#
            return #"{"vaults":[\#(list.joined(separator: ","))],"grants":["#
                + [String](repeating: grant, count: grants).joined(separator: ",")
                + #"],"wrapper":{"image":"w"}}"#
        }
        let limits = [
            (policy(vaults: CloudTaserPolicy.vaultCountMax), true),
            (policy(vaults: CloudTaserPolicy.vaultCountMax + 1), false),
            (policy(grants: CloudTaserPolicy.grantCountMax), true),
            (policy(grants: CloudTaserPolicy.grantCountMax + 1), false),
            (policy(paths: CloudTaserPolicy.entryCountMax), true),
            (policy(paths: CloudTaserPolicy.entryCountMax + 1), false),
        ]
        for (text, isTaken) in limits { #expect(((try? Self.parse(text)) != nil) == isTaken) }
    }

    @Test(arguments: [
        ("secret/shop/*", "secret/shop/a", true), ("secret/shop/*", "secret/shop/a/b", true),
        ("secret/shop/*", "secret/shop", false), ("secret/shop/*", "secret/shopping/a", false),
        ("secret/shop*", "secret/shopping/a", true), ("secret/shop", "secret/shop", true),
        ("secret/shop", "secret/shop/a", false), ("secret/+/a", "secret/x/a", true),
        ("secret/+/a", "secret/x/y/a", false), ("secret/+/a", "secret/x/b", false),
        ("+/*", "a/b/c", true), ("*", "anything/at/all", true), ("a-*", "a-b", true),
        ("a-*", "a", false), ("secret/{{namespace}}/*", "secret/shop/a", true),
        ("secret/{{namespace}}/*", "secret/bank/a", false),
    ])
    func `s patterns match as vault policies do`(
        pattern: String, subject: String, matches: Bool
    ) throws {
        let namespace = NamespaceFacts(name: "shop")
        #expect(
            try #require(Pattern(pattern)).matches(subject, in: namespace) == matches)
    }

    @Test(arguments: [
        // Namespaces that are called as a part of the API is.
        ("secret/{{namespace}}/*", "data", "secret/data/b/db", true, false),
        ("secret/{{namespace}}/*", "metadata", "secret/metadata/b/db", true, false),
        ("secret/{{namespace}}/*", "data", "secret/data/data/b/db", true, true),
        ("team/kv/{{namespace}}/*", "data", "team/kv/data/b/db", true, false),
        ("secret/{{namespace}}", "data", "secret/data", true, true),
        ("secret/{{namespace}}/*", "shop", "secret/shop/db", true, true),
        ("secret/{{namespace}}/*", "shop", "secret/data/shop/db", false, false),
        ("secret/data/{{namespace}}/*", "shop", "secret/data/shop/db", true, true),
        ("secret/data/{{namespace}}/*", "shop", "secret/data/data/db", false, false),
        // Whatever stands there, and whatever begins so.
        ("secret/+/app", "shop", "secret/data/app", true, false),
        ("secret/+/app", "shop", "secret/x/app", true, true),
        ("secret/+/+/app", "shop", "secret/data/x/app", true, false),
        ("team/kv/+/app", "shop", "team/kv/data/app", true, false),
        ("secret/da*", "shop", "secret/data/b/db", true, false),
        ("secret/da*", "shop", "secret/database/b", true, true),
        ("secret/data*", "shop", "secret/data/b/db", true, false),
        ("secret/data/*", "shop", "secret/data/b/db", true, true),
        ("secret/metadata/*", "shop", "secret/metadata/b/db", true, true),
        // Both ways of writing it are meant.
        ("secret/*", "shop", "secret/data/b/db", true, true),
        ("*", "shop", "secret/data/b/db", true, true),
        ("secret/+/*", "shop", "secret/data/b/db", true, true),
        ("secret/+/*", "shop", "secret/data/db", true, false),
        // No part of the API.
        ("secret/shop/*", "shop", "secret/shop/data", true, true),
        ("secret/shop/*", "shop", "secret/shop/data/db", true, true),
        ("+/x", "shop", "data/x", true, true),
        ("secret/+/app", "shop", "secret/Data/app", true, true),
    ])
    func `s paths do not let a part of the vault's API be read as a name`(
        pattern: String, namespace: String, path: String, isWritten: Bool, isMeant: Bool
    ) throws {
        let facts = NamespaceFacts(name: namespace)
        let pattern = try #require(Pattern(pattern))
        // The control: by the letter it matches, as it does of a role.
        #expect(pattern.matches(path, in: facts) == isWritten)
        #expect(pattern.matches(path: path, in: facts) == isMeant)
    }

    @Test func `a namespace that is called data gets no other's secrets`() throws {
        func taken(_ name: String, _ path: String) throws -> Bool {
            try Case().changed {
                $0.policyText.replace("secret/shop/*", with: "secret/{{namespace}}/*")
                $0.policyText.replace(#""namespaces":["shop"]"#, with: #""namespaces":["*"]"#)
                $0.annotate("vault-address", "https://vault.example.eu:8200")
                $0.namespace = NamespaceFacts(name: name)
                $0.annotate("secret-paths", path)
            }.patched() != nil
        }
        #expect(try !taken("data", "secret/data/bank/db"))
        #expect(try taken("shop", "secret/shop/db"))
        #expect(try !taken("shop", "secret/data/bank/db"))
    }

    @Test func `grants by labels need all of them`() throws {
        let labelled = Case().changed {
            $0.policyText.replace(
                #""namespaces":["shop"]"#, with: #""namespaceLabels":{"team":"a","tier":"b"}"#)
        }
        #expect(try labelled.patched() == nil)
        let one = labelled.changed {
            $0.namespace = NamespaceFacts(name: "shop", labels: ["team": "a"])
        }
        #expect(try one.patched() == nil)
        let both = labelled.changed {
            $0.namespace = NamespaceFacts(name: "any", labels: ["team": "a", "tier": "b"])
        }
        #expect(try both.patched() != nil)
    }

    @Test func `with several vaults for a namespace wants an address`() throws {
        let several = Case().changed {
            $0.policyText.replace(#""namespaces":["bank"]"#, with: #""namespaces":["*"]"#)
        }
        #expect(
            try several.refusals().first?.field
                == "metadata.annotations[cloudtaser.io/vault-address]")
        let named = several.changed {
            $0.annotate("vault-address", "HTTPS://Vault.example.eu:8200/")
        }
        let web = try #require(try named.patched()?["spec"]?["containers"]?[0])
        // As the policy has it.
        #expect(
            RuntimeModel.environment(of: web)["VAULT_ADDR"] == "https://vault.example.eu:8200")
    }
}
