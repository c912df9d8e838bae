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

/// Tables to go over sixteen bytes in one step: table k holds the effect of a byte that k more
/// bytes follow (Kounavis and Berry, "Novel Table Lookup-Based Algorithms for High-Performance
/// CRC Generation", 2008). 16 KiB for 32 bits, 32 KiB for 64.
package struct CyclicRedundancyTables<
    Register: FixedWidthInteger & UnsignedInteger & Sendable
>: Sendable {
    private static var stepBytes: Int { 16 }

    private let entries: [Register]

    /// - Parameter polynomial: bits reflected, without the highest.
    fileprivate init(polynomial: Register) {
        var entries = [Register](repeating: 0, count: Self.stepBytes * 256)
        for byte in 0..<256 {
            var value = Register(byte)
            for _ in 0..<8 { value = value >> 1 ^ (value & 1 == 1 ? polynomial : 0) }
            entries[byte] = value
        }
        for index in 256..<entries.count {
            let before = entries[index - 256]
            entries[index] = before >> 8 ^ entries[Int(before & 255)]
        }
        self.entries = entries
    }

    fileprivate func advanced(_ start: Register, by bytes: UnsafeRawBufferPointer) -> Register {
        entries.withUnsafeBufferPointer { entries in
            guard let table = entries.baseAddress, let first = bytes.baseAddress else {
                return start
            }
            var register = start
            var offset = 0
            while offset &+ Self.stepBytes <= bytes.count {
                register = Self.step(register, first + offset, table)
                offset &+= Self.stepBytes
            }
            while offset < bytes.count {
                let place = Int((register ^ Register(bytes[offset])) & 255)
                register = register >> 8 ^ table[place]
                offset &+= 1
            }
            return register
        }
    }

    /// Sixteen bytes further. The register is at most eight bytes wide.
    @inline(__always)
    private static func step(
        _ register: Register, _ bytes: UnsafeRawPointer, _ table: UnsafePointer<Register>
    ) -> Register {
        let low =
            UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
            ^ UInt64(truncatingIfNeeded: register)
        let high = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        return eight(low, table + 8 * 256) ^ eight(high, table)
    }

    /// The effect of eight bytes; `table` is that of the last of them.
    @inline(__always)
    private static func eight(_ bytes: UInt64, _ table: UnsafePointer<Register>) -> Register {
        @inline(__always) func effect(_ index: Int) -> Register {
            table[
                (7 &- index) &* 256 &+ Int(truncatingIfNeeded: bytes &>> (8 &* UInt64(index)) & 255)
            ]
        }
        let first = effect(0) ^ effect(1) ^ (effect(2) ^ effect(3))
        let second = effect(4) ^ effect(5) ^ (effect(6) ^ effect(7))
        return first ^ second
    }
}

extension CyclicRedundancyTables<UInt32> {
    /// CRC-32/ISO-HDLC: 0x04C11DB7, of "123456789" 0xCBF43926.
    package static let crc32 = CyclicRedundancyTables(polynomial: 0xEDB8_8320)
    /// CRC-32/ISCSI: 0x1EDC6F41, of "123456789" 0xE3069283 (RFC 3720, appendix B.4).
    package static let crc32c = CyclicRedundancyTables(polynomial: 0x82F6_3B78)
}

extension CyclicRedundancyTables<UInt64> {
    /// CRC-64/NVME: 0xAD93D23594C93659, of "123456789" 0xAE8B14860A799888
    /// (NVM Command Set Specification 1.0d, section 5.2.1.3.4).
    package static let crc64nvme = CyclicRedundancyTables(polynomial: 0x9A6C_9329_AC4B_C9B5)
}
