// SPDX-License-Identifier: Apache-2.0

/// The records of a run against the catalogue's tests.
package struct EvidenceReport {
    /// One test of the catalogue and what the records say about it.
    package struct Row: Equatable {
        package let id: String
        package let records: [EvidenceRecord]
        /// Empty: the test passed wherever it ran, and so did each control.
        package let findings: [String]
    }

    package let rows: [Row]
    /// Ids of records that no test of the catalogue has, sorted.
    package let unknownIDs: [String]

    /// - Parameters:
    ///   - records: in any order.
    ///   - commit: when given, a record of another commit or of a changed tree backs nothing.
    ///   - freshness: when given, an older record, or one that does not say when, backs nothing.
    package init(
        catalogue: Catalogue, records: [EvidenceRecord], commit: String? = nil,
        freshness: Freshness? = nil
    ) {
        let newest = records.compactMap { $0.started.flatMap(EvidenceTime.init(rfc3339:)) }.max()
        let now = freshness?.now ?? newest
        let known = Set(catalogue.tests.map(\.id))
        rows = catalogue.tests.map { test in
            let matching = records.filter { $0.id == test.id }
                .sorted { ($0.kernel, $0.commit) < ($1.kernel, $1.commit) }
            return Row(
                id: test.id, records: matching,
                findings: Self.findings(in: matching, commit: commit)
                    + (freshness.map { limit in
                        matching.compactMap { limit.finding(about: $0, now: now) }
                    } ?? []))
        }
        unknownIDs = Set(records.map(\.id)).subtracting(known).sorted()
    }

    private static func findings(in records: [EvidenceRecord], commit: String?) -> [String] {
        guard !records.isEmpty else { return ["no record"] }
        let commits = Set(records.map(\.commit))
        return records.flatMap { record -> [String] in
            var findings: [String] = []
            if record.result == .fail { findings.append("failed on \(record.kernel)") }
            if record.positiveControl.result == .fail {
                findings.append("control failed on \(record.kernel)")
            }
            if record.positiveControl.description.allSatisfy(\.isWhitespace) {
                findings.append("no control on \(record.kernel)")
            }
            if let commit, record.commit != commit {
                findings.append("\(record.kernel) is of commit \(record.commit.prefix(12))")
            }
            if commit != nil, record.dirty {
                findings.append("\(record.kernel) is of a changed tree")
            }
            return findings
        } + (commits.count > 1 ? ["records of different commits"] : [])
    }

    /// Whether every test has a passing record whose control passed.
    package var isComplete: Bool { rows.allSatisfy(\.findings.isEmpty) && unknownIDs.isEmpty }

    /// A Markdown table: id · result · kernels · positive control · commit.
    package var table: String {
        let head = [
            cells(["id", "result", "kernels", "positive control", "commit"]),
            "|---|---|---|---|---|",
        ]
        let unknown = unknownIDs.map { "\(oneLine($0)): has a record and is not in the catalogue" }
        return (head + rows.map(line) + [summary] + unknown).joined(separator: "\n")
    }

    private var summary: String {
        let passed = rows.count { $0.findings.isEmpty }
        return "\n\(passed) backed, \(rows.count - passed) not backed"
    }

    private func line(_ row: Row) -> String {
        guard let first = row.records.first else {
            return cells([row.id, "no record", "-", "-", "-"])
        }
        let control = row.records.allSatisfy { $0.positiveControl.result == .pass }
        let commits = Set(row.records.map { $0.commit.prefix(12) + ($0.dirty ? " (dirty)" : "") })
        return cells([
            row.id, row.findings.isEmpty ? "pass" : row.findings.joined(separator: "; "),
            row.records.map(\.kernel).joined(separator: ", "),
            "\(first.positiveControl.description): \(control ? "pass" : "FAIL")",
            commits.sorted().joined(separator: ", "),
        ])
    }
}
