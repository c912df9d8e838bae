// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

/// Writes trees as YAML that YAML 1.1 and 1.2 read alike: texts that one of them takes for a
/// number, a truth value or a time are in quotes.
package enum YAMLText {
    /// One document, without the mark before it.
    package static func document(_ tree: JSONTree) -> String {
        var text = ""
        forEachPiece(of: tree) { text += $0 }
        return text
    }

    package static let pieceBytes = 1 << 20

    /// The same in pieces, so that a large document is never there as a whole.
    ///
    /// - Parameter size: bytes that a piece has at least, but for the last one.
    package static func forEachPiece<WriteFailure: Error>(
        of tree: JSONTree, size: Int = Self.pieceBytes,
        _ body: (String) throws(WriteFailure) -> Void
    ) throws(WriteFailure) {
        var text = ""
        // Only where a line has ended: what comes next looks at the end of its line.
        func afterLine(_ text: inout String) throws(WriteFailure) {
            guard text.utf8.count >= size else { return }
            try body(text)
            text.removeAll(keepingCapacity: true)
        }
        switch tree {
        case .object(let members) where !members.isEmpty:
            try write(members, depth: 0, into: &text, afterLine)
        case .array(let elements) where !elements.isEmpty:
            try write(elements, depth: 0, into: &text, afterLine)
        default: text = "\(scalar(tree, depth: 0))\n"
        }
        if !text.isEmpty { try body(text) }
    }

    /// Documents with a mark before each.
    package static func stream(_ trees: [JSONTree]) -> String {
        trees.map { "---\n\(document($0))" }.joined()
    }

    private static func indent(_ depth: Int) -> String { String(repeating: "  ", count: depth) }

    private static func write<WriteFailure: Error>(
        _ members: [JSONTree.Member], depth: Int, into text: inout String,
        _ afterLine: (inout String) throws(WriteFailure) -> Void
    ) throws(WriteFailure) {
        for (index, member) in members.enumerated() {
            // The first stands behind the dash of the list that it is in, if it is in one.
            if index > 0 || depth == 0 || text.hasSuffix("\n") { text += indent(depth) }
            text += key(member.name, depth: depth)
            try write(value: member.value, depth: depth, into: &text, afterLine)
            try afterLine(&text)
        }
    }

    private static func write<WriteFailure: Error>(
        value: JSONTree, depth: Int, into text: inout String,
        _ afterLine: (inout String) throws(WriteFailure) -> Void
    ) throws(WriteFailure) {
        switch value {
        case .object(let members) where !members.isEmpty:
            text += "\n"
            try write(members, depth: depth + 1, into: &text, afterLine)
        case .array(let elements) where !elements.isEmpty:
            text += "\n"
            // As kubectl writes lists: no deeper than their name.
            try write(elements, depth: depth, into: &text, afterLine)
        default: text += " \(scalar(value, depth: depth))\n"
        }
    }

    private static func write<WriteFailure: Error>(
        _ elements: [JSONTree], depth: Int, into text: inout String,
        _ afterLine: (inout String) throws(WriteFailure) -> Void
    ) throws(WriteFailure) {
        for element in elements {
            text += indent(depth) + "- "
            switch element {
            case .object(let members) where !members.isEmpty:
                try write(members, depth: depth + 1, into: &text, afterLine)
            case .array(let elements) where !elements.isEmpty:
                // On a line of its own, deeper than the dash.
                text.removeLast()
                text += "\n"
                try write(elements, depth: depth + 1, into: &text, afterLine)
            default: text += "\(scalar(element, depth: depth))\n"
            }
            try afterLine(&text)
        }
    }

    /// Longest key without a mark of its own (YAML 1.2.2, section 7.4.2: 1024 characters).
    private static let keyBytesMax = 512

    private static func key(_ name: String, depth: Int) -> String {
        let text = isPlain(name) ? name : quoted(name)
        return text.utf8.count > keyBytesMax ? "? \(text)\n\(indent(depth)):" : "\(text):"
    }

    private static func scalar(_ tree: JSONTree, depth: Int) -> String {
        switch tree {
        case .object: "{}"
        case .array: "[]"
        case .string(let text):
            isPlain(text) ? text : block(text, depth: depth) ?? quoted(text)
        case .number(let text): text
        case .bool(let value): value ? "true" : "false"
        case .null: "null"
        }
    }

    /// What some reader takes for something else than text, in lower case.
    private static let words: Set = [
        "y", "n", "yes", "no", "true", "false", "on", "off", "null", "inf", "nan", "infinity",
    ]

    /// Begins with a letter or `/`, has nothing that YAML gives a meaning to, and is no word.
    private static func isPlain(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, isLetter(first) || first == UInt8(ascii: "/"),
            bytes.last != UInt8(ascii: ":"), bytes.last != 0x20, !words.contains(text.lowercased())
        else { return false }
        for (index, byte) in bytes.enumerated() {
            let isOrdinary =
                isLetter(byte) || (0x30...0x39).contains(byte) || "_./@+=$()-".utf8.contains(byte)
            guard !isOrdinary else { continue }
            let next = index + 1 < bytes.count ? bytes[index + 1] : 0x20
            switch byte {
            case UInt8(ascii: ":") where next != 0x20: continue
            case 0x20 where next != UInt8(ascii: "#"): continue
            default: return false
            }
        }
        return true
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// A literal block (YAML 1.2.2, section 8.1.2); nil where it would not come back as it was.
    private static func block(_ text: String, depth: Int) -> String? {
        guard text.contains("\n"), !text.hasSuffix("\n\n"),
            text.unicodeScalars.allSatisfy({ isPrintable($0) || $0 == "\n" })
        else { return nil }
        let hasEnd = text.hasSuffix("\n")
        let lines = (hasEnd ? String(text.unicodeScalars.dropLast()) : text)
            .split(separator: "\n", omittingEmptySubsequences: false)
        // A first line that is empty or begins with a blank would need the depth in digits.
        guard let first = lines.first, !first.isEmpty,
            lines.allSatisfy({ $0.isEmpty || $0.first != " " || $0.contains { $0 != " " } }),
            !first.hasPrefix(" "), lines.last?.isEmpty == false
        else { return nil }
        let indentation = indent(depth + 1)
        let content = lines.map { $0.isEmpty ? "" : indentation + $0 }.joined(separator: "\n")
        return (hasEnd ? "|\n" : "|-\n") + content
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20..<0x7F, 0xA0..<0x061C, 0x061D..<0x200E, 0x2010..<0x2028, 0x202F..<0x2066,
            0x206A..<0xD800, 0xE000..<0xFEFF, 0xFF00..<0xFFFE, 0x10000...0x10FFFF:
            true
        default: false
        }
    }

    /// In double quotes (YAML 1.2.2, section 5.7), on one line.
    private static func quoted(_ text: String) -> String {
        var found = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": found += "\\\""
            case "\\": found += "\\\\"
            case "\n": found += "\\n"
            case "\r": found += "\\r"
            case "\t": found += "\\t"
            default:
                if isPrintable(scalar) {
                    found.unicodeScalars.append(scalar)
                } else {
                    let digits = String(scalar.value, radix: 16, uppercase: true)
                    let width = scalar.value > 0xFFFF ? 8 : 4
                    found += width == 8 ? "\\U" : "\\u"
                    found += String(repeating: "0", count: width - digits.count) + digits
                }
            }
        }
        return found + "\""
    }
}
