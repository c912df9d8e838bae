// SPDX-License-Identifier: Apache-2.0

/// A document of a YAML stream, as text: each is parsed for itself, so that one that is broken
/// takes no other with it.
struct YAMLPart {
    let bytes: Range<Int>
    /// In the stream, from 1.
    let line: Int
}

/// Finds documents by the marks between them, which count at the start of a line wherever they
/// stand (https://yaml.org/spec/1.2.2/#rule-c-forbidden).
enum YAMLParts {
    /// - Parameter max: documents; behind one more than these nothing is looked for.
    static func all(in bytes: [UInt8], max: Int = .max) -> [YAMLPart] {
        var found: [YAMLPart] = []
        var part = Draft(start: 0, line: 1)
        var line = 0
        var index = 0
        while index < bytes.count, found.count <= max {
            line += 1
            let end = bytes[index...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            let next = min(end + 1, bytes.count)
            switch kind(of: bytes[index..<end]) {
            case .start(let hasContent):
                if part.hasContent || !part.hasDirective {
                    if part.hasContent { found.append(part.closed(at: index)) }
                    part = Draft(start: index, line: line)
                }
                part.isStarted = true
                part.hasContent = hasContent
            case .end:
                if part.hasContent { found.append(part.closed(at: index)) }
                part = Draft(start: next, line: line + 1)
            case .directive where !part.isStarted && !part.hasContent: part.hasDirective = true
            case .content, .directive: part.hasContent = true
            case .nothing: break
            }
            index = next
        }
        if part.hasContent || part.hasDirective { found.append(part.closed(at: bytes.count)) }
        return found
    }

    private struct Draft {
        let start: Int
        let line: Int
        var hasContent = false
        var hasDirective = false
        var isStarted = false

        init(start: Int, line: Int) {
            self.start = start
            self.line = line
        }

        func closed(at end: Int) -> YAMLPart { YAMLPart(bytes: start..<end, line: line) }
    }

    private enum Kind {
        case start(hasContent: Bool)
        case end, directive, content, nothing
    }

    private static func kind(of line: ArraySlice<UInt8>) -> Kind {
        let marks = [UInt8(ascii: "-"), UInt8(ascii: ".")]
        if let first = line.first, marks.contains(first),
            line.prefix(3).allSatisfy({ $0 == first }),
            line.count >= 3, line.dropFirst(3).first.map(isBlank) ?? true
        {
            guard first == UInt8(ascii: "-") else { return .end }
            return .start(hasContent: isContent(line.dropFirst(3)))
        }
        if line.first == UInt8(ascii: "%") { return .directive }
        return isContent(line) ? .content : .nothing
    }

    private static func isContent(_ line: ArraySlice<UInt8>) -> Bool {
        guard let first = line.first(where: { !isBlank($0) }) else { return false }
        return first != UInt8(ascii: "#")
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0D
    }
}

/// What is refused before a parser sees it: it would take memory or time for it that nobody has.
enum HostileText {
    /// Marks that begin or end values, in one document. A parser keeps a few hundred bytes for
    /// each; two values need about three.
    static let marksMax = 6_000_000

    /// At least as many as JSON has values, less one.
    static func marks(in bytes: [UInt8]) -> Int {
        bytes.count { byte in
            byte == UInt8(ascii: ",") || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{")
        }
    }

    /// nil: it can be parsed.
    static func reason(_ bytes: ArraySlice<UInt8>, marksMax: Int = marksMax) -> String? {
        var signs = Signs()
        for index in bytes.indices {
            let next = index + 1 < bytes.endIndex ? bytes[index + 1] : 0x0A
            signs.take(bytes[index], before: next)
        }
        if signs.marks > marksMax {
            return "has more than \(marksMax) values and marks for one YAML document: give it as "
                + "JSON, or in parts"
        }
        // To compare such keys all that their aliases stand for is looked at, again and again.
        return signs.hasAnchor && signs.hasAlias && signs.hasHardKey
            ? "has aliases, and keys that are no text" : nil
    }

    private struct Signs {
        var marks = 0
        var hasAnchor = false
        var hasAlias = false
        /// A list, a mapping or an alias as a key; also where text only looks like it.
        var hasHardKey = false
        /// The last byte that is no blank.
        private var last: UInt8 = 0x0A
        private var isApart = true
        private var isInAlias = false

        mutating func take(_ byte: UInt8, before next: UInt8) {
            switch byte {
            case 0x0A, UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"): marks += 1
            case UInt8(ascii: ":"):
                marks += 1
                if last == UInt8(ascii: "]") || last == UInt8(ascii: "}") || isInAlias {
                    hasHardKey = true
                }
            case UInt8(ascii: "-") where isApart: marks += 1
            case UInt8(ascii: "?") where isApart && HostileText.isBlank(next): hasHardKey = true
            case UInt8(ascii: "&") where isApart && HostileText.isNameByte(next): hasAnchor = true
            case UInt8(ascii: "*") where isApart && HostileText.isNameByte(next):
                hasAlias = true
                isInAlias = true
            default:
                if !HostileText.isNameByte(byte), !HostileText.isBlank(byte) { isInAlias = false }
            }
            if byte == 0x0A || byte == UInt8(ascii: ",") { isInAlias = false }
            let isBlank = HostileText.isBlank(byte)
            if !isBlank { last = byte }
            isApart = isBlank || ",[{:-?".utf8.contains(byte)
        }
    }

    fileprivate static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A
    }

    fileprivate static func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "_")
    }

    /// Names an encoding that is not UTF-8; nil for what may be UTF-8.
    static func encoding(_ bytes: [UInt8]) -> String? {
        let head = Array(bytes.prefix(4))
        if head == [0xFF, 0xFE, 0, 0] || head == [0, 0, 0xFE, 0xFF] { return "UTF-32" }
        if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) { return "UTF-16" }
        guard head.count == 4 else { return nil }
        switch (head[0] == 0, head[1] == 0, head[2] == 0, head[3] == 0) {
        case (true, false, true, false), (false, true, false, true): return "UTF-16"
        case (true, true, true, false), (false, true, true, true): return "UTF-32"
        default: return nil
        }
    }
}
