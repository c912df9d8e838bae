// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import EvidencePackage
import Foundation
import Inventory
import KubernetesFormat
import ManifestFiles
import Reporting

enum ReportFormat: String, CaseIterable, ExpressibleByArgument {
    case text, table, json, yaml, markdown, html, sarif, oscal
}

/// How a command answers, and how it ends.
struct ReportOutput: ParsableArguments {
    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: "text (table is the same), json, yaml, markdown, html, sarif; oscal of an audit.")
    var format = ReportFormat.text
    @Option(help: "Write the answer to this file instead.")
    var out: String?
    @Option(help: "End with 3 when a finding weighs this much: \(Self.severities).")
    var failOn: FindingSeverity?
    @Flag(help: "No colours; they are left out, too, where NO_COLOR is set or no terminal is.")
    var noColor = false

    private static let severities = FindingSeverity.allCases.map(\.rawValue).joined(separator: ", ")

    private var isColored: Bool {
        let environment = ProcessInfo.processInfo.environment
        return !noColor && out == nil && isatty(STDOUT_FILENO) == 1
            && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    /// For a command whose answer has no such form.
    func refuseOSCAL() throws {
        guard format != .oscal else {
            throw ValidationError("-o oscal is a form of `cloudtaser audit`; leave it out here")
        }
    }

    /// Prints or writes the answer.
    ///
    /// - Parameter oscal: nil: the command has refused that format before.
    func write(
        report: () -> ReportDocument, json: () -> JSONTree, sarif: () -> JSONTree,
        oscal: (() throws -> OscalDocument?)? = nil
    ) throws {
        let text: String
        switch format {
        case .text, .table: text = report().text(isColored: isColored) + "\n"
        case .markdown: text = report().markdown
        case .html: text = report().html
        case .json: return try write(json())
        case .sarif: return try write(sarif())
        case .yaml:
            let tree = json()
            return try write { body in
                try YAMLText.forEachPiece(of: tree) { try body(Data($0.utf8)) }
            }
        case .oscal:
            let document = try oscal?()
            return try write { body in try document?.forEachPiece { try body(Data($0.utf8)) } }
        }
        guard let out else { return try Terminal.print(text, terminator: "") }
        try Folder.write(text, to: out)
        Terminal.error("wrote \(out)")
    }

    private func write(_ tree: JSONTree) throws {
        try write { body in
            try tree.forEachPiece { try body(Data($0)) }
            try body(Data("\n".utf8))
        }
    }

    /// Piece by piece: of a large cluster it is large.
    private func write(_ pieces: ((Data) throws -> Void) throws -> Void) throws {
        guard let out else { return try pieces { try Terminal.write($0) } }
        try Folder.write(to: out) { file in try pieces { try file.write(contentsOf: $0) } }
        Terminal.error("wrote \(out)")
    }

    /// Ends with what was found, or that not everything was read.
    ///
    /// - Parameter usual: what ends with 3 where `--fail-on` says nothing.
    func conclude(
        isReached: (FindingSeverity) -> Bool, unreadCount: Int, usual: FindingSeverity? = nil
    ) throws {
        if let failOn = failOn ?? usual, isReached(failOn) {
            throw Findings(description: "findings of severity \(failOn.rawValue) or more")
        }
        guard unreadCount == 0 else {
            throw Incomplete(description: "\(unreadCount) objects or kinds could not be read")
        }
    }
}
