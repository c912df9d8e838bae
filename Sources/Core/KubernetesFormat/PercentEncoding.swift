// SPDX-License-Identifier: Apache-2.0

/// RFC 3986, section 2.1.
package enum PercentEncoding {
    /// Everything but unreserved characters, and those that are kept.
    package static func text(_ text: String, keeping kept: String = "") -> String {
        let digits = Array("0123456789ABCDEF")
        let plain = Set("-._~\(kept)".utf8)
        return text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                guard !plain.contains(byte) else {
                    result.unicodeScalars.append(Unicode.Scalar(byte))
                    return
                }
                result.append("%")
                result.append(digits[Int(byte >> 4)])
                result.append(digits[Int(byte & 15)])
            }
        }
    }
}
