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
            ? "\(checkpoints) checkpoints with a valid signature, \(unsignedLines) lines behind "
                + "the last of them"
            : "\(checkpoints) checkpoints, their signatures not checked (no --public-key)"
        rows.append(
            "\(path): \(files.count) files, \(lines) lines, \(declaredLosses) told as lost, "
                + "\(tornLines) torn by crashes; \(signed)")
        if let last { rows.append("\(path): last line \(last)") }
        if isWhole { rows.append("\(path): nothing is wrong that the log can show") }
        return rows.joined(separator: "\n")
    }
}
