// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import TestKit
import Testing

/// Objects of other tools that fill Secrets or read them.
@Suite("Other secret tools") struct RecognitionTests {
    static func object(
        _ version: String, _ kind: String, _ name: String, _ spec: JSONTree,
        namespace: String = "shop"
    ) throws -> ClusterObject {
        try Objects.make([
            "apiVersion": .string(version), "kind": .string(kind),
            "metadata": ["name": .string(name), "namespace": .string(namespace)], "spec": spec,
        ])
    }

    /// Version, kind, spec of an object `x`, and what it is told to fill.
    private static let filling: [(String, String, JSONTree, String)] = [
        (
            "external-secrets.io/v1", "ExternalSecret",
            [
                "target": ["name": "db"],
                "data": [["secretKey": "password", "remoteRef": ["key": "k"]]],
            ], "shop/db (password), kept by External Secrets Operator"
        ),
        (
            "external-secrets.io/v1beta1", "ExternalSecret", ["dataFrom": []],
            "shop/x, kept by External Secrets Operator"
        ),
        (
            "external-secrets.io/v1", "ClusterExternalSecret",
            [
                "namespaces": ["shop"], "externalSecretName": "y",
                "externalSecretSpec": ["data": [["secretKey": "a"]]],
            ], "shop/y (a), kept by External Secrets Operator"
        ),
        (
            "external-secrets.io/v1", "ClusterExternalSecret",
            ["namespaceSelectors": [[:]], "externalSecretSpec": ["target": ["name": "db"]]],
            "*/db, kept by External Secrets Operator"
        ),
        (
            "bitnami.com/v1alpha1", "SealedSecret",
            [
                "encryptedData": ["b": "AgB…", "a": "AgA…"],
                "template": ["metadata": ["name": "db"]],
            ],
            "shop/db (a, b), kept by Sealed Secrets"
        ),
        (
            "secrets-store.csi.x-k8s.io/v1", "SecretProviderClass",
            ["secretObjects": [["secretName": "db", "data": [["key": "k"]]]]],
            "shop/db (k), kept by Secrets Store CSI driver"
        ),
        (
            "secrets.hashicorp.com/v1beta1", "VaultStaticSecret", ["destination": ["name": "db"]],
            "shop/db, kept by Vault Secrets Operator"
        ),
        (
            "secrets.hashicorp.com/v1beta1", "VaultDynamicSecret", ["destination": ["name": "db"]],
            "shop/db, kept by Vault Secrets Operator"
        ),
        (
            "secrets.hashicorp.com/v1beta1", "VaultPKISecret", ["destination": ["name": "db"]],
            "shop/db, kept by Vault Secrets Operator"
        ),
        (
            "cert-manager.io/v1", "Certificate", ["secretName": "db"],
            "shop/db (ca.crt, tls.crt, tls.key), kept by cert-manager"
        ),
    ]

    private func using(_ secret: String) throws -> ClusterObject {
        try Objects.deployment(
            "web",
            [
                "containers": [
                    [
                        "name": "app", "command": Objects.command,
                        "envFrom": [["secretRef": ["name": .string(secret)]]],
                    ]
                ]
            ])
    }

    @Test(arguments: filling.indices)
    func `an object that fills a Secret is told, and who keeps the Secret is known`(
        _ index: Int
    ) throws {
        let (version, kind, spec, told) = Self.filling[index]
        let object = try Self.object(version, kind, "x", spec)
        let secret = String(told.split(separator: "/")[1].prefix { $0 != " " && $0 != "," })
        // Only the object is read, and not the Secret.
        let discovery = Discovery(Inventory([object, try using(secret)]))
        let found = try #require(discovery.findings.first)
        #expect(discovery.findings.count == 1)
        #expect(found.id == (kind == "Certificate" ? .certificateInSecret : .secretFilled))
        #expect(found.message == "\(found.id.title): \(told)")
        let entry = try #require(discovery.entries.first)
        #expect(entry.manager.map { told.hasSuffix($0.rawValue) } == true)
        #expect(discovery.reaches(.medium))
        // Its keys are known where the object says them.
        #expect(entry.use.keys.isEmpty != told.contains("("))
        // Another group's kind of that name is none of these.
        let other = Discovery(
            Inventory([
                try Self.object("example.org/v1", kind, "x", spec), try using(secret),
            ]))
        #expect(other.findings.isEmpty && other.entries.allSatisfy { $0.manager == nil })
    }

    @Test(arguments: filling.indices)
    func `a Secret that a tool fills is no orphan, and its filler says that nothing uses it`(
        _ index: Int
    ) throws {
        let (version, kind, spec, told) = Self.filling[index]
        let object = try Self.object(version, kind, "x", spec)
        let secret = String(told.split(separator: "/")[1].prefix { $0 != " " && $0 != "," })
        let stored = try Objects.secret(secret)
        let audit = Audit(Inventory([object, stored]))
        #expect(!audit.findings.contains { $0.id == .orphanedSecret })
        let note = "which nothing that was read uses"
        #expect(audit.findings.contains { $0.message.hasSuffix(note) } != told.hasPrefix("*"))
        // Controls: alone it is an orphan, and used there is no note.
        #expect(Audit(Inventory([stored])).findings.map(\.id) == [.orphanedSecret])
        let used = Audit(Inventory([object, stored, try using(secret)]))
        #expect(!used.findings.contains { $0.message.hasSuffix(note) })
    }

    @Test func `namespaces of a ClusterExternalSecret are those that its selectors choose`() throws
    {
        func namespace(_ name: String, _ labels: JSONTree) throws -> ClusterObject {
            try Objects.make([
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": ["name": .string(name), "labels": labels],
            ])
        }
        let object = try Self.object(
            "external-secrets.io/v1", "ClusterExternalSecret", "x",
            [
                "namespaceSelectors": [["matchLabels": ["team": "a"]]],
                "externalSecretSpec": ["target": ["name": "db"]],
            ])
        let read = [try namespace("shop", ["team": "a"]), try namespace("bank", ["team": "b"])]
        let discovery = Discovery(Inventory(read + [object, try using("db")]))
        #expect(discovery.findings.count == 1)
        #expect(discovery.findings.first?.message.contains("shop/db") == true)
        #expect(discovery.entries.first?.manager == .externalSecrets)
    }

    @Test(
        arguments: [
            (
                "external-secrets.io/v1", "SecretStore",
                [
                    "provider": [
                        "vault": [
                            "auth": ["tokenSecretRef": ["name": "db", "key": "token"]],
                            "caProvider": ["type": "ConfigMap", "name": "no", "key": "ca"],
                        ]
                    ]
                ]
            ),
            (
                "external-secrets.io/v1", "SecretStore",
                [
                    "provider": [
                        "azurekv": ["authSecretRef": ["clientId": ["name": "db", "key": "id"]]]
                    ]
                ]
            ),
            (
                "external-secrets.io/v1alpha1", "PushSecret",
                ["selector": ["secret": ["name": "db"]]]
            ),
            ("cert-manager.io/v1", "Issuer", ["ca": ["secretName": "db"]]),
            ("secrets.hashicorp.com/v1beta1", "VaultAuth", ["appRole": ["secretRef": "db"]]),
            ("secrets.hashicorp.com/v1beta1", "VaultConnection", ["caCertSecretRef": "db"]),
        ] as [(String, String, JSONTree)])
    func `a Secret that a store is asked with is used, and told`(
        _ version: String, _ kind: String, _ spec: JSONTree
    ) throws {
        let object = try Self.object(version, kind, "x", spec)
        let audit = Audit(Inventory([object, try Objects.secret("db")]))
        #expect(
            audit.findings.map(\.id) == [kind == "PushSecret" ? .secretPushed : .storeCredential])
        #expect(audit.findings.first?.message.hasSuffix(": shop/db") == true)
        // Control: one of another group is told of nowhere; what it names may be in use.
        let other = try Self.object("example.org/v1", kind, "x", spec)
        let unknown = Audit(Inventory([other, try Objects.secret("db")]))
        #expect(unknown.findings.isEmpty)
        let without = Audit(
            Inventory([try Self.object(version, kind, "x", [:]), try Objects.secret("db")]))
        #expect(without.findings.map(\.id) == [.orphanedSecret])
    }

    @Test func `a ClusterSecretStore names a namespace, or may mean any`() throws {
        func store(_ reference: JSONTree) throws -> ClusterObject {
            try Self.object(
                "external-secrets.io/v1", "ClusterSecretStore", "x",
                ["provider": ["gitlab": ["auth": ["SecretRef": ["accessToken": reference]]]]])
        }
        let secret = try Objects.secret("db")
        func orphans(_ reference: JSONTree) throws -> Int {
            Audit(Inventory([try store(reference), secret])).findings
                .count { $0.id == .orphanedSecret }
        }
        #expect(try orphans(["name": "db", "key": "k", "namespace": "shop"]) == 0)
        #expect(try orphans(["name": "db", "key": "k"]) == 0)
        #expect(try orphans(["name": "db", "key": "k", "namespace": "other"]) == 1)
    }

    @Test(
        arguments: [
            ["creationPolicy": "None"], ["manifest": ["apiVersion": "v1", "kind": "ConfigMap"]],
        ] as [JSONTree])
    func `an ExternalSecret that makes no Secret fills none`(_ target: JSONTree) throws {
        let object = try Self.object(
            "external-secrets.io/v1", "ExternalSecret", "db", ["target": target, "data": []])
        #expect(Discovery(Inventory([object])).findings.isEmpty)
        let filling = try Self.object(
            "external-secrets.io/v1", "ExternalSecret", "db", ["data": []])
        #expect(Discovery(Inventory([filling])).findings.count == 1)
    }

    // MARK: - Bank-Vaults

    @Test func `references of Bank-Vaults are told where nobody of ours takes them`() throws {
        let spec: JSONTree = [
            "containers": [
                [
                    "name": "app", "command": Objects.command,
                    "env": [
                        ["name": "A", "value": "vault:secret/data/db#password"],
                        ["name": "B", "value": "postgres://${vault:secret/db#user}@db"],
                        ["name": "C", "value": "vault:8200"], ["name": "D", "value": "plain"],
                    ],
                ]
            ]
        ]
        let found = Discovery(Inventory([try Objects.deployment("web", spec)]))
        #expect(found.entries.map(\.use.subject) == ["A", "B"])
        #expect(found.entries.allSatisfy { $0.use.finding == .vaultReference })
        let asking = try Objects.deployment(
            "web", spec, annotations: ["cloudtaser.io/inject": "true"])
        #expect(Discovery(Inventory([asking])).entries.isEmpty)
        let namespace = try Objects.make([
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": ["name": "shop", "labels": ["cloudtaser.io/inject": "true"]],
        ])
        let inAsking = [namespace, try Objects.deployment("web", spec)]
        #expect(Discovery(Inventory(inAsking)).entries.isEmpty)
    }

    @Test func `a Secret of references is filled when it is created`() throws {
        let text = Base64.encoded(Array("vault:secret/data/db#password".utf8))
        let secret = try Objects.secret("db", ["password": .string(text)])
        let discovery = Discovery(Inventory([secret, try using("db")]))
        #expect(discovery.findings.map(\.id) == [.secretFilled])
        #expect(discovery.entries.first?.manager == .bankVaults)
        let plain = Discovery(Inventory([try Objects.secret("db"), try using("db")]))
        #expect(plain.findings.isEmpty && plain.entries.first?.manager == nil)
    }
}
