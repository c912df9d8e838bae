// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

/// A container that an audit assesses: it runs or will run, in a namespace that is looked at.
package struct AuditedContainer: Sendable {
    package let object: String
    /// The controller at the top.
    package let owner: String
    /// A pod's object, or a template in its form.
    package let pod: JSONTree
    package let tree: JSONTree
    package let name: String
    /// nil: it has no node yet, or is a template.
    package let node: String?
    /// Credentials that it has from Secrets, ConfigMaps or its own manifest.
    package let copyCount: Int
    /// Whether it has secrets on another way: it should be wrapped and is not, or a CSI driver
    /// mounts them.
    package let hasOthers: Bool
}

extension Inventory {
    package func auditedContainers(excluding excluded: Set<String>) -> [AuditedContainer] {
        let looked = running.filter { !$0.isOver && !excluded.contains($0.object.namespace) }
        return looked.flatMap { workload -> [AuditedContainer] in
            let owner = owners.owner(of: workload)
            let pod = workload.podForm
            return workload.containers.filter { !$0.installsWrapper && $0.kind != .ephemeral }.map {
                container in
                let uses = workload.uses.filter { $0.container == container.name }
                let mounted = uses.count { $0.finding == .secretStoreDriver }
                return AuditedContainer(
                    object: workload.object.reference, owner: owner, pod: pod,
                    tree: container.tree, name: container.name,
                    node: workload.pod["nodeName"]?.text, copyCount: uses.count - mounted,
                    hasOthers: mounted > 0 || workload.isBare(container))
            }
        }
    }

    /// Images of the wrapper that policies name; nil: no policy was read.
    package var wrapperImages: Set<String>? {
        guard !policies.isEmpty else { return nil }
        return Set(policies.compactMap { $0.tree.value(at: "spec", "wrapper", "image")?.text })
    }

    /// Whether pods that ask are refused while no operator answers; nil: not known.
    package var webhookFailsClosed: Bool? { WebhookState.failsClosed(self) }
}

extension Workload {
    fileprivate var podForm: JSONTree {
        guard !isPod else { return object.tree }
        return ["metadata": metadata, "spec": pod]
    }
}
