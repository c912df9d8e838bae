// SPDX-License-Identifier: Apache-2.0

/// Text that somebody hostile may have chosen (a task's name, a path), made harmless to show.
///
/// What prints stays as it is. A backslash is doubled; every byte of a control or formatting
/// character, and every byte that is no UTF-8 (RFC 3629), becomes `\xNN`. Text that was cut ends
/// in `\+N`: so many bytes are missing. No other escape exists, so the original can be had back.
package struct EventText: Sendable, Equatable {
    /// Well-formed UTF-8 without control characters.
    package let text: String

    /// - Parameters:
    ///   - bytes: as they were found; a NUL is a byte like others.
    ///   - bytesMax: so many are kept, less the start of a character that would be cut.
    package init(_ bytes: some Sequence<UInt8>, bytesMax: Int) {
        let raw = Array(bytes)
        var output: [UInt8] = []
        output.reserveCapacity(min(raw.count, bytesMax) + 8)
        var offset = 0
        while offset < raw.count {
            let scalar = Self.scalar(in: raw, at: offset)
            let width = scalar?.width ?? 1
            guard offset + width <= bytesMax else { break }
            let piece = raw[offset..<(offset + width)]
            if let scalar, !Self.isHidden(scalar.value) {
                output += piece
                // Doubled: what follows a single one is always `x` or `+`.
                if scalar.value == UInt32(UInt8(ascii: "\\")) { output.append(piece[offset]) }
            } else {
                for byte in piece { Self.appendEscape(of: byte, to: &output) }
            }
            offset += width
        }
        if offset < raw.count { output += Array("\\+\(raw.count - offset)".utf8) }
        text = String(decoding: output, as: UTF8.self)
    }

    /// For text that the agent wrote itself.
    package init(_ text: String, bytesMax: Int) { self.init(text.utf8, bytesMax: bytesMax) }

    /// Most characters that `bytesMax` bytes come to, the mark of a cut included.
    package static func charactersMax(bytesMax: Int) -> Int { 4 * bytesMax + 2 + 20 }

    private static func appendEscape(of byte: UInt8, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\\"))
        output.append(UInt8(ascii: "x"))
        output.append(Hexadecimal.digit(byte >> 4))
        output.append(Hexadecimal.digit(byte & 15))
    }

    /// The well-formed sequence at `offset`, by the table of RFC 3629, section 4.
    private static func scalar(
        in bytes: [UInt8], at offset: Int
    ) -> (value: UInt32, width: Int)? {
        let first = bytes[offset]
        let shape: (width: Int, second: ClosedRange<UInt8>)
        switch first {
        case 0x00...0x7F: return (UInt32(first), 1)
        case 0xC2...0xDF: shape = (2, 0x80...0xBF)
        case 0xE0: shape = (3, 0xA0...0xBF)
        case 0xED: shape = (3, 0x80...0x9F)
        case 0xE1...0xEF: shape = (3, 0x80...0xBF)
        case 0xF0: shape = (4, 0x90...0xBF)
        case 0xF1...0xF3: shape = (4, 0x80...0xBF)
        case 0xF4: shape = (4, 0x80...0x8F)
        default: return nil
        }
        guard offset + shape.width <= bytes.count, shape.second.contains(bytes[offset + 1]) else {
            return nil
        }
        var value = UInt32(first) & (0x7F >> UInt32(shape.width))
        for index in 1..<shape.width {
            let byte = bytes[offset + index]
            guard byte & 0xC0 == 0x80 else { return nil }
            value = value << 6 | UInt32(byte & 0x3F)
        }
        return (value, shape.width)
    }

    /// Characters that move the cursor, turn the direction of writing or show nothing. A list of
    /// its own: the run-time's tables change with its Unicode version, hashed lines must not.
    private static func isHidden(_ value: UInt32) -> Bool {
        switch value {
        case 0x00...0x1F, 0x7F...0x9F, 0xAD, 0x34F, 0x600...0x605, 0x61C, 0x6DD, 0x70F,
            0x115F...0x1160, 0x17B4...0x17B5, 0x180B...0x180F, 0x200B...0x200F,
            0x2028...0x202E, 0x2060...0x206F, 0x3164, 0xFE00...0xFE0F, 0xFEFF, 0xFFA0,
            0xFFF0...0xFFFB, 0x1BCA0...0x1BCA3, 0x1D173...0x1D17A, 0xE0000...0xE0FFF:
            true
        default: false
        }
    }
}

/// Lower-case digits to the base of 16.
enum Hexadecimal {
    static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    static func text(_ bytes: some Sequence<UInt8>) -> String {
        var output: [UInt8] = []
        for byte in bytes {
            output.append(digit(byte >> 4))
            output.append(digit(byte & 15))
        }
        return String(decoding: output, as: UTF8.self)
    }

    static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    /// nil for anything but pairs of lower-case digits.
    static func bytes(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var output: [UInt8] = []
        var high: UInt8?
        for byte in text {
            let value: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = byte - UInt8(ascii: "a") + 10
            default: return nil
            }
            if let first = high {
                output.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return high == nil ? output : nil
    }
}
