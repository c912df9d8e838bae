// SPDX-License-Identifier: Apache-2.0
internal import Injection
package import Inventory
package import KubernetesFormat
internal import Reporting

/// Whether what is configured would work: pods, policy, webhook, operator, nodes, vaults.
package struct Validation: Sendable {
    package let checks: [Check]
    package let verdicts: [PodVerdict]
    /// That count.
    package let findings: [Finding]
    let divided: AcceptedFindings
    package let unread: [UnreadObject]
    package let objectCount: Int

    package init(_ input: ValidationInput) {
        let reading = PolicyReading(input.inventory)
        let webhook = WebhookView(input.inventory)
        let names = Inventory.namespaces(in: input.objects)
        let verdicts = Self.verdicts(of: input.inventory, reading, names)
        let roles = RoleValidation(
            LoginUse.all(verdicts, reading.policy, names), input.roles, reading)
        let asking = verdicts.filter { $0.1.answer != .notAsked }
        let policies = PolicyValidation(
            input, reading, asking: Set(asking.map(\.0.object.namespace)))
        let installation = InstallationValidation(
            input, webhook, reading, hasAsking: !asking.isEmpty)
        let missed = Self.missed(input.inventory)
        let namespaces = Self.namespaces(names, input)
        self.verdicts = verdicts.map(\.1)
        checks =
            [Self.pods(verdicts.map(\.1), missed), Self.check(names, namespaces)]
            + [policies.check, roles.check] + installation.checks
        divided = AcceptedFindings(
            verdicts.flatMap(\.1.findings) + missed + namespaces + policies.findings
                + roles.findings + installation.findings,
            input.acceptances, today: String(WallClockText.seconds(input.now).prefix(10)),
            isOwn: \.isOfValidation)
        findings = divided.counting
        unread = input.inventory.unread + roles.unread
        objectCount = input.objects.count
    }

    /// Each workload that nobody else has made, and what the webhook would say of its pods.
    static func verdicts(
        of inventory: Inventory, _ reading: PolicyReading, _ names: [String: NamespaceFacts]
    ) -> [(Workload, PodVerdict)] {
        let webhook = WebhookView(inventory)
        let originals = inventory.originals.filter { workload in
            !workload.isOver && workload.object.namespace != "kube-system"
        }
        return originals.map { workload in
            let namespace = workload.object.namespace
            return (
                workload,
                PodVerdict(stored: workload)
                    ?? PodVerdict(
                        workload, in: names[namespace], policy: reading.policy, webhook: webhook)
            )
        }
    }

    /// That somebody accepted, with the reason.
    package var suppressed: [(finding: Finding, reason: String)] {
        divided.accepted.map { ($0.finding, $0.acceptance.reason) }
    }

    package func reaches(_ threshold: FindingSeverity) -> Bool {
        findings.contains { $0.id.severity >= threshold }
    }

    private static func pods(_ verdicts: [PodVerdict], _ missed: [Finding]) -> Check {
        guard !verdicts.isEmpty else {
            return Check("pods", .notChecked, "no workload was read")
        }
        let counts = PodVerdict.Answer.allCases.compactMap { answer -> String? in
            let count = verdicts.count { $0.answer == answer }
            return count > 0 ? "\(count) \(answer.rawValue)" : nil
        }
        let found = verdicts.flatMap(\.findings) + missed
        let worst = found.map(\.id.severity).max() ?? .info
        let state: Check.State = found.isEmpty ? .ok : worst >= .high ? .fails : .warning
        return Check("pods", state, counts.joined(separator: ", "))
    }

    /// Pods that run, ask, and are not wrapped.
    private static func missed(_ inventory: Inventory) -> [Finding] {
        inventory.workloads.filter { workload in
            workload.isPod && !workload.isOver && !workload.bareContainers.isEmpty
                && workload.object.tree.value(at: "metadata", "uid") != nil
        }.map { workload in
            Finding(
                id: .unwrapped, object: workload.object.reference, container: nil, path: "",
                message: FindingID.unwrapped.title, source: workload.object.source)
        }
    }

    // MARK: - Namespaces

    private static let inject = PodAnnotation.inject.rawValue

    private static func asks(_ text: String?) -> Bool {
        text.map { $0 != "false" && $0 != "0" } ?? false
    }

    private static func namespaces(
        _ names: [String: NamespaceFacts], _ input: ValidationInput
    ) -> [Finding] {
        names.values.sorted { $0.name < $1.name }.filter {
            asks($0.annotations[inject]) && !asks($0.labels[inject])
        }.map { facts in
            let object = input.objects.first { $0.kind == "Namespace" && $0.name == facts.name }
            return Finding(
                id: .namespaceAnnotatedOnly, object: "Namespace \(facts.name)", container: nil,
                path: "metadata.labels", message: FindingID.namespaceAnnotatedOnly.title,
                source: object?.source ?? "-")
        }
    }

    private static func check(
        _ names: [String: NamespaceFacts], _ findings: [Finding]
    ) -> Check {
        guard !names.isEmpty else {
            return Check("namespaces", .notChecked, "no Namespace was read")
        }
        let labelled = names.values.count { asks($0.labels[inject]) }
        return Check(
            "namespaces", findings.isEmpty ? .ok : .fails,
            "\(names.count) read, \(labelled) ask by label, \(findings.count) by annotation only")
    }

    // MARK: - For programs

    package var json: JSONTree {
        [
            "schemaVersion": "1", "objects": .number(String(objectCount)),
            "checks": .array(checks.map(\.json)),
            "pods": .array(
                verdicts.map {
                    [
                        "object": .string($0.object), "answer": .string($0.answer.rawValue),
                        "note": .string($0.note),
                    ]
                }),
            "findings": .array(findings.map(\.validationJSON)),
            "accepted": .array(
                divided.accepted.map { entry in
                    var tree = entry.finding.validationJSON
                    tree["acceptance"] = [
                        "reason": .string(entry.acceptance.reason),
                        "owner": .string(entry.acceptance.owner),
                        "expires": .string(entry.acceptance.expires),
                    ]
                    return tree
                }),
            "unread": .array(
                unread.map { ["source": .string($0.source), "reason": .string($0.reason)] }),
        ]
    }
}

extension Finding {
    fileprivate var validationJSON: JSONTree {
        [
            "id": .string(id.rawValue), "severity": .string(id.severity.rawValue),
            "object": .string(object), "path": .string(path), "message": .string(message),
            "source": .string(source), "fix": .string(id.fix),
            "fingerprint": .string(fingerprint),
        ]
    }
}
