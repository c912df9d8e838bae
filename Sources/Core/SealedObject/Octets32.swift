// SPDX-License-Identifier: Apache-2.0

/// 32 bytes that are no secret: a salt, a commitment, a hash. Compared without a shortcut, so that
/// the time it takes does not tell how many bytes agree.
package struct Octets32: Sendable, Hashable {
    package static let byteCount = 32

    package let bytes: InlineArray<32, UInt8>

    package init(_ bytes: InlineArray<32, UInt8>) { self.bytes = bytes }

    /// nil unless there are 32.
    package init?(_ bytes: RawSpan) {
        guard bytes.byteCount == Self.byteCount else { return nil }
        var own = InlineArray<32, UInt8>(repeating: 0)
        for index in 0..<Self.byteCount { own[index] = bytes[byte: index] }
        self.bytes = own
    }

    /// nil unless there are 32.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var own = InlineArray<32, UInt8>(repeating: 0)
        for (index, byte) in bytes.enumerated() { own[index] = byte }
        self.bytes = own
    }

    package var array: [UInt8] { (0..<Self.byteCount).map { bytes[$0] } }

    package static func == (left: Self, right: Self) -> Bool {
        var difference: UInt8 = 0
        for index in 0..<byteCount { difference |= left.bytes[index] ^ right.bytes[index] }
        return difference == 0
    }

    package func hash(into hasher: inout Hasher) {
        for index in 0..<Self.byteCount { hasher.combine(bytes[index]) }
    }
}

extension [UInt8] {
    mutating func append(_ octets: Octets32) {
        for index in 0..<Octets32.byteCount { append(octets.bytes[index]) }
    }

    /// In big-endian order.
    mutating func append<Number: FixedWidthInteger>(bigEndian number: Number) {
        var shift = Number.bitWidth
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: number >> Number(shift)))
        }
    }
}

extension RawSpan {
    /// One byte, bounds-checked.
    subscript(byte offset: Int) -> UInt8 {
        unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// An unsigned number in big-endian order.
    func bigEndian<Number: FixedWidthInteger>(at offset: Int, _: Number.Type) -> Number {
        var number: Number = 0
        for index in 0..<Number.bitWidth / 8 {
            number = number << 8 | Number(self[byte: offset + index])
        }
        return number
    }
}
