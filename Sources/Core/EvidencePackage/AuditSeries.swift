// SPDX-License-Identifier: Apache-2.0
package import Compliance
internal import KubernetesFormat

/// What `cloudtaser audit -o json` said once: the members of it that a series needs.
package struct AuditSnapshot: Sendable, Equatable {
    package static let fileNameShape = "YYYY-MM-DDTHHMMSSZ.json"
    static let standings = ["protected", "unprotected", "excluded", "unreadable"]

    /// In the package, below `audits/`.
    package let name: String
    package let bytes: [UInt8]
    package let time: EvidenceTime
    /// By standing; they add up to `total`.
    package let counts: [String: Int]
    package let total: Int
    /// Number of findings by severity.
    package let findings: [String: Int]

    package var path: String { "audits/\(name)" }

    /// - Throws: `inputMalformed` for a name, a kind or a population that is not as it must be.
    package init(name: String, bytes: [UInt8]) throws(PackageFailure) {
        func malformed(_ detail: String) -> PackageFailure {
            .inputMalformed(file: name, detail: detail)
        }
        guard name.hasSuffix(".json"), !name.contains(":"),
            let time = EvidenceTime(String(name.dropLast(".json".count)))
        else { throw malformed("the name is not like \(Self.fileNameShape)") }
        let tree = try PackageInput.tree(bytes, name)
        guard tree["apiVersion"]?.text == "cloudtaser.io/v1alpha1", tree["kind"]?.text == "Audit"
        else { throw malformed("not what `cloudtaser audit -o json` prints") }
        var counts: [String: Int] = [:]
        for standing in Self.standings {
            guard let count = tree.value(at: "containers", standing)?.wholeNumber, count >= 0
            else { throw malformed("'containers.\(standing)' is no count") }
            counts[standing] = count
        }
        // Counts of a file: added as they come, they could be too large for a sum.
        var sum = 0
        for count in counts.values {
            let (next, overflow) = sum.addingReportingOverflow(count)
            guard !overflow else { throw malformed("'containers' counts too many") }
            sum = next
        }
        guard let total = tree.value(at: "containers", "total")?.wholeNumber, total == sum else {
            throw malformed("'containers.total' is not the sum of its parts")
        }
        guard let list = tree["findings"]?.elements else {
            throw malformed("'findings' is no list")
        }
        var findings: [String: Int] = [:]
        for finding in list {
            guard let severity = finding["severity"]?.text, finding["id"]?.text != nil else {
                throw malformed("an entry of 'findings' has no id or no severity")
            }
            findings[severity, default: 0] += 1
        }
        self.name = name
        self.bytes = bytes
        self.time = time
        self.counts = counts
        self.total = total
        self.findings = findings
    }
}

/// One day of the period.
package struct SeriesDay: Sendable, Equatable {
    package let day: EvidenceDay
    /// Of that day, by time.
    package let audits: [AuditSnapshot]
    /// Tests of the rows by what is known at the day's end.
    package let tests: [String: Int]
    package let testTotal: Int

    /// What is missing that day; empty: nothing.
    package var gaps: [String] {
        var gaps = audits.isEmpty ? ["no audit"] : []
        if let stale = tests["stale"] { gaps.append("\(stale) of \(testTotal) tests stale") }
        if let missing = tests["not-assessed"] {
            gaps.append("\(missing) of \(testTotal) tests without a record")
        }
        return gaps
    }
}

/// Days that follow each other and miss the same.
struct SeriesGap: Equatable {
    let first: EvidenceDay
    private(set) var last: EvidenceDay
    let text: String

    var days: Int { last.number - first.number + 1 }

    static func all(of days: [SeriesDay]) -> [SeriesGap] {
        var gaps: [SeriesGap] = []
        var open: Int?
        for day in days {
            let text = day.gaps.joined(separator: "; ")
            if let index = open, gaps[index].text == text {
                gaps[index].last = day.day
            } else if text.isEmpty {
                open = nil
            } else {
                gaps.append(SeriesGap(first: day.day, last: day.day, text: text))
                open = gaps.count - 1
            }
        }
        return gaps
    }
}
