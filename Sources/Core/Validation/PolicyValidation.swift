// SPDX-License-Identifier: Apache-2.0
internal import Injection
internal import Inventory
internal import KubernetesFormat
internal import WrapperConfiguration

/// The policies that were read.
struct PolicyReading {
    struct Readable {
        let object: ClusterObject
        let policy: CloudTaserPolicy
    }

    let readable: [Readable]
    let findings: [Finding]
    let count: Int

    init(_ inventory: Inventory) {
        var readable: [Readable] = []
        var findings: [Finding] = []
        for object in inventory.policies {
            do throws(Refusal) {
                let spec = object.tree["spec"] ?? .object([])
                readable.append(
                    Readable(object: object, policy: try CloudTaserPolicy(spec: spec.rendered())))
            } catch {
                findings.append(
                    Finding(
                        id: .policyUnreadable, object: Self.name(object), container: nil,
                        path: "spec.\(error.field)", message: "spec.\(error.message)",
                        source: object.source))
            }
        }
        if inventory.policies.count > 1 {
            let names = inventory.policies.map(\.name).sorted().joined(separator: ", ")
            findings.append(
                Finding(
                    id: .policiesSeveral, object: "-", container: nil, path: "",
                    message: "\(FindingID.policiesSeveral.title): \(names)",
                    source: inventory.policies[1].source))
        }
        self.readable = readable
        self.findings = findings
        count = inventory.policies.count
    }

    /// Whether the policy in force wants no agent.
    var wantsNoAgent: Bool { policy.map { $0.agent == .none } ?? false }

    /// It has no namespace, whatever a scan says.
    static func name(_ object: ClusterObject) -> String { "CloudTaserPolicy \(object.name)" }

    /// The one in force.
    var policy: CloudTaserPolicy? { count == 1 ? readable.first?.policy : nil }
}

/// What the policies say, held against what was read beside them.
struct PolicyValidation {
    let check: Check
    let findings: [Finding]

    init(_ input: ValidationInput, _ reading: PolicyReading, asking: Set<String>) {
        let names = Inventory.namespaces(in: input.objects)
        var found = reading.findings
        for one in reading.readable {
            found += Self.unusedGrants(one, Array(names.values))
            found += Self.missingAuthorities(one, input, names, asking)
        }
        if reading.count == 0, input.isMissingMeant("cloudtaserpolicies.cloudtaser.io") {
            found.append(
                Finding(
                    id: .policyMissing, object: "-", container: nil, path: "",
                    message: FindingID.policyMissing.title, source: "cluster"))
        }
        findings = found
        check = Self.check(reading, found)
    }

    private static func check(_ reading: PolicyReading, _ findings: [Finding]) -> Check {
        guard reading.count > 0 else {
            guard findings.isEmpty else {
                return Check("policy", .fails, FindingID.policyMissing.title)
            }
            return Check(
                "policy", .notChecked,
                "no CloudTaserPolicy was read; annotations are held to one that grants all",
                fix: "name its file, too")
        }
        let worst = findings.map(\.id.severity).max()
        let vaults = reading.readable.flatMap(\.policy.vaults).map(\.address)
        let text =
            "\(reading.readable.count) of \(reading.count) readable; vaults: "
            + (vaults.isEmpty ? "none" : vaults.joined(separator: ", "))
        switch worst {
        case nil: return Check("policy", .ok, text)
        case .critical?, .high?: return Check("policy", .fails, text)
        default: return Check("policy", .warning, text)
        }
    }

    /// A grant by name or label that fits none of the namespaces that were read.
    private static func unusedGrants(
        _ one: PolicyReading.Readable, _ namespaces: [NamespaceFacts]
    ) -> [Finding] {
        guard !namespaces.isEmpty else { return [] }
        return one.policy.grants.enumerated().filter { _, grant in
            !namespaces.contains(where: grant.isFor)
        }.map { index, grant in
            let labels = grant.namespaceLabels.map { "\($0.key)=\($0.value)" }.sorted()
            let text = (grant.namespaces + labels).joined(separator: ", ")
            return Finding(
                id: .grantWithoutNamespace, object: PolicyReading.name(one.object),
                container: nil, path: "spec.grants[\(index)]",
                message: "spec.grants[\(index)]: no namespace that was read is \(text)",
                source: one.object.source)
        }
    }

    /// - Parameter asking: namespaces with workloads that ask.
    private static func missingAuthorities(
        _ one: PolicyReading.Readable, _ input: ValidationInput,
        _ names: [String: NamespaceFacts], _ asking: Set<String>
    ) -> [Finding] {
        let isKnown = input.isMissingInNamespacesMeant("configmaps")
        let maps = input.objects.filter { $0.kind == "ConfigMap" && $0.group.isEmpty }
        guard isKnown else { return [] }
        return one.policy.vaults.flatMap { vault -> [Finding] in
            guard let anchors = vault.trustAnchors else { return [] }
            return asking.sorted().filter { namespace in
                let facts = names[namespace] ?? NamespaceFacts(name: namespace)
                let isGranted = one.policy.grants.contains {
                    $0.vault == vault.name && $0.isFor(facts)
                }
                let map = maps.first { $0.namespace == namespace && $0.name == anchors.name }
                return isGranted && map?.tree["data"]?[anchors.key] == nil
            }.map { namespace in
                Finding(
                    id: .authoritiesMissing, object: "Namespace \(namespace)", container: nil,
                    path: "",
                    message: "no ConfigMap \(namespace)/\(anchors.name) with key \(anchors.key), "
                        + "which vault \(vault.name) names as trustAnchors",
                    source: one.object.source)
            }
        }
    }
}
