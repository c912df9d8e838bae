// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// A file of a package, by what it must be.
package struct ManifestEntry: Sendable, Equatable {
    package let path: String
    package let size: Int
    /// 64 lower-case hexadecimal digits.
    package let sha256: String

    package init(path: String, size: Int, sha256: String) {
        self.path = path
        self.size = size
        self.sha256 = sha256
    }
}

/// `manifest.json`: every file of the package but itself, the statement and the envelope.
package struct PackageManifest: Sendable, Equatable {
    package static let fileName = "manifest.json"
    package static let statementName = "statement.json"
    package static let envelopeName = "statement.dsse.json"
    /// Files that cannot stand in their own list.
    package static let ownNames: Set<String> = [fileName, statementName, envelopeName]
    package static let filesMax = 100_000

    /// By path.
    package let files: [ManifestEntry]

    package init(files: [ManifestEntry]) {
        self.files = files.sorted { $0.path < $1.path }
    }

    func text(of sheet: EvidenceSheet, tool: String) -> String {
        let request = sheet.request
        let tree: JSONTree = [
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "EvidencePackage",
            "use": .string(request.use.rawValue), "tool": .string(tool),
            "period": [
                "from": .string(request.from.description), "to": .string(request.to.description),
            ],
            "commits": .array(sheet.book.commits.map { .string($0) }),
            "files": .array(
                files.map {
                    [
                        "path": .string($0.path), "size": .count($0.size),
                        "sha256": .string($0.sha256),
                    ]
                }),
        ]
        return tree.indented
    }

    /// - Throws: `inputMalformed` when it is no manifest, or names a file twice or outside.
    package init(json: [UInt8]) throws(PackageFailure) {
        func malformed(_ detail: String) -> PackageFailure {
            .inputMalformed(file: Self.fileName, detail: detail)
        }
        let tree = try PackageInput.tree(json, Self.fileName)
        guard tree["kind"]?.text == "EvidencePackage",
            tree["apiVersion"]?.text == "cloudtaser.io/v1alpha1",
            let list = tree["files"]?.elements
        else { throw malformed("not the manifest of an evidence package") }
        guard list.count <= Self.filesMax else {
            throw malformed("names more than \(Self.filesMax) files")
        }
        var entries: [ManifestEntry] = []
        var seen: Set<String> = []
        for (index, entry) in list.enumerated() {
            guard let path = entry["path"]?.text, PackagePath.isPath(path),
                let size = entry["size"]?.wholeNumber, size >= 0,
                let sha256 = entry["sha256"]?.text, Hexadecimal.isSHA256(sha256)
            else { throw malformed("files[\(index)] needs a path in the folder, size and sha256") }
            guard seen.insert(path).inserted, !Self.ownNames.contains(path) else {
                throw malformed("files[\(index)]: '\(path)' is named twice, or is no such file")
            }
            entries.append(ManifestEntry(path: path, size: size, sha256: sha256))
        }
        self.init(files: entries)
    }
}
