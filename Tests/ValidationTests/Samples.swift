// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import Reporting
import Validation

/// Objects of a cluster in which all is well, and what to change of them.
enum Samples {
    /// 2026-06-01.
    static let now: Int64 = 1_780_272_000

    /// From 2026-01-01 to 2027-01-01; a self-signed certificate of `openssl ca`.
    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBAjCBqAIBATAKBggqhkjOPQQDAjANMQswCQYDVQQDDAJjYTAeFw0yNjAxMDEw
        MDAwMDBaFw0yNzAxMDEwMDAwMDBaMA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0C
        AQYIKoZIzj0DAQcDQgAEUJbqsulnE4R0Ko+Lmp5AUbmL5dGISDo6OSePCiotSZMQ
        1dvbTUdVUQAqDBp54P5VRIsDvYp9NyoWdpcyjwbEsTAKBggqhkjOPQQDAgNJADBG
        AiEA/68nUHtl/Zi6q8+5+rUr2+6Dh7ep7bCmeKQRueZOT+gCIQD+HYBijTQ1ZUwg
        uNAqlsWHxhc9b0W9daUgW/3fj+Zs8Q==
        -----END CERTIFICATE-----
        """

    static func object(_ tree: JSONTree) throws -> ClusterObject {
        try ClusterObject(tree, source: "web.yaml, document 2")
    }

    static let annotations: [String: String] = [
        "cloudtaser.io/inject": "true", "cloudtaser.io/vault-role": "shop",
        "cloudtaser.io/secret-paths": "secret/shop/db", "cloudtaser.io/env-map": "password=PASS",
    ]

    static func texts(_ texts: [String: String]) -> JSONTree {
        .object(texts.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
    }

    static func deployment(
        _ changes: [String: String?] = [:], labels: [String: String] = [:],
        outside: [String: String] = [:], namespace: String = "shop"
    ) throws -> ClusterObject {
        var all = annotations
        for (name, text) in changes { all[name] = text }
        return try object([
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": [
                "name": "web", "namespace": .string(namespace), "annotations": texts(outside),
            ],
            "spec": [
                "template": [
                    "metadata": ["annotations": texts(all), "labels": texts(labels)],
                    "spec": [
                        "containers": [["name": "app", "image": "app", "command": ["/app"]]]
                    ],
                ]
            ],
        ])
    }

    static func namespace(
        labels: [String: String] = ["cloudtaser.io/inject": "true"],
        annotations: [String: String] = [:]
    ) throws -> ClusterObject {
        try object([
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": [
                "name": "shop", "labels": texts(labels), "annotations": texts(annotations),
            ],
        ])
    }

    static func policy(
        _ name: String = "cluster", address: String = "https://vault.test:8200",
        audience: JSONTree? = "vault", namespaces: JSONTree = ["shop"],
        agent: JSONTree = "none", method: String = "kubernetes"
    ) throws -> ClusterObject {
        var vault: JSONTree = [
            "name": "main", "address": .string(address), "method": .string(method),
        ]
        vault["audience"] = audience
        return try object([
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "CloudTaserPolicy",
            "metadata": ["name": .string(name)],
            "spec": [
                "vaults": [vault], "agent": agent,
                "grants": [
                    [
                        "namespaces": namespaces, "vault": "main", "roles": ["shop"],
                        "paths": ["secret/shop/*"],
                    ]
                ],
                "wrapper": ["image": "registry.test/wrapper:1"],
            ],
        ])
    }

    static func webhook(
        failurePolicy: String = "Fail", bundle: String = certificate, onlyPods: Bool = false,
        byLabel: Bool = false, service: String = "cloudtaser-operator"
    ) throws -> ClusterObject {
        let names = ["pods.cloudtaser.io"] + (onlyPods ? [] : ["namespaces.cloudtaser.io"])
        return try object([
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration", "metadata": ["name": "cloudtaser"],
            "webhooks": .array(
                names.map { name in
                    [
                        "name": .string(name), "failurePolicy": .string(failurePolicy),
                        "clientConfig": [
                            "caBundle": .string(Base64.encoded(Array(bundle.utf8))),
                            "service": [
                                "name": .string(service), "namespace": "cloudtaser-system",
                            ],
                        ],
                        "matchConditions": byLabel
                            ? []
                            : [["name": "a", "expression": "object.metadata.labels.annotations"]],
                        "namespaceSelector": [
                            "matchExpressions": [
                                [
                                    "key": "kubernetes.io/metadata.name", "operator": "NotIn",
                                    "values": ["kube-system", "left-out"],
                                ]
                            ]
                        ],
                    ]
                }),
        ])
    }

    static func part(
        _ component: String, wanted: Int = 2, ready: Int = 2
    ) throws -> ClusterObject {
        try object([
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": [
                "name": .string("cloudtaser-\(component)"), "namespace": "cloudtaser-system",
                "uid": "1",
            ],
            "spec": [
                "replicas": .number(String(wanted)),
                "template": [
                    "metadata": [
                        "labels": [
                            "app.kubernetes.io/name": "cloudtaser",
                            "app.kubernetes.io/component": .string(component),
                        ]
                    ], "spec": ["containers": [["name": "a", "image": "a"]]],
                ],
            ],
            "status": ["readyReplicas": .number(String(ready)), "replicas": 2],
        ])
    }

    static func node(_ name: String, kernel: String = "6.8.0-45-generic") throws -> ClusterObject {
        try object([
            "apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(name)],
            "status": ["nodeInfo": ["kernelVersion": .string(kernel)]],
        ])
    }

    static func agent(on node: String) throws -> ClusterObject {
        try object([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string("agent-\(node)"), "namespace": "cloudtaser-system",
                "labels": [
                    "app.kubernetes.io/name": "cloudtaser",
                    "app.kubernetes.io/component": "agent",
                ],
            ],
            "spec": ["nodeName": .string(node), "containers": [["name": "agent", "image": "a"]]],
            "status": [
                "podIP": "10.0.0.1", "conditions": [["type": "Ready", "status": "True"]],
            ],
        ])
    }

    /// A pod of its own; bare where it asks and is not wrapped.
    static func pod(bare: Bool) throws -> ClusterObject {
        try object([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(bare ? "bare" : "wrapped"), "namespace": "shop", "uid": "2",
                "annotations": texts(annotations),
            ],
            "spec": [
                "containers": [
                    [
                        "name": "app", "image": "app",
                        "command": bare
                            ? ["/app"]
                            : ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/app"],
                    ]
                ]
            ],
            "status": ["phase": "Running"],
        ])
    }

    static func report(_ status: String) throws -> ClusterObject {
        try object([
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "ProtectionReport",
            "metadata": ["name": .string("report-\(status)"), "namespace": "shop"],
            "status": ["conditions": [["type": "Protected", "status": .string(status)]]],
        ])
    }

    static func vault(_ state: String?, until: String = "Jan  1 00:00:00 2027 GMT") -> VaultRecord {
        VaultRecord(
            address: "https://vault.test:8200", state: state,
            certificates: [
                .init(
                    subject: "vault", issuer: "ca", notBefore: "Jan  1 00:00:00 2026 GMT",
                    notAfter: until, serial: "1")
            ], failure: state == nil ? "not reached: refused" : "")
    }

    static func whole() throws -> [ClusterObject] {
        [
            try namespace(), try deployment(), try policy(), try webhook(), try part("operator"),
            try node("a"), try agent(on: "a"),
        ]
    }

    static func input(
        _ objects: [ClusterObject], scope: ValidationInput.Scope = .cluster,
        unread: [UnreadObject] = [], vaults: [VaultRecord] = [],
        certificates: [ValidationInput.Certificate] = [], roles: [VaultLogin: VaultRole] = [:],
        now: Int64 = now
    ) -> ValidationInput {
        ValidationInput(
            objects,
            Inventory(objects, unread: unread, isWholeCluster: scope == .cluster),
            scope: scope, vaults: vaults, certificates: certificates, roles: roles, now: now)
    }
}
