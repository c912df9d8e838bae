// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// What the organisation says for itself: the file that `--manual` names.
///
/// ```json
/// {"apiVersion": "cloudtaser.io/v1alpha1", "kind": "ManualEvidence",
///  "items": [{"slot": "dora-register", "owner": "ICT risk office", "date": "2026-11-20",
///             "statement": "Register of 2026-Q4, sheet 3", "file": "register.pdf"}]}
/// ```
package struct ManualEvidence: Sendable, Equatable {
    package struct Item: Sendable, Equatable {
        package let slot: String
        package let owner: String
        package let date: EvidenceDay
        /// What the attachment is, or where the document can be seen.
        package let statement: String
        /// A file next to the manual's own, to be put into the package.
        package let file: String?

        /// In the package.
        package var path: String? { file.map { "attachments/\(slot)/\($0)" } }
    }

    package let items: [Item]

    package static let none = ManualEvidence(items: [])

    private init(items: [Item]) { self.items = items }

    /// - Parameter file: its name, for errors.
    package init(json: [UInt8], file: String) throws(PackageFailure) {
        let tree = try PackageInput.tree(json, file)
        guard tree["kind"]?.text == "ManualEvidence",
            tree["apiVersion"]?.text == "cloudtaser.io/v1alpha1",
            let list = tree["items"]?.elements
        else {
            throw .inputMalformed(
                file: file,
                detail: "needs apiVersion cloudtaser.io/v1alpha1, kind ManualEvidence and 'items'")
        }
        var items: [Item] = []
        for (index, entry) in list.enumerated() {
            items.append(try Self.item(entry, "\(file): items[\(index)]"))
        }
        var seen: Set<String> = []
        for item in items where !seen.insert(item.slot).inserted {
            throw .slotRepeated(slot: item.slot)
        }
        self.items = items
    }

    private static func item(
        _ entry: JSONTree, _ place: String
    ) throws(PackageFailure) -> Item {
        let known = ["slot", "owner", "date", "statement", "file"]
        for member in entry.members ?? [] where !known.contains(member.name) {
            throw .inputMalformed(
                file: place, detail: "'\(member.name)' is none of \(known.joined(separator: ", "))")
        }
        var texts: [String: String] = [:]
        for key in known.dropLast() {
            guard let text = entry[key]?.text, text.contains(where: { !$0.isWhitespace }) else {
                throw .inputMalformed(file: place, detail: "'\(key)' is missing or empty")
            }
            texts[key] = text
        }
        guard let date = EvidenceDay(texts["date"] ?? "") else {
            throw .inputMalformed(file: place, detail: "'date' is no day like 2026-11-20")
        }
        // It names a folder of the package, and of the place that attachments are taken from.
        guard PackagePath.isName(texts["slot"] ?? "") else {
            throw .fileNameUnsuitable(name: texts["slot"] ?? "")
        }
        let file = entry["file"]?.text
        guard entry["file"] == nil || file != nil else {
            throw .inputMalformed(file: place, detail: "'file' is no text")
        }
        if let file {
            guard PackagePath.isName(file) else { throw .fileNameUnsuitable(name: file) }
        }
        return Item(
            slot: texts["slot"] ?? "", owner: texts["owner"] ?? "", date: date,
            statement: texts["statement"] ?? "", file: file)
    }
}

/// Names of files in a package.
package enum PackagePath {
    package static let nameBytesMax = 200

    /// One name that is safe on every system and needs no escape in a link: no separator, no `..`.
    package static func isName(_ name: String) -> Bool {
        guard (1...nameBytesMax).contains(name.utf8.count), !name.hasPrefix(".") else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || [0x2e, 0x2d, 0x5f, 0x40, 0x2b].contains(byte)
        }
    }

    /// Names with `/` between them.
    package static func isPath(_ path: String) -> Bool {
        path.split(separator: "/", omittingEmptySubsequences: false)
            .allSatisfy { isName(String($0)) }
    }
}
