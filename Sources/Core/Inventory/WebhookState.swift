// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// Whether the webhook that wraps pods is there, and what happens while it gives no answer.
struct WebhookState {
    /// As the operator names it in its configuration.
    private static let webhook = "pods.cloudtaser.io"

    let findings: [Finding]

    init(_ inventory: Inventory, excluding excluded: Set<String>) {
        let found = Self.webhooks(inventory)
        let open = found.filter { $0.1["failurePolicy"]?.text == "Ignore" }.map { object, _ in
            Self.finding(.webhookFailsOpen, object.reference, object.source)
        }
        let asking = inventory.workloads.contains {
            $0.asks == true && !excluded.contains($0.object.namespace)
        }
        // Only a whole cluster says that something is not there.
        let isMissing = found.isEmpty && asking && inventory.isWholeCluster
        findings =
            open + (isMissing ? [Self.finding(.webhookMissing, "-", "-")] : [])
    }

    static func failsClosed(_ inventory: Inventory) -> Bool? {
        let found = webhooks(inventory)
        return found.isEmpty ? nil : found.allSatisfy { $0.1["failurePolicy"]?.text != "Ignore" }
    }

    private static func webhooks(_ inventory: Inventory) -> [(ClusterObject, JSONTree)] {
        inventory.webhooks.compactMap { object -> (ClusterObject, JSONTree)? in
            let webhooks = object.tree["webhooks"]?.elements ?? []
            return webhooks.first { $0["name"]?.text == webhook }.map { (object, $0) }
        }
    }

    private static func finding(_ id: FindingID, _ object: String, _ source: String) -> Finding {
        Finding(
            id: id, object: object, container: nil, path: "", message: id.title, source: source)
    }
}
