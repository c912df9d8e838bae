// SPDX-License-Identifier: Apache-2.0
internal import Injection
internal import Inventory
internal import KubernetesFormat

/// What the webhook would answer about the pods of one workload: the Injection module's own
/// decision, with the policy that was read.
package struct PodVerdict: Sendable {
    package enum Answer: String, Sendable, CaseIterable {
        case injected = "would be injected"
        case refused = "would be refused"
        case unchanged = "is injected"
        case notAsked = "does not ask"
        case leftOut = "left out"
    }

    package let object: String
    package let answer: Answer
    package let note: String
    let findings: [Finding]

    private static let inject = PodAnnotation.inject.rawValue

    /// - Parameters:
    ///   - policy: nil: none that is in force was read; one is taken that grants everything, so
    ///     that only what the pod itself says is judged.
    ///   - namespace: nil: it was not read. Grants by labels are taken for its own then.
    init(
        _ workload: Workload, in namespace: NamespaceFacts?, policy: CloudTaserPolicy?,
        webhook: WebhookView
    ) {
        let object = workload.object
        self.object = object.reference
        var findings = Self.misplaced(workload)
        let pod: JSONTree = [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": workload.metadata.members == nil ? [:] : workload.metadata,
            "spec": workload.pod,
        ]
        let effective = policy ?? Self.granting(workload)
        func decide(_ facts: NamespaceFacts) -> InjectionAnswer {
            Injection.decide(
                PodReview(pod: pod.rendered(), namespace: facts, selector: webhook.selector),
                policy: effective, image: { _ in Self.image(effective) })
        }
        var result = decide(namespace ?? NamespaceFacts(name: object.namespace))
        var labels: [String: String] = [:]
        if namespace == nil, case .refused = result.decision {
            // Of several grants each may want another value: the first that helps is told.
            for grant in effective?.grants ?? [] where !grant.namespaceLabels.isEmpty {
                let other = decide(
                    NamespaceFacts(name: object.namespace, labels: grant.namespaceLabels))
                guard case .patch = other.decision else { continue }
                (result, labels) = (other, grant.namespaceLabels)
                break
            }
        }
        switch result.decision {
        case .notAskedFor:
            answer = .notAsked
            note = ""
            findings += Self.idle(workload)
        case .unchanged: (answer, note) = (.unchanged, "")
        case .patch:
            if webhook.excluded.contains(object.namespace) {
                (answer, note) = (.leftOut, "the webhook leaves the namespace out")
                findings.append(
                    Self.finding(.namespaceLeftOut, workload, FindingID.namespaceLeftOut.title))
            } else {
                (answer, note) = (.injected, Self.note(workload, policy, labels))
            }
        case .refused(let refusals):
            answer = .refused
            note = refusals.first?.message ?? ""
            findings += refusals.map { refusal in
                Self.finding(
                    .podRefused, workload, refusal.message,
                    path: Self.path(of: refusal.field, in: workload))
            }
        }
        if answer == .injected {
            findings += result.warnings.map { warning in
                let isSelector = warning.contains("selector needs")
                return Self.finding(
                    isSelector ? .selectorNeedsLabel : .injectionWarning, workload, warning)
            }
        }
        self.findings = findings
    }

    /// Of a pod that is there and whose containers start by the wrapper: nobody asks the webhook
    /// about it again. nil: it is none.
    init?(stored workload: Workload) {
        let uid = workload.object.tree.value(at: "metadata", "uid")
        guard workload.isPod, uid != nil, workload.isProtected, workload.bareContainers.isEmpty,
            workload.containers.contains(where: \.isWrapped)
        else { return nil }
        object = workload.object.reference
        (answer, note, findings) = (.unchanged, "", [])
    }

    private static func note(
        _ workload: Workload, _ policy: CloudTaserPolicy?, _ labels: [String: String]
    ) -> String {
        var parts: [String] = []
        if !labels.isEmpty {
            let text = labels.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: ", ")
            parts.append("if the namespace has \(text) (it was not read)")
        }
        if policy == nil { parts.append("if a policy grants it") }
        let unknown = workload.containers.filter {
            $0.kind != .ephemeral && ($0.tree["command"]?.elements ?? []).isEmpty
        }
        if !unknown.isEmpty {
            let names = unknown.map(\.name).joined(separator: ", ")
            parts.append("if the image has a command (not looked up): \(names)")
        }
        return parts.joined(separator: "; ")
    }

    /// Any command: whether an image has one, only its registry says.
    private static func image(_ policy: CloudTaserPolicy?) -> ImageAnswer? {
        guard let policy, policy.entrypoints == .registry else { return nil }
        let machines = Set(["amd64", "arm64"] + policy.architectures).sorted()
        return .found(
            machines.map { ImageCommand(architecture: $0, entrypoint: ["/image"], command: []) })
    }

    /// For manifests without a policy: the vault that the annotation names, and everything of it.
    private static func granting(_ workload: Workload) -> CloudTaserPolicy? {
        let address = workload.annotation(PodAnnotation.vaultAddress.rawValue)
        let method = workload.annotation(PodAnnotation.vaultAuthMethod.rawValue)
        func spec(_ address: String, _ method: String) -> JSONTree {
            [
                "vaults": [
                    [
                        "name": "any", "address": .string(address), "audience": "any",
                        "method": .string(method),
                    ]
                ],
                "grants": [["namespaces": ["*"], "vault": "any", "roles": ["*"], "paths": ["*"]]],
                "wrapper": ["image": "any"], "delivery": ["splice", "file", "environ"],
                "minimumTier": "ordinary", "agent": "none", "allowAllSystemCalls": true,
            ]
        }
        let usual = "https://vault.invalid:8200"
        for (address, method) in [
            (address ?? usual, method ?? "kubernetes"), (usual, method ?? "kubernetes"),
            (usual, "kubernetes"),
        ] {
            let bytes = spec(address, method).rendered()
            if let policy = try? CloudTaserPolicy(spec: bytes) { return policy }
        }
        return nil
    }

    // MARK: - Findings of the object

    private static func finding(
        _ id: FindingID, _ workload: Workload, _ message: String, path: String = ""
    ) -> Finding {
        Finding(
            id: id, object: workload.object.reference, container: nil, path: path,
            message: message, source: workload.object.source)
    }

    /// From the object: `spec.template.metadata…`.
    private static func path(of field: String, in workload: Workload) -> String {
        let place = workload.podPath.split(separator: ".").dropLast().joined(separator: ".")
        return place.isEmpty || field.isEmpty ? field : "\(place).\(field)"
    }

    private static func known(_ names: [String]) -> [String] {
        names.filter { $0.hasPrefix(PodAnnotation.prefix) }
            .filter { $0 != PodAnnotation.status.rawValue }.sorted()
    }

    private static func misplaced(_ workload: Workload) -> [Finding] {
        guard !workload.isPod else { return [] }
        let metadata = workload.object.tree["metadata"] ?? .null
        let labels = (metadata["labels"]?.members ?? []).map(\.name).filter { $0 == inject }
        let names = known((metadata["annotations"]?.members ?? []).map(\.name) + labels)
        return names.filter { workload.annotation($0) == nil && workload.label($0) == nil }.map {
            finding(
                .annotationMisplaced, workload,
                "\($0) is on the \(workload.object.kind), not on its pod template",
                path: "metadata.annotations")
        }
    }

    private static func idle(_ workload: Workload) -> [Finding] {
        guard workload.asks == nil else { return [] }
        let annotations = workload.metadata["annotations"]?.members ?? []
        let names = known(annotations.map(\.name))
        guard !names.isEmpty else { return [] }
        return [
            finding(
                .annotationIdle, workload,
                "\(names.joined(separator: ", ")): nothing reads this without \(inject)")
        ]
    }
}
