// SPDX-License-Identifier: Apache-2.0

/// Comparison whose time does not depend on where two texts differ.
package enum ConstantTime {
    /// Whether both are equal. Their lengths are not kept secret.
    package static func areEqual(_ left: RawSpan, _ right: RawSpan) -> Bool {
        guard left.byteCount == right.byteCount else { return false }
        var difference: UInt8 = 0
        for offset in 0..<left.byteCount {
            difference |=
                left.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
                ^ right.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        }
        return difference == 0
    }
}
