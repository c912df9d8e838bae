// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import ManifestFiles
import TestKit
import Testing

@Suite("YAML that is written") struct YAMLTextTests {
    private static let head: JSONTree = [
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "x"],
    ]

    /// What comes back of a value.
    private func again(_ value: JSONTree) throws -> (text: String, value: JSONTree?) {
        var tree = Self.head
        tree["data"] = value
        let text = YAMLText.document(tree)
        var manifests = Manifests()
        try manifests.read(Array(text.utf8), source: "x")
        #expect(manifests.unread.isEmpty, "\(manifests.unread)\n\(text)")
        return (text, manifests.objects.first?.tree["data"])
    }

    /// Without one that begins with U+FEFF, which Yams' reader drops.
    static let texts = [
        "", " ", "a", "a b", "a ", " a", "1", "1.5", "0x1F", "0644", "1_000", "1e3", "-1", "+1",
        ".5", ".inf", ".NaN", "inf", "true", "True", "yes", "NO", "on", "off", "y", "N", "null",
        "~", "Null", "2026-01-01", "2026-01-01T00:00:00Z", "12:30", "22:22", "=", "<<", "a: b",
        "a:b", "a:", ":a", "a #b", "a#b", "#a", "- a", "-", "---", "...", "? a", "*a", "&a", "!a",
        "!!str a", "%a", "@a", "`a", "{a}", "[a]", "a, b", "'a'", "\"a\"", "a\"b", "a\\b", "|",
        ">", "a\nb", "a\nb\n", "a\nb\n\n", "\na", " a\nb", "a\n b", "a\n\nb", "a\n  \nb", "a\n",
        "\n", "a\r\nb", "a\tb", "\ta", "a\n\tb", "é", "名前", "🔒", "e\u{301}", "\u{1B}[31m",
        "\u{85}", "\u{2028}", "\u{202E}", "a\u{FEFF}", "\u{0}", "\u{7F}", "nginx:1.25",
        "https://x/y?z=1", "$(A)", "--flag=a", "/bin/sh", "a\n---\nb", "a\n# b\n", "{{ .x }}",
        "key: |\n  value\n",
    ]

    @Test(arguments: texts) func `a text comes back as it was`(_ text: String) throws {
        for value: JSONTree in [
            .string(text), [.string(text)], [[.string(text)]], .object([.init(text, 1)]),
            [["a": .string(text), "b": 1]], ["a": [.string(text), "end"], "b": "end"],
        ] {
            let (written, read) = try again(value)
            #expect(read == value, "\(written)")
            expectPieces(of: value)
        }
    }

    private func expectPieces(of value: JSONTree) {
        for size in [1, 50] {
            var pieces: [String] = []
            YAMLText.forEachPiece(of: value, size: size) { pieces.append($0) }
            #expect(pieces.joined() == YAMLText.document(value))
            #expect(pieces.dropLast().allSatisfy { $0.utf8.count >= size })
        }
    }

    @Test func `a line ends a piece of any size`() {
        var lines: [String] = []
        YAMLText.forEachPiece(of: ["a": ["b", "c"], "d": ["e": "f"]], size: 1) { lines.append($0) }
        #expect(lines == ["a:\n- b\n", "- c\n", "d:\n  e: f\n"])
    }

    @Test func `looks as kubectl writes it`() {
        let tree: JSONTree = [
            "a": ["b": ["x", ["c": 1, "d": [["e"], [:], []]]], "f": "two\nlines\n"], "g": true,
        ]
        let text = """
            a:
              b:
              - x
              - c: 1
                d:
                -
                  - e
                - {}
                - []
              f: |
                two
                lines
            g: true

            """
        #expect(YAMLText.document(tree) == text)
        #expect(YAMLText.stream([[:], ["a": 1]]) == "---\n{}\n---\na: 1\n")
    }

    @Test func `any tree comes back as it was`() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<400 {
            let value = Self.tree(&random, depth: 0)
            let (written, read) = try again(value)
            #expect(read == value, "\(written)")
            expectPieces(of: value)
        }
    }

    static func tree(_ random: inout SeededGenerator, depth: Int) -> JSONTree {
        let long = String(repeating: "k", count: 2_000)
        func text(_ random: inout SeededGenerator) -> String {
            let word = texts.randomElement(using: &random) ?? ""
            return Int.random(in: 0..<40, using: &random) == 0 ? long + word : word
        }
        switch Int.random(in: 0..<(depth > 5 ? 4 : 8), using: &random) {
        case 0: return .bool(Bool.random(using: &random))
        case 1: return .null
        case 2: return .number(["0", "-1", "1.5", "1e9"].randomElement(using: &random) ?? "0")
        case 3: return .string(text(&random))
        case 4, 5:
            return .array(
                (0..<Int.random(in: 0..<4, using: &random)).map { _ in
                    tree(&random, depth: depth + 1)
                })
        default:
            var names: Set<String> = []
            return .object(
                (0..<Int.random(in: 0..<4, using: &random)).compactMap { _ in
                    let name = text(&random)
                    guard names.insert(name).inserted else { return nil }
                    return .init(name, tree(&random, depth: depth + 1))
                })
        }
    }
}
