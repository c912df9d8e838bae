// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import ObjectStorePorts
import S3Format
import S3Proxy

/// How a subcommand says what came of it, on standard output.
enum SubcommandOutput: String {
    case text, json

    /// Takes `-o FORM` or `--output FORM`.
    init(_ reader: inout WordReader) throws(UsageFailure) {
        let (long, short) = (try reader.value("--output"), try reader.value("-o"))
        let word = long ?? short ?? Self.text.rawValue
        guard let output = Self(rawValue: word) else {
            throw UsageFailure("--output: '\(word)' is neither text nor json")
        }
        self = output
    }

    func show(_ report: RewrapReport, _ bucket: S3Bucket) {
        switch self {
        case .text: print(report.lines.joined(separator: "\n"))
        case .json: print(Self.line(report.json(bucket)))
        }
    }

    func show(_ inspection: Inspection, _ version: ObjectVersion) {
        switch self {
        case .text: print(inspection.lines.joined(separator: "\n"))
        case .json: print(Self.line(inspection.json(version)))
        }
    }

    private static func line(_ tree: JSONTree) -> String {
        String(decoding: tree.rendered(), as: UTF8.self)
    }
}

private let apiVersion = JSONTree.string("cloudtaser.io/v1alpha1")

private func number(_ value: some BinaryInteger) -> JSONTree { .number(String(value)) }

extension RewrapReport {
    fileprivate var lines: [String] {
        var lines = failures.map { "failed  \($0.key)  \($0.reason)" }
        if moreFailures > 0 { lines.append("failed  \(moreFailures) more") }
        lines.append(
            "\(seen) seen, \(rewrapped) wrapped anew, \(unchanged) as they were, \(failed) failed")
        guard let stopped else { return lines }
        lines.append("ended before the end: \(stopped)")
        if let last {
            let quoted = last.text.split(separator: "'", omittingEmptySubsequences: false)
                .joined(separator: "'\\''")
            lines.append("go on with --after '\(quoted)'")
        }
        return lines
    }

    fileprivate func json(_ bucket: S3Bucket) -> JSONTree {
        var tree: JSONTree = [
            "apiVersion": apiVersion, "kind": "S3Rewrap", "bucket": .string(bucket.name),
            "seen": number(seen), "rewrapped": number(rewrapped), "unchanged": number(unchanged),
            "failed": number(failed), "isComplete": .bool(stopped == nil),
        ]
        tree["failures"] = .array(
            failures.map { ["key": .string($0.key.text), "reason": .string($0.reason)] })
        if let last { tree["last"] = .string(last.text) }
        if let stopped { tree["stopped"] = .string(stopped) }
        return tree
    }
}

extension Inspection {
    fileprivate func json(_ version: ObjectVersion) -> JSONTree {
        var tree: JSONTree = [
            "apiVersion": apiVersion, "kind": "S3Inspection",
            "bucket": .string(version.location.bucket.name),
            "key": .string(version.location.key.text), "storedBytes": number(storedBytes),
            "isSealed": .bool(wrap != nil),
        ]
        if let id = version.id { tree["versionId"] = .string(id) }
        if let problem { tree["problem"] = .string(problem) }
        guard let wrap else { return tree }
        switch wrap {
        case .vault(let version):
            tree["wrappedBy"] = "vault"
            tree["vaultKeyVersion"] = .string(version)
        case .epoch: tree["wrappedBy"] = "table"
        }
        tree["keyReference"] = keyReference.map { .string($0) } ?? .null
        tree["isInParts"] = .bool(isInParts)
        tree["hasSealedHeaders"] = .bool(hasSealedHeaders)
        if let storedParts { tree["storedParts"] = number(storedParts) }
        if let contentBytes { tree["contentBytes"] = number(contentBytes) }
        return tree
    }
}
