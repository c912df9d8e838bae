// SPDX-License-Identifier: Apache-2.0

extension JSONText {
    /// Up to four UTF-8 bytes, the first in the lowest byte.
    struct Piece {
        var bytes: UInt32
        var count: Int
    }

    /// Walks the inside of a string, one character or escape at a time.
    struct Decoder {
        /// Of the next byte to read; after `next` returned nil, of the closing quote.
        private(set) var offset: Int

        /// - Parameter offset: just after the opening quote.
        init(offset: Int) { self.offset = offset }

        /// The next character's bytes, or nil at the closing quote.
        mutating func next(in document: RawSpan) throws(JSONFormatFailure) -> Piece? {
            let first = try byte(at: offset, in: document)
            switch first {
            case UInt8(ascii: "\""): return nil
            case UInt8(ascii: "\\"): return try escape(in: document)
            case 0x20..<0x80:
                offset += 1
                return Piece(bytes: UInt32(first), count: 1)
            case ..<0x20: throw .syntax(offset: offset)
            default: return try multibyte(first, in: document)
            }
        }

        /// Well-formed sequences of RFC 3629, section 4: no overlong forms, no surrogates,
        /// nothing above U+10FFFF.
        private mutating func multibyte(
            _ first: UInt8, in document: RawSpan
        ) throws(JSONFormatFailure) -> Piece {
            let count: Int
            let second: ClosedRange<UInt8>
            switch first {
            case 0xC2...0xDF: (count, second) = (2, 0x80...0xBF)
            case 0xE0: (count, second) = (3, 0xA0...0xBF)
            case 0xED: (count, second) = (3, 0x80...0x9F)
            case 0xE1...0xEF: (count, second) = (3, 0x80...0xBF)
            case 0xF0: (count, second) = (4, 0x90...0xBF)
            case 0xF1...0xF3: (count, second) = (4, 0x80...0xBF)
            case 0xF4: (count, second) = (4, 0x80...0x8F)
            default: throw .encoding(offset: offset)
            }
            var piece = Piece(bytes: UInt32(first), count: count)
            for index in 1..<count {
                let next = try byte(at: offset + index, in: document)
                let allowed = index == 1 ? second : 0x80...0xBF
                guard allowed.contains(next) else { throw .encoding(offset: offset) }
                piece.bytes |= UInt32(next) << (8 * UInt32(index))
            }
            offset += count
            return piece
        }

        private mutating func escape(in document: RawSpan) throws(JSONFormatFailure) -> Piece {
            let start = offset
            let letter = try byte(at: offset + 1, in: document)
            offset += 2
            switch letter {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
                return Piece(bytes: UInt32(letter), count: 1)
            case UInt8(ascii: "b"): return Piece(bytes: 0x08, count: 1)
            case UInt8(ascii: "f"): return Piece(bytes: 0x0C, count: 1)
            case UInt8(ascii: "n"): return Piece(bytes: 0x0A, count: 1)
            case UInt8(ascii: "r"): return Piece(bytes: 0x0D, count: 1)
            case UInt8(ascii: "t"): return Piece(bytes: 0x09, count: 1)
            case UInt8(ascii: "u"): return Self.encode(try scalar(from: start, in: document))
            default: throw .syntax(offset: start)
            }
        }

        /// After `\u`: one unit, or a surrogate pair (RFC 8259, section 7).
        private mutating func scalar(
            from start: Int, in document: RawSpan
        ) throws(JSONFormatFailure) -> UInt32 {
            let unit = try hexadecimal(in: document)
            switch unit {
            case 0xD800...0xDBFF:
                guard try byte(at: offset, in: document) == UInt8(ascii: "\\"),
                    try byte(at: offset + 1, in: document) == UInt8(ascii: "u")
                else { throw .loneSurrogate(offset: start) }
                offset += 2
                let low = try hexadecimal(in: document)
                guard (0xDC00...0xDFFF).contains(low) else { throw .loneSurrogate(offset: start) }
                return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
            case 0xDC00...0xDFFF: throw .loneSurrogate(offset: start)
            default: return unit
            }
        }

        private mutating func hexadecimal(
            in document: RawSpan
        ) throws(JSONFormatFailure) -> UInt32 {
            var unit: UInt32 = 0
            for _ in 0..<4 {
                let digit = try byte(at: offset, in: document)
                let value: UInt8
                switch digit {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
                case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
                case UInt8(ascii: "A")...UInt8(ascii: "F"): value = digit - UInt8(ascii: "A") + 10
                default: throw .syntax(offset: offset)
                }
                unit = unit << 4 | UInt32(value)
                offset += 1
            }
            return unit
        }

        private static func encode(_ scalar: UInt32) -> Piece {
            switch scalar {
            case ..<0x80: return Piece(bytes: scalar, count: 1)
            case ..<0x800:
                return Piece(
                    bytes: (0xC0 | scalar >> 6) | (0x80 | scalar & 0x3F) << 8, count: 2)
            case ..<0x10000:
                return Piece(
                    bytes: (0xE0 | scalar >> 12) | (0x80 | scalar >> 6 & 0x3F) << 8
                        | (0x80 | scalar & 0x3F) << 16, count: 3)
            default:
                return Piece(
                    bytes: (0xF0 | scalar >> 18) | (0x80 | scalar >> 12 & 0x3F) << 8
                        | (0x80 | scalar >> 6 & 0x3F) << 16 | (0x80 | scalar & 0x3F) << 24,
                    count: 4)
            }
        }

        private func byte(
            at offset: Int, in document: RawSpan
        ) throws(JSONFormatFailure) -> UInt8 {
            guard offset < document.byteCount else { throw .syntax(offset: offset) }
            return document[byte: offset]
        }
    }
}
