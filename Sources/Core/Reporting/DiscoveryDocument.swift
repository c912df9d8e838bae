// SPDX-License-Identifier: Apache-2.0
package import Inventory

/// What was discovered as a report for people.
package struct DiscoveryDocument {
    private let discovery: Discovery

    package init(_ discovery: Discovery) { self.discovery = discovery }

    package var report: ReportDocument {
        let converting = discovery.entries.count { $0.use.conversion == .converts }
        let unread = discovery.unread.count
        return ReportDocument(
            title: "Uses of Secrets and credentials", header: [],
            verdict: "\(discovery.entries.count) uses in \(discovery.workloadCount) workloads of "
                + "\(discovery.objectCount) objects; \(converting) convert as they are; "
                + "\(unread) not read\(retired).",
            figures: [
                .init("uses", String(discovery.entries.count)),
                .init("convert as they are", String(converting), converting > 0 ? .good : .neutral),
                .init("not read", String(unread), unread > 0 ? .bad : .neutral),
            ],
            sections: [uses, objects, unreadObjects].compactMap { $0 })
    }

    private var retired: String {
        discovery.retiredCount == 0
            ? ""
            : "; \(discovery.retiredCount) earlier versions without replicas are not counted"
    }

    private var uses: ReportDocument.Section? {
        guard !discovery.entries.isEmpty else { return nil }
        return .init(
            "Uses",
            table: .init(
                ["id", "severity", "workload", "container", "finding", "converts", "what to do"],
                discovery.entries.map { entry in
                    [
                        entry.use.finding.rawValue, entry.use.finding.severity.rawValue,
                        entry.workload.object.reference, entry.use.container ?? "-",
                        entry.finding.message, entry.use.conversion.word,
                        entry.use.conversion.reason ?? "",
                    ]
                }))
    }

    private var objects: ReportDocument.Section? {
        guard !discovery.findings.isEmpty else { return nil }
        return .init(
            "Other objects",
            table: .init(
                ["id", "severity", "object", "finding"],
                discovery.findings.map {
                    [$0.id.rawValue, $0.id.severity.rawValue, $0.object, $0.message]
                }))
    }

    private var unreadObjects: ReportDocument.Section? {
        guard !discovery.unread.isEmpty else { return nil }
        return .init(
            "Not read",
            table: .init(["what", "why"], discovery.unread.map { [$0.source, $0.reason] }))
    }
}
