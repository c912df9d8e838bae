// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import LinuxProcessHost

@Suite("Recognizing replaced values")
struct KeyedHashTests {
    /// Key 00 01 ... 0f, input 00 01 ... of that length (reference implementation, vectors.h).
    @Test(
        "SipHash-2-4 gives the reference's digests",
        arguments: [
            (0, 0x726f_db47_dd0e_0e31), (8, 0x93f5_f579_9a93_2462), (15, 0xa129_ca61_49be_45e5),
        ] as [(Int, UInt64)])
    func vectors(count: Int, digest: UInt64) {
        let bytes = (0..<count).map { UInt8($0) }
        for split in 0...count {
            var hash = KeyedHash(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
            bytes.withUnsafeBytes {
                hash.update(UnsafeRawBufferPointer(rebasing: $0[..<split]))
                hash.update(UnsafeRawBufferPointer(rebasing: $0[split...]))
            }
            #expect(hash.finish() == digest)
        }
    }
}
