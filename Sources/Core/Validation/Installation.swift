// SPDX-License-Identifier: Apache-2.0
internal import Inventory
internal import KubernetesFormat

/// The parts of the product that run in the cluster, as stored objects tell.
struct Installation {
    /// What a policy without an agent means.
    static let kernelAlone = "root of a node is kept out by the kernel alone"

    /// A Deployment of the chart, by its labels.
    struct Part {
        let object: ClusterObject
        let wanted: Int
        /// nil: it comes from a file, so that nothing is known of what runs.
        let ready: Int?

        var text: String { "\(ready ?? 0) of \(wanted) replicas ready" }
        var isWhole: Bool { ready.map { $0 >= wanted && $0 > 0 } ?? true }
    }

    let operators: [Part]
    let proxies: [Part]
    /// By name; the address is nil where no agent is ready.
    let nodes: [(name: String, hasAgent: Bool, address: String?)]

    init(_ inventory: Inventory) {
        func parts(_ component: String) -> [Part] {
            inventory.workloads.filter { workload in
                workload.object.kind == "Deployment"
                    && workload.label(Coverage.partOf) == Coverage.product
                    && workload.label(Coverage.label) == component
            }.map { workload in
                let tree = workload.object.tree
                let isLive = tree.value(at: "metadata", "uid") != nil || tree["status"] != nil
                let ready = tree.value(at: "status", "readyReplicas")?.wholeNumber ?? 0
                return Part(
                    object: workload.object,
                    wanted: tree.value(at: "spec", "replicas")?.wholeNumber ?? 1,
                    ready: isLive ? ready : nil)
            }
        }
        operators = parts("operator")
        proxies = parts("s3-proxy")
        nodes = inventory.agentAddresses
    }

    var covered: Int { nodes.count { $0.hasAgent } }
}

/// What a kernel's release says about secret memory.
package enum KernelSupport: Sendable, Equatable {
    /// memfd_secret is there and on unless it was switched off (Linux 6.5).
    case usual
    /// It is there, and off unless secretmem.enable=1 (Linux 5.14).
    case unknown
    case tooOld

    /// nil: it is no release.
    package init?(release: String) {
        let parts = release.split(separator: ".").prefix(2).map { $0.prefix(while: \.isNumber) }
        guard parts.count == 2, let major = Int(parts[0]), let minor = Int(parts[1]) else {
            return nil
        }
        switch (major, minor) {
        case (7..., _), (6, 5...): self = .usual
        case (6, _), (5, 14...): self = .unknown
        default: self = .tooOld
        }
    }
}
