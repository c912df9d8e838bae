// SPDX-License-Identifier: Apache-2.0

/// A JSON document whose scalars keep their bytes: `1.0`, `"\u0041"`. Read and written by nothing
/// that the product uses.
indirect enum Tree: Sendable, Equatable, CustomStringConvertible {
    case scalar(String)
    case array([Tree])
    case object([Member])

    struct Member: Sendable, Equatable {
        var name: String
        var value: Tree
    }

    struct Malformed: Error {}

    static func text(_ text: String) -> Tree { .scalar(quoted(text)) }
    static func texts(_ texts: [String]) -> Tree { .array(texts.map { text($0) }) }
    static func members(_ members: KeyValuePairs<String, Tree>) -> Tree {
        .object(members.map { Member(name: $0.key, value: $0.value) })
    }

    /// Without spaces, members in their order.
    var description: String {
        switch self {
        case .scalar(let raw): raw
        case .array(let elements): "[" + elements.map(\.description).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { "\(Self.quoted($0.name)):\($0.value)" }.joined(separator: ",") + "}"
        }
    }

    var bytes: [UInt8] { Array(description.utf8) }

    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    // MARK: - Access

    /// A scalar's text, escapes undone; nil when it is no string.
    var text: String? {
        guard case .scalar(let raw) = self, raw.hasPrefix("\"") else { return nil }
        return Self.unquoted(raw)
    }

    var elements: [Tree] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    var list: [Member] {
        guard case .object(let members) = self else { return [] }
        return members
    }

    var texts: [String] { elements.compactMap(\.text) }

    subscript(_ name: String) -> Tree? {
        get { list.first { $0.name == name }?.value }
        set {
            var members = list
            if let index = members.firstIndex(where: { $0.name == name }) {
                if let newValue {
                    members[index].value = newValue
                } else {
                    members.remove(at: index)
                }
            } else if let newValue {
                members.append(Member(name: name, value: newValue))
            }
            self = .object(members)
        }
    }

    subscript(_ index: Int) -> Tree {
        get { elements[index] }
        set {
            var elements = elements
            elements[index] = newValue
            self = .array(elements)
        }
    }

    /// Changes what is at a path; makes objects that are missing.
    mutating func change(_ path: [String], _ body: (inout Tree?) -> Void) {
        guard let name = path.first else {
            var own: Tree? = self
            body(&own)
            self = own ?? .scalar("null")
            return
        }
        if path.count == 1 {
            var child = self[name]
            body(&child)
            self[name] = child
        } else {
            var child = self[name] ?? .object([])
            child.change(Array(path.dropFirst()), body)
            self[name] = child
        }
    }

    mutating func set(_ path: String..., to value: Tree?) { change(path) { $0 = value } }

    // MARK: - Reading

    init(_ bytes: [UInt8]) throws {
        var reader = TreeReader(bytes: bytes)
        self = try reader.document()
    }

    init(_ text: String) throws { try self.init(Array(text.utf8)) }

    private static func unquoted(_ raw: String) -> String {
        var text = ""
        var units: [UInt16] = []
        var iterator = raw.dropFirst().dropLast().unicodeScalars.makeIterator()
        let short: [Unicode.Scalar: Unicode.Scalar] = [
            "n": "\n", "t": "\t", "r": "\r", "b": "\u{8}", "f": "\u{c}",
        ]
        while let scalar = iterator.next() {
            var found = scalar
            if scalar == "\\", let kind = iterator.next() {
                if kind == "u" {
                    let digits = String(
                        (0..<4).compactMap { _ in iterator.next() }.map(Character.init))
                    units.append(UInt16(digits, radix: 16) ?? 0)
                    continue
                }
                found = short[kind] ?? kind
            }
            text += String(decoding: units, as: UTF16.self)
            units = []
            text.unicodeScalars.append(found)
        }
        return text + String(decoding: units, as: UTF16.self)
    }
}

private struct TreeReader {
    let bytes: [UInt8]
    var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws -> Tree {
        let tree = try value()
        skip()
        guard index == bytes.count else { throw Tree.Malformed() }
        return tree
    }

    private mutating func skip() {
        while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
    }

    private mutating func take(_ character: Character) -> Bool {
        skip()
        guard index < bytes.count, bytes[index] == character.asciiValue else { return false }
        index += 1
        return true
    }

    private mutating func value() throws -> Tree {
        if take("{") { return try object() }
        if take("[") { return try array() }
        let start = index
        if take("\"") {
            while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
                index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
            }
            guard index < bytes.count else { throw Tree.Malformed() }
            index += 1
        } else {
            while index < bytes.count, !",]} \n".utf8.contains(bytes[index]) { index += 1 }
            let raw = String(decoding: bytes[start..<index], as: UTF8.self)
            guard ["true", "false", "null"].contains(raw) || Double(raw) != nil else {
                throw Tree.Malformed()
            }
        }
        return .scalar(String(decoding: bytes[start..<index], as: UTF8.self))
    }

    private mutating func array() throws -> Tree {
        if take("]") { return .array([]) }
        var elements: [Tree] = []
        repeat { elements.append(try value()) } while take(",")
        guard take("]") else { throw Tree.Malformed() }
        return .array(elements)
    }

    private mutating func object() throws -> Tree {
        if take("}") { return .object([]) }
        var members: [Tree.Member] = []
        repeat {
            guard let name = try value().text, take(":") else { throw Tree.Malformed() }
            members.append(Tree.Member(name: name, value: try value()))
        } while take(",")
        guard take("}") else { throw Tree.Malformed() }
        return .object(members)
    }
}
