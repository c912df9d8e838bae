// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

/// An object as a file or the API gave it.
package struct ClusterObject: Sendable {
    /// `apps` of `apps/v1`; empty for the core group.
    package let group: String
    package let kind: String
    /// `default` where the object names none; empty for what has no namespace.
    package let namespace: String
    package let name: String
    package let tree: JSONTree
    /// Where it was read, for a reader: `web.yaml, document 2`.
    package let source: String
    /// Where its document begins in there, from 1; nil: not known.
    package let line: Int?

    /// Why something is no object that can be looked at.
    package enum Failure: Error, Sendable, Equatable {
        case noObject, noKind, noName

        package var reason: String {
            switch self {
            case .noObject: "is no object"
            case .noKind: "has no apiVersion and kind"
            case .noName: "has no metadata.name"
            }
        }
    }

    /// Kinds that are looked at and have no namespace.
    private static let clusterKinds: Set = [
        "Namespace", "Node", "ClusterSecretStore", "ClusterExternalSecret", "ClusterPushSecret",
        "ClusterIssuer", "CloudTaserPolicy", "MutatingWebhookConfiguration", "PersistentVolume",
        "StorageClass",
    ]

    package init(_ tree: JSONTree, source: String, line: Int? = nil) throws(Failure) {
        guard tree.members != nil else { throw .noObject }
        guard let version = tree["apiVersion"]?.text, let kind = tree["kind"]?.text,
            !version.isEmpty, !kind.isEmpty
        else { throw .noKind }
        guard let name = tree.value(at: "metadata", "name")?.text, !name.isEmpty else {
            throw .noName
        }
        let parts = version.split(separator: "/", maxSplits: 1)
        group = parts.count == 2 ? String(parts[0]) : ""
        self.kind = kind
        self.name = name
        let namespace = tree.value(at: "metadata", "namespace")?.text ?? ""
        self.namespace =
            Self.clusterKinds.contains(kind) ? "" : namespace.isEmpty ? "default" : namespace
        self.tree = Self.reduced(tree, kind)
        self.source = source
        self.line = line
    }

    /// `source` with the line, for what is refused.
    package var place: String { Self.place(source, line) }

    private static func place(_ source: String, _ line: Int?) -> String {
        line.map { "\(source), line \($0)" } ?? source
    }

    /// Kinds whose status is not looked at, and is the larger half of them in a cluster.
    private static let statusIsLeftOut: Set = [
        "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "CronJob",
    ]

    /// Without who wrote which field, and with what is looked at of a status: of 10,000 pods that
    /// is most of the memory.
    private static func reduced(_ tree: JSONTree, _ kind: String) -> JSONTree {
        var tree = tree
        if tree["metadata"]?["managedFields"] != nil { tree["metadata"]?["managedFields"] = nil }
        guard let status = tree["status"] else { return tree }
        if statusIsLeftOut.contains(kind) {
            tree["status"] = status["readyReplicas"].map { ["readyReplicas": $0] }
        } else if kind == "Job" {
            tree["status"] = status["conditions"].map { ["conditions": $0] }
        } else if kind == "Pod" {
            let members = (status.members ?? []).filter {
                ["phase", "conditions", "podIP", "hostIP"].contains($0.name)
            }
            let statuses = ["initContainerStatuses", "containerStatuses"].compactMap { name in
                status[name].map { JSONTree.Member(name, running($0)) }
            }
            tree["status"] = .object(members + statuses)
        }
        return tree
    }

    /// Of each container its name, and its number while it runs: by that an agent knows it.
    private static func running(_ statuses: JSONTree) -> JSONTree {
        .array(
            (statuses.elements ?? []).compactMap { status in
                guard status.value(at: "state", "running") != nil, let id = status["containerID"]
                else { return nil }
                return [
                    "name": status["name"] ?? .null, "containerID": id,
                    "state": ["running": [:]],
                ]
            })
    }

    /// Lists in one another that are opened.
    package static let listDepthMax = 8

    /// The objects that a document holds: itself, or the items of a `List` or of a list of one kind
    /// (`PodList`), which leave their kind out when a server answers. Lists of lists are opened.
    ///
    /// - Parameters:
    ///   - line: where the document begins; nil: not known.
    ///   - depth: of the document in other lists, from 1.
    ///   - max: results; behind one more than these nothing is looked for.
    /// - Returns: in their order; a failure stands for what is no object.
    package static func all(
        in document: JSONTree, source: String, line: Int? = nil, depth: Int = 1, max: Int = .max
    ) -> [Result<ClusterObject, UnreadObject>] {
        var found: [Result<ClusterObject, UnreadObject>] = []
        collect(document, source, line, depth: depth, max: max, into: &found)
        return found
    }

    private static func collect(
        _ document: JSONTree, _ source: String, _ line: Int?, depth: Int, max: Int,
        into found: inout [Result<ClusterObject, UnreadObject>]
    ) {
        let kind = document["kind"]?.text ?? ""
        guard kind.hasSuffix("List"), let items = document["items"]?.elements else {
            return found.append(one(document, source, line))
        }
        guard depth <= listDepthMax else {
            let reason = "is a list inside more than \(listDepthMax) others"
            let place = place(source, line)
            return found.append(.failure(UnreadObject(source: place, reason: reason)))
        }
        let itemKind = String(kind.dropLast("List".count))
        for (index, item) in items.enumerated() {
            guard found.count <= max else { return }
            var item = item
            if item.members != nil, item["kind"] == nil, !itemKind.isEmpty {
                item["kind"] = .string(itemKind)
                item["apiVersion"] = document["apiVersion"]
            }
            collect(
                item, "\(source), item \(index + 1)", line, depth: depth + 1, max: max,
                into: &found)
        }
    }

    private static func one(
        _ tree: JSONTree, _ source: String, _ line: Int?
    ) -> Result<ClusterObject, UnreadObject> {
        do throws(Failure) {
            return .success(try ClusterObject(tree, source: source, line: line))
        } catch {
            return .failure(UnreadObject(source: place(source, line), reason: error.reason))
        }
    }

    package var reference: String {
        namespace.isEmpty ? "\(kind) \(name)" : "\(kind) \(namespace)/\(name)"
    }
}

/// Something that could not be looked at: a scan with one of these is not complete.
package struct UnreadObject: Error, Sendable, Equatable {
    package let source: String
    package let reason: String

    package init(source: String, reason: String) {
        self.source = source
        self.reason = reason
    }
}
