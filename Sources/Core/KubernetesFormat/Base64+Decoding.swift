// SPDX-License-Identifier: Apache-2.0

extension Base64 {
    /// nil: not base64 with padding. Bits that stand for nothing must be zero (RFC 4648,
    /// section 3.5): one text for one content.
    package static func decoded(_ text: String) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 4 == 0 else { return nil }
        let padding = characters.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 4 * 3)
        var bits: UInt32 = 0
        for (index, character) in characters.dropLast(padding).enumerated() {
            guard let digit = number(character) else { return nil }
            bits = bits << 6 | digit
            guard index % 4 == 3 else { continue }
            for shift: UInt32 in [16, 8, 0] {
                bytes.append(UInt8(truncatingIfNeeded: bits >> shift))
            }
            bits = 0
        }
        switch padding {
        case 0: return bytes
        case 1:
            guard bits & 3 == 0 else { return nil }
            return bytes + [UInt8(bits >> 10 & 255), UInt8(bits >> 2 & 255)]
        default:
            guard bits & 15 == 0 else { return nil }
            return bytes + [UInt8(bits >> 4 & 255)]
        }
    }

    private static func number(_ character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a") + 26)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0") + 52)
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
