// SPDX-License-Identifier: Apache-2.0
import JSONFormat
import SecretMemory
import Testing

/// Runs the format on text.
enum Document {
    static func check(_ text: String) throws -> JSONValue { try check(Array(text.utf8)) }

    static func check(_ bytes: [UInt8]) throws -> JSONValue {
        try bytes.withUnsafeBytes { try JSONFormat.check($0.bytes) }
    }

    /// The text at a path, by measuring and by decoding in place; nil: no text there.
    static func text(_ document: String, _ path: [String]) throws -> String? {
        var bytes = Array(document.utf8)
        return try bytes.withUnsafeMutableBytes { raw in
            let span = UnsafeRawBufferPointer(raw).bytes
            let root = try JSONFormat.check(span)
            guard let value = try JSONFormat.value(at: path, from: root, in: span),
                let measure = try JSONText.measure(value, in: span)
            else { return nil }
            let publicText = try JSONText.publicText(value, in: span)
            let before = Array(raw)
            let range = try JSONText.decodeInPlace(value, in: raw)
            #expect(range.count == measure.byteCount)
            let text = String(decoding: raw[range], as: UTF8.self)
            #expect(measure.containsNUL == text.utf8.contains(0))
            #expect(publicText == nil || publicText == text)
            // Nothing outside the value has changed, and nothing of its old bytes is left.
            for index in raw.indices where !value.range.contains(index) {
                #expect(raw[index] == before[index])
            }
            for index in value.range where value.kind == .string && !range.contains(index) {
                #expect(raw[index] == 0)
            }
            return text
        }
    }
}

@Suite("JSON") struct JSONFormatTests {
    @Test(arguments: [
        "{}", "[]", "\"\"", "0", "-0", "-1.5e+10", "1E5", "1e-2", "true", "false", "null",
        " \t\r\n{ \"a\" : [ 1 , { } ] } ", "{\"a\":1,\"a\":2}", "\"\\u0000\\ud83d\\ude00é\"",
    ])
    func `well-formed documents pass`(_ text: String) throws {
        let root = try Document.check(text)
        let trimmed = text.drop { " \t\r\n".contains($0) }
        #expect(root.range.lowerBound == text.utf8.count - trimmed.utf8.count)
    }

    @Test(arguments: [
        "", " ", "{", "[", "\"", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "[1,]", "[,1]", "{a:1}",
        "{'a':1}", "01", "1.", ".5", "+1", "1e", "-", "--1", "0x1", "NaN", "Infinity", "tru",
        "nul", "truefalse", "1 2", "[] []", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"",
        "\"\t\"", "\"\u{1}\"", "[1 2]", "{\"a\" 1}", "{1:2}", "/**/1", "\u{FEFF}1", "\"a\\",
    ])
    func `malformed documents are refused`(_ text: String) {
        #expect {
            try Document.check(text)
        } throws: { error in
            guard case .syntax = error as? JSONFormatFailure else { return false }
            return true
        }
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
            [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0xC2, 0x41], [0xE1, 0x80, 0x41], [0xFF],
        ] as [[UInt8]])
    func `text that is not UTF-8 is refused`(_ bytes: [UInt8]) {
        #expect(throws: JSONFormatFailure.encoding(offset: 1)) {
            try Document.check([0x22] + bytes + [0x22, 0x20, 0x20, 0x20])
        }
    }

    @Test(arguments: [
        "\"\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\ud800\"", "\"\\udc00\"",
    ])
    func `half a surrogate pair is no text`(_ text: String) {
        #expect(throws: JSONFormatFailure.loneSurrogate(offset: 1)) { try Document.check(text) }
    }

    @Test func `nesting has a limit, at N and N + 1`() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try Document.check(nested(JSONFormat.depthMax))
        #expect(throws: JSONFormatFailure.tooDeep(limit: JSONFormat.depthMax)) {
            try Document.check(nested(JSONFormat.depthMax + 1))
        }
        #expect(throws: JSONFormatFailure.tooDeep(limit: JSONFormat.depthMax)) {
            try Document.check(String(repeating: "{\"a\":", count: 100_000))
        }
    }

    @Test func `members are found by their unescaped names`() throws {
        let document = #"{"a":{"b\n":"x"},"\u0063\u00e9":"y","":"z","deep":{"er":{"d":1}}}"#
        #expect(try Document.text(document, ["a", "b\n"]) == "x")
        #expect(try Document.text(document, ["cé"]) == "y")
        #expect(try Document.text(document, [""]) == "z")
        #expect(try Document.text(document, ["deep", "er", "d"]) == "1")
        #expect(try Document.text(document, ["b"]) == nil)
        #expect(try Document.text(document, ["a", "b\n", "c"]) == nil)
        #expect(try Document.text(document, ["c"]) == nil)
    }

    @Test func `a wanted name that stands twice is refused, another repeated name is not`() throws {
        let document = #"{"a":1,"b":2,"\u0061":3}"#
        #expect(throws: JSONFormatFailure.duplicateName(offset: 13)) {
            try Document.text(document, ["a"])
        }
        #expect(try Document.text(document, ["b"]) == "2")
    }

    @Test(arguments: [
        (#""plain""#, "plain"), (#""""#, ""), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
        (#""\u0041\u00e9\u20ac\ud83d\ude00""#, "Aé€😀"), (#""\uD83D\uDE00""#, "😀"),
        (#""a\u0000b""#, "a\0b"), ("\"é€😀\"", "é€😀"), ("12", "12"), ("-1.50e+3", "-1.50e+3"),
        ("true", "true"), ("false", "false"),
    ])
    func `scalars give their text, numbers and bools as they are written`(
        _ json: String, _ text: String
    ) throws {
        #expect(try Document.text("{\"v\":\(json),\"w\":\"rest\"}", ["v"]) == text)
    }

    @Test(arguments: ["{}", "[1]", "null"])
    func `objects, arrays and null have no text`(_ json: String) throws {
        #expect(try Document.text("{\"v\":\(json)}", ["v"]) == nil)
    }

    @Test func `elements of an array are located`() throws {
        let bytes = Array("[ 1, \"b\" ,{}]".utf8)
        let kinds = try bytes.withUnsafeBytes { raw in
            let root = try JSONFormat.check(raw.bytes)
            return try JSONFormat.elements(of: root, in: raw.bytes).map(\.kind)
        }
        #expect(kinds == [.number, .string, .object])
    }

    @Test(arguments: [
        ("[]", 0), ("[1]", 1), ("[1,[2,3],{}]", 3), ("{}", 0), (#"{"a":1,"b":2}"#, 2),
    ])
    func `more than a number are not located`(_ json: String, _ count: Int) throws {
        func located(_ max: Int) throws -> Int? {
            try Array(json.utf8).withUnsafeBytes { raw in
                let root = try JSONFormat.check(raw.bytes)
                return root.kind == .array
                    ? try JSONFormat.elements(of: root, max: max, in: raw.bytes)?.count
                    : try JSONFormat.members(of: root, max: max, in: raw.bytes)?.count
            }
        }
        #expect(try located(count) == count)
        #expect(try located(count + 1) == count)
        if count > 0 { #expect(try located(count - 1) == nil) }
    }

    @Test func `what the writer escapes, the reader gives back, and its count is right`() throws {
        let text = "a\"b\\c\u{1}\n\u{1F}é😀"
        var buffer = try SecretBuffer(capacity: 200, minimumTier: .ordinary)
        let bytes = Array(text.utf8)
        try JSONWriter.append(bytes.span.bytes, to: &buffer)
        #expect(buffer.count == JSONWriter.byteCount(of: bytes.span.bytes))
        let written = buffer.withBytes { span in
            span.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        }
        #expect(try Document.text("{\"v\":\(written)}", ["v"]) == text)
    }

    @Test(arguments: ["", "plain", "a\"b\\c\u{1}\n\u{1F} \u{7F}é😀", "/\u{2028}"])
    func `text is written alike into secret memory and into ordinary bytes`(
        _ text: String
    ) throws {
        var buffer = try SecretBuffer(capacity: 200, minimumTier: .ordinary)
        try JSONWriter.append(Array(text.utf8).span.bytes, to: &buffer)
        let secret = buffer.withBytes { span in span.withUnsafeBytes { Array($0) } }
        var bytes = Array("before:".utf8)
        JSONWriter.append(text, to: &bytes)
        #expect(bytes == Array("before:".utf8) + secret)
    }
}
