// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import TestKit
import Testing

/// Objects of a test's cluster.
enum Objects {
    static func make(_ tree: JSONTree) throws -> ClusterObject {
        try ClusterObject(tree, source: "test")
    }

    static func deployment(
        _ name: String, _ spec: JSONTree, annotations: JSONTree = [:]
    ) throws -> ClusterObject {
        try make([
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": ["name": .string(name), "namespace": "shop"],
            "spec": ["template": ["metadata": ["annotations": annotations], "spec": spec]],
        ])
    }

    static func pod(
        _ name: String, _ spec: JSONTree, annotations: JSONTree = [:], owner: String? = nil,
        phase: String = "Running", labels: JSONTree = [:], ready: Bool = true
    ) throws -> ClusterObject {
        var metadata: JSONTree = [
            "name": .string(name), "namespace": "shop", "annotations": annotations,
            "labels": labels,
        ]
        if let owner {
            let parts = owner.split(separator: "/").map(String.init)
            metadata["ownerReferences"] = [
                ["kind": .string(parts[0]), "name": .string(parts[1]), "controller": true]
            ]
        }
        return try make([
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec,
            "status": [
                "phase": .string(phase),
                "conditions": [["type": "Ready", "status": .string(ready ? "True" : "False")]],
            ],
        ])
    }

    static func secret(
        _ name: String, _ data: JSONTree = ["password": "aHVudGVyMg=="], type: String = "Opaque",
        owner: String? = nil
    ) throws -> ClusterObject {
        var metadata: JSONTree = ["name": .string(name), "namespace": "shop"]
        if let owner { metadata["ownerReferences"] = [["kind": .string(owner), "name": "x"]] }
        return try make([
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": .string(type),
            "data": data,
        ])
    }

    static let command: JSONTree = ["/app"]
    static let wrapped: JSONTree = ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/app"]
}

@Suite("Discovery") struct DiscoveryTests {
    private func uses(_ spec: JSONTree, beside others: [ClusterObject] = []) throws -> [SecretUse] {
        let inventory = Inventory([try Objects.deployment("web", spec)] + others)
        return Discovery(inventory).entries.map(\.use)
    }

    @Test(
        .evidence(
            "SIM-CLI-02",
            control: "the same workload without Secrets gives no finding; the value is in what was "
                + "read"))
    func `finds each place where a container gets a Secret, and names no value`() throws {
        let spec: JSONTree = [
            "initContainers": [
                [
                    "name": "migrate", "command": Objects.command,
                    "env": [
                        ["name": "A", "valueFrom": ["secretKeyRef": ["name": "db", "key": "k"]]]
                    ],
                ]
            ],
            "containers": [
                [
                    "name": "app", "command": Objects.command,
                    "envFrom": [["secretRef": ["name": "db"]]],
                    "volumeMounts": [
                        ["name": "files", "mountPath": "/f"], ["name": "all", "mountPath": "/a"],
                    ],
                ]
            ],
            "volumes": [
                ["name": "files", "secret": ["secretName": "tls"]],
                [
                    "name": "all",
                    "projected": [
                        "sources": [
                            ["configMap": ["name": "c"]],
                            ["secret": ["name": "s", "items": [["key": "one"]]]],
                        ]
                    ],
                ],
                [
                    "name": "csi",
                    "csi": [
                        "driver": "secrets-store.csi.k8s.io",
                        "volumeAttributes": ["secretProviderClass": "cls"],
                    ],
                ],
            ],
            "imagePullSecrets": [["name": "registry"]],
        ]
        let found = try uses(spec, beside: [try Objects.secret("db")])
        let lines = found.map {
            "\($0.finding.rawValue) \($0.container ?? "-") \($0.path) \($0.subject) \($0.keys)"
        }
        let pod = "spec.template.spec"
        #expect(
            lines == [
                "CT1001 migrate \(pod).initContainers[0].env[0] db [\"k\"]",
                "CT1002 app \(pod).containers[0].envFrom[0] db [\"password\"]",
                "CT1003 app \(pod).volumes[0] tls []",
                "CT1003 app \(pod).volumes[1].projected.sources[1] s [\"one\"]",
                "CT1005 - \(pod).volumes[2] cls []",
                "CT1004 - \(pod).imagePullSecrets[0] registry []",
            ])
        // Control: the object has the value, and no text of the answer has.
        let inventory = Inventory([try Objects.deployment("web", spec), try Objects.secret("db")])
        let answers = [
            Discovery(inventory).table,
            String(decoding: Discovery(inventory).json.rendered(), as: UTF8.self),
            Audit(inventory).table,
            String(decoding: Audit(inventory).json.rendered(), as: UTF8.self),
        ]
        for answer in answers { #expect(!answer.contains("aHVudGVyMg"), "\(answer)") }
        let stored = String(
            decoding: try Objects.secret("db").tree.rendered(), as: UTF8.self)
        let plain: JSONTree = ["containers": [["name": "app", "command": Objects.command]]]
        let none = try uses(plain)
        Evidence.control(passed: stored.contains("aHVudGVyMg") && none.isEmpty)
        Evidence.observe("Six uses of Secrets were found, each with its place and without a value.")
    }

    @Test(arguments: [
        ("DB_PASSWORD", "hunter2", true), ("dbPassword", "hunter2", true),
        ("API_KEY", "abc", true), ("AWS_SECRET_ACCESS_KEY", "abc", true),
        ("GITHUB_TOKEN", "abc", true), ("DATABASE", "postgres://u:p@db/x", true),
        ("KEY", "-----BEGIN EC PRIVATE KEY-----\nabc", true),
        ("DB_PASSWORD_FILE", "/run/pw", false), ("TOKEN_URL", "https://idp/token", false),
        ("TOKEN_TTL_SECONDS", "60", false), ("PASSWORD", "", false),
        // What the wrapper is told, in every injected container.
        ("CLOUDTASER_SECRET_PATHS", "secret/shop/db", false), ("SECRET_PATH_KEY", "x", true),
        ("DB_PASSWORD", "$(OTHER)", false), ("DB_PASSWORD", "vault:secret/db#password", false),
        ("DATABASE_URL", "postgres://u@db/x", false), ("DATABASE", "postgres://u:$(P)@db/x", false),
        ("COMPASS", "north", false), ("SECRETARY", "Ann", false), ("USE_TOKEN", "true", false),
        ("MONKEY", "x", false), ("PRIMARY_KEY", "id", false),
    ])
    func `guesses credentials by names and shapes`(
        _ name: String, _ value: String, _ expected: Bool
    ) throws {
        #expect(CredentialNames.isCredential(name: name, value: value) == expected)
        let found = try uses([
            "containers": [
                [
                    "name": "app", "command": Objects.command,
                    "env": [["name": .string(name), "value": .string(value)]],
                ]
            ]
        ])
        // A reference is told too, and not as a credential.
        #expect(
            found.map(\.finding)
                == (expected
                    ? [.credentialInPlainSight]
                    : value.hasPrefix("vault:") ? [.vaultReference] : []))
        // Only what names its place converts as it is.
        #expect(found.allSatisfy { ($0.conversion == .converts) == !expected })
    }

    @Test func `finds credentials in ConfigMaps that a container uses`() throws {
        let map = try Objects.make([
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": "settings", "namespace": "shop"],
            "data": ["DB_PASSWORD": "hunter2", "COLOUR": "red"],
        ])
        let container: JSONTree = [
            "name": "app", "command": Objects.command,
            "envFrom": [["configMapRef": ["name": "settings"]]],
            "env": [
                [
                    "name": "P",
                    "valueFrom": ["configMapKeyRef": ["name": "settings", "key": "DB_PASSWORD"]],
                ],
                [
                    "name": "C",
                    "valueFrom": ["configMapKeyRef": ["name": "settings", "key": "COLOUR"]],
                ],
            ],
        ]
        let found = try uses(["containers": [container]], beside: [map])
        #expect(found.map(\.finding) == [.credentialInConfigMap, .credentialInConfigMap])
        #expect(found.allSatisfy { $0.keys == ["DB_PASSWORD"] })
        #expect(found.allSatisfy { $0.conversion.reason?.contains("by hand") == true })
    }

    @Test func `says what converts as it is, and what stands in the way`() throws {
        func conversion(_ spec: JSONTree) throws -> String {
            let use = try #require(try uses(spec).first)
            return use.conversion.word + (use.conversion.reason.map { ": \($0)" } ?? "")
        }
        let entry: JSONTree = [
            ["name": "A", "valueFrom": ["secretKeyRef": ["name": "db", "key": "k"]]]
        ]
        let plain: JSONTree = ["name": "app", "command": Objects.command, "env": entry]
        #expect(try conversion(["containers": [plain]]) == "yes")
        #expect(
            try conversion(["containers": [["name": "app", "env": entry]]])
                .hasPrefix("after a change: write the container's command"))
        #expect(
            try conversion(["containers": [plain], "hostPID": true])
                .hasPrefix("after a change: give up hostPID"))
        #expect(
            try conversion(["ephemeralContainers": [plain]]).hasPrefix("no: an ephemeral container")
        )
        #expect(
            try conversion(["imagePullSecrets": [["name": "r"]]]).hasPrefix("no: the kubelet"))
        #expect(
            try conversion([
                "containers": [
                    [
                        "name": "a", "command": Objects.command,
                        "envFrom": [["secretRef": ["name": "unread"]]],
                    ]
                ]
            ])
            .hasPrefix("after a change: name its keys"))
    }

    @Test func `tells a controller's pods once, and who keeps a Secret`() throws {
        let spec: JSONTree = [
            "containers": [
                [
                    "name": "app", "command": Objects.command,
                    "envFrom": [["secretRef": ["name": "db"]]],
                ]
            ]
        ]
        let objects = [
            try Objects.deployment("web", spec),
            try Objects.pod("web-1", spec, owner: "Deployment/web"),
            try Objects.pod("bare", spec),
            try Objects.pod("lost", spec, owner: "Deployment/not-read"),
            try Objects.secret("db", owner: "ExternalSecret"),
        ]
        let discovery = Discovery(Inventory(objects))
        #expect(
            discovery.entries.map(\.workload.object.reference) == [
                "Deployment shop/web", "Pod shop/bare", "Pod shop/lost",
            ])
        #expect(discovery.entries.allSatisfy { $0.manager == .externalSecrets })
        #expect(discovery.table.contains("kept by External Secrets Operator"))
    }

    @Test func `reaches a severity, and no larger one`() throws {
        let spec: JSONTree = ["imagePullSecrets": [["name": "r"]]]
        let discovery = Discovery(Inventory([try Objects.deployment("web", spec)]))
        #expect(discovery.reaches(.info) && discovery.reaches(.low))
        #expect(!discovery.reaches(.medium))
        #expect(!Discovery(Inventory([])).reaches(.info))
    }
}
