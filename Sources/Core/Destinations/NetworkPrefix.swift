// SPDX-License-Identifier: Apache-2.0

/// A network of IPv4 (RFC 4632) or IPv6 (RFC 4291 §2.3) addresses: those that begin with the same
/// bits.
package struct NetworkPrefix: Sendable, Hashable {
    package enum Family: Sendable, Hashable {
        case version4, version6

        package var bits: Int { self == .version4 ? 32 : 128 }
    }

    package let family: Family
    /// Most significant first, `family.bits` / 8 of them; the bits behind the prefix are zero.
    package let bytes: [UInt8]
    /// Bits that count: 0 ... `family.bits`.
    package let length: Int

    package enum Failure: Error, Sendable, Equatable {
        /// Not an address in digits.
        case address
        /// Not a number of bits that the address has.
        case length
        /// Bits behind the prefix are set: it is unclear what was meant.
        case trailingBits(fix: String)
    }

    package static let everyVersion4 = NetworkPrefix(unchecked: .version4, length: 0)
    package static let everyVersion6 = NetworkPrefix(unchecked: .version6, length: 0)

    private init(unchecked family: Family, length: Int) {
        self.family = family
        self.length = length
        bytes = [UInt8](repeating: 0, count: family.bits / 8)
    }

    private init(masking bytes: [UInt8], _ family: Family, length: Int) {
        self.family = family
        self.length = length
        self.bytes = bytes.enumerated().map { index, byte in
            let kept = min(max(length - 8 * index, 0), 8)
            return byte & UInt8(truncatingIfNeeded: 0xff00 >> kept)
        }
    }

    /// Reads `ADDRESS` or `ADDRESS/LENGTH`. Without a length: the one address.
    package init(_ text: String) throws(Failure) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let family: Family
        let bytes: [UInt8]
        if let four = Self.version4(parts[0]) {
            (family, bytes) = (.version4, four)
        } else if let six = Self.version6(parts[0]) {
            (family, bytes) = (.version6, six)
        } else {
            throw .address
        }
        var length = family.bits
        if parts.count == 2 {
            guard let given = Decimal.number(parts[1], max: family.bits) else { throw .length }
            length = given
        }
        self.init(masking: bytes, family, length: length)
        guard self.bytes == bytes else { throw .trailingBits(fix: self.text) }
    }

    /// As it is read; IPv6 in eight groups, without leading zeros.
    package var text: String {
        let address =
            switch family {
            case .version4: bytes.map { String($0) }.joined(separator: ".")
            case .version6:
                stride(from: 0, to: 16, by: 2).map {
                    String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
                }.joined(separator: ":")
            }
        return "\(address)/\(length)"
    }

    // MARK: - Addresses

    /// Four decimal numbers without leading zeros, which some read as octal.
    private static func version4(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard let number = Decimal.number(part, max: 255) else { return nil }
            bytes.append(UInt8(number))
        }
        return bytes
    }

    /// RFC 4291 §2.2: groups, one `::` for at least one group of zeros, and IPv4 digits at the end.
    /// No zone: it means something on one machine only.
    private static func version6(_ text: Substring) -> [UInt8]? {
        guard let gap = firstGap(in: text) else {
            guard let bytes = groups(text, mayEndInVersion4: true), bytes.count == 16 else {
                return nil
            }
            return bytes
        }
        let before = text[..<gap]
        let after = text[text.index(gap, offsetBy: 2)...]
        guard firstGap(in: after) == nil,
            let head = groups(before, mayEndInVersion4: false),
            let tail = groups(after, mayEndInVersion4: true), head.count + tail.count <= 14
        else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    private static func firstGap(in text: Substring) -> Substring.Index? {
        text.indices.first { index in
            let next = text.index(after: index)
            return text[index] == ":" && next < text.endIndex && text[next] == ":"
        }
    }

    private static func groups(
        _ text: Substring, mayEndInVersion4: Bool
    ) -> [UInt8]? {
        guard !text.isEmpty else { return [] }
        var bytes: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if mayEndInVersion4, index == parts.count - 1, let four = version4(part) {
                return bytes + four
            }
            guard (1...4).contains(part.utf8.count),
                part.utf8.allSatisfy({ Decimal.isHexadecimal($0) }),
                let group = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(group >> 8), UInt8(group & 0xff)]
        }
        return bytes
    }
}

/// Numbers in text, in the one way that each can be written.
package enum Decimal {
    /// Digits without sign and leading zeros, up to `max`.
    package static func number(_ text: Substring, max: Int) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(text), number <= max, text == String(number)
        else { return nil }
        return number
    }

    static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte)
            || (0x61...0x66).contains(byte)
    }
}
