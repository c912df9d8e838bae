// SPDX-License-Identifier: Apache-2.0
internal import Inventory
package import Reporting

/// A validation as a report for people.
package struct ValidationDocument {
    private let validation: Validation

    package init(_ validation: Validation) { self.validation = validation }

    package var report: ReportDocument {
        let high = validation.findings.count { $0.id.severity >= .high }
        let open = validation.checks.count { $0.state == .notChecked }
        return ReportDocument(
            title: "Validation", header: [],
            verdict: "\(validation.findings.count) findings in \(validation.objectCount) objects, "
                + "\(high) of them high or critical; \(open) things were not checked; "
                + "\(validation.unread.count) not read.",
            figures: [
                .init("findings", String(validation.findings.count)),
                .init("high or critical", String(high), high > 0 ? .bad : .good),
                .init("not checked", String(open)),
            ],
            sections: [checks, findings, validation.divided.section, fixes, pods, unread].compactMap
            { $0 })
    }

    private var checks: ReportDocument.Section {
        .init(
            "Checks",
            table: .init(
                ["state", "what", "detail", "to check it"],
                validation.checks.map { $0.row + [$0.fix] }))
    }

    private var findings: ReportDocument.Section? {
        guard !validation.findings.isEmpty else { return nil }
        return .init(
            "Findings",
            table: .init(
                ["id", "severity", "object", "finding", "where"],
                validation.findings.sorted {
                    ($1.id.severity, $0.id.rawValue) < ($0.id.severity, $1.id.rawValue)
                }.map {
                    [$0.id.rawValue, $0.id.severity.rawValue, $0.object, $0.message, $0.source]
                }))
    }

    private var fixes: ReportDocument.Section? {
        let found = Set(validation.findings.map(\.id))
        let ids = FindingID.allCases.filter(found.contains)
        guard !ids.isEmpty else { return nil }
        return .init(
            "Fixes",
            table: .init(["id", "finding", "fix"], ids.map { [$0.rawValue, $0.title, $0.fix] }))
    }

    private var pods: ReportDocument.Section? {
        let asking = validation.verdicts.filter { $0.answer != .notAsked }
        guard !asking.isEmpty else { return nil }
        return .init(
            "Pods that ask",
            text: ["By the decision that the webhook makes, without asking it."],
            table: .init(
                ["workload", "answer", "note"],
                asking.map { [$0.object, $0.answer.rawValue, $0.note] }))
    }

    private var unread: ReportDocument.Section? {
        guard !validation.unread.isEmpty else { return nil }
        return .init(
            "Not read",
            table: .init(["what", "why"], validation.unread.map { [$0.source, $0.reason] }))
    }
}
