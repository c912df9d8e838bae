// SPDX-License-Identifier: Apache-2.0

/// One line of a head or of trailers (RFC 9110, section 5).
package struct HeaderField: Sendable, Hashable {
    /// As it was sent; names are the same in any case.
    package var name: String
    /// Without the white space around it, byte for byte: it was valid UTF-8.
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

extension [HeaderField] {
    /// In the order of the lines. Nothing is split or joined at commas.
    package func values(of name: String) -> [String] {
        let wanted = name.utf8
        return compactMap { field in
            let isSame =
                field.name.utf8.count == wanted.count
                && zip(field.name.utf8, wanted).allSatisfy { lowered($0) == lowered($1) }
            return isSame ? field.value : nil
        }
    }
}

/// Letters of ASCII in lower case, anything else as it is.
func lowered(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
}

/// What a request asks for, as it was sent: whoever checks a signature needs it so.
package struct RequestHead: Sendable, Hashable {
    /// A token; methods are told apart by case.
    package var method: String
    /// The whole request target: printable ASCII, nothing decoded or normalised.
    package var target: [UInt8]
    /// In their order, repeated ones too.
    package var fields: [HeaderField]
    /// Who is asked: the one `Host` field's value. In the absolute form the target says the same.
    package var authority: String
    /// Where path and query begin in `target`: 0 in the origin form.
    package var pathStart: Int

    package init(
        method: String, target: [UInt8], fields: [HeaderField], authority: String,
        pathStart: Int = 0
    ) {
        self.method = method
        self.target = target
        self.fields = fields
        self.authority = authority
        self.pathStart = pathStart
    }

    /// Path and query as they were sent. Empty: an absolute form without either.
    package var pathAndQuery: ArraySlice<UInt8> { target[pathStart...] }
}

/// What an answer begins with.
package struct ResponseHead: Sendable, Hashable {
    /// 200 to 599.
    package var status: Int
    /// Without `Connection` and `Transfer-Encoding`: those are the server's. With `Content-Length`
    /// the body has exactly so many bytes; without, it is sent in chunks.
    package var fields: [HeaderField]

    package init(status: Int, fields: [HeaderField] = []) {
        self.status = status
        self.fields = fields
    }
}
