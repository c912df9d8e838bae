// SPDX-License-Identifier: Apache-2.0

extension JSONWriter {
    /// Appends text that is no secret as a quoted string. What must be escaped is (RFC 8259,
    /// section 7), and nothing else.
    package static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        if text.utf8.allSatisfy({ width($0) == 1 }) {
            bytes.append(contentsOf: text.utf8)
        } else {
            for byte in text.utf8 { append(escaping: byte, to: &bytes) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func append(escaping byte: UInt8, to bytes: inout [UInt8]) {
        switch width(byte) {
        case 1: bytes.append(byte)
        case 2:
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        default:
            bytes.append(contentsOf: "\\u00".utf8)
            bytes.append(hexadecimal(byte >> 4))
            bytes.append(hexadecimal(byte & 15))
        }
    }
}
