// SPDX-License-Identifier: Apache-2.0
internal import Inventory
package import KubernetesFormat

/// What an earlier audit said (`cloudtaser audit -o json`), to tell what is worse now.
package struct AuditBaseline: Sendable, Equatable {
    package struct Malformed: Error, Sendable, Equatable {
        package let reason: String
    }

    private let fingerprints: Set<String>
    private let unprotected: Set<String>
    private let nodesWithAgent: Set<String>

    package init(_ document: JSONTree) throws(Malformed) {
        guard document["kind"]?.text == "Audit",
            document["apiVersion"]?.text == "cloudtaser.io/v1alpha1",
            let findings = document["findings"]?.elements,
            let workloads = document["workloads"]?.elements
        else {
            throw Malformed(reason: "is nothing that `cloudtaser audit -o json` has printed")
        }
        let prints = findings.compactMap { $0["fingerprint"]?.text }
        guard prints.count == findings.count else {
            throw Malformed(reason: "has findings without fingerprints; make it anew")
        }
        fingerprints = Set(prints)
        unprotected = Set(
            workloads.filter { $0["standing"]?.text == "unprotected" }.compactMap { row in
                guard let owner = row["owner"]?.text, let name = row["container"]?.text else {
                    return nil
                }
                return "\(owner) \(name)"
            })
        nodesWithAgent = Set(
            (document.value(at: "nodes", "list")?.elements ?? [])
                .filter { $0["hasAgent"] == .bool(true) }.compactMap { $0["name"]?.text })
    }

    /// What is there now and was not then, or was better: a line for each. Fewer findings are no
    /// regression.
    package func regressions(in result: AuditResult) -> [String] {
        let new = result.groups.filter { !fingerprints.contains($0.finding.fingerprint) }.map {
            "new: \($0.finding.id.rawValue) \($0.finding.owner): \($0.finding.message)"
        }
        var told: Set<String> = []
        let exposed = result.audit.rows.filter { $0.standing == .unprotected && $0.useCount > 0 }
            .map { "\($0.owner) \($0.container)" }
            .filter { !unprotected.contains($0) && told.insert($0).inserted }
            .map { "uses Secrets and is not protected, and was not so before: \($0)" }
        let lost = result.audit.nodes.filter { !$0.hasAgent && nodesWithAgent.contains($0.name) }
            .map { "had an agent and has none: node \($0.name)" }
        return new + exposed + lost
    }
}
