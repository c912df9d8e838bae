// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// Which nodes have an agent that is ready.
package struct Coverage {
    let nodes: [Audit.Node]
    let findings: [Finding]

    package static let label = "app.kubernetes.io/component"
    private static let agent = "agent"
    package static let partOf = "app.kubernetes.io/name"
    package static let product = "cloudtaser"

    init(_ inventory: Inventory) {
        let agents = Self.agents(inventory)
        let covered = Set(agents.compactMap { $0.pod["nodeName"]?.text })
        guard !inventory.nodes.isEmpty else {
            nodes = []
            let hasPods = inventory.workloads.contains { $0.pod["nodeName"] != nil }
            findings =
                hasPods
                ? [
                    Finding(
                        id: .nodesUnknown, object: "-", container: nil, path: "",
                        message: FindingID.nodesUnknown.title, source: "-")
                ] : []
            return
        }
        let bare = inventory.nodes.filter { !covered.contains($0.name) }
        let pods = Dictionary(
            grouping: inventory.workloads.filter { $0.isPod && !$0.isOver },
            by: { $0.pod["nodeName"]?.text ?? "" })
        nodes = inventory.nodes.map { node in
            let containers = (pods[node.name] ?? []).flatMap(\.containers)
            return Audit.Node(
                name: node.name, hasAgent: covered.contains(node.name),
                protectedCount: containers.count(where: \.isWrapped),
                containerCount: containers.count)
        }
        findings = bare.map { node in
            Finding(
                id: .nodeWithoutAgent, object: node.reference, container: nil, path: "",
                message: FindingID.nodeWithoutAgent.title, source: node.source)
        }
    }

    /// Pods of agents that are ready.
    fileprivate static func agents(_ inventory: Inventory) -> [Workload] {
        inventory.workloads.filter { workload in
            // A pod that has ended may still be said to be ready: nobody said otherwise since.
            workload.isPod && !workload.isOver && workload.label(label) == agent
                && workload.label(partOf) == product && isReady(workload)
        }
    }

    private static func isReady(_ workload: Workload) -> Bool {
        let conditions = workload.object.tree.value(at: "status", "conditions")?.elements ?? []
        return conditions.contains {
            $0["type"]?.text == "Ready" && $0["status"]?.text == "True"
        }
    }
}

extension Inventory {
    /// Of each node that was read whether an agent is ready there, and its address in digits; nil:
    /// there is none, or it says none.
    package var agentAddresses: [(name: String, hasAgent: Bool, address: String?)] {
        let pods = Dictionary(
            Coverage.agents(self).map { ($0.pod["nodeName"]?.text ?? "", $0) },
            uniquingKeysWith: { first, _ in first })
        return nodes.map { node in
            let pod = pods[node.name]
            let address = pod?.object.tree.value(at: "status", "podIP")?.text
            return (node.name, pod != nil, address)
        }
    }
}
