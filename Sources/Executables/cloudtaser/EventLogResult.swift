// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import Foundation

/// What was found in one log, with files and lines for whoever looks after it.
struct EventLogResult: Encodable {
    /// So many findings are told one by one; the total is always exact.
    static let findingsMax = 50

    struct Finding: Encodable {
        let file: String
        /// From 1, in its file; nil: behind the end.
        let line: UInt64?
        let kind: String
        let message: String

        var text: String { "\(file):\(line.map { "\($0):" } ?? "") \(message)" }
    }

    let path: String
    let files: [String]
    let lines: UInt64
    /// `SEGMENT:INDEX:HASH`, as `--last` takes it.
    let first: String?
    let last: String?
    let checkpoints: UInt64
    let signaturesChecked: Bool
    let unsignedLines: UInt64
    let declaredLosses: UInt64
    let tornLines: UInt64
    let findingsTotal: Int
    let findings: [Finding]

    var isWhole: Bool { findingsTotal == 0 }

    init(
        log: EventLogFiles, starts: [(path: String, line: UInt64)], report: EventChainReport,
        isSignatureChecked: Bool
    ) {
        path = log.path
        files = log.files
        lines = report.lines
        first = report.first?.place
        last = report.last?.place
        checkpoints = report.checkpoints
        signaturesChecked = isSignatureChecked
        unsignedLines = report.unsignedLines
        declaredLosses = report.declaredLosses
        tornLines = report.tornLines
        // What stands at the end comes last; the others in the order of the log.
        let sorted = report.findings.sorted { ($0.line &- 1, 0) < ($1.line &- 1, 0) }
        var found = sorted.map { Self.finding($0, starts) }
        if report.first == nil {
            found.append(Self.whole("empty", "holds no line of an event log", log.path))
        } else if isSignatureChecked, report.checkpoints == 0 {
            found.append(
                Self.whole(
                    "unsigned", "no checkpoint is signed with a key that was given", log.path))
        }
        findingsTotal = found.count
        findings = Array(found.prefix(Self.findingsMax))
    }

    private static func whole(_ kind: String, _ message: String, _ path: String) -> Finding {
        Finding(file: path, line: nil, kind: kind, message: message)
    }

    private static func finding(
        _ finding: EventChainFinding, _ starts: [(path: String, line: UInt64)]
    ) -> Finding {
        let start = starts.last { finding.line == 0 || $0.line <= finding.line }
        let line = finding.line == 0 ? nil : finding.line - (start?.line ?? 1) + 1
        let (kind, message) = finding.kind.words
        let isSeam = line == 1 && starts.first?.path != start?.path && kind == "removed"
        return Finding(
            file: start?.path ?? "", line: line, kind: kind,
            message: message + (isSeam ? "; is a rotated file missing?" : ""))
    }

    // MARK: - Printing

    static func json(_ results: [EventLogResult]) throws -> String {
        struct Document: Encodable {
            let isWhole: Bool
            let logs: [EventLogResult]
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let document = Document(isWhole: results.allSatisfy(\.isWhole), logs: results)
        return String(decoding: try encoder.encode(document), as: UTF8.self)
    }

    static func text(_ results: [EventLogResult]) -> String {
        results.map(\.text).joined(separator: "\n")
    }

    private var text: String {
        var rows = findings.map(\.text)
        if findingsTotal > findings.count { rows.append("… \(findingsTotal) findings in all") }
        let signed =
            signaturesChecked
            ? "\(checkpoints) checkpoints with a valid signature, \(unsignedLines) lines behind the "
                + "last of them"
            : "\(checkpoints) checkpoints, their signatures not checked (no --public-key)"
        rows.append(
            "\(path): \(files.count) files, \(lines) lines, \(declaredLosses) told as lost, "
                + "\(tornLines) torn by crashes; \(signed)")
        if let last { rows.append("\(path): last line \(last)") }
        if isWhole { rows.append("\(path): nothing is wrong that the log can show") }
        return rows.joined(separator: "\n")
    }
}

extension EventChainFinding.Kind {
    /// A word for programs and a sentence for people.
    fileprivate var words: (kind: String, message: String) {
        switch self {
        case .malformed:
            ("malformed", "no whole line of an event log: torn, foreign, or still being written")
        case .changed(let index): ("changed", "line \(index) of the chain was changed")
        case .unlinked(let index):
            (
                "unlinked",
                "line \(index) does not name the hash of the line before: one of them was replaced"
            )
        case .removed(let from, let to):
            (
                "removed",
                "lines \(from) to \(to) of the chain are missing before this one, and no EVENT_LOSS "
                    + "tells it"
            )
        case .duplicated(let index): ("duplicated", "line \(index) is there a second time")
        case .reordered(let index): ("reordered", "line \(index) stands behind a later one")
        case .inserted(let index): ("inserted", "another line \(index) was there before")
        case .segmentUnlinked:
            ("segmentUnlinked", "a segment begins that does not name the last line before it")
        case .signatureInvalid(let index):
            ("signatureInvalid", "checkpoint \(index) is not signed with a key that was given")
        case .checkpointMismatch(let index):
            ("checkpointMismatch", "checkpoint \(index) signs another line than the one before it")
        case .checkpointMissing(let index):
            ("checkpointMissing", "no checkpoint came until line \(index)")
        case .truncated(let after, let expected):
            (
                "truncated",
                "the log ends \(after.map { "with line \($0)" } ?? "early"); line \(expected) was "
                    + "written"
            )
        }
    }
}
