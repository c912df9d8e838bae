// SPDX-License-Identifier: Apache-2.0
internal import Injection
package import KubernetesFormat

/// Something that runs containers: a controller's pod template, or a pod.
package struct Workload: Sendable {
    package let object: ClusterObject
    /// `spec` of the pod.
    package let pod: JSONTree
    /// Of the pod: `metadata` of the template, or of the pod itself.
    package let metadata: JSONTree
    /// Member names from the object to `pod`, for a reader.
    package let podPath: String
    package let containers: [Container]
    /// Found by the inventory, which knows the objects beside it.
    package internal(set) var uses: [SecretUse] = []
    /// Of a pod that asks, by itself or by its namespace: containers that start without the
    /// wrapper. Found by the inventory, as `StoredPod` says it. Empty for templates: the webhook
    /// wraps their pods.
    package internal(set) var bareContainers: [String] = []

    /// Whether it asks for secrets, by itself or by its namespace, or starts by the wrapper. Found
    /// by the inventory.
    package internal(set) var isProtected = false

    package struct Container: Sendable {
        package enum Kind: String, Sendable, CaseIterable {
            case initialization = "initContainers"
            case ordinary = "containers"
            case ephemeral = "ephemeralContainers"
        }

        package let kind: Kind
        package let name: String
        package let tree: JSONTree
        /// `spec.containers[0]`, from the object.
        package let path: String

        /// Whether its stored command starts the wrapper: what the admission webhook makes of it.
        package var isWrapped: Bool {
            InjectedNames.startsByWrapper(command)
        }

        /// The webhook's own container, which copies the wrapper and has no values.
        package var installsWrapper: Bool {
            kind == .initialization && InjectedNames.copiesWrapper(command)
        }

        private var command: [String] {
            tree["command"]?.elements?.compactMap(\.text) ?? []
        }
    }

    /// Where each kind keeps its pod: member names to the object with `metadata` and `spec`.
    private static let places: [String: (group: String, path: [String])] = [
        "Pod": ("", []), "ReplicationController": ("", ["spec", "template"]),
        "Deployment": ("apps", ["spec", "template"]),
        "StatefulSet": ("apps", ["spec", "template"]),
        "DaemonSet": ("apps", ["spec", "template"]),
        "ReplicaSet": ("apps", ["spec", "template"]),
        "Job": ("batch", ["spec", "template"]),
        "CronJob": ("batch", ["spec", "jobTemplate", "spec", "template"]),
    ]

    /// nil: the object runs no containers.
    package init?(_ object: ClusterObject) {
        guard let place = Self.places[object.kind], place.group == object.group else { return nil }
        var template = object.tree
        for name in place.path {
            guard let next = template[name] else { return nil }
            template = next
        }
        guard let spec = template["spec"] else { return nil }
        self.object = object
        pod = spec
        metadata = template["metadata"] ?? .null
        let podPath = (place.path + ["spec"]).joined(separator: ".")
        self.podPath = podPath
        containers = Container.Kind.allCases.flatMap { kind in
            (spec[kind.rawValue]?.elements ?? []).enumerated().map { index, tree in
                Container(
                    kind: kind, name: tree["name"]?.text ?? "", tree: tree,
                    path: "\(podPath).\(kind.rawValue)[\(index)]")
            }
        }
    }

    /// Kinds that run containers, whatever is wrong with the object.
    package static func runsContainers(_ object: ClusterObject) -> Bool {
        places[object.kind].map { $0.group == object.group } ?? false
    }

    package var isPod: Bool { object.kind == "Pod" }

    /// A pod that has come to its end, or a Job that makes no more of them
    /// (https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions).
    package var isOver: Bool {
        if object.kind == "Job" {
            let conditions = object.tree.value(at: "status", "conditions")?.elements ?? []
            return conditions.contains {
                ["Complete", "Failed"].contains($0["type"]?.text) && $0["status"]?.text == "True"
            }
        }
        guard isPod, let phase = object.tree.value(at: "status", "phase")?.text else {
            return false
        }
        return phase == "Succeeded" || phase == "Failed"
    }

    /// An earlier version that a controller keeps to go back to: it has an owner and no replicas.
    package var isRetired: Bool {
        ["ReplicaSet", "ReplicationController"].contains(object.kind) && controllerPlace != nil
            && object.tree.value(at: "spec", "replicas")?.wholeNumber == 0
    }

    /// Namespace, kind and name.
    var place: String { "\(object.namespace)/\(object.kind)/\(object.name)" }

    /// The place of the controller that made it; nil when none did, and for what a node's kubelet
    /// read from a file: the Node that such a pod names made no other.
    var controllerPlace: String? {
        let owners = object.tree.value(at: "metadata", "ownerReferences")?.elements ?? []
        for owner in owners where owner["controller"] == .bool(true) {
            if let kind = owner["kind"]?.text, kind != "Node", let name = owner["name"]?.text {
                return "\(object.namespace)/\(kind)/\(name)"
            }
        }
        return nil
    }

    package func annotation(_ name: String) -> String? {
        metadata["annotations"]?[name]?.text
    }

    /// Whether this container of it is among the bare ones.
    func isBare(_ container: Container) -> Bool {
        bareContainers == [StoredPod.unreadContainers] || bareContainers.contains(container.name)
    }

    package func label(_ name: String) -> String? { metadata["labels"]?[name]?.text }

    /// Whether the pod asks for secrets by its own annotation or label; nil: it says nothing.
    package var asks: Bool? {
        let name = PodAnnotation.inject.rawValue
        return (annotation(name) ?? label(name)).map { $0 == "true" }
    }

    /// Whether pods of a namespace that say nothing ask for secrets, as the webhook reads it.
    static func asks(_ namespace: NamespaceFacts) -> Bool {
        let name = PodAnnotation.inject.rawValue
        return [namespace.annotations[name], namespace.labels[name]].compactMap { $0 }
            .contains { $0 != "false" && $0 != "0" }
    }
}
