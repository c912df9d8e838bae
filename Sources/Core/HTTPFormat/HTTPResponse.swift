// SPDX-License-Identifier: Apache-2.0

/// How much of a response is accepted.
package struct HTTPLimits: Sendable, Equatable {
    /// Status line and header fields together, the empty line included (bytes).
    package var headBytesMax: Int
    /// Number of header fields.
    package var headerCountMax: Int
    /// Body after de-framing (bytes).
    package var bodyBytesMax: Int

    package init(headBytesMax: Int = 16 << 10, headerCountMax: Int = 64, bodyBytesMax: Int) {
        self.headBytesMax = headBytesMax
        self.headerCountMax = headerCountMax
        self.bodyBytesMax = bodyBytesMax
    }
}

/// Where a response's parts stand in the bytes it was parsed from.
package struct HTTPResponse: Sendable, Equatable {
    /// One header field.
    package struct Field: Sendable, Equatable {
        /// Lower case.
        package let name: String
        /// Bytes of the value, without spaces around it.
        package let value: Range<Int>
    }

    package let status: Int
    package let fields: [Field]
    /// Bytes of the de-framed body.
    package let body: Range<Int>
    /// Whether another request may follow on the connection (RFC 9112, section 9.3).
    package let isPersistent: Bool

    /// A header value as text, for fields that carry no secret (`Location`, `Retry-After`).
    /// nil when the field is missing, stands more than once or is not ASCII.
    package func publicText(of name: String, in bytes: RawSpan) -> String? {
        let found = fields.filter { $0.name == name }
        guard found.count == 1, let field = found.first else { return nil }
        var text = ""
        for offset in field.value {
            let byte = bytes[byte: offset]
            guard (0x20...0x7E).contains(byte) else { return nil }
            text.unicodeScalars.append(Unicode.Scalar(byte))
        }
        return text
    }
}

/// Why a response was refused.
package enum HTTPFormatFailure: Error, Sendable, Equatable {
    /// Not HTTP/1.1 as RFC 9112 has it; `reason` says which part.
    case malformed(reason: String)
    /// The stream ended inside the response.
    case truncated
    case headTooLarge(limitBytes: Int)
    case tooManyFields(limit: Int)
    case bodyTooLarge(limitBytes: Int)
}

extension RawSpan {
    /// One byte, bounds-checked.
    subscript(byte offset: Int) -> UInt8 {
        unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
}
