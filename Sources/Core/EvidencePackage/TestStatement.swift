// SPDX-License-Identifier: Apache-2.0
internal import Compliance
package import KubernetesFormat

/// An in-toto Statement v1 with the predicate test-result v0.1.
package struct TestStatement: Sendable, Equatable {
    package static let type = "https://in-toto.io/Statement/v1"
    package static let predicateType = "https://in-toto.io/attestation/test-result/v0.1"

    package enum Result: String, Sendable {
        case passed = "PASSED", warned = "WARNED"
        case failed = "FAILED"
    }

    /// SHA-256 of files, by name; in order.
    package let files: [ManifestEntry]
    package let tree: JSONTree

    /// - Parameters:
    ///   - files: all that the statement is about, the manifest among them.
    ///   - configuration: the catalogue's files.
    init(sheet: EvidenceSheet, files: [ManifestEntry], configuration: [ManifestEntry]) {
        self.files = files.sorted { $0.path < $1.path }
        let commits = sheet.book.commits.filter(Hexadecimal.isDigits)
        let subjects =
            self.files.map(Self.descriptor)
            + commits.map { commit -> JSONTree in
                [
                    "name": .string("git-commit-\(commit.prefix(12))"),
                    "digest": ["gitCommit": .string(commit)],
                ]
            }
        let tests = sheet.tests
        func names(_ words: Set<String>) -> JSONTree {
            .array(tests.filter { words.contains($0.state.word) }.map { .string($0.test.id) })
        }
        tree = [
            "_type": .string(Self.type), "subject": .array(subjects),
            "predicateType": .string(Self.predicateType),
            "predicate": [
                "result": .string(Self.result(of: sheet).rawValue),
                "configuration": .array(configuration.map(Self.descriptor)),
                "passedTests": names(["pass"]), "warnedTests": names(["stale", "not-assessed"]),
                "failedTests": names(["fail"]),
            ],
        ]
    }

    /// A failed test fails the whole; nothing assessed is no pass.
    package static func result(of sheet: EvidenceSheet) -> Result {
        let words = Set(sheet.tests.map(\.state.word))
        if words.contains("fail") { return .failed }
        return words == ["pass"] ? .passed : .warned
    }

    private static func descriptor(_ entry: ManifestEntry) -> JSONTree {
        ["name": .string(entry.path), "digest": ["sha256": .string(entry.sha256)]]
    }

    var bytes: [UInt8] { Array(tree.indented.utf8) }

    /// - Throws: `inputMalformed` when it is no such statement.
    init(json: [UInt8], file: String) throws(PackageFailure) {
        tree = try PackageInput.tree(json, file)
        guard tree["_type"]?.text == Self.type, tree["predicateType"]?.text == Self.predicateType,
            let subjects = tree["subject"]?.elements
        else {
            throw .inputMalformed(file: file, detail: "no in-toto statement of a test's result")
        }
        files = subjects.compactMap { subject in
            guard let name = subject["name"]?.text,
                let sha256 = subject.value(at: "digest", "sha256")?.text
            else { return nil }
            return ManifestEntry(path: name, size: 0, sha256: sha256)
        }
    }
}
