// SPDX-License-Identifier: Apache-2.0

/// The form of a request target (RFC 9112, section 3.2).
struct RequestTarget {
    /// In the absolute form, without the scheme.
    let authority: ArraySlice<UInt8>?
    let pathStart: Int

    /// Origin form or absolute form; the others ask for what is not served here.
    init(_ target: [UInt8]) throws(RequestRefusal) {
        // A fragment is never sent.
        guard target.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }) else {
            throw .targetMalformed
        }
        if target.first == UInt8(ascii: "/") {
            authority = nil
            pathStart = 0
            return
        }
        guard let start = Self.schemeEnd(target) else { throw .targetMalformed }
        let rest = target[start...]
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
        let named = rest[..<(end ?? rest.endIndex)]
        guard !named.isEmpty else { throw .targetMalformed }
        authority = named
        pathStart = end ?? target.count
    }

    private static func schemeEnd(_ target: [UInt8]) -> Int? {
        ["http://", "https://"].map { Array($0.utf8) }.first { scheme in
            target.count >= scheme.count && zip(target, scheme).allSatisfy { lowered($0) == $1 }
        }?.count
    }

    /// Whether it may be a host with a port or without (RFC 3986, section 3.2.2). User names are
    /// none of HTTP's (RFC 9110, section 4.2.4).
    static func isAuthority(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                isLetterOrDigit(byte) || "-._~%!$&'()*+,;=:[]".utf8.contains(byte)
            }
    }
}

// MARK: - Bytes (RFC 9110, section 5.6.2)

extension RawSpan {
    /// One byte, bounds-checked.
    subscript(byte offset: Int) -> UInt8 {
        unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
}

let carriageReturn = UInt8(ascii: "\r")
let lineFeed = UInt8(ascii: "\n")
let space = UInt8(ascii: " ")

func isWhitespace(_ byte: UInt8) -> Bool { byte == space || byte == UInt8(ascii: "\t") }

func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default: false
    }
}

func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"),
        UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
        UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"),
        UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
        true
    default: isLetterOrDigit(byte)
    }
}

/// What a field's value may hold; text beyond ASCII too.
func isFieldByte(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\t") || (byte >= 0x20 && byte != 0x7F)
}
