// SPDX-License-Identifier: Apache-2.0

/// Other writings of a value, made without the code that looks for them.
enum LeakText {
    private static let letters = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Base64 (RFC 4648) of the value behind `count` other bytes and before some.
    static func base64(_ value: [UInt8], after count: Int) -> [UInt8] {
        let bytes = [UInt8](repeating: 0x21, count: count) + value + [0x21, 0x21]
        let bits = bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
        return stride(from: 0, to: bits.count - 5, by: 6).map { start in
            letters[bits[start..<start + 6].reduce(0) { $0 << 1 | Int($1) }]
        }
    }

    static func hex(_ value: [UInt8], upper: Bool) -> [UInt8] {
        let digits = Array((upper ? "0123456789ABCDEF" : "0123456789abcdef").utf8)
        return value.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }

    /// Six bits of each byte, four to three bytes: as a compressor would.
    static func packed(_ value: [UInt8]) -> [UInt8] {
        let bits = value.flatMap { byte in (0..<6).map { byte >> (5 - $0) & 1 } }
        return stride(from: 0, to: bits.count - 7, by: 8).map { start in
            bits[start..<start + 8].reduce(0) { $0 << 1 | $1 }
        }
    }
}
