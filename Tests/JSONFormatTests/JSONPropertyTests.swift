// SPDX-License-Identifier: Apache-2.0
import Foundation
import JSONFormat
import TestKit
import Testing

/// Random documents, judged by Foundation's parser.
@Suite("JSON against an independent parser") struct JSONPropertyTests {
    @Test func `random documents are accepted, and every text is what Foundation reads`() throws {
        var generator = SeededGenerator(seed: 20_261_123)
        for _ in 0..<400 {
            var texts: [String: String] = [:]
            let document = object(depth: 0, texts: &texts, using: &generator)
            let parsed = try #require(
                try JSONSerialization.jsonObject(with: Data(document.utf8)) as? [String: Any])
            for (name, expected) in texts {
                let found = try Document.text(document, [name])
                #expect(found == expected)
                if let string = parsed[name] as? String { #expect(found == string) }
            }
        }
    }

    @Test func `a document with one byte changed is judged as Foundation judges it`() throws {
        var generator = SeededGenerator(seed: 5)
        let base = Array(#"{"a":["x\n",1.5,-0,{"b":true}],"c":null}"#.utf8)
        let alphabet = Array(#"{}[]":,\0159.-+eEtfn u"#.utf8)
        var accepted = 0
        for _ in 0..<4000 {
            var bytes = base
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            bytes[index] = alphabet.randomElement(using: &generator) ?? 0
            let ours = (try? Document.check(bytes)) != nil
            let theirs =
                (try? JSONSerialization.jsonObject(
                    with: Data(bytes), options: [.fragmentsAllowed])) != nil
            #expect(ours == theirs, "\(String(decoding: bytes, as: UTF8.self))")
            accepted += ours ? 1 : 0
        }
        // The comparison is worth something only if both verdicts occur.
        #expect((100..<3900).contains(accepted))
    }

    @Test func `a document cut at any byte is refused`() {
        let whole = Array(#"{"a":["x\u00e9",1.5,{"b":true}],"é":null}"#.utf8)
        for end in 0..<whole.count {
            #expect(throws: JSONFormatFailure.self) { try Document.check(Array(whole[..<end])) }
        }
    }

    // MARK: - Making documents

    private func object(
        depth: Int, texts: inout [String: String], using generator: inout SeededGenerator
    ) -> String {
        var members: [String] = []
        for index in 0..<Int.random(in: 0...6, using: &generator) {
            let name = "k\(index)" + String(scalar(using: &generator))
            let (json, text) = value(depth: depth, using: &generator)
            members.append("\(escaped(name, using: &generator)): \(json)")
            texts[name] = text
        }
        return "{ " + members.joined(separator: " ,\n") + "}"
    }

    private func value(
        depth: Int, using generator: inout SeededGenerator
    ) -> (json: String, text: String?) {
        switch Int.random(in: 0..<(depth > 4 ? 4 : 6), using: &generator) {
        case 0:
            let text = String(
                String.UnicodeScalarView(
                    (0..<Int.random(in: 0...20, using: &generator)).map { _ in
                        scalar(using: &generator)
                    }))
            return (escaped(text, using: &generator), text)
        case 1:
            let number = String(Int.random(in: -1000...1000, using: &generator))
            return (number, number)
        case 2:
            let word = Bool.random(using: &generator) ? "true" : "false"
            return (word, word)
        case 3: return ("null", nil)
        case 4:
            var inner: [String: String] = [:]
            return (object(depth: depth + 1, texts: &inner, using: &generator), nil)
        default:
            let elements = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                value(depth: depth + 1, using: &generator).json
            }
            return ("[" + elements.joined(separator: ",") + "]", nil)
        }
    }

    private func scalar(using generator: inout SeededGenerator) -> Unicode.Scalar {
        let ranges: [ClosedRange<UInt32>] = [
            0...0x1F, 0x20...0x7E, 0xA0...0x7FF, 0x800...0xD7FF, 0xE000...0xFFFD,
            0x10000...0x10FFFF,
        ]
        let range = ranges.randomElement(using: &generator) ?? 0x20...0x7E
        return Unicode.Scalar(UInt32.random(in: range, using: &generator)) ?? "?"
    }

    /// As a JSON string, each character escaped or not as the dice have it.
    private func escaped(_ text: String, using generator: inout SeededGenerator) -> String {
        var json = "\""
        for scalar in text.unicodeScalars {
            let mustEscape = scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
            guard mustEscape || Int.random(in: 0..<4, using: &generator) == 0 else {
                json.unicodeScalars.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16, uppercase: Bool.random(using: &generator))
                json += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return json + "\""
    }
}
