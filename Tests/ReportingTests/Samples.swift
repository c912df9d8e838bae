// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import Reporting

/// Objects to report about.
enum Samples {
    static func object(_ tree: JSONTree) throws -> ClusterObject {
        try ClusterObject(tree, source: "web.yaml, document 2")
    }

    static func pod(
        _ name: String, wrapped: Bool = false, secret: String? = nil, hash: String? = nil,
        node: String? = nil
    ) throws -> ClusterObject {
        var container: JSONTree = [
            "name": "app", "image": "app",
            "command": wrapped
                ? ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/app"] : ["/app"],
        ]
        if let secret {
            container["env"] = [
                [
                    "name": "DB_PASSWORD",
                    "valueFrom": ["secretKeyRef": ["name": .string(secret), "key": "password"]],
                ]
            ]
        }
        var metadata: JSONTree = ["name": .string(name), "namespace": "shop"]
        if let hash {
            metadata["labels"] = ["pod-template-hash": .string(hash)]
            metadata["ownerReferences"] = [
                ["kind": "ReplicaSet", "name": .string("web-\(hash)"), "controller": true]
            ]
        }
        var spec: JSONTree = ["containers": [container]]
        spec["nodeName"] = node.map { .string($0) }
        return try object([
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec,
        ])
    }

    static func node(_ name: String) throws -> ClusterObject {
        try object(["apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(name)]])
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
            "status": ["conditions": [["type": "Ready", "status": "True"]]],
        ])
    }

    static let run = AuditRun(
        time: "2026-11-27T10:00:00Z", tool: "cloudtaser test", command: "cloudtaser audit",
        source: "files")

    static func result(
        _ objects: [ClusterObject], unread: [UnreadObject] = [],
        declarations: AuditDeclarations = .none, vaults: [VaultRecord] = []
    ) -> AuditResult {
        AuditResult(
            Audit(Inventory(objects, unread: unread)), run: run, declarations: declarations,
            vaults: vaults)
    }
}
