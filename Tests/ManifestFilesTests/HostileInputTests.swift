// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inventory
import KubernetesFormat
import ManifestFiles
import TestKit
import Testing

/// What nobody writes by accident, and what some editors write.
@Suite("Hostile manifests") struct HostileInputTests {
    private static let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"

    private func read(_ bytes: [UInt8], valuesMax: Int = Manifests.valuesMax) throws -> Manifests {
        var manifests = Manifests(valuesMax: valuesMax)
        try manifests.read(bytes, source: "x")
        return manifests
    }

    private func read(_ text: String) throws -> Manifests { try read(Array(text.utf8)) }

    // MARK: - Places

    @Test(arguments: [
        // What is wrong, where it is told, and a word of the reason.
        // Where it ends without the bracket.
        ("---\n\(map)---\na: 1\nb: [1\n", "x, document 2, line 8", "is no YAML"),
        ("\(map)---\na: 1\nb: 2\na: 3\n", "x, document 2, line 5", "a key twice"),
        ("\(map)---\na:\n\t- b\n", "x, document 2, line 6", "not tabs"),
        ("\(map)---\n\n# x\njust: text\n", "x, document 2, line 4", "no apiVersion and kind"),
        ("\(map)---\napiVersion: v1\nkind: Pod\n", "x, document 2, line 4", "no metadata.name"),
        ("\(map)---\n- a\n", "x, document 2, line 4", "is no object"),
        ("\(map)---\na: {b: .inf}\n", "x, document 2, line 5", "number that JSON has not"),
        ("\(map)---\na: *b\n", "x, document 2, line 5", "undefined alias"),
        ("\(map)---\na: b\u{1}\n", "x, document 2, line 5", "YAML has not"),
    ])
    func `says file, document and line, and reads what stands around it`(
        _ text: String, _ place: String, _ reason: String
    ) throws {
        // The document behind the broken one is read too.
        let manifests = try read(text + "---\n" + Self.map.replacing("one", with: "behind"))
        #expect(manifests.unread.map(\.source) == [place])
        #expect(manifests.unread.first?.reason.contains(reason) == true, "\(manifests.unread)")
        #expect(manifests.objects.map(\.name) == ["one", "behind"])
    }

    @Test func `a workload without a pod is told with the line of its document`() throws {
        let text = "\(Self.map)---\n\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"
        let manifests = try read(text)
        #expect(manifests.objects.map(\.line) == [1, 4])
        let inventory = Inventory(manifests.objects, unread: manifests.unread)
        #expect(
            inventory.unread
                == [UnreadObject(source: "x, document 2, line 4", reason: "has no pod spec")])
    }

    @Test func `keys that stand twice in JSON are refused with their line`() throws {
        let text = "{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n\"metadata\": {\"name\": \"a\","
        let twice = try read(text + "\n\"name\": \"b\"}}")
        #expect(twice.objects.isEmpty)
        #expect(twice.unread.map(\.source) == ["x, document 1, line 2"])
        #expect(twice.unread.first?.reason.contains("a key twice") == true)
        #expect(try read(text + "\n\"other\": \"b\"}}").objects.count == 1)
    }

    @Test func `marks of documents count at the start of a line only, and directives stay`() throws
    {
        let block = "data:\n  a: |\n    ---\n    b\n  c: ---\n"
        let text = "%YAML 1.1\n---\n\(Self.map)\(block)...\n--- # next\n\(Self.map)---\n---\n"
        let manifests = try read(text)
        #expect(manifests.unread.isEmpty, "\(manifests.unread)")
        #expect(manifests.objects.map(\.source) == ["x, document 1", "x, document 2"])
        let data = manifests.objects.first?.tree["data"]
        #expect(data?["a"] == "---\nb\n" && data?["c"] == "---")
    }

    // MARK: - Encodings

    @Test(
        arguments: [
            ([0xEF, 0xBB, 0xBF], "\n"), ([], "\r\n"), ([0xEF, 0xBB, 0xBF], "\r\n"),
        ] as [([UInt8], String)])
    func `a byte order mark and other ends of lines change nothing`(
        _ mark: [UInt8], _ end: String
    ) throws {
        let text = (Self.map + "---\n" + Self.map).replacing("\n", with: end)
        let manifests = try read(mark + Array(text.utf8))
        #expect(manifests.objects.count == 2 && manifests.unread.isEmpty)
        #expect(manifests.objects.last?.tree == (try read(Self.map)).objects.first?.tree)
        let json = #"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}}"#
        #expect(try read(mark + Array(json.utf8)).objects.count == 1)
    }

    @Test(arguments: [
        String.Encoding.utf16, .utf16LittleEndian, .utf16BigEndian, .utf32, .utf32BigEndian,
    ])
    func `UTF-16 and UTF-32 are named`(_ encoding: String.Encoding) throws {
        let data = try #require(Self.map.data(using: encoding))
        let manifests = try read([UInt8](data))
        let name = [.utf32, .utf32BigEndian].contains(encoding) ? "UTF-32" : "UTF-16"
        #expect(
            manifests.unread.map(\.reason) == ["is \(name): write it in UTF-8 (iconv -f \(name))"])
    }

    @Test func `what is not UTF-8 is told with its line, and takes nothing with it`() throws {
        let broken = Array("a: b\nc: ".utf8) + [0xFF] + Array("\n---\n".utf8)
        let manifests = try read(broken + Array(Self.map.utf8))
        #expect(
            manifests.unread
                == [UnreadObject(source: "x, document 1, line 2", reason: "is not UTF-8")])
        #expect(manifests.objects.count == 1)
    }

    // MARK: - Depth and size

    private static let levels = 100_000

    /// Not printed as it is.
    struct Nested: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let text: String

        init(_ name: String, _ text: String) {
            testDescription = name
            self.text = text
        }

        static func brackets(_ count: Int) -> String {
            String(repeating: "[", count: count) + String(repeating: "]", count: count)
        }

        static let all = [
            Nested("lists", String(repeating: "[", count: levels)),
            Nested("mappings", String(repeating: "{a: ", count: levels)),
            Nested("dashes", String(repeating: "- ", count: levels)),
            Nested("JSON", String(repeating: "{\"a\":", count: levels)),
            Nested(
                "blocks",
                (0..<2_000).map { String(repeating: " ", count: $0) + "a:\n" }.joined()),
            Nested("closed lists", brackets(200)),
            Nested("closed JSON", "{\"a\":\(brackets(200))}"),
        ]
    }

    @Test(arguments: Nested.all)
    func `deep nesting is refused, and overflows nothing`(_ nested: Nested) throws {
        let manifests = try read(nested.text + "\n---\n" + Self.map)
        #expect(manifests.unread.map(\.reason) == ["is nested deeper than 100 levels"])
        #expect(manifests.objects.count == 1)
    }

    @Test func `the depth that is allowed is read`() throws {
        // The document and `data` are two levels, the text in the innermost list is one.
        func nested(_ count: Int) throws -> Manifests {
            let open = String(repeating: "[", count: count)
            return try read(Self.map + "data: \(open)x\(String(repeating: "]", count: count))")
        }
        #expect(try nested(98).objects.count == 1)
        #expect(try nested(99).unread.count == 1)
    }

    @Test func `lists of lists are opened, to a depth`() throws {
        func lists(_ count: Int) -> String {
            let node = #"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}}"#
            return (0..<count).reduce(node) { inner, _ in
                #"{"apiVersion":"v1","kind":"List","items":[\#(inner)]}"#
            }
        }
        let eight = try read(lists(ClusterObject.listDepthMax))
        #expect(eight.objects.count == 1 && eight.unread.isEmpty)
        let nine = try read(lists(ClusterObject.listDepthMax + 1))
        #expect(nine.objects.isEmpty && nine.unread.count == 1)
        #expect(nine.unread.first?.reason == "is a list inside more than 8 others")
    }

    @Test func `more values than there is memory for are refused, whatever holds them`() throws {
        let text = Self.map + "data: [1, 2, 3]\n"
        // The object, apiVersion, kind, metadata, its name, data and its three.
        #expect(try read(Array(text.utf8), valuesMax: 9).objects.count == 1)
        #expect(throws: Manifests.Failure.tooManyValues(path: "x, document 1")) {
            try read(Array(text.utf8), valuesMax: 8)
        }
        let json = #"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}}"#
        #expect(try read(Array(json.utf8), valuesMax: 5).objects.count == 1)
        #expect(throws: Manifests.Failure.tooManyValues(path: "x")) {
            try read(Array(json.utf8), valuesMax: 4)
        }
    }

    @Test func `more objects than are looked at are refused, readable or not`() throws {
        let count = Inventory.objectsMax
        func list(_ count: Int) -> [UInt8] {
            let items = String(repeating: "1,", count: count - 1) + "1"
            return Array(#"{"apiVersion":"v1","kind":"List","items":[\#(items)]}"#.utf8)
        }
        #expect(try read(list(count)).unread.count == count)
        #expect(throws: Manifests.Failure.tooMany) { try read(list(count + 1)) }
        let documents = String(repeating: "---\na\n", count: count + 1)
        #expect(throws: Manifests.Failure.tooMany) { try read(documents) }
    }

    @Test func `keys that are bombs are not compared`() throws {
        var lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        for level in 1...9 {
            let aliases = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            lines.append("a\(level): &a\(level) [\(aliases)]")
        }
        for key in ["? *a9\n: x", "*a9 : x", "k: {[*a9]: x}", "? [*a9]\n: x"] {
            let bomb = try read((lines + [key]).joined(separator: "\n"))
            #expect(bomb.unread.map(\.reason) == ["has aliases, and keys that are no text"])
        }
        // Control: text that looks like it, without anchors.
        let plain = try read(Self.map + "data: {a: \"*bold* [x]: y ? z\"}\n")
        #expect(plain.objects.count == 1)
    }

    @Test func `no change of some bytes stops the reader or loses a document silently`() throws {
        var random = SeededGenerator(seed: 5)
        let data = "data: {a: 'b', c: [1, *d], e: &d |\n  f\n}\n"
        let text = Array(
            "%YAML 1.1\n---\n\(Self.map)\(data)---\n{\"a\": [1, {\"b\": null}]}\n...\n".utf8)
        let marks = Array("-:?&*!|>'\"%@`#,[]{}<\n\t \r\0\u{FF}".utf8)
        for _ in 0..<3_000 {
            var bytes = text
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = marks.randomElement(using: &random) ?? 0
                case 1: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
                }
            }
            let manifests = try read(bytes)
            // The second document is no object, or what was made of the first is not.
            #expect(!manifests.unread.isEmpty || !manifests.objects.isEmpty)
        }
    }

    // MARK: - Numbers

    @Test(arguments: [
        ("0644", "420"), ("0x1F", "31"), ("1_000", "1000"), ("+5", "5"), ("-0x10", "-16"),
        (".5", "0.5"), ("1.50", "1.50"), ("0", "0"), ("-7", "-7"), ("1e3", "1e3"),
    ])
    func `numbers are those that kubectl sends`(_ text: String, _ expected: String) throws {
        let value = try read(Self.map + "data: {a: \(text)}").objects.first?.tree["data"]?["a"]
        #expect(value == .number(expected))
    }

    @Test func `a pair of ports is a text`() throws {
        let data = try read(Self.map + "data: {a: 22:22}").objects.first?.tree["data"]
        #expect(data?["a"] == "22:22")
    }
}
