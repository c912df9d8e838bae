// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventIntegrity
import Foundation
import TestKit
import Testing

@Suite struct `The published schema` {
    private let path = Checkout.root + "docs/reference/events.schema.json"

    private func schema() throws -> SchemaCheck {
        try SchemaCheck(Data(contentsOf: URL(filePath: path)))
    }

    private func lines() -> [[UInt8]] {
        var chain = Chain(segment: Sample.segment, after: nil, hasher: OpenSSLEventHasher())
        return (Sample.oneOfEach + [Sample.torn, Sample.longest]).map { chain.append($0).bytes }
    }

    @Test func `is the one that the writer's table gives`() throws {
        let committed = try String(contentsOfFile: path, encoding: .utf8)
        #expect(committed == EventReference.schema, "run: make generate")
    }

    @Test func `accepts every line that is written`() throws {
        let schema = try schema()
        for line in lines() { #expect(try schema.problems(in: Data(line)) == []) }
    }

    @Test func `uses no construct that its check does not know`() throws {
        #expect(try schema().unknownKeywords == [])
        let other = try SchemaCheck(Data(#"{"properties":{"a":{"oneOf":[]}}}"#.utf8))
        #expect(other.unknownKeywords == ["oneOf"], "positive control")
    }

    @Test(arguments: [
        (#""type":"PROCMEM_READ""#, #""type":"PROCMEM""#),
        (#""schemaVersion":1"#, #""schemaVersion":2"#),
        (#""schemaVersion":1,"#, ""), (#""errno":-1"#, #""errno":"1""#),
        (#""errno":-1"#, #""errno":-1,"more":1"#), (#""vector":"AV-008""#, #""vector":"AV-8""#),
        (#""suppressed":"2""#, #""suppressed":"02""#), (#""comm":"gdb""#, #""comm":"g\ndb""#),
        (#""comm":"gdb""#, #""comm":"g\\q""#), (#""errno":-1"#, #""errno":2147483648"#),
        (#""verdict":"denied""#, #""verdict":null"#), (#""pid":4711,"#, ""),
        (#""clockSynchronized":true"#, #""clockSynchronized":1"#),
        (#""hook":"ptrace_access_check""#, #""hook":"\#(String(repeating: "a", count: 300))""#),
    ])
    func `refuses a line that is not so`(old: String, new: String) throws {
        var chain = Chain(segment: Sample.segment, after: nil, hasher: OpenSSLEventHasher())
        let line = String(decoding: chain.append(Sample.attack()).bytes, as: UTF8.self)
        #expect(line.contains(old))
        let changed = line.replacing(old, with: new)
        #expect(try schema().problems(in: Data(changed.utf8)) != [])
    }

    @Test func `and the fields of the reference page are the writer's`() throws {
        let page = try String(
            contentsOfFile: Checkout.root + "docs/reference/event-fields.md", encoding: .utf8)
        #expect(page == EventReference.fieldsPage, "run: make generate")
    }
}

/// As much of JSON Schema (draft 2020-12) as the schema uses.
struct SchemaCheck {
    private let root: [String: Any]
    private static let annotations: Set<String> = ["$schema", "$id", "title", "description"]
    private static let known: Set<String> = [
        "type", "additionalProperties", "required", "properties", "minimum", "maximum", "pattern",
        "maxLength", "enum",
    ]

    init(_ data: Data) throws {
        root = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    }

    var unknownKeywords: [String] { Self.unknown(in: root) }

    private static func unknown(in schema: [String: Any]) -> [String] {
        let own = schema.keys.filter { !annotations.contains($0) && !known.contains($0) }
        let parts = (schema["properties"] as? [String: [String: Any]] ?? [:]).values
        return own + parts.flatMap { unknown(in: $0) }
    }

    func problems(in line: Data) throws -> [String] {
        let value = try? JSONSerialization.jsonObject(with: line, options: .fragmentsAllowed)
        guard let value else { return ["no JSON"] }
        return try Self.problems(value, root, at: "")
    }

    private static func problems(
        _ value: Any, _ schema: [String: Any], at path: String
    ) throws -> [String] {
        var found: [String] = []
        if let type = schema["type"] as? String, !isOf(type, value) {
            return ["\(path): not \(type)"]
        }
        if let words = schema["enum"] as? [String], !words.contains(value as? String ?? "") {
            found.append("\(path): not in enum")
        }
        if let number = value as? NSNumber, schema["type"] as? String == "integer" {
            if let least = schema["minimum"] as? NSNumber, number.int64Value < least.int64Value {
                found.append("\(path): below minimum")
            }
            if let most = schema["maximum"] as? NSNumber, number.int64Value > most.int64Value {
                found.append("\(path): above maximum")
            }
        }
        if let text = value as? String {
            if let most = schema["maxLength"] as? Int, text.unicodeScalars.count > most {
                found.append("\(path): too long")
            }
            if let pattern = schema["pattern"] as? String {
                let expression = try NSRegularExpression(pattern: pattern)
                let range = NSRange(text.startIndex..., in: text)
                if expression.firstMatch(in: text, range: range) == nil {
                    found.append("\(path): does not match \(pattern)")
                }
            }
        }
        if let object = value as? [String: Any] {
            let properties = schema["properties"] as? [String: [String: Any]] ?? [:]
            for name in schema["required"] as? [String] ?? [] where object[name] == nil {
                found.append("\(path)/\(name): missing")
            }
            for (name, member) in object {
                if let part = properties[name] {
                    found += try problems(member, part, at: "\(path)/\(name)")
                } else if schema["additionalProperties"] as? Bool == false {
                    found.append("\(path)/\(name): unknown")
                }
            }
        }
        return found
    }

    private static func isOf(_ type: String, _ value: Any) -> Bool {
        switch type {
        case "object": value is [String: Any]
        case "string": value is String
        case "boolean": isBoolean(value)
        case "integer": value is NSNumber && !isBoolean(value)
        default: false
        }
    }

    private static func isBoolean(_ value: Any) -> Bool {
        (value as? NSNumber).map { CFBooleanCheck.isBoolean($0) } ?? (value is Bool)
    }
}

/// A boolean is a number of its own kind to Foundation.
private enum CFBooleanCheck {
    static func isBoolean(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }
}
