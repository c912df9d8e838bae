// SPDX-License-Identifier: Apache-2.0
package import SecretMemory

/// Why a request head could not be written.
package enum HTTPRequestFailure: Error, Sendable, Equatable {
    /// A method, path, host or field holds a byte that would break the head apart.
    case unprintable(part: String)
    case memory(SecretMemoryFailure)
}

/// Writes a request head into secret memory (RFC 9112, section 3), since a field may hold a
/// token.
package enum HTTPRequestWriter {
    /// `POST /v1/… HTTP/1.1` and `Host`.
    ///
    /// - Parameters:
    ///   - path: decoded; everything but unreserved characters and `/` is percent-encoded.
    ///   - host: as it stands in the origin, with the port unless it is the default.
    package static func begin(
        _ method: StaticString, path: String, host: String, into buffer: inout SecretBuffer
    ) throws(HTTPRequestFailure) {
        guard path.utf8.first == UInt8(ascii: "/") else { throw .unprintable(part: "path") }
        try appending { () throws(SecretMemoryFailure) in
            try buffer.append(text: method)
            try buffer.append(byte: UInt8(ascii: " "))
            for byte in path.utf8 {
                if isUnreserved(byte) || byte == UInt8(ascii: "/") {
                    try buffer.append(byte: byte)
                } else {
                    try buffer.append(byte: UInt8(ascii: "%"))
                    try buffer.append(byte: hexadecimal(byte >> 4))
                    try buffer.append(byte: hexadecimal(byte & 15))
                }
            }
            try buffer.append(text: " HTTP/1.1\r\n")
        }
        try field("Host", host, into: &buffer)
    }

    /// A field whose value is not secret.
    package static func field(
        _ name: StaticString, _ value: String, into buffer: inout SecretBuffer
    ) throws(HTTPRequestFailure) {
        guard value.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw .unprintable(part: name.description)
        }
        try appending { () throws(SecretMemoryFailure) in
            try buffer.append(text: name)
            try buffer.append(text: ": ")
            try buffer.append(text: value)
            try buffer.append(text: "\r\n")
        }
    }

    /// A field whose value is secret.
    package static func field(
        _ name: StaticString, secret value: borrowing SecretBuffer,
        into buffer: inout SecretBuffer
    ) throws(HTTPRequestFailure) {
        let isPrintable = value.withBytes { bytes in
            (0..<bytes.byteCount).allSatisfy { (0x21...0x7E).contains(bytes[byte: $0]) }
        }
        guard isPrintable else { throw .unprintable(part: name.description) }
        try appending { () throws(SecretMemoryFailure) in
            try buffer.append(text: name)
            try buffer.append(text: ": ")
            try value.withBytes { bytes throws(SecretMemoryFailure) in
                try buffer.append(bytes)
            }
            try buffer.append(text: "\r\n")
        }
    }

    /// The empty line.
    package static func end(into buffer: inout SecretBuffer) throws(HTTPRequestFailure) {
        try appending { () throws(SecretMemoryFailure) in try buffer.append(text: "\r\n") }
    }

    private static func appending(
        _ body: () throws(SecretMemoryFailure) -> Void
    ) throws(HTTPRequestFailure) {
        do throws(SecretMemoryFailure) { try body() } catch { throw .memory(error) }
    }

    /// RFC 3986, section 2.3.
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func hexadecimal(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}
