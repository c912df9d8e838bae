// SPDX-License-Identifier: Apache-2.0
package import Inventory
package import KubernetesFormat
package import Protection
package import ProtectionScore

/// Who can read the secrets of each container, its tier and its score; containers of one owner with
/// the same facts are told once.
package struct AuditScores: Sendable {
    package struct Row: Sendable {
        package let owner: String
        package let container: String
        package let assessment: ProtectionAssessment
        package fileprivate(set) var count: Int
    }

    package let rows: [Row]
    package let summary: ProtectionSummary

    /// - Parameter answers: of agents, by node; a node that is missing was not asked.
    package init(
        _ inventory: Inventory, excluding excluded: Set<String>, answers: [String: NodeAnswer]
    ) {
        let cluster = ClusterFacts(
            wrapperImages: inventory.wrapperImages,
            webhookFailsClosed: inventory.webhookFailsClosed)
        var rows: [Row] = []
        var places: [String: [Int]] = [:]
        // Of each container, however many are told once.
        var ranges: [ScoreRange?] = []
        for one in inventory.auditedContainers(excluding: excluded) {
            // By its owner: pods of one Deployment differ in their names only.
            let stored = StoredContainer(object: one.owner, pod: one.pod, container: one.tree)
            let facts = WorkloadFacts(
                stored, copies: one.copyCount, hasOthers: one.hasOthers,
                answer: one.node.flatMap { answers[$0] }, in: cluster)
            guard facts.hasSecrets else {
                ranges.append(nil)
                continue
            }
            let key = "\(one.owner) \(one.name)"
            if let place = places[key]?.first(where: { rows[$0].assessment.facts == facts }) {
                rows[place].count += 1
                ranges.append(rows[place].assessment.score?.ofPlatform)
            } else {
                places[key, default: []].append(rows.count)
                let assessment = ProtectionAssessment(facts)
                ranges.append(assessment.score?.ofPlatform)
                rows.append(
                    Row(owner: one.owner, container: one.name, assessment: assessment, count: 1))
            }
        }
        self.rows = rows
        summary = ProtectionSummary(ranges: ranges)
    }

    package var json: JSONTree {
        // What follows from the same facts is one value: of 10,000 containers it is most of the
        // memory.
        var known: [WorkloadFacts: [JSONTree.Member]] = [:]
        return [
            "summary": summary.json,
            "containers": .array(
                rows.map { row in
                    let facts = row.assessment.facts.unnamed
                    let details = known[facts] ?? row.assessment.details
                    known[facts] = details
                    var tree = row.assessment.json(with: details)
                    tree["times"] = .number(String(row.count))
                    return tree
                }),
        ]
    }

    // MARK: - For people

    var sections: [ReportDocument.Section] {
        guard !rows.isEmpty else { return [] }
        let readers = SecretReader.allCases
        let ladder = ReportDocument.Section(
            "Who can read each container's secrets",
            text: [
                summary.line + ".",
                "Tiers and scores: docs/reference/score.md. What nobody has observed is unknown: "
                    + "it counts as lost in the lower bound and as there in the upper.",
            ],
            table: .init(
                ["workload", "container", "times", "tier", "score"] + readers.map(Self.short),
                rows.map { row in
                    let one = row.assessment
                    let tier =
                        one.tier == one.tierPossible
                        ? "\(one.tier)" : "\(one.tier) to \(one.tierPossible)"
                    return [
                        row.owner, row.container, String(row.count), tier,
                        one.score?.ofPlatform.description ?? ProtectionAssessment.notAssessed,
                    ]
                        + readers.map { reader in
                            one.ladder.cells.first { $0.reader == reader }?.exposure.rawValue ?? ""
                        }
                }))
        return [ladder, why, lost].compactMap { $0 }
    }

    /// A column's head.
    private static func short(_ reader: SecretReader) -> String {
        switch reader {
        case .otherContainer: "container"
        case .sameUser: "same uid"
        case .rootWithAgent: "root, agent on"
        case .rootWithoutAgent: "root, agent off"
        case .clusterAdministrator: "admin"
        case .kernelModule: "module"
        case .hypervisor: "hypervisor"
        case .physical: "physical"
        }
    }

    /// Each reason once, with the test that shows it.
    private var why: ReportDocument.Section? {
        var told: Set<[String]> = []
        let cells = rows.flatMap(\.assessment.ladder.cells).map {
            [$0.reader.title, $0.exposure.rawValue, $0.reason, $0.test ?? "-"]
        }.filter { told.insert($0).inserted }
        return .init(
            "Why", table: .init(["who", "exposure", "reason", "shown by"], cells))
    }

    private var lost: ReportDocument.Section? {
        let scores = rows.compactMap(\.assessment.score)
        let caps = ScoreCap.allCases.compactMap { cap -> [String]? in
            let count = scores.count { $0.caps.contains { $0.cap == cap && $0.isCertain } }
            guard count > 0 else { return nil }
            return ["at most \(cap.limit)", cap.reason, String(count), cap.fix]
        }
        let losses = ScoreCheck.allCases.compactMap { check -> [String]? in
            let count = scores.count { $0.losses.contains { $0.check == check } }
            guard count > 0 else { return nil }
            return ["-\(check.points)", check.meaning, String(count), check.fix]
        }
        guard !(caps + losses).isEmpty else { return nil }
        return .init(
            "Points that are lost",
            table: .init(["points", "what", "workloads", "fix"], caps + losses))
    }
}
