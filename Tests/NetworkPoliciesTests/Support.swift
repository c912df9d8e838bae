// SPDX-License-Identifier: Apache-2.0
import Destinations
import Inventory
import KubernetesFormat
import NetworkPolicies
import Testing

enum Make {
    static func object(_ tree: JSONTree) throws -> ClusterObject {
        try ClusterObject(tree, source: "test")
    }

    static func policy(
        _ spec: JSONTree, name: String = "p", namespace: String = "shop"
    ) throws -> NetworkPolicy {
        try NetworkPolicy(
            object([
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": ["name": .string(name), "namespace": .string(namespace)], "spec": spec,
            ]))
    }

    static func workload(
        _ kind: String = "Deployment", _ name: String = "web", namespace: String = "shop",
        labels: JSONTree = ["app": "web"], asks: Bool = true, spec more: JSONTree = [:]
    ) throws -> ClusterObject {
        var spec: JSONTree = ["containers": [["name": "app", "image": "app", "command": ["/app"]]]]
        for member in more.members ?? [] { spec[member.name] = member.value }
        let metadata: JSONTree = [
            "labels": labels, "annotations": asks ? ["cloudtaser.io/inject": "true"] : [:],
        ]
        return try object([
            "apiVersion": "apps/v1", "kind": .string(kind),
            "metadata": ["name": .string(name), "namespace": .string(namespace)],
            "spec": [
                "selector": ["matchLabels": labels],
                "template": ["metadata": metadata, "spec": spec],
            ],
        ])
    }

    static func network(_ text: String) throws -> NetworkPrefix { try NetworkPrefix(text) }
}
