// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher
import TestKit
import Testing

@Suite struct `Checksums of S3` {
    private static func checksum(_ algorithm: ChecksumAlgorithm, _ bytes: [UInt8]) -> String {
        var running = RunningChecksum(algorithm, CryptoHasher())
        running.update(bytes.span.bytes)
        return hexadecimal(running.finished())
    }

    /// The check column of https://reveng.sourceforge.io/crc-catalogue/all.htm; FIPS 180-4's own
    /// for the digests.
    @Test(arguments: [
        (ChecksumAlgorithm.crc32, "123456789", "cbf43926"),
        (.crc32c, "123456789", "e3069283"),
        (.crc64nvme, "123456789", "ae8b14860a799888"),
        (.sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (.crc32, "", "00000000"), (.crc32c, "", "00000000"), (.crc64nvme, "", "0000000000000000"),
    ])
    func `have the published check values`(
        _ algorithm: ChecksumAlgorithm, _ text: String, _ wanted: String
    ) {
        #expect(Self.checksum(algorithm, Array(text.utf8)) == wanted)
    }

    /// RFC 3720, appendix B.4: 32 bytes of zeros, of ones, rising, falling, and a SCSI command.
    @Test func `CRC-32C has the values of RFC 3720`() {
        let rising = (0..<32).map { UInt8($0) }
        #expect(Self.checksum(.crc32c, [UInt8](repeating: 0, count: 32)) == "8a9136aa")
        #expect(Self.checksum(.crc32c, [UInt8](repeating: 0xFF, count: 32)) == "62a8ab43")
        #expect(Self.checksum(.crc32c, rising) == "46dd794e")
        #expect(Self.checksum(.crc32c, rising.reversed()) == "113fdb5c")
        let command: [UInt8] = [
            0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
            0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
        ]
        #expect(Self.checksum(.crc32c, command) == "d9963a56")
    }

    /// NVM Command Set Specification 1.0d, figure "64b CRC Test Cases", for 4 KiB.
    @Test func `CRC-64NVME has the values of its specification`() {
        let rising = (0..<4096).map { UInt8($0 & 255) }
        #expect(
            Self.checksum(.crc64nvme, [UInt8](repeating: 0, count: 4096)) == "6482d367eb22b64e")
        #expect(
            Self.checksum(.crc64nvme, [UInt8](repeating: 0xFF, count: 4096)) == "c0ddba7302eca3ac")
        #expect(Self.checksum(.crc64nvme, rising) == "3e729f5f6750449c")
        #expect(Self.checksum(.crc64nvme, rising.reversed()) == "9a2df64b8e9e517e")
    }

    /// The plain definition, a bit at a time.
    private static func slowly<Register: FixedWidthInteger & UnsignedInteger>(
        _ polynomial: Register, _ bytes: [UInt8]
    ) -> Register {
        var register = Register.max
        for byte in bytes {
            register ^= Register(byte)
            for _ in 0..<8 { register = register >> 1 ^ (register & 1 == 1 ? polynomial : 0) }
        }
        return ~register
    }

    @Test func `agree with the definition for every length, in any pieces`() {
        let seed: UInt64 = 1
        var random = SeededGenerator(seed: seed)
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            var castagnoli = CyclicRedundancy(CyclicRedundancyTables.crc32c)
            var plain = CyclicRedundancy(CyclicRedundancyTables.crc32)
            var wide = CyclicRedundancy(CyclicRedundancyTables.crc64nvme)
            var rest = bytes[...]
            repeat {
                let piece = Array(rest.prefix(Int.random(in: 0...40, using: &random)))
                rest = rest.dropFirst(piece.count)
                castagnoli.update(piece.span.bytes)
                plain.update(piece.span.bytes)
                wide.update(piece.span.bytes)
            } while !rest.isEmpty
            #expect(castagnoli.checksum == Self.slowly(0x82F6_3B78 as UInt32, bytes), "\(count)")
            #expect(plain.checksum == Self.slowly(0xEDB8_8320 as UInt32, bytes), "\(count)")
            #expect(
                wide.checksum == Self.slowly(0x9A6C_9329_AC4B_C9B5 as UInt64, bytes), "\(count)")
        }
    }

    /// Around the length from which bytes are folded, around blocks of it, and far above.
    @Test func `agree with the definition where bytes are folded`() {
        var random = SeededGenerator(seed: 3)
        let bytes = (0..<20_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        let least = [
            CyclicRedundancyTables.crc32.foldedBytesMin,
            CyclicRedundancyTables.crc32c.foldedBytesMin,
            CyclicRedundancyTables.crc64nvme.foldedBytesMin,
        ]
        let around = least.flatMap { [$0 - 1, $0, $0 + 1, $0 + 63, $0 + 64, $0 + 65] }
        let blocks = least.map { $0 + 8192 }
        for count in around + blocks + [20_000] {
            for start in [0, 7] {
                let whole = Array(bytes[start..<count])
                let rest = Array(bytes[..<start])
                var plain = CyclicRedundancy(CyclicRedundancyTables.crc32)
                var castagnoli = CyclicRedundancy(CyclicRedundancyTables.crc32c)
                var wide = CyclicRedundancy(CyclicRedundancyTables.crc64nvme)
                for piece in [rest, whole] {
                    plain.update(piece.span.bytes)
                    castagnoli.update(piece.span.bytes)
                    wide.update(piece.span.bytes)
                }
                let all = rest + whole
                #expect(plain.checksum == Self.slowly(0xEDB8_8320 as UInt32, all), "\(count)")
                #expect(castagnoli.checksum == Self.slowly(0x82F6_3B78 as UInt32, all), "\(count)")
                #expect(
                    wide.checksum == Self.slowly(0x9A6C_9329_AC4B_C9B5 as UInt64, all), "\(count)")
            }
        }
    }

    /// Folding moves words: a bit of any word of a long text has to count.
    @Test func `every word counts where bytes are folded`() {
        var bytes = [UInt8](repeating: 0, count: 12_000)
        let whole = ChecksumAlgorithm.allCases.map { Self.checksum($0, bytes) }
        for place in stride(from: 0, to: bytes.count, by: 88) {
            bytes[place + place / 8 % 8] = 1
            for (algorithm, checksum) in zip(ChecksumAlgorithm.allCases, whole).prefix(3) {
                #expect(Self.checksum(algorithm, bytes) != checksum, "\(place)")
            }
            bytes[place + place / 8 % 8] = 0
        }
    }

    @Test func `every bit counts`() {
        let bytes = [UInt8](repeating: 7, count: 61)
        for algorithm in ChecksumAlgorithm.allCases {
            let whole = Self.checksum(algorithm, bytes)
            for bit in 0..<bytes.count * 8 {
                var other = bytes
                other[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(Self.checksum(algorithm, other) != whole)
            }
        }
    }

    @Test func `a copy goes on for itself`() {
        for algorithm in ChecksumAlgorithm.allCases {
            var running = RunningChecksum(algorithm, CryptoHasher())
            running.update(([1, 2, 3] as [UInt8]).span.bytes)
            let copy = running
            running.update(([4] as [UInt8]).span.bytes)
            #expect(hexadecimal(copy.finished()) == Self.checksum(algorithm, [1, 2, 3]))
            #expect(hexadecimal(running.finished()) == Self.checksum(algorithm, [1, 2, 3, 4]))
        }
    }

    @Test func `names of fields`() {
        #expect(ChecksumAlgorithm(fieldName: "X-Amz-Checksum-CRC64NVME") == .crc64nvme)
        #expect(ChecksumAlgorithm(fieldName: "x-amz-checksum-crc32c") == .crc32c)
        #expect(ChecksumAlgorithm.sha1.fieldName == "x-amz-checksum-sha1")
        #expect(ChecksumAlgorithm.crc64nvme.name == "CRC64NVME")
        for name in ["x-amz-checksum-", "x-amz-checksum-md5", "x-amz-checksum", "crc32", ""] {
            #expect(ChecksumAlgorithm(fieldName: name) == nil)
        }
        for algorithm in ChecksumAlgorithm.allCases {
            var running = RunningChecksum(algorithm, CryptoHasher())
            running.update([UInt8]().span.bytes)
            #expect(running.finished().count == algorithm.byteCount)
        }
    }
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
