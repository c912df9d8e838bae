// SPDX-License-Identifier: Apache-2.0

/// Reads a complete head: status line and fields (RFC 9112, sections 4 and 5).
struct HTTPHeadReader {
    private var offset: Int

    init(offset: Int) { self.offset = offset }

    /// `HTTP/1.1 200 OK`
    mutating func statusLine(
        in bytes: RawSpan
    ) throws(HTTPFormatFailure) -> (status: Int, isVersion10: Bool) {
        let start = offset
        let line = try nextLine(in: bytes)
        guard line.count >= 12 else { throw .malformed(reason: "status line") }
        let expected: StaticString = "HTTP/1."
        for index in 0..<expected.utf8CodeUnitCount {
            guard bytes[byte: start + index] == expected.utf8Start[index] else {
                throw .malformed(reason: "status line")
            }
        }
        let version = bytes[byte: start + 7]
        guard version == UInt8(ascii: "0") || version == UInt8(ascii: "1"),
            bytes[byte: start + 8] == UInt8(ascii: " "),
            line.count == 12 || bytes[byte: start + 12] == UInt8(ascii: " ")
        else { throw .malformed(reason: "status line") }
        var status = 0
        for index in 9..<12 {
            let byte = bytes[byte: start + index]
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
                throw .malformed(reason: "status code")
            }
            status = status * 10 + Int(byte - UInt8(ascii: "0"))
        }
        guard (100...599).contains(status) else { throw .malformed(reason: "status code") }
        return (status, version == UInt8(ascii: "0"))
    }

    /// Fields up to the empty line.
    mutating func fields(
        in bytes: RawSpan, limit: Int
    ) throws(HTTPFormatFailure) -> [HTTPResponse.Field] {
        var found: [HTTPResponse.Field] = []
        while true {
            let line = try nextLine(in: bytes)
            if line.isEmpty { return found }
            guard found.count < limit else { throw .tooManyFields(limit: limit) }
            found.append(try Self.field(line, in: bytes))
        }
    }

    /// Up to CRLF, which a complete head is known to have.
    private mutating func nextLine(in bytes: RawSpan) throws(HTTPFormatFailure) -> Range<Int> {
        let start = offset
        while offset < bytes.byteCount {
            let byte = bytes[byte: offset]
            if byte == 10 || byte == 0 { throw .malformed(reason: "control byte in the head") }
            if byte == 13 {
                guard offset + 1 < bytes.byteCount, bytes[byte: offset + 1] == 10 else {
                    throw .malformed(reason: "line end")
                }
                let line = start..<offset
                offset += 2
                return line
            }
            offset += 1
        }
        throw .malformed(reason: "line end")
    }

    /// `name: value`; folded lines (a leading space) have no name and are refused.
    private static func field(
        _ line: Range<Int>, in bytes: RawSpan
    ) throws(HTTPFormatFailure) -> HTTPResponse.Field {
        var name = ""
        var offset = line.lowerBound
        while offset < line.upperBound, bytes[byte: offset] != UInt8(ascii: ":") {
            guard let lower = lowerCaseToken(bytes[byte: offset]) else {
                throw .malformed(reason: "field name")
            }
            name.unicodeScalars.append(Unicode.Scalar(lower))
            offset += 1
        }
        guard offset < line.upperBound, !name.isEmpty else {
            throw .malformed(reason: "field name")
        }
        var value = (offset + 1)..<line.upperBound
        while let first = value.first, isSpace(bytes[byte: first]) { value = value.dropFirst() }
        while let last = value.last, isSpace(bytes[byte: last]) { value = value.dropLast() }
        return HTTPResponse.Field(name: name, value: value)
    }

    /// The members of a comma-separated list of tokens, lower case.
    static func tokens(
        _ value: Range<Int>, in bytes: RawSpan
    ) throws(HTTPFormatFailure) -> [String] {
        var found: [String] = []
        var token = ""
        for offset in value {
            let byte = bytes[byte: offset]
            if byte == UInt8(ascii: ",") {
                found.append(token)
                token = ""
            } else if let lower = lowerCaseToken(byte) {
                token.unicodeScalars.append(Unicode.Scalar(lower))
            } else if !isSpace(byte) {
                throw .malformed(reason: "field value")
            }
        }
        found.append(token)
        return found
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// A token character (RFC 9110, section 5.6.2) in lower case, or nil.
    private static func lowerCaseToken(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): return byte | 0x20
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return byte
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"),
            UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"),
            UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            return byte
        default: return nil
        }
    }
}
