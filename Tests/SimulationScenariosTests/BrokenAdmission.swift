// SPDX-License-Identifier: Apache-2.0
import Injection
import KubernetesFormat
import KubernetesPorts
import Operator
import SimulatedCluster
import SimulationScenarios

/// Operators with one mistake each.
enum BrokenAdmission: String, CaseIterable, Sendable {
    case failsOpen = "has pods let through while nobody answers"
    case trustsAnnotations = "takes the vault that an annotation names"
    case forgetsRestartable = "does not look at restartable init containers"
    case neverReads = "answers from a mirror of namespaces that was never read"
    case isBehind = "believes its mirror of namespaces, as far behind as it is"

    var oracle: String { self == .trustsAnnotations ? "granted-pod" : "wrapped-pod" }

    /// The seed that shows it.
    var seed: UInt64 { self == .isBehind ? 19 : 1 }

    var tampering: AdmissionScenario.Tampering {
        var tampering = AdmissionScenario.Tampering()
        switch self {
        case .failsOpen: tampering.wrap = { OpenAPI(api: $0) }
        case .trustsAnnotations:
            tampering.review = { Self.changed($0) { _ = Self.takeVault(&$0) } }
            tampering.patch = { review, patch in
                var vault: String?
                _ = Self.changed(review) { vault = Self.takeVault(&$0) }
                guard let vault else { return patch }
                let text = String(decoding: patch, as: UTF8.self)
                return Array(text.replacing(/https:\/\/[ab].example:8200/, with: vault).utf8)
            }
        case .forgetsRestartable:
            tampering.review = { review in
                Self.changed(review) { pod in
                    guard var spec = pod["spec"], let all = spec["initContainers"]?.elements
                    else { return }
                    spec["initContainers"] = .array(all.filter { $0["restartPolicy"] == nil })
                    pod["spec"] = spec
                }
            }
        case .neverReads: tampering.namespaces = { _ in BareNamespaces() }
        case .isBehind: tampering.namespaces = { StaleNamespaces(mirrored: $0) }
        }
        return tampering
    }

    private static func changed(_ review: [UInt8], _ change: (inout JSONTree) -> Void) -> [UInt8] {
        guard var tree = try? JSONTree(review), var request = tree["request"],
            var pod = request["object"]
        else { return review }
        change(&pod)
        request["object"] = pod
        tree["request"] = request
        return tree.rendered()
    }

    private static func takeVault(_ pod: inout JSONTree) -> String? {
        let name = "cloudtaser.io/vault-address"
        guard var metadata = pod["metadata"], var annotations = metadata["annotations"],
            let vault = annotations[name]?.text
        else { return nil }
        // One of several has to be named.
        annotations[name] = "https://a.example:8200"
        metadata["annotations"] = annotations
        pod["metadata"] = metadata
        return vault
    }
}

/// Writes the webhook's configuration so that it fails open.
private struct OpenAPI: ForwardingKubernetesAPI {
    let api: any KubernetesAPI

    func create(
        _ object: [UInt8], in collection: ResourceCollection, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await api.create(Self.opened(object), in: collection, options)
    }

    func replace(
        _ reference: ObjectReference, with object: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await api.replace(reference, with: Self.opened(object), options)
    }

    private static func opened(_ object: [UInt8]) -> [UInt8] {
        let text = String(decoding: object, as: UTF8.self)
        return Array(text.replacing(#""Fail""#, with: #""Ignore""#).utf8)
    }
}

/// Never asks again about a namespace that it has seen.
private struct StaleNamespaces: NamespaceSource {
    let mirrored: ClusterNamespaces

    func known(_ name: String) -> NamespaceFacts? { mirrored.known(name) }

    func facts(of name: String) async throws(KubernetesFailure) -> NamespaceFacts {
        if let known = mirrored.known(name) { return known }
        return try await mirrored.facts(of: name)
    }
}
