// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import TestKit
import Testing

/// Credentials in commands and annotations, and objects of Kubernetes that hold some.
@Suite("Exposed texts") struct ExposedTextTests {
    private static let value = "hunter2-7f3c"

    private func texts(of inventory: Inventory) -> [String] {
        [
            Discovery(inventory).table, Audit(inventory).table,
            String(decoding: Discovery(inventory).json.rendered(), as: UTF8.self),
            String(decoding: Audit(inventory).json.rendered(), as: UTF8.self),
        ]
    }

    /// VALUE stands for a credential; what is told is `place name`.
    @Test(
        arguments: [
            (["/app", "--password=VALUE"], ["[1] --password"]),
            (["/app", "--db-password", "VALUE"], ["[1] --db-password"]),
            (["sh", "-c", "DB_PASSWORD=VALUE exec app"], ["[2] DB_PASSWORD"]),
            (
                ["sh", "-c", "export API_KEY=\"VALUE\"; app --token 'VALUE'"],
                ["[2] API_KEY", "[2] --token"]
            ),
            (["app", "postgres://u:VALUE@db/x?password=VALUE"], ["[1] an address or a key"]),
            (["app", "--dsn=postgres://u:VALUE@db/x"], ["[1] --dsn"]),
            // None: references, files, flags without a value, other names.
            (["app", "--password=$(DB_PASSWORD)", "--token", "$TOKEN"], []),
            (["app", "--password-file=/run/VALUE", "--password", "--verbose"], []),
            (["app", "--colour=VALUE", "VALUE"], []),
            (["sh", "-c", "app --password=${PASSWORD}"], []),
            (["app", "--password-stdin", "VALUE", "--password-env=VALUE"], []),
        ] as [([String], [String])])
    func `finds credentials in commands, and tells no value`(
        _ words: [String], _ expected: [String]
    ) throws {
        let words = words.map { JSONTree.string($0.replacing("VALUE", with: Self.value)) }
        for member in ["command", "args"] {
            var container: JSONTree = ["name": "app"]
            container[member] = .array(words)
            let spec: JSONTree = ["containers": [container]]
            let inventory = Inventory([try Objects.deployment("web", spec)])
            let found = Discovery(inventory).entries.map(\.use)
            let path = "spec.template.spec.containers[0].\(member)"
            let told = found.map { "\($0.path) \($0.subject)" }
            #expect(told == expected.map { path + $0 })
            #expect(found.allSatisfy { $0.finding == .credentialInCommand })
            for text in texts(of: inventory) { #expect(!text.contains(Self.value), "\(text)") }
        }
    }

    @Test func `looks at probes and hooks, and names nothing that is long`() throws {
        let name = String(repeating: "SECRET_", count: 10)
        let spec: JSONTree = [
            "containers": [
                [
                    "name": "app",
                    "livenessProbe": [
                        "exec": ["command": ["ping", .string("--password=\(Self.value)")]]
                    ],
                    "lifecycle": [
                        "preStop": ["exec": ["command": ["stop", .string("TOKEN=\(Self.value)")]]]
                    ],
                    "args": [.string("\(name)=\(Self.value)")],
                ]
            ]
        ]
        let found = Discovery(Inventory([try Objects.deployment("web", spec)])).entries
        #expect(found.map(\.use.subject) == ["--password", "TOKEN"])
    }

    @Test func `finds credentials in annotations of objects and of templates`() throws {
        let annotations: JSONTree = [
            "example.org/api-token": .string(Self.value),
            "example.org/database": .string("postgres://u:\(Self.value)@db"),
            "checksum/secret": "5f2a", "nginx.ingress.kubernetes.io/auth-secret": "basic",
            "example.org/token-url": "https://x", "cloudtaser.io/env-map": "password=A",
        ]
        let spec: JSONTree = ["containers": [["name": "app", "command": Objects.command]]]
        let service = try Objects.make([
            "apiVersion": "v1", "kind": "Service",
            "metadata": ["name": "s", "namespace": "shop", "annotations": annotations],
        ])
        let inventory = Inventory([
            try Objects.deployment("web", spec, annotations: annotations), service,
            // Told of the Deployment.
            try Objects.pod("web-1", spec, annotations: annotations, owner: "Deployment/web"),
        ])
        let found = Discovery(inventory).findings
        let title = FindingID.credentialInAnnotation.title
        #expect(
            found.map { "\($0.object) \($0.path) \($0.message.dropFirst(title.count))" } == [
                "Deployment shop/web spec.template.metadata.annotations : example.org/api-token",
                "Deployment shop/web spec.template.metadata.annotations : example.org/database",
                "Service shop/s metadata.annotations : example.org/api-token",
                "Service shop/s metadata.annotations : example.org/database",
            ])
        for text in texts(of: inventory) { #expect(!text.contains(Self.value)) }
    }

    @Test func `a Secret that kubectl applied holds its values twice`() throws {
        func secret(_ applied: String) throws -> ClusterObject {
            try Objects.make([
                "apiVersion": "v1", "kind": "Secret",
                "metadata": [
                    "name": "db", "namespace": "shop",
                    "annotations": [
                        "kubectl.kubernetes.io/last-applied-configuration": .string(applied)
                    ],
                ],
                "data": ["password": .string(Self.value)],
            ])
        }
        for applied in [#"{"data":{"password":"\#(Self.value)"}}"#, "{\(Self.value)"] {
            let inventory = Inventory([try secret(applied)])
            #expect(Discovery(inventory).findings.map(\.id) == [.secretInAnnotation])
            for text in texts(of: inventory) { #expect(!text.contains(Self.value)) }
        }
        // Controls: applied without data, and none.
        #expect(Discovery(Inventory([try secret("{}")])).findings.isEmpty)
        #expect(Discovery(Inventory([try Objects.secret("db")])).findings.isEmpty)
    }

    @Test func `tells registry Secrets of ServiceAccounts, and tokens that do not expire`() throws {
        let account = try Objects.make([
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": ["name": "app", "namespace": "shop"],
            "imagePullSecrets": [["name": "registry"]],
        ])
        let token = try Objects.make([
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
            "metadata": [
                "name": "t", "namespace": "shop",
                "annotations": ["kubernetes.io/service-account.name": "app"],
            ],
        ])
        let audit = Audit(Inventory([account, token, try Objects.secret("registry")]))
        #expect(audit.findings.map(\.id) == [.registrySecret, .accountToken])
        #expect(audit.findings.map(\.object) == ["ServiceAccount shop/app", "Secret shop/t"])
        #expect(Audit(Inventory([account, token]), excluding: ["shop"]).findings.isEmpty)
    }
}
