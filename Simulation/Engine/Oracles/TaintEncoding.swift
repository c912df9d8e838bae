// SPDX-License-Identifier: Apache-2.0

/// How secret bytes may be written down.
package enum TaintEncoding: String, Sendable, CaseIterable {
    case raw, base64, base64URL, hexadecimalLower, hexadecimalUpper, urlEncoded, jsonEscaped, utf16

    /// One spelling of a whole secret, and where in it each run of the secret's bytes shows: only
    /// what the run alone decides, wherever it stands in what was encoded.
    struct Form {
        var text: [UInt8] = []
        /// By the run's first byte.
        var runs: [Range<Int>] = []
    }

    /// All of `bytes` in this encoding, for canaries and attacks; the first of several forms.
    package func encoded(_ bytes: [UInt8]) -> [UInt8] { forms(of: bytes, runBytes: 1)[0].text }

    /// Every usual spelling of `bytes`, with its runs of `runBytes`.
    func forms(of bytes: [UInt8], runBytes: Int) -> [Form] {
        switch self {
        case .raw: [Form(bytes, runBytes) { $0.append($1) }]
        case .base64: (0..<3).map { Form(base64: bytes, runBytes, after: $0, Self.standard) }
        case .base64URL: (0..<3).map { Form(base64: bytes, runBytes, after: $0, Self.urlSafe) }
        case .hexadecimalLower: [Self.hexadecimal(bytes, runBytes, Self.lower)]
        case .hexadecimalUpper: [Self.hexadecimal(bytes, runBytes, Self.upper)]
        case .urlEncoded: Self.urlEncoded(bytes, runBytes)
        case .jsonEscaped: Self.jsonEscaped(bytes, runBytes)
        case .utf16: Self.utf16(bytes, runBytes)
        }
    }

    private static let lower = Array("0123456789abcdef".utf8)
    private static let upper = Array("0123456789ABCDEF".utf8)
    private static let letters = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
    private static let standard = letters + Array("+/".utf8)
    private static let urlSafe = letters + Array("-_".utf8)
    /// RFC 3986, section 2.3.
    private static let isUnreserved: [Bool] = (0..<256).map { byte in
        (letters + Array("-._~".utf8)).contains(UInt8(byte))
    }

    private static func hexadecimal(_ bytes: [UInt8], _ runBytes: Int, _ digits: [UInt8]) -> Form {
        Form(bytes, runBytes) { text, byte in
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
    }

    /// Percent-encoding (RFC 3986) with either case of digits, of what must be encoded or of
    /// everything, and a form where a space is `+`.
    private static func urlEncoded(_ bytes: [UInt8], _ runBytes: Int) -> [Form] {
        func form(_ digits: [UInt8], all: Bool = false, plus: Bool = false) -> Form {
            Form(bytes, runBytes) { text, byte in
                if isUnreserved[Int(byte)], !all { return text.append(byte) }
                if byte == UInt8(ascii: " "), plus { return text.append(UInt8(ascii: "+")) }
                text.append(UInt8(ascii: "%"))
                text.append(digits[Int(byte >> 4)])
                text.append(digits[Int(byte & 15)])
            }
        }
        let forms = [form(upper), form(lower), form(upper, all: true), form(lower, all: true)]
        return bytes.contains(UInt8(ascii: " ")) ? forms + [form(upper, plus: true)] : forms
    }

    /// JSON strings (RFC 8259): the shortest escapes, with `/` escaped too, and `\u` for all that
    /// is not ASCII.
    private static func jsonEscaped(_ bytes: [UInt8], _ runBytes: Int) -> [Form] {
        let short: [UInt8: UInt8] = [
            8: UInt8(ascii: "b"), 9: UInt8(ascii: "t"), 10: UInt8(ascii: "n"),
            12: UInt8(ascii: "f"), 13: UInt8(ascii: "r"), 0x22: 0x22, 0x5C: 0x5C,
        ]
        let backslash = UInt8(ascii: "\\")
        func form(slash: Bool = false, ascii: Bool = false) -> Form {
            Form(bytes, runBytes) { text, byte in
                if let letter = short[byte] ?? (slash && byte == UInt8(ascii: "/") ? byte : nil) {
                    text.append(backslash)
                    text.append(letter)
                } else if byte < 0x20 || byte >= 0x7F && ascii {
                    text += [backslash, UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0")]
                    text.append(lower[Int(byte >> 4)])
                    text.append(lower[Int(byte & 15)])
                } else {
                    text.append(byte)
                }
            }
        }
        return [form(), form(slash: true), form(ascii: true)]
    }

    /// Both byte orders, each byte as the character of its number (ISO 8859-1). The zero byte at
    /// a run's outer end is its neighbour's as well: without it, a run that is cut there is still
    /// found.
    private static func utf16(_ bytes: [UInt8], _ runBytes: Int) -> [Form] {
        var little = Form(bytes, runBytes) { text, byte in
            text.append(byte)
            text.append(0)
        }
        var big = Form(bytes, runBytes) { text, byte in
            text.append(0)
            text.append(byte)
        }
        little.runs = little.runs.map { $0.lowerBound..<$0.upperBound - 1 }
        big.runs = big.runs.map { $0.lowerBound + 1..<$0.upperBound }
        return [little, big]
    }
}

extension TaintEncoding.Form {
    /// An encoding that writes each byte on its own.
    init(
        _ bytes: [UInt8], _ runBytes: Int, _ write: (_ text: inout [UInt8], UInt8) -> Void
    ) {
        var starts = [0]
        starts.reserveCapacity(bytes.count + 1)
        for byte in bytes {
            write(&text, byte)
            starts.append(text.count)
        }
        guard bytes.count >= runBytes else { return }
        runs = (0...(bytes.count - runBytes)).map { starts[$0]..<starts[$0 + runBytes] }
    }

    /// Base64 (RFC 4648, section 4) of what follows `padding` other bytes, without the last,
    /// incomplete digit. A run decides the digits whose six bits are all its own.
    init(base64 bytes: [UInt8], _ runBytes: Int, after padding: Int, _ alphabet: [UInt8]) {
        var bits: UInt32 = 0
        var count = padding * 8 % 6
        let skipped = padding * 8 / 6
        text = [UInt8](repeating: alphabet[0], count: skipped)
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count)) & 63])
            }
        }
        guard bytes.count >= runBytes else { return }
        runs = (0...(bytes.count - runBytes)).map { first in
            let start = 8 * (padding + first)
            return (start + 5) / 6..<(start + 8 * runBytes) / 6
        }
    }
}
