// SPDX-License-Identifier: Apache-2.0
import Testing

/// One place where the sources do not follow a rule: `path:line: X may not …, use Y`.
struct Finding: Sendable, Equatable, CustomStringConvertible {
    let path: String
    /// From 1.
    let line: Int
    /// What may not be, and what to use.
    let message: String

    init(_ file: SourceFile, line index: Int, _ message: String) {
        path = file.path
        line = index + 1
        self.message = message
    }

    init(path: String, line: Int, _ message: String) {
        self.path = path
        self.line = line
        self.message = message
    }

    var description: String { "\(path):\(line): \(message)" }
}

/// A rule with its positive control: a made-up checkout where it must find exactly `planted`.
struct Rule: Sendable, CustomTestStringConvertible {
    /// A sentence.
    let name: String
    let control: [String: String]
    /// `path:line` of everything wrong in `control`.
    let planted: [String]
    let check: @Sendable (Repository) -> [Finding]

    var testDescription: String { name }

    static let all =
        importRules + manifestRules + callRules + shapeRules + secretRules + documentRules
        + versionRules
}
