// SPDX-License-Identifier: Apache-2.0
internal import SecretMemory

/// Base64 with padding (RFC 4648, section 4) over secret memory: transit's plaintexts.
enum Base64 {
    /// Characters that `count` bytes become.
    static func byteCount(ofEncoded count: Int) -> Int { (count + 2) / 3 * 4 }

    static func append(
        _ bytes: RawSpan, to buffer: inout SecretBuffer
    ) throws(SecretMemoryFailure) {
        for start in stride(from: 0, to: bytes.byteCount, by: 3) {
            let count = min(3, bytes.byteCount - start)
            var group = 0
            for index in 0..<3 {
                let byte: UInt8 =
                    index < count
                    ? bytes.unsafeLoad(fromByteOffset: start + index, as: UInt8.self) : 0
                group = group << 8 | Int(byte)
            }
            for index in 0..<4 {
                let digit = character(group >> (18 - 6 * index) & 63)
                try buffer.append(byte: index <= count ? digit : padding)
            }
        }
    }

    /// Decodes in place: afterwards the first bytes of `text` are the decoded ones, as many as
    /// returned, and the rest is zero. nil: not base64, and nothing was changed.
    static func decodeInPlace(_ text: UnsafeMutableRawBufferPointer) -> Int? {
        guard text.count % 4 == 0 else { return nil }
        let padded = text.suffix(2).reduce(0) { $0 + ($1 == padding ? 1 : 0) }
        let digits = text.count - padded
        guard padded < 2 || text[digits] == padding,
            text.prefix(digits).allSatisfy({ number($0) != nil })
        else { return nil }
        var written = 0
        for start in stride(from: 0, to: text.count, by: 4) {
            var group = 0
            for index in start..<start + 4 {
                group = group << 6 | (index < digits ? number(text[index]) ?? 0 : 0)
            }
            // Three bytes take the place of four characters: writing never overtakes reading.
            for shift in [16, 8, 0] {
                text[written] = UInt8(truncatingIfNeeded: group >> shift)
                written += 1
            }
        }
        written -= padded
        for index in written..<text.count { text[index] = 0 }
        return written
    }

    private static let padding = UInt8(ascii: "=")

    private static func character(_ number: Int) -> UInt8 {
        switch number {
        case ..<26: UInt8(ascii: "A") + UInt8(number)
        case ..<52: UInt8(ascii: "a") + UInt8(number - 26)
        case ..<62: UInt8(ascii: "0") + UInt8(number - 52)
        case 62: UInt8(ascii: "+")
        default: UInt8(ascii: "/")
        }
    }

    private static func number(_ character: UInt8) -> Int? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
