// SPDX-License-Identifier: Apache-2.0
package import SecretMemory

/// Writes the strings of JSON, those of secrets into secret memory.
package enum JSONWriter {
    /// Bytes that `append` will write for `text`, quotes included.
    package static func byteCount(of text: RawSpan) -> Int {
        var count = 2
        for offset in 0..<text.byteCount { count += width(text[byte: offset]) }
        return count
    }

    /// Appends `text` (UTF-8) as a quoted string.
    package static func append(
        _ text: RawSpan, to buffer: inout SecretBuffer
    ) throws(SecretMemoryFailure) {
        try buffer.append(byte: UInt8(ascii: "\""))
        for offset in 0..<text.byteCount {
            let byte = text[byte: offset]
            switch width(byte) {
            case 1: try buffer.append(byte: byte)
            case 2:
                try buffer.append(byte: UInt8(ascii: "\\"))
                try buffer.append(byte: byte)
            default:
                try buffer.append(text: "\\u00")
                try buffer.append(byte: hexadecimal(byte >> 4))
                try buffer.append(byte: hexadecimal(byte & 15))
            }
        }
        try buffer.append(byte: UInt8(ascii: "\""))
    }

    static func width(_ byte: UInt8) -> Int {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): 2
        case ..<0x20: 6
        default: 1
        }
    }

    static func hexadecimal(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
