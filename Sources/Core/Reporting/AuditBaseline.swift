// SPDX-License-Identifier: Apache-2.0
internal import Inventory
package import KubernetesFormat

/// What an earlier audit said (`cloudtaser audit -o json`), to tell what is worse now.
package struct AuditBaseline: Sendable, Equatable {
    package struct Malformed: Error, Sendable, Equatable {
        package let reason: String
    }

    /// Empty: nobody has declared which it is of.
    private let cluster: String
    private let fingerprints: Set<String>
    /// What each container of an owner was: of several pods of it there may be several words.
    private let standings: [String: Set<String>]
    private let nodesWithAgent: Set<String>

    package init(_ document: JSONTree) throws(Malformed) {
        guard document["kind"]?.text == "Audit",
            document["apiVersion"]?.text == "cloudtaser.io/v1alpha1",
            let findings = document["findings"]?.elements,
            let workloads = document["workloads"]?.elements
        else {
            throw Malformed(reason: "is nothing that `cloudtaser audit -o json` has printed")
        }
        cluster = document["cluster"]?.text ?? ""
        let prints = findings.compactMap { $0["fingerprint"]?.text }
        guard prints.count == findings.count else {
            throw Malformed(reason: "has findings without fingerprints; make it anew")
        }
        fingerprints = Set(prints)
        var standings: [String: Set<String>] = [:]
        for row in workloads {
            guard let owner = row["owner"]?.text, let name = row["container"]?.text,
                let standing = row["standing"]?.text
            else { throw Malformed(reason: "has workloads without a standing; make it anew") }
            standings["\(owner) \(name)", default: []].insert(standing)
        }
        self.standings = standings
        nodesWithAgent = Set(
            (document.value(at: "nodes", "list")?.elements ?? [])
                .filter { $0["hasAgent"] == .bool(true) }.compactMap { $0["name"]?.text })
    }

    /// Why it is no measure for what is declared now; nil: nothing says that it is not.
    package func mismatch(with declarations: AuditDeclarations) -> String? {
        let names = [cluster, declarations.cluster]
        guard !names.contains(""), names[0] != names[1] else { return nil }
        return "is of the cluster \(names[0]), and \(names[1]) is declared; name its own baseline"
    }

    /// What is there now and was not then, or was better: a line for each, with what was before.
    /// Fewer findings are no regression.
    package func regressions(in result: AuditResult) -> [String] {
        let new = result.groups.filter { !fingerprints.contains($0.finding.fingerprint) }.map {
            "new: \($0.finding.id.rawValue) \($0.finding.owner): \($0.finding.message)"
        }
        let lost = result.audit.nodes.filter { !$0.hasAgent && nodesWithAgent.contains($0.name) }
            .map { "had an agent and has none: node \($0.name)" }
        return new + exposed(in: result.audit.rows) + lost
    }

    /// Containers that the wrapper started then and does not now, whether they use Secrets or not;
    /// and others that use Secrets. A Deployment that asks and was scaled to none is not worse.
    private func exposed(in rows: [Audit.Row]) -> [String] {
        var told: Set<String> = []
        return rows.filter { $0.standing == .unprotected }.compactMap { row in
            let name = "\(row.owner) \(row.container)"
            let before = standings[name] ?? []
            guard !before.contains(Audit.Standing.unprotected.rawValue),
                before.contains(Audit.Standing.protected.rawValue) && !row.asksForWrapper
                    || row.useCount > 0,
                told.insert(name).inserted
            else { return nil }
            let was = before.isEmpty ? "not there" : before.sorted().joined(separator: ", ")
            let uses = row.useCount > 0 ? " and uses Secrets" : ""
            return "was \(was), is unprotected\(uses): \(name)"
        }
    }
}
