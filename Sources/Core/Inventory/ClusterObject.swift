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
        "ClusterIssuer",
    ]

    package init(_ tree: JSONTree, source: String) throws(Failure) {
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
        self.tree = tree
        self.source = source
    }

    /// The objects that a document holds: itself, or the items of a `List` or of a list of one kind
    /// (`PodList`), which leave their kind out when a server answers.
    ///
    /// - Returns: in their order; a failure stands for what is no object.
    package static func all(
        in document: JSONTree, source: String
    ) -> [Result<ClusterObject, UnreadObject>] {
        let kind = document["kind"]?.text ?? ""
        guard kind.hasSuffix("List"), let items = document["items"]?.elements else {
            return [one(document, source)]
        }
        let itemKind = String(kind.dropLast("List".count))
        return items.enumerated().map { index, item in
            var item = item
            if item.members != nil, item["kind"] == nil, !itemKind.isEmpty {
                item["kind"] = .string(itemKind)
                item["apiVersion"] = document["apiVersion"]
            }
            return one(item, "\(source), item \(index + 1)")
        }
    }

    private static func one(
        _ tree: JSONTree, _ source: String
    ) -> Result<ClusterObject, UnreadObject> {
        do throws(Failure) {
            return .success(try ClusterObject(tree, source: source))
        } catch {
            return .failure(UnreadObject(source: source, reason: error.reason))
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
