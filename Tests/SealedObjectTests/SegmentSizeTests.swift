// SPDX-License-Identifier: Apache-2.0
import SealedObject
import TestKit
import Testing

@Suite struct `Sizes of segments` {
    @Test(arguments: [
        (0, 96), (1, 97), (65_535, 65_631), (65_536, 65_632), (65_537, 65_649),
        (131_072, 131_184), (131_075, 131_203),
    ])
    func `are those of the specification`(_ plain: Int, _ sealed: Int) {
        #expect(SegmentSize.sealedSize(of: plain) == sealed)
        #expect(SegmentSize.plainSize(ofSealed: sealed) == plain)
    }

    /// Every sealed size up to the one of a million bytes has its plaintext size or none, and they
    /// are exactly the sizes that plaintexts lead to.
    @Test func `are a bijection up to a million bytes`() throws {
        let plainMax = 1_000_000
        let sealedMax = try #require(SegmentSize.sealedSize(of: plainMax))
        var next = 0
        for sealed in 0...sealedMax {
            guard let plain = SegmentSize.plainSize(ofSealed: sealed) else { continue }
            // An expectation for each size would take most of the time.
            guard plain == next, SegmentSize.sealedSize(of: plain) == sealed else { break }
            next += 1
        }
        #expect(next == plainMax + 1)
    }

    @Test func `are a bijection at random sizes up to the largest`() {
        var generator = SeededGenerator(seed: 1)
        var agreed = 0
        for _ in 0..<200_000 {
            let bits = Int.random(in: 20...48, using: &generator)
            let plain = Int.random(
                in: 0...min(1 << bits, SealedObjectLimits.plainBytesMax), using: &generator)
            let sealed = SegmentSize.sealedSize(of: plain)
            agreed += sealed.flatMap { SegmentSize.plainSize(ofSealed: $0) } == plain ? 1 : 0
        }
        #expect(agreed == 200_000)
    }

    /// Behind a whole chunk a lone tag would be an empty chunk, which no segment has.
    @Test func `that no segment has are refused`() {
        for sealed in [Int.min, -1, 0, 79, 80, 95, 65_633, 65_640, 65_648, 131_185, 131_200] {
            #expect(SegmentSize.plainSize(ofSealed: sealed) == nil, "\(sealed)")
        }
        #expect(SegmentSize.plainSize(ofSealed: 65_649) == 65_537)
        #expect(SegmentSize.sealedSize(of: -1) == nil)
    }

    @Test func `end at the largest`() throws {
        let largest = SealedObjectLimits.plainBytesMax
        #expect(largest == 1 << 48)
        let sealed = try #require(SegmentSize.sealedSize(of: largest))
        #expect(SegmentSize.plainSize(ofSealed: sealed) == largest)
        #expect(SegmentSize.chunkCount(of: largest) == SealedObjectLimits.chunksMax)
        #expect(SegmentSize.sealedSize(of: largest + 1) == nil)
        #expect(SegmentSize.plainSize(ofSealed: sealed + 17) == nil)
        #expect(SegmentSize.sealedSize(of: .max) == nil)
        #expect(SegmentSize.plainSize(ofSealed: .max) == nil)
    }
}

@Suite struct `Ranges of a segment` {
    @Test func `are whole chunks with what to drop`() throws {
        let range = try #require(SegmentRange(65_530..<65_540, of: 200_000))
        #expect(range.chunks == 0..<2)
        #expect(range.sealed == 80..<80 + 2 * 65_552)
        #expect(range.dropped == 65_530 && range.kept == 10)
        let last = try #require(SegmentRange(199_999..<200_000, of: 200_000))
        #expect(last.chunks == 3..<4)
        #expect(last.sealed == 80 + 3 * 65_552..<200_000 + 80 + 4 * 16)
        #expect(last.dropped == 199_999 - 3 * 65_536 && last.kept == 1)
    }

    @Test func `of a byte cost two chunks at most`() throws {
        for offset in [0, 65_535, 65_536, 131_071] {
            let range = try #require(SegmentRange(offset..<offset + 1, of: 1 << 20))
            #expect(range.chunks.count == 1 && range.sealed.count == 65_552)
        }
        let pair = try #require(SegmentRange(65_535..<65_537, of: 1 << 20))
        #expect(pair.sealed.count == 2 * 65_552)
    }

    @Test func `of an empty segment are its one chunk`() throws {
        let range = try #require(SegmentRange(0..<0, of: 0))
        #expect(range.chunks == 0..<1 && range.sealed == 80..<96 && range.kept == 0)
        #expect(SegmentRange(wholeOf: 0) == range)
    }

    @Test func `that are empty or outside are none`() {
        #expect(SegmentRange(0..<0, of: 1) == nil)
        #expect(SegmentRange(1..<1, of: 1) == nil)
        #expect(SegmentRange(0..<2, of: 1) == nil)
        #expect(SegmentRange(-1..<1, of: 1) == nil)
        #expect(SegmentRange(0..<1, of: 0) == nil)
        #expect(SegmentRange(0..<1, of: -1) == nil)
        #expect(SegmentRange(wholeOf: -1) == nil)
        #expect(SegmentRange(0..<1, of: SealedObjectLimits.plainBytesMax + 1) == nil)
        #expect(SegmentRange(0..<1, of: SealedObjectLimits.plainBytesMax) != nil)
    }
}
