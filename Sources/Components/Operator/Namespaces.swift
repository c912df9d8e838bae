// SPDX-License-Identifier: Apache-2.0
package import Injection
internal import KubernetesFormat
package import KubernetesPorts

package protocol NamespaceSource: Sendable {
    /// Without asking anybody.
    func known(_ name: String) -> NamespaceFacts?
    /// - Throws: when nothing can be known of it at the moment, or it does not exist.
    func facts(of name: String) async throws(KubernetesFailure) -> NamespaceFacts
}

/// Namespaces of which nothing but their names is known.
package struct BareNamespaces: NamespaceSource {
    package init() {}

    package func known(_ name: String) -> NamespaceFacts? { NamespaceFacts(name: name) }

    package func facts(of name: String) async throws(KubernetesFailure) -> NamespaceFacts {
        NamespaceFacts(name: name)
    }
}

/// The cluster's namespaces, followed by a watch; one that is newer than the watch is asked for.
package struct ClusterNamespaces: NamespaceSource {
    package static let collection = ResourceCollection(
        group: "", version: "v1", resource: "namespaces")

    package let mirror: ObjectMirror<NamespaceFacts>
    private let api: any KubernetesAPI

    package init(
        api: any KubernetesAPI, clock: any AsyncTimeSource,
        report: @escaping @Sendable (KubernetesFailure) -> Void = { _ in }
    ) {
        self.api = api
        mirror = ObjectMirror(
            api: api, clock: clock, collection: Self.collection, report: report, read: Self.facts)
    }

    package func known(_ name: String) -> NamespaceFacts? { mirror[name] }

    package func facts(of name: String) async throws(KubernetesFailure) -> NamespaceFacts {
        let reference = Self.collection.object(name)
        let object = try await api.get(reference)
        guard let tree = try? JSONTree(object), let facts = Self.facts(tree) else {
            throw .responseMalformed(path: reference.path, detail: "no namespace")
        }
        return facts
    }

    /// What each namespace says of whether its pods ask; nil: not known yet. Pods that say nothing
    /// are others as soon as it is another.
    var asking: [String: [String?]]? {
        let name = PodAnnotation.inject.rawValue
        return mirror.values?.compactMapValues { facts in
            let said = [facts.annotations[name], facts.labels[name]]
            return said == [nil, nil] ? nil : said
        }
    }

    private static func facts(_ object: JSONTree) -> NamespaceFacts? {
        guard let name = object.value(at: "metadata", "name")?.text else { return nil }
        func texts(_ member: String) -> [String: String] {
            let members = object.value(at: "metadata", member)?.members ?? []
            return Dictionary(
                members.compactMap { member in member.value.text.map { (member.name, $0) } },
                uniquingKeysWith: { first, _ in first })
        }
        // Other annotations may be long (the last applied configuration), and nobody reads them.
        let annotations = texts("annotations").filter { $0.key.hasPrefix(PodAnnotation.prefix) }
        return NamespaceFacts(name: name, labels: texts("labels"), annotations: annotations)
    }
}
