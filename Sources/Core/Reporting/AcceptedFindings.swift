// SPDX-License-Identifier: Apache-2.0
package import Inventory

/// Findings divided by what somebody has accepted, with what is wrong with the acceptances.
package struct AcceptedFindings: Sendable {
    /// That count.
    package let counting: [Finding]
    /// That somebody accepted, and until when.
    package let accepted: [(finding: Finding, acceptance: AuditDeclarations.Acceptance)]

    /// - Parameters:
    ///   - today: `2027-01-31`, in UTC.
    ///   - isOwn: ids that the command looks for: that another's was not found says nothing.
    package init(
        _ findings: [Finding], _ acceptances: [AuditDeclarations.Acceptance], today: String,
        isOwn: (FindingID) -> Bool
    ) {
        let current = acceptances.filter { $0.expires >= today }
        let over = acceptances.filter { one in
            one.expires < today && (isOwn(one.id) || findings.contains(where: one.covers))
        }.map { Self.finding(.acceptanceOver, $0, "\($0.id.rawValue), \($0.expires)") }
        let known = findings + over
        let unused = current.filter { one in
            isOwn(one.id) && !known.contains(where: one.covers)
        }.map { Self.finding(.acceptanceUnused, $0, $0.id.rawValue) }
        let all = known + unused
        accepted = all.compactMap { finding in
            current.first { $0.covers(finding) }.map { (finding, $0) }
        }
        counting = all.filter { finding in !current.contains { $0.covers(finding) } }
    }

    private static func finding(
        _ id: FindingID, _ acceptance: AuditDeclarations.Acceptance, _ detail: String
    ) -> Finding {
        Finding(
            id: id, object: acceptance.object ?? "-", container: nil, path: "",
            message: "\(id.title): \(detail)", source: "-")
    }

    /// For a report: who answers for what.
    package var section: ReportDocument.Section? {
        guard !accepted.isEmpty else { return nil }
        return .init(
            "Accepted",
            text: ["They are there, and somebody answers for them until a day."],
            table: .init(
                ["id", "object", "reason", "owner", "until"],
                accepted.map {
                    [
                        $0.finding.id.rawValue, $0.finding.object, $0.acceptance.reason,
                        $0.acceptance.owner, $0.acceptance.expires,
                    ]
                }))
    }
}
