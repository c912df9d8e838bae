// SPDX-License-Identifier: Apache-2.0
package import Inventory
package import KubernetesFormat

/// Policies that let protected workloads reach the vault, name servers and, where they are the S3
/// proxy, the store, and nothing else. What else a workload needs, other policies allow: they add
/// up. Nothing is said of what may come in.
package struct GeneratedPolicies: Sendable {
    package struct Policy: Sendable {
        package let namespace: String
        package let name: String
        /// `Deployment shop/web`, those that it is for.
        package let workloads: [String]
        package let tree: JSONTree
    }

    /// By namespace and name.
    package let policies: [Policy]
    /// Workloads without one, with the reason.
    package let skipped: [(workload: String, reason: String)]
    package let notes: [String]

    package init(_ inventory: Inventory, _ objects: [ClusterObject], _ settings: EgressSettings) {
        let all = NetworkSubject.all(of: inventory.originals, in: objects)
        var skipped: [(String, String)] = []
        var drafts: [String: PolicyDraft] = [:]
        for subject in all where subject.workload.isProtected || subject.isProxy {
            let reference = subject.workload.object.reference
            guard let draft = PolicyDraft(subject) else {
                skipped.append((reference, subject.obstacle))
                continue
            }
            if let own = all.first(where: { $0.isOwn && draft.selects($0) }) {
                skipped.append(
                    (
                        reference,
                        "its labels also select \(own.workload.object.reference) of CloudTaser: "
                            + "give it a label of its own"
                    ))
                continue
            }
            drafts[draft.key, default: draft].workloads.append(reference)
        }
        let ordered = drafts.values.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
        policies = ordered.map { draft in
            Policy(
                namespace: draft.namespace, name: draft.name, workloads: draft.workloads,
                tree: settings.isForCilium
                    ? draft.forCilium(settings) : draft.standard(settings))
        }
        self.skipped = skipped
        notes = Self.notes(ordered, all, settings)
    }

    private static func notes(
        _ drafts: [PolicyDraft], _ all: [NetworkSubject], _ settings: EgressSettings
    ) -> [String] {
        var notes: [String] = []
        for draft in drafts {
            let others = all.filter {
                !$0.isOnHostNetwork && draft.selects($0)
                    && !draft.workloads.contains($0.workload.object.reference)
            }.map(\.workload.object.reference)
            if !others.isEmpty {
                let names = others.joined(separator: ", ")
                notes.append("\(draft.namespace)/\(draft.name) also selects \(names)")
            }
        }
        if !drafts.isEmpty {
            notes.append(
                "these pods reach nothing else: add policies for databases and whatever they "
                    + "talk to, before or together with these")
        }
        if !settings.upstream.isEmpty, !drafts.contains(where: \.needsUpstream) {
            notes.append("no S3 proxy was read: nobody is let to the store")
        }
        if settings.upstream.isEmpty, drafts.contains(where: \.needsUpstream) {
            notes.append("an S3 proxy was read: give its store with --s3-upstream-cidr")
        }
        return notes
    }

    package var list: JSONTree {
        ["apiVersion": "v1", "kind": "List", "items": .array(policies.map(\.tree))]
    }

    package var table: String {
        var lines: [String] = []
        if !policies.isEmpty {
            lines += TextTable.lines(
                ["NAMESPACE", "POLICY", "WORKLOADS"],
                policies.map {
                    [$0.namespace, $0.name, $0.workloads.joined(separator: ", ")]
                })
        }
        lines.append("\(policies.count) policies, \(skipped.count) workloads without one")
        return TextTable.text(lines)
    }
}

extension NetworkSubject {
    /// A part of CloudTaser that no policy of ours may shut in.
    var isOwn: Bool {
        workload.label("app.kubernetes.io/name") == "cloudtaser" && !isProxy
    }

    var isProxy: Bool { ProxyPlacement.isProxy(workload) }

    /// Why there is no policy for it.
    fileprivate var obstacle: String {
        isOnHostNetwork
            ? "is on the node's network, where policies do not apply"
            : "has no labels that a policy could select it by"
    }
}
