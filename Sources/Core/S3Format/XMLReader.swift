// SPDX-License-Identifier: Apache-2.0

/// Reads S3's documents: elements, text, the five named references and numeric ones, comments,
/// one declaration. Everything else of XML is refused: document types (so no entity is ever
/// defined or fetched), processing instructions, CDATA, other encodings than UTF-8. Attributes are
/// skipped. Every size is bounded, and nothing recurses.
package struct XMLReader {
    private let bytes: [UInt8]
    private var index = 0
    private var elementCount = 0
    private var open: [Open] = []

    private struct Open {
        let name: String
        var text: [UInt8] = []
        var children: [XMLElement] = []
    }

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// - Returns: the root.
    package static func read(
        _ bytes: [UInt8], bytesMax: Int = S3Limits.documentBytesMax
    ) throws(S3DocumentFailure) -> XMLElement {
        guard bytes.count <= bytesMax else {
            throw .malformed("the document is larger than \(bytesMax) bytes")
        }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw .malformed("the document is no UTF-8")
        }
        var reader = XMLReader(bytes)
        return try reader.document()
    }

    /// As `read`, and the root must have this name. An `Error` is thrown as one.
    /// Instead of `…Result` it may be `…Response`, as moto has it, or end before, as rclone has it.
    static func read(
        _ bytes: [UInt8], root name: String
    ) throws(S3DocumentFailure) -> XMLElement {
        let root = try read(bytes)
        if root.name == "Error" { throw .error(try S3ErrorDocument(root)) }
        let stem = name.hasSuffix("Result") ? name.dropLast(6) : name[...]
        guard root.name == name || root.name == stem || root.name == stem + "Response" else {
            throw .malformed("the document is no \(name)")
        }
        return root
    }

    private mutating func document() throws(S3DocumentFailure) -> XMLElement {
        skip("\u{FEFF}")
        // A server that takes long sends spaces first, to keep the connection.
        skipSpaces()
        try declaration()
        while index < bytes.count {
            if bytes[index] != UInt8(ascii: "<") {
                try text()
            } else if skip("<!--") {
                try comment()
            } else if skip("</") {
                if let root = try closeTag() { return try finished(root) }
            } else {
                index += 1
                if let root = try openTag() { return try finished(root) }
            }
        }
        throw .malformed("the document ends early")
    }

    /// Behind the root only spaces and comments may stand.
    private mutating func finished(
        _ root: XMLElement
    ) throws(S3DocumentFailure) -> XMLElement {
        skipSpaces()
        while skip("<!--") {
            try comment()
            skipSpaces()
        }
        guard index == bytes.count else { throw .malformed("something follows the document") }
        return root
    }

    // MARK: - Markup

    /// `<?xml version="1.0" encoding="UTF-8"?>`
    private mutating func declaration() throws(S3DocumentFailure) {
        guard skip("<?xml") else { return }
        let start = index
        while index < bytes.count, !startsHere("?>") {
            guard index - start < S3Limits.tagBytesMax else {
                throw .malformed("the XML declaration is too long")
            }
            index += 1
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self).lowercased()
        guard skip("?>") else { throw .malformed("the document ends early") }
        if text.contains("encoding") {
            guard text.contains("utf-8") || text.contains("us-ascii") else {
                throw .malformed("the document is not in UTF-8")
            }
        }
    }

    private mutating func comment() throws(S3DocumentFailure) {
        while index < bytes.count {
            if skip("--") {
                guard skip(">") else { throw .malformed("a comment has -- in it") }
                return
            }
            index += 1
        }
        throw .malformed("the document ends early")
    }

    /// - Returns: the root, when this was all of it.
    private mutating func openTag() throws(S3DocumentFailure) -> XMLElement? {
        elementCount += 1
        guard elementCount <= S3Limits.documentElementsMax else {
            throw .malformed("the document has more than \(S3Limits.documentElementsMax) elements")
        }
        guard open.count < S3Limits.documentDepthMax else {
            throw .malformed("elements are nested deeper than \(S3Limits.documentDepthMax)")
        }
        let start = index
        open.append(Open(name: try name()))
        let isEmpty = try attributes(from: start)
        return isEmpty ? try close() : nil
    }

    private mutating func closeTag() throws(S3DocumentFailure) -> XMLElement? {
        let name = try name()
        skipSpaces()
        guard skip(">") else { throw .malformed("an end tag is not closed") }
        guard let element = open.last, element.name == name else {
            throw .malformed("an end tag has no start tag")
        }
        return try close()
    }

    private mutating func close() throws(S3DocumentFailure) -> XMLElement? {
        guard let ended = open.popLast() else { throw .malformed("an end tag has no start tag") }
        guard ended.children.isEmpty || ended.text.allSatisfy(Self.isSpace) else {
            throw .malformed("text stands between elements")
        }
        let element = XMLElement(
            name: ended.name,
            text: ended.children.isEmpty ? String(decoding: ended.text, as: UTF8.self) : "",
            children: ended.children)
        guard !open.isEmpty else { return element }
        open[open.count - 1].children.append(element)
        return nil
    }

    /// Letters, digits, `.`, `-` and `_`, behind a prefix that is left out.
    private mutating func name() throws(S3DocumentFailure) -> String {
        let whole = try token()
        guard index < bytes.count, bytes[index] == UInt8(ascii: ":") else { return whole }
        index += 1
        return try token()
    }

    private mutating func token() throws(S3DocumentFailure) -> String {
        let start = index
        while index < bytes.count, Self.isNameByte(bytes[index]) { index += 1 }
        guard index > start, index - start <= S3Limits.elementNameBytesMax,
            Self.isNameStart(bytes[start])
        else {
            throw .malformed("a name is missing, too long or with a character that is not used")
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    /// Up to and with the end of a start tag.
    ///
    /// - Returns: whether the element ended with it (`/>`).
    private mutating func attributes(from start: Int) throws(S3DocumentFailure) -> Bool {
        var count = 0
        while true {
            let hasSpace = skipSpaces()
            if skip("/>") { return true }
            if skip(">") { return false }
            count += 1
            guard hasSpace, count <= S3Limits.attributesMax else {
                throw .malformed("a start tag is not closed or has too many attributes")
            }
            _ = try name()
            skipSpaces()
            guard skip("=") else { throw .malformed("an attribute has no value") }
            skipSpaces()
            guard index < bytes.count, bytes[index] == 0x22 || bytes[index] == 0x27 else {
                throw .malformed("an attribute has no value")
            }
            let quote = bytes[index]
            index += 1
            while index < bytes.count, bytes[index] != quote {
                guard bytes[index] != UInt8(ascii: "<"), index - start < S3Limits.tagBytesMax
                else { throw .malformed("an attribute is not closed or too long") }
                index += 1
            }
            guard index < bytes.count else { throw .malformed("the document ends early") }
            index += 1
        }
    }

    // MARK: - Text

    /// Up to the next tag.
    private mutating func text() throws(S3DocumentFailure) {
        var text: [UInt8] = []
        while index < bytes.count, bytes[index] != UInt8(ascii: "<") {
            let byte = bytes[index]
            guard !open.isEmpty || Self.isSpace(byte) else {
                throw .malformed("text stands before the root")
            }
            index += 1
            switch byte {
            case UInt8(ascii: "&"): text += try reference()
            case 0x0D:
                // XML 1.0, section 2.11.
                if index < bytes.count, bytes[index] == 0x0A { index += 1 }
                text.append(0x0A)
            case 0..<0x20 where !Self.isSpace(byte):
                throw .malformed("a control character is not written as a reference")
            default: text.append(byte)
            }
        }
        if !open.isEmpty { open[open.count - 1].text += text }
    }

    /// Behind `&`.
    private mutating func reference() throws(S3DocumentFailure) -> [UInt8] {
        let named: [(StaticString, UInt8)] = [
            ("amp;", 0x26), ("lt;", 0x3C), ("gt;", 0x3E), ("quot;", 0x22), ("apos;", 0x27),
        ]
        for (name, byte) in named where skip(name) { return [byte] }
        guard skip("#") else { throw .malformed("a reference has a name that is not known") }
        let radix = skip("x") ? 16 : 10
        let start = index
        while index < bytes.count, bytes[index] != UInt8(ascii: ";") {
            // U+10FFFF has 7 decimal digits; some write zeros before.
            guard index - start < 10 else { throw .malformed("a reference is too long") }
            index += 1
        }
        let digits = String(decoding: bytes[start..<index], as: UTF8.self)
        guard skip(";"), digits.first != "+", digits.first != "-",
            let value = UInt32(digits, radix: radix), value > 0,
            let scalar = Unicode.Scalar(value)
        else { throw .malformed("a reference is to no character") }
        return value < 0x80 ? [UInt8(value)] : Array(String(Character(scalar)).utf8)
    }

    // MARK: - Bytes

    private func startsHere(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { bytes[index...].starts(with: $0) }
    }

    @discardableResult
    private mutating func skip(_ text: StaticString) -> Bool {
        guard startsHere(text) else { return false }
        index += text.utf8CodeUnitCount
        return true
    }

    @discardableResult
    private mutating func skipSpaces() -> Bool {
        let start = index
        while index < bytes.count, Self.isSpace(bytes[index]) { index += 1 }
        return index > start
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }

    private static func isNameStart(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte) || byte == 0x2D || byte == 0x2E || byte == 0x5F
    }
}
