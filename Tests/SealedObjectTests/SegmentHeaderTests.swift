// SPDX-License-Identifier: Apache-2.0
import SealedObject
import Testing

@Suite struct `Headers of segments` {
    private let header = SegmentHeader(
        identity: Sample.part(0x1234), salt: Sample.octets(2), commitment: Sample.octets(3))

    @Test func `stand byte by byte as the specification has them`() {
        let bytes = header.bytes
        #expect(bytes.count == 80)
        #expect(Array(bytes[..<8]) == [0x43, 0x54, 0x31, 0, 1, 1, 16, 1])
        #expect(Array(bytes[8..<16]) == [0, 0, 0x12, 0x34, 0, 0, 0, 0])
        #expect(Array(bytes[16..<48]) == Sample.octets(2).array)
        #expect(Array(bytes[48...]) == Sample.octets(3).array)
    }

    @Test func `are read as they were written`() throws {
        for identity in [
            SegmentIdentity.object, .footer, Sample.part(1), Sample.part(9_999),
        ] {
            let header = SegmentHeader(
                identity: identity, salt: Sample.octets(4), commitment: Sample.octets(5))
            #expect(try readHeader(header.bytes) == header)
            #expect(try readHeader(header.bytes + [1]) == header)
        }
    }

    @Test func `of another format are refused by what is wrong`() {
        let changes: [(at: Int, to: UInt8, SealedObjectFailure)] = [
            (0, 0x63, .notSealed), (3, 0x20, .notSealed), (4, 0, .versionUnknown(0)),
            (4, 2, .versionUnknown(2)), (5, 0, .suiteUnknown(0)), (5, 2, .suiteUnknown(2)),
            (6, 15, .chunkSizeUnknown(log2: 15)), (6, 17, .chunkSizeUnknown(log2: 17)),
            (7, 3, .kindUnknown(3)), (7, 0xFF, .kindUnknown(0xFF)),
            (7, 0, .partNumberInvalid(0x1234)), (7, 2, .partNumberInvalid(0x1234)),
            (8, 1, .partNumberInvalid(0x0100_1234)), (12, 1, .reservedBytesUsed),
            (15, 0x80, .reservedBytesUsed),
        ]
        // The control: unchanged it is read.
        #expect((try? readHeader(header.bytes)) == header)
        for (place, value, refusal) in changes {
            var bytes = header.bytes
            bytes[place] = value
            #expect(throws: refusal) { try readHeader(bytes) }
        }
    }

    @Test func `cut short are refused`() {
        for count in 0..<80 {
            #expect(throws: SealedObjectFailure.truncated) {
                try readHeader(Array(header.bytes[..<count]))
            }
        }
    }

    @Test func `count parts from 1 to 9,999`() {
        #expect(SegmentIdentity.part(0) == nil)
        #expect(SegmentIdentity.part(10_000) == nil)
        var bytes = header.bytes
        (bytes[10], bytes[11]) = (0x27, 0x10)
        #expect(throws: SealedObjectFailure.partNumberInvalid(10_000)) {
            try readHeader(bytes)
        }
        bytes[11] = 0x0F
        #expect((try? readHeader(bytes))?.identity == Sample.part(9_999))
        (bytes[10], bytes[11]) = (0, 0)
        #expect(throws: SealedObjectFailure.partNumberInvalid(0)) {
            try readHeader(bytes)
        }
    }

    @Test func `have nonces of index and last flag`() {
        let nonce = ChunkNonce(index: 0x0102_0304, isLast: true).bytes
        #expect((0..<12).map { nonce[$0] } == [0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 1])
        let single = ChunkNonce.single.bytes
        #expect((0..<12).allSatisfy { single[$0] == 0 })
    }

    @Test func `compare all 32 bytes of a commitment`() throws {
        let one = Sample.octets(9)
        #expect(one == Sample.octets(9))
        for index in 0..<32 {
            for bit in 0..<8 {
                var bytes = one.array
                bytes[index] ^= 1 << bit
                #expect(try #require(Octets32(bytes)) != one)
            }
        }
        #expect(Octets32([UInt8](repeating: 0, count: 31)) == nil)
        #expect(Octets32([UInt8](repeating: 0, count: 33)) == nil)
    }
}
