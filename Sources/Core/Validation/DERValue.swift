// SPDX-License-Identifier: Apache-2.0

/// A value in DER (X.690) with a tag of one byte.
struct DERValue {
    static let sequence: UInt8 = 0x30
    static let octets: UInt8 = 0x04
    static let objectIdentifier: UInt8 = 0x06
    private static let utcTime: UInt8 = 0x17
    private static let generalizedTime: UInt8 = 0x18
    /// Bytes of a length; more than these make more than 4 GiB.
    private static let lengthBytesMax = 4

    let tag: UInt8
    let content: ArraySlice<UInt8>
    let after: ArraySlice<UInt8>

    /// nil: the bytes end before the value does.
    init?(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        guard let tag = rest.popFirst(), let first = rest.popFirst() else { return nil }
        var length = Int(first)
        if first >= 0x80 {
            let count = Int(first & 0x7F)
            guard (1...Self.lengthBytesMax).contains(count), rest.count >= count else {
                return nil
            }
            length = rest.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(count)
        }
        guard rest.count >= length else { return nil }
        self.tag = tag
        content = rest.prefix(length)
        after = rest.dropFirst(length)
    }

    /// Seconds since 1970; nil: it is no time (RFC 5280, 4.1.2.5).
    var time: Int64? {
        let text = String(decoding: content, as: UTF8.self)
        guard text.hasSuffix("Z"), text.utf8.dropLast().allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        var digits = Substring(text.dropLast())
        switch (tag, digits.count) {
        case (Self.utcTime, 12): digits = (digits < "50" ? "20" : "19") + digits
        case (Self.generalizedTime, 14): break
        default: return nil
        }
        func number(_ start: Int, _ count: Int) -> Int64 {
            Int64(digits.dropFirst(start).prefix(count)) ?? -1
        }
        return CalendarTime.seconds(
            number(0, 4), number(4, 2), number(6, 2), number(8, 2), number(10, 2), number(12, 2))
    }
}
