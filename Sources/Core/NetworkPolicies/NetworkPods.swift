// SPDX-License-Identifier: Apache-2.0
package import Inventory
internal import KubernetesFormat

/// Pods of what was read, as policies see them: pods themselves, and templates of which no pod was.
package struct NetworkSubject: Sendable {
    package let workload: Workload
    package let pod: NetworkPod

    /// Policies do not apply to what has the node's network: see "NetworkPolicy and hostNetwork
    /// pods" in https://kubernetes.io/docs/concepts/services-networking/network-policies/.
    package var isOnHostNetwork: Bool { workload.pod["hostNetwork"] == .bool(true) }

    package init(_ workload: Workload, namespaceLabels: [String: String]) {
        self.workload = workload
        pod = NetworkPod(
            namespace: workload.object.namespace, namespaceLabels: namespaceLabels,
            labels: (workload.metadata["labels"] ?? .null).texts,
            ports: workload.containers.flatMap { container in
                (container.tree["ports"]?.elements ?? []).compactMap { port in
                    guard let number = port["containerPort"]?.wholeNumber else { return nil }
                    let word = port["protocol"]?.text ?? "TCP"
                    return NetworkPod.Port(
                        name: port["name"]?.text ?? "",
                        transport: NetworkPolicy.TransportProtocol(rawValue: word) ?? .tcp,
                        number: number)
                }
            })
    }

    /// Labels of Namespaces that were read.
    package static func namespaceLabels(
        in objects: [ClusterObject]
    ) -> [String: [String: String]] {
        objects.filter { $0.kind == "Namespace" && $0.group.isEmpty }
            .reduce(into: [:]) { found, object in
                let labels = object.tree.value(at: "metadata", "labels") ?? .null
                found[object.name] = labels.texts
            }
    }

    /// In the order of namespaces, kinds and names, whatever the order of what was read.
    package static func all(
        of workloads: [Workload], in objects: [ClusterObject]
    ) -> [NetworkSubject] {
        let labels = namespaceLabels(in: objects)
        // A Job that is over may be made again, with the same template.
        return workloads.filter { !($0.isPod && $0.isOver) }.map {
            NetworkSubject($0, namespaceLabels: labels[$0.object.namespace] ?? [:])
        }.sorted { left, right in
            (left.pod.namespace, left.workload.object.kind, left.workload.object.name)
                < (right.pod.namespace, right.workload.object.kind, right.workload.object.name)
        }
    }
}

/// Who enforces policies in the cluster, as far as it is seen.
package enum PolicyEnforcement: Sendable, Equatable {
    /// DaemonSets of network plugins that do, when they are set up for it.
    case recognised([String])
    /// Of plugins that are known not to, and of no other.
    case absent([String])
    case notKnown

    /// DaemonSets by which plugins that enforce policies are known.
    static let enforcing: Set = [
        "calico-node", "canal", "cilium", "anetd", "antrea-agent", "kube-router", "weave-net",
        "ovnkube-node", "aws-node", "azure-npm", "kindnet", "kube-ovn-cni",
    ]
    private static let others: Set = ["kube-flannel", "kube-flannel-ds"]

    package init(_ objects: [ClusterObject]) {
        let names = Set(
            objects.filter { $0.kind == "DaemonSet" && $0.group == "apps" }.map(\.name))
        let found = names.intersection(Self.enforcing).sorted()
        let without = names.intersection(Self.others).sorted()
        self = !found.isEmpty ? .recognised(found) : !without.isEmpty ? .absent(without) : .notKnown
    }

    package var line: String {
        switch self {
        case .recognised(let names):
            "the CNI decides whether it is enforced: \(names.joined(separator: ", ")) was seen, "
                + "which does where it is set up for it"
        case .absent(let names):
            "the CNI decides whether it is enforced: \(names.joined(separator: ", ")) alone does "
                + "not"
        case .notKnown:
            "the CNI decides whether it is enforced: none that is known to was seen among the "
                + "objects"
        }
    }
}
