// SPDX-License-Identifier: Apache-2.0
package import Inventory
package import KubernetesFormat

/// Findings as SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), for
/// what shows findings beside the lines of a change.
package enum SarifLog {
    private static let schema =
        "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

    /// - Parameters:
    ///   - suppressed: findings that somebody has accepted, with the reason.
    ///   - unread: what the run did not look at: it did not succeed then.
    package static func document(
        _ findings: [Finding], suppressed: [(finding: Finding, reason: String)] = [],
        unread: [UnreadObject], version: String
    ) -> JSONTree {
        let rules = FindingID.allCases
        let notes: [JSONTree] = unread.map { object in
            [
                "level": "error",
                "message": ["text": .string("not read: \(object.source): \(object.reason)")],
            ]
        }
        let results =
            findings.map { result($0, rules) }
            + suppressed.map { entry in
                var tree = result(entry.finding, rules)
                tree["suppressions"] = [
                    ["kind": "external", "justification": .string(entry.reason)]
                ]
                return tree
            }
        let run: JSONTree = [
            "tool": [
                "driver": [
                    "name": "cloudtaser", "version": .string(version),
                    "rules": .array(rules.map(rule)),
                ]
            ],
            "invocations": [
                [
                    "executionSuccessful": .bool(unread.isEmpty),
                    "toolExecutionNotifications": .array(notes),
                ]
            ],
            "columnKind": "unicodeCodePoints", "results": .array(results),
        ]
        return ["$schema": .string(schema), "version": "2.1.0", "runs": [run]]
    }

    private static func rule(_ id: FindingID) -> JSONTree {
        [
            "id": .string(id.rawValue), "name": .string(name(id)),
            "shortDescription": ["text": .string(id.title)],
            "fullDescription": ["text": .string(id.meaning)],
            "help": ["text": .string(id.fix), "markdown": .string("**Fix:** \(id.fix)")],
            "defaultConfiguration": ["level": .string(level(id.severity))],
            "properties": [
                "security-severity": .string(score(id.severity)),
                "tags": ["security", "secrets"],
            ],
        ]
    }

    /// `SecretInEnvironment` of the case's name.
    private static func name(_ id: FindingID) -> String {
        let name = "\(id)"
        return name.prefix(1).uppercased() + name.dropFirst()
    }

    private static func result(_ finding: Finding, _ rules: [FindingID]) -> JSONTree {
        var location: JSONTree = [
            "logicalLocations": [
                [
                    "fullyQualifiedName": .string(
                        [finding.object, finding.container ?? "", finding.path]
                            .filter { !$0.isEmpty }.joined(separator: " ")),
                    "kind": "resource",
                ]
            ]
        ]
        if let file = file(of: finding.source) {
            location["physicalLocation"] = [
                "artifactLocation": ["uri": .string(uri(file))],
                "region": ["startLine": .number(String(line(of: finding.source) ?? 1))],
            ]
        }
        return [
            "ruleId": .string(finding.id.rawValue),
            "ruleIndex": .number(String(rules.firstIndex(of: finding.id) ?? 0)),
            "level": .string(level(finding.id.severity)),
            "message": ["text": .string("\(finding.object): \(finding.message)")],
            "locations": [location],
            "partialFingerprints": ["cloudtaser/v1": .string(finding.fingerprint)],
        ]
    }

    /// Of `web.yaml, document 2, line 14`; nil for what is no file.
    private static func file(of source: String) -> String? {
        let name = source.components(before: ", ")
        return ["standard input", "cluster", "-", ""].contains(name) ? nil : name
    }

    private static func line(of source: String) -> Int? {
        guard let mark = source.firstRange(of: ", line ") else { return nil }
        return Int(source[mark.upperBound...].prefix(while: \.isNumber))
    }

    /// RFC 3986: a path relative to where the tool ran, its other characters percent-encoded.
    private static func uri(_ path: String) -> String {
        (path.hasPrefix("/") ? "file://" : "") + PercentEncoding.text(path, keeping: "/")
    }

    private static func level(_ severity: FindingSeverity) -> String {
        switch severity {
        case .critical, .high: "error"
        case .medium: "warning"
        case .low, .info: "note"
        }
    }

    /// As code scanning sorts them: over 9 critical, over 7 high, over 4 medium.
    private static func score(_ severity: FindingSeverity) -> String {
        switch severity {
        case .critical: "9.5"
        case .high: "8.0"
        case .medium: "5.5"
        case .low: "3.0"
        case .info: "1.0"
        }
    }
}

extension String {
    fileprivate func components(before mark: String) -> String {
        firstRange(of: mark).map { String(self[..<$0.lowerBound]) } ?? self
    }
}
