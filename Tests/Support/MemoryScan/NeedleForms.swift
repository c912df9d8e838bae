// SPDX-License-Identifier: Apache-2.0

/// How a secret may be written in memory.
package enum NeedleForm: String, Sendable, CaseIterable {
    case raw
    /// The three ways base64 falls out when 0, 1 or 2 bytes (mod 3) stand before the secret,
    /// without the characters that neighbours share.
    case base64Aligned0, base64Aligned1, base64Aligned2
    case base64URLAligned0, base64URLAligned1, base64URLAligned2
    case hexLower, hexUpper
    /// Percent-encoded but for RFC 3986's unreserved characters.
    case urlEscapedUpper, urlEscapedLower
    /// As a form field: a space is `+`.
    case formEscaped
    /// RFC 8259's short escapes where one exists, `\u00XX` for other control characters.
    case jsonEscaped
    /// The same, with `\/`.
    case jsonEscapedSolidus
    /// The same, with `<`, `>` and `&` as `\u003c`, `\u003e` and `\u0026`: Go's encoder.
    case jsonEscapedGo
    /// Every byte as `\u00xx`, lower and upper case.
    case jsonUnicodeLower, jsonUnicodeUpper
}

/// Writes a form of a needle byte by byte to memory that the caller owns, so that no copy comes
/// to be anywhere else.
struct NeedleWriter {
    private let target: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ target: UnsafeMutableRawBufferPointer) { self.target = target }

    private mutating func put(_ byte: UInt8) {
        precondition(count < target.count, "the form does not fit")
        target[count] = byte
        count += 1
    }

    private mutating func put(_ text: StaticString) {
        text.withUTF8Buffer { for byte in $0 { put(byte) } }
    }

    mutating func write(_ form: NeedleForm, of needle: UnsafeRawBufferPointer) {
        switch form {
        case .raw: for byte in needle { put(byte) }
        case .base64Aligned0: base64(needle, shift: 0, isURL: false)
        case .base64Aligned1: base64(needle, shift: 1, isURL: false)
        case .base64Aligned2: base64(needle, shift: 2, isURL: false)
        case .base64URLAligned0: base64(needle, shift: 0, isURL: true)
        case .base64URLAligned1: base64(needle, shift: 1, isURL: true)
        case .base64URLAligned2: base64(needle, shift: 2, isURL: true)
        case .hexLower: for byte in needle { hex(byte, isUpper: false) }
        case .hexUpper: for byte in needle { hex(byte, isUpper: true) }
        case .urlEscapedUpper: url(needle, isUpper: true, plusForSpace: false)
        case .urlEscapedLower: url(needle, isUpper: false, plusForSpace: false)
        case .formEscaped: url(needle, isUpper: true, plusForSpace: true)
        case .jsonEscaped: for byte in needle { json(byte, solidus: false) }
        case .jsonEscapedSolidus: for byte in needle { json(byte, solidus: true) }
        case .jsonEscapedGo: for byte in needle { jsonGo(byte) }
        case .jsonUnicodeLower: for byte in needle { unicode(byte, isUpper: false) }
        case .jsonUnicodeUpper: for byte in needle { unicode(byte, isUpper: true) }
        }
    }

    /// Only the characters whose six bits all come from the needle.
    private mutating func base64(_ needle: UnsafeRawBufferPointer, shift: Int, isURL: Bool) {
        let bits = needle.count * 8
        // Bit offset, within the needle, of the first character that starts inside it.
        var offset = (6 - shift * 8 % 6) % 6
        while offset + 6 <= bits {
            let index = offset / 8
            let low = index + 1 < needle.count ? UInt16(needle[index + 1]) : 0
            let window = UInt16(needle[index]) << 8 | low
            let six = UInt8(truncatingIfNeeded: window >> UInt16(10 - offset % 8)) & 63
            put(Self.base64Character(six, isURL: isURL))
            offset += 6
        }
    }

    private static func base64Character(_ six: UInt8, isURL: Bool) -> UInt8 {
        switch six {
        case 0..<26: UInt8(ascii: "A") + six
        case 26..<52: UInt8(ascii: "a") + six - 26
        case 52..<62: UInt8(ascii: "0") + six - 52
        case 62: isURL ? UInt8(ascii: "-") : UInt8(ascii: "+")
        default: isURL ? UInt8(ascii: "_") : UInt8(ascii: "/")
        }
    }

    private mutating func hex(_ byte: UInt8, isUpper: Bool) {
        for digit in [byte >> 4, byte & 15] {
            let letter = (isUpper ? UInt8(ascii: "A") : UInt8(ascii: "a")) &+ digit &- 10
            put(digit < 10 ? UInt8(ascii: "0") + digit : letter)
        }
    }

    private mutating func url(
        _ needle: UnsafeRawBufferPointer, isUpper: Bool, plusForSpace: Bool
    ) {
        for byte in needle {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                put(byte)
            case UInt8(ascii: " ") where plusForSpace: put(UInt8(ascii: "+"))
            default:
                put(UInt8(ascii: "%"))
                hex(byte, isUpper: isUpper)
            }
        }
    }

    private mutating func json(_ byte: UInt8, solidus: Bool) {
        switch byte {
        case UInt8(ascii: "\""): put("\\\"")
        case UInt8(ascii: "\\"): put("\\\\")
        case UInt8(ascii: "/") where solidus: put("\\/")
        case 8: put("\\b")
        case 9: put("\\t")
        case 10: put("\\n")
        case 12: put("\\f")
        case 13: put("\\r")
        case 0..<32: unicode(byte, isUpper: false)
        default: put(byte)
        }
    }

    private mutating func jsonGo(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"): unicode(byte, isUpper: false)
        default: json(byte, solidus: false)
        }
    }

    private mutating func unicode(_ byte: UInt8, isUpper: Bool) {
        put("\\u00")
        hex(byte, isUpper: isUpper)
    }
}
