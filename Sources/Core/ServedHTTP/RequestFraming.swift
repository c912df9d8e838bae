// SPDX-License-Identifier: Apache-2.0

/// How long a request's body is, and what its head asks of the connection
/// (RFC 9112, sections 6.3 and 9.3).
package struct RequestFraming: Sendable, Hashable {
    package enum Length: Sendable, Hashable {
        /// 0: there is none.
        case bytes(Int)
        case chunked
    }

    package let length: Length
    /// The body is sent when it is asked for.
    package let expectsContinue: Bool
    /// No further request comes after this one.
    package let closes: Bool

    /// 19 digits may be too many for `Int`.
    package static let lengthDigitsMax = 18

    package init(of head: RequestHead) throws(RequestRefusal) {
        length = try Self.length(of: head.fields)
        let expectations = head.fields.values(of: "Expect")
        guard expectations.allSatisfy({ isSame($0, "100-continue") }), expectations.count <= 1
        else { throw .expectationUnknown }
        // A body of no bytes is a body too: after an answer without a 100 before it, botocore reads
        // the next one on the same connection wrongly, and waits for ever.
        let hasBody =
            length != .bytes(0) || !head.fields.values(of: "Content-Length").isEmpty
        expectsContinue = !expectations.isEmpty && hasBody
        closes = head.fields.values(of: "Connection").contains { value in
            value.utf8.split(separator: UInt8(ascii: ",")).contains { option in
                let bytes = option.drop(while: isWhitespace)
                let end = bytes.firstIndex(where: isWhitespace) ?? bytes.endIndex
                return isSame(String(Substring(bytes[..<end])), "close")
            }
        }
    }

    private static func length(of fields: [HeaderField]) throws(RequestRefusal) -> Length {
        let lengths = fields.values(of: "Content-Length")
        let codings = fields.values(of: "Transfer-Encoding")
        guard codings.isEmpty || lengths.isEmpty else { throw .lengthAndCoding }
        if !codings.isEmpty {
            guard codings.count == 1, isSame(codings[0], "chunked") else {
                throw .codingUnsupported
            }
            return .chunked
        }
        guard lengths.count <= 1 else { throw .lengthMalformed }
        guard let text = lengths.first else { return .bytes(0) }
        guard let count = decimal(text) else { throw .lengthMalformed }
        return .bytes(count)
    }

    /// Digits only: `Int(_:)` would take a sign.
    static func decimal(_ text: String) -> Int? {
        guard (1...lengthDigitsMax).contains(text.utf8.count),
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return Int(text)
    }
}

/// The same in any case of ASCII's letters.
func isSame(_ text: String, _ other: String) -> Bool {
    text.utf8.count == other.utf8.count
        && zip(text.utf8, other.utf8).allSatisfy { lowered($0) == lowered($1) }
}
