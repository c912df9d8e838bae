// SPDX-License-Identifier: Apache-2.0
import Compliance
import Foundation
import TestKit
import Testing

/// A text that is printed and not looked at would be a way around every refusal.
@Suite("Every text of the catalogue") struct EveryTextTests {
    private static func files() throws -> [String: Data] {
        let folder = URL(filePath: Checkout.root).appending(path: "Fixtures/compliance")
        return try Dictionary(
            uniqueKeysWithValues: CatalogueReader.fileNames.map { name in
                (name, try Data(contentsOf: folder.appending(path: name)))
            })
    }

    /// `value` with the first text of member `key` changed; nil: there is none.
    private static func spoilt(_ value: Any, _ key: String, _ phrase: String) -> Any? {
        if var object = value as? [String: Any] {
            for (name, inner) in object.sorted(by: { $0.key < $1.key }) {
                if name == key, let text = inner as? String {
                    object[name] = "\(text) It \(phrase) it."
                } else if name == key, let texts = inner as? [String], !texts.isEmpty {
                    object[name] = texts + ["It \(phrase) it."]
                } else if let other = spoilt(inner, key, phrase) {
                    object[name] = other
                } else {
                    continue
                }
                return object
            }
        } else if var list = value as? [Any] {
            for index in list.indices {
                guard let other = spoilt(list[index], key, phrase) else { continue }
                list[index] = other
                return list
            }
        }
        return nil
    }

    private static func keys(_ value: Any) -> Set<String> {
        if let list = value as? [Any] { return list.reduce(into: []) { $0.formUnion(keys($1)) } }
        guard let object = value as? [String: Any] else { return [] }
        return object.reduce(into: []) { found, member in
            let isText = member.value is String || member.value is [String]
            found.formUnion(isText ? [member.key] : keys(member.value))
        }
    }

    /// One member of one file, changed alone: a word of a closed list is not read at all then.
    private struct Change {
        let file: String
        let key: String
    }

    private static func readable(_ trees: [String: Any], _ files: [String: Data]) throws -> [Change]
    {
        try trees.sorted { $0.key < $1.key }.flatMap { name, tree in
            try keys(tree).sorted().filter { key in
                guard let other = spoilt(tree, key, "guarantee") else { return false }
                var changed = files
                changed[name] = try JSONSerialization.data(withJSONObject: other)
                return (try? CatalogueReader.catalogue(from: changed)) != nil
            }.map { Change(file: name, key: $0) }
        }
    }

    @Test func `a promise in any member of any file is refused`() throws {
        let files = try Self.files()
        #expect(try CatalogueReader.catalogue(from: files).refusals() == [], "control")
        let trees = try files.mapValues { try JSONSerialization.jsonObject(with: $0) }
        let changes = try Self.readable(trees, files)
        #expect(changes.count > 50)
        // Several at once, each with a promise of its own.
        let phrases = (Wording.bannedPhrases + Wording.bannedInCatalogue)
            .filter { Wording.promise(in: "It \($0) it.") == $0 }
        for start in stride(from: 0, to: changes.count, by: phrases.count) {
            let part = Array(zip(changes[start...], phrases))
            var spoilt = trees
            for (change, phrase) in part {
                spoilt[change.file] = spoilt[change.file].flatMap {
                    Self.spoilt($0, change.key, phrase)
                }
            }
            let data = try spoilt.mapValues { try JSONSerialization.data(withJSONObject: $0) }
            let refusals = try CatalogueReader.catalogue(from: data).refusals().map(\.description)
            for (change, phrase) in part {
                #expect(
                    refusals.contains { $0.contains(phrase) }, "\(change.file): \(change.key)")
            }
        }
    }
}
