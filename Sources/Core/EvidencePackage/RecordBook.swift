// SPDX-License-Identifier: Apache-2.0
package import Compliance

/// A record and the file that it came from.
package struct RecordFile: Sendable, Equatable {
    /// In the package, below `records/`.
    package let name: String
    package let bytes: [UInt8]
    package let record: EvidenceRecord

    package init(name: String, bytes: [UInt8], record: EvidenceRecord) {
        self.name = name
        self.bytes = bytes
        self.record = record
    }

    package var path: String { "records/\(name)" }
}

/// Why a record is shown and backs nothing.
package enum NotCounted: Sendable, Equatable, Hashable, CustomStringConvertible {
    case treeChanged
    case commitNotAsked(String)
    case timeMissing
    case afterPeriod(EvidenceTime)
    case tooOldForPeriod(EvidenceTime)
    case testUnknown

    package var description: String {
        switch self {
        case .treeChanged: "of a changed tree"
        case .commitNotAsked(let commit): "of commit \(Plain.line(String(commit.prefix(12))))"
        case .timeMissing: "without a time"
        case .afterPeriod(let time): "after the period (\(time.text))"
        case .tooOldForPeriod(let time): "too old for any day of the period (\(time.text))"
        case .testUnknown: "of a test that the catalogue does not have"
        }
    }
}

/// What is known about one test on one day.
package enum TestState: Sendable, Equatable, Hashable {
    /// Each kernel's last record within the age passed, and its control passed.
    case passed
    case failed(String)
    /// There are records, all of them too old.
    case stale
    case notAssessed

    package var text: String {
        switch self {
        case .passed: "pass"
        case .failed(let reason): "fail: \(reason)"
        case .stale: "stale"
        case .notAssessed: "not assessed"
        }
    }

    /// In JSON and in the roll-up.
    var word: String {
        switch self {
        case .passed: "pass"
        case .failed: "fail"
        case .stale: "stale"
        case .notAssessed: "not-assessed"
        }
    }
}

/// The records that may back something in the period, and those that may not.
package struct RecordBook: Sendable {
    package struct Entry: Sendable, Equatable {
        package let file: RecordFile
        package let time: EvidenceTime
    }

    package struct Rest: Sendable, Equatable {
        package let file: RecordFile
        package let reason: NotCounted
    }

    /// By time, then name.
    package let counted: [Entry]
    /// By name.
    package let notCounted: [Rest]
    private let ageDaysMax: Int
    private let byTest: [String: [Entry]]

    package init(_ files: [RecordFile], request: PackageRequest, catalogue: Catalogue) {
        let known = Set(catalogue.tests.map(\.id))
        var counted: [Entry] = []
        var rest: [Rest] = []
        for file in files.sorted(by: { $0.name < $1.name }) {
            let time = file.record.started.flatMap { EvidenceTime($0) }
            if let reason = Self.reason(file.record, time, request, known) {
                rest.append(Rest(file: file, reason: reason))
            } else if let time {
                counted.append(Entry(file: file, time: time))
            }
        }
        counted.sort { ($0.time.seconds, $0.file.name) < ($1.time.seconds, $1.file.name) }
        self.counted = counted
        notCounted = rest
        ageDaysMax = request.ageDaysMax
        byTest = Dictionary(grouping: counted) { $0.file.record.id }
    }

    private static func reason(
        _ record: EvidenceRecord, _ time: EvidenceTime?, _ request: PackageRequest,
        _ known: Set<String>
    ) -> NotCounted? {
        guard known.contains(record.id) else { return .testUnknown }
        guard !record.dirty else { return .treeChanged }
        guard request.commits.isEmpty || request.commits.contains(record.commit) else {
            return .commitNotAsked(record.commit)
        }
        guard let time else { return .timeMissing }
        guard time <= request.to.end else { return .afterPeriod(time) }
        let first = request.from.adding(days: -request.ageDaysMax)
        return time < first.start ? .tooOldForPeriod(time) : nil
    }

    /// The last record of each kernel that is at most the age old at the end of `day`.
    func current(_ test: String, on day: EvidenceDay) -> [Entry] {
        let oldest = day.adding(days: -ageDaysMax).end
        let usable = (byTest[test] ?? []).filter { $0.time <= day.end && $0.time > oldest }
        return Dictionary(usable.map { ($0.file.record.kernel, $0) }) { _, later in later }
            .values.sorted { $0.file.name < $1.file.name }
    }

    package func state(of test: String, on day: EvidenceDay) -> TestState {
        let entries = current(test, on: day)
        guard !entries.isEmpty else {
            let isThere = (byTest[test] ?? []).contains { $0.time <= day.end }
            return isThere ? .stale : .notAssessed
        }
        let reasons = entries.compactMap { entry -> String? in
            let record = entry.file.record
            if record.positiveControl.result == .fail { return "control on \(record.kernel)" }
            return record.result == .fail ? "on \(record.kernel)" : nil
        }
        return reasons.isEmpty ? .passed : .failed(reasons.joined(separator: ", "))
    }

    /// Of the counted records, sorted.
    var commits: [String] { Set(counted.map(\.file.record.commit)).sorted() }
}
