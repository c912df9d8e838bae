// SPDX-License-Identifier: Apache-2.0

/// How secret bytes may be written down. Each gives the texts that a run of the secret's bytes
/// shows as, wherever the run stands in what was encoded.
package enum TaintEncoding: String, Sendable, CaseIterable {
    case raw, base64, base64URL, hexadecimalLower, hexadecimalUpper, urlEncoded, jsonEscaped, utf16

    /// Patterns of one run of `TaintOracle.runBytes` bytes.
    func patterns(of run: ArraySlice<UInt8>) -> [[UInt8]] {
        switch self {
        case .raw: [Array(run)]
        case .base64: (0..<3).map { Self.base64(run, alignment: $0, alphabet: Self.standard) }
        case .base64URL: (0..<3).map { Self.base64(run, alignment: $0, alphabet: Self.urlSafe) }
        case .hexadecimalLower: [Self.hexadecimal(run, digits: Self.lower)]
        case .hexadecimalUpper: [Self.hexadecimal(run, digits: Self.upper)]
        case .urlEncoded: Self.urlEncoded(run)
        case .jsonEscaped: Self.jsonEscaped(run)
        case .utf16: Self.utf16(run)
        }
    }

    /// All of `bytes` in this encoding, for canaries and attacks; the first of several forms.
    package func encoded(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .raw: bytes
        case .base64: Self.base64(bytes[...], alignment: 0, alphabet: Self.standard)
        case .base64URL: Self.base64(bytes[...], alignment: 0, alphabet: Self.urlSafe)
        case .hexadecimalLower: Self.hexadecimal(bytes[...], digits: Self.lower)
        case .hexadecimalUpper: Self.hexadecimal(bytes[...], digits: Self.upper)
        case .urlEncoded: Self.urlEncoded(bytes[...])[0]
        case .jsonEscaped: Self.jsonEscaped(bytes[...])[0]
        case .utf16: Self.utf16(bytes[...])[0]
        }
    }

    private static let lower = Array("0123456789abcdef".utf8)
    private static let upper = Array("0123456789ABCDEF".utf8)
    private static let letters = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
    private static let standard = letters + Array("+/".utf8)
    private static let urlSafe = letters + Array("-_".utf8)

    /// The digits that the run alone decides when `alignment` bytes stand before it in its group
    /// of three: whole groups of six bits (RFC 4648, section 4).
    private static func base64(
        _ run: ArraySlice<UInt8>, alignment: Int, alphabet: [UInt8]
    ) -> [UInt8] {
        let firstBit = (6 - alignment * 8 % 6) % 6
        let bits = run.count * 8
        return stride(from: firstBit, through: bits - 6, by: 6).map { bit in
            let byte = run.startIndex + bit / 8
            let pair =
                UInt16(run[byte]) << 8 | (byte + 1 < run.endIndex ? UInt16(run[byte + 1]) : 0)
            return alphabet[Int(pair >> UInt16(10 - bit % 8)) & 63]
        }
    }

    private static func hexadecimal(_ run: ArraySlice<UInt8>, digits: [UInt8]) -> [UInt8] {
        run.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }

    /// Percent-encoding (RFC 3986) with either case of digits, of what must be encoded or of
    /// everything, and forms where a space is `+`.
    private static func urlEncoded(_ run: ArraySlice<UInt8>) -> [[UInt8]] {
        let unreserved = Set(letters + Array("-._~".utf8))
        func percent(_ byte: UInt8, _ digits: [UInt8]) -> [UInt8] {
            [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        var forms: [[UInt8]] = []
        for digits in [upper, lower] {
            forms.append(run.flatMap { unreserved.contains($0) ? [$0] : percent($0, digits) })
            forms.append(run.flatMap { percent($0, digits) })
        }
        if run.contains(UInt8(ascii: " ")) {
            forms.append(
                run.flatMap { byte in
                    byte == UInt8(ascii: " ")
                        ? [UInt8(ascii: "+")]
                        : unreserved.contains(byte) ? [byte] : percent(byte, upper)
                })
        }
        return forms
    }

    /// JSON strings (RFC 8259): the shortest escapes, with `/` escaped too, and `\u` for all that
    /// is not ASCII.
    private static func jsonEscaped(_ run: ArraySlice<UInt8>) -> [[UInt8]] {
        let short: [UInt8: Character] = [8: "b", 9: "t", 10: "n", 12: "f", 13: "r"]
        func escaped(_ byte: UInt8, slash: Bool, ascii: Bool) -> [UInt8] {
            let backslash = UInt8(ascii: "\\")
            if let letter = short[byte]?.asciiValue { return [backslash, letter] }
            if byte == UInt8(ascii: "\"") || byte == backslash { return [backslash, byte] }
            if byte == UInt8(ascii: "/"), slash { return [backslash, byte] }
            guard byte < 0x20 || byte >= 0x7F && ascii else { return [byte] }
            return Array("\\u00".utf8) + [lower[Int(byte >> 4)], lower[Int(byte & 15)]]
        }
        return [(false, false), (true, false), (false, true)].map { slash, ascii in
            run.flatMap { escaped($0, slash: slash, ascii: ascii) }
        }
    }

    /// Both byte orders, each byte as the character of its number (ISO 8859-1).
    private static func utf16(_ run: ArraySlice<UInt8>) -> [[UInt8]] {
        // The zero byte at the outer end belongs to the neighbour as well: left out, a run that is
        // cut there is still found.
        [run.flatMap { [$0, 0] }.dropLast(), run.flatMap { [0, $0] }.dropFirst()].map { Array($0) }
    }
}
