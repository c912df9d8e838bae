// SPDX-License-Identifier: Apache-2.0

/// A cyclic redundancy check of what was given so far: bits reflected, register all ones at the
/// start and inverted at the end, as all of S3's are
/// (https://reveng.sourceforge.io/crc-catalogue/all.htm).
package struct CyclicRedundancy<Register: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable
{
    private let tables: CyclicRedundancyTables<Register>
    private var register = Register.max

    package init(_ tables: CyclicRedundancyTables<Register>) { self.tables = tables }

    /// Of everything given so far.
    package var checksum: Register { ~register }

    package mutating func update(_ bytes: RawSpan) {
        register = bytes.withUnsafeBytes { tables.advanced(register, by: $0) }
    }
}
