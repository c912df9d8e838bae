// SPDX-License-Identifier: Apache-2.0
import CryptoObjectCipher
import Testing

@testable import SealedObject

/// What somebody who stores objects can do to a segment. Each attack comes with its control: the
/// same bytes untouched open, and what was taken out or put in is whole by itself.
@Suite struct `Attacks on a segment` {
    /// What comes out is a beginning of what went in, and then a refusal.
    private func isRefused(
        _ sealed: [UInt8], _ plain: [UInt8], as failures: SealedObjectFailure...
    ) -> Bool {
        [nil, plain.count].allSatisfy { plainBytes in
            [Slicing.whole, .of(1_000), .of(65_552)].allSatisfy { slicing in
                let opened = open(sealed, plainBytes: plainBytes, slicing: slicing)
                guard let failure = opened.failure else { return false }
                return failures.contains(failure) && plain.starts(with: opened.plain)
            }
        }
    }

    @Test func `every single flipped bit is refused`() throws {
        let plain = Sample.random(40, seed: 1)
        let sealed = try seal(plain)
        #expect(open(sealed) == Opened(plain: plain))
        for index in sealed.indices {
            for bit in 0..<8 {
                var changed = sealed
                changed[index] ^= 1 << bit
                let opened = open(changed)
                #expect(opened.plain.isEmpty && opened.failure != nil, "\(index) \(bit)")
                if index >= 16 { #expect(opened.failure == .notAuthentic) }
            }
        }
    }

    @Test func `a flipped bit in any chunk stops before that chunk`() throws {
        let plain = Sample.random(3 * Sample.chunk + 5, seed: 2)
        let sealed = try seal(plain)
        #expect(open(sealed) == Opened(plain: plain))
        for chunk in 0..<4 {
            let start = Sample.header + chunk * Sample.sealedChunk
            let end = min(start + Sample.sealedChunk, sealed.count)
            for place in [start, (start + end) / 2, end - Sample.tag, end - 1] {
                var changed = sealed
                changed[place] ^= 1
                let opened = open(changed, plainBytes: plain.count)
                #expect(opened.failure == .notAuthentic)
                #expect(opened.plain == Array(plain[..<(chunk * Sample.chunk)]))
            }
        }
    }

    @Test func `chunks swapped, doubled, left out or taken from elsewhere are refused`() throws {
        let plain = Sample.random(4 * Sample.chunk, seed: 3)
        let sealed = try seal(plain)
        let other = try seal(Sample.random(4 * Sample.chunk, seed: 4), salt: Sample.octets(2))
        #expect(open(sealed) == Opened(plain: plain) && open(other).failure == nil)
        func chunk(_ index: Int, of bytes: [UInt8]) -> ArraySlice<UInt8> {
            bytes[Sample.header + index * Sample.sealedChunk..<bytes.count]
                .prefix(Sample.sealedChunk)
        }
        func made(_ order: [Int], then more: ArraySlice<UInt8> = []) -> [UInt8] {
            var bytes = Array(sealed[..<Sample.header])
            for index in order { bytes += chunk(index, of: sealed) }
            return bytes + Array(more)
        }
        // The control: put together in the right order it is the same segment.
        #expect(made([0, 1, 2, 3]) == sealed)
        let refused: [[UInt8]] = [
            made([1, 0, 2, 3]), made([0, 2, 1, 3]), made([0, 1, 3, 2]), made([0, 1, 1, 3]),
            made([0, 0, 1, 2, 3]), made([0, 1, 2, 3, 3]), made([0, 2, 3]), made([1, 2, 3]),
            made([0, 1, 2]), made([0]), made([3]), made([0, 1, 2, 3], then: chunk(3, of: other)),
            made([0, 1, 2], then: chunk(3, of: other)), made([0, 1, 2, 3], then: [0]),
            made([0, 1, 2, 3], then: other[...]), made([0, 1, 2, 3], then: sealed[...]),
        ]
        for bytes in refused {
            #expect(isRefused(bytes, plain, as: .notAuthentic, .truncated, .trailingBytes))
        }
    }

    @Test func `a segment cut at any edge is refused`() throws {
        let plain = Sample.random(2 * Sample.chunk + 7, seed: 5)
        let sealed = try seal(plain)
        #expect(open(sealed) == Opened(plain: plain))
        let edges = [0, 1, 2].map { Sample.header + $0 * Sample.sealedChunk }
        var cuts = [0, 1, 16, 48, sealed.count - 1, sealed.count - 16, sealed.count - 17]
        for edge in edges {
            for offset in [-1, 0, 1, 15, 16, 17] { cuts.append(edge + offset) }
        }
        for cut in cuts {
            #expect(
                isRefused(Array(sealed[..<cut]), plain, as: .notAuthentic, .truncated), "\(cut)")
        }
    }

    @Test func `an empty segment cut or filled is refused`() throws {
        let sealed = try seal([])
        #expect(open(sealed) == Opened())
        for cut in 0..<sealed.count {
            #expect(isRefused(Array(sealed[..<cut]), [], as: .truncated))
        }
        #expect(isRefused(sealed + [0], [], as: .notAuthentic, .trailingBytes))
    }

    /// A writer that puts an empty chunk behind a whole one would give a plaintext a second sealed
    /// size. It has the key, so its tags are right.
    @Test func `an empty chunk behind others is refused`() throws {
        let dataKey = Sample.dataKey
        let plain = Sample.random(Sample.chunk, seed: 6)
        let keys = try SegmentKeys(
            Sample.cipher, dataKey: Sample.cipher.secret(dataKey.span.bytes),
            identity: .object, salt: Sample.octets(1))
        let header = SegmentHeader(
            identity: .object, salt: Sample.octets(1), commitment: keys.commitment)
        func made(_ chunks: [([UInt8], isLast: Bool)]) throws -> [UInt8] {
            var bytes = header.bytes
            for (index, (chunk, isLast)) in chunks.enumerated() {
                var sealed = [UInt8](repeating: 0, count: chunk.count + Sample.tag)
                try sealed.withUnsafeMutableBytes {
                    try Sample.cipher.seal(
                        chunk.span.bytes, keys.encryption,
                        nonce: ChunkNonce(index: UInt32(index), isLast: isLast),
                        authenticating: [], into: $0)
                }
                bytes += sealed
            }
            return bytes
        }
        // The control: made by the same hand with one chunk it is what the sealer makes.
        #expect(try made([(plain, true)]) == (try seal(plain)))
        #expect(try made([(plain, false), ([1], true)]) == (try seal(plain + [1])))
        #expect(
            isRefused(
                try made([(plain, false), ([], true)]), plain, as: .truncated, .trailingBytes,
                .notAuthentic))
        // Chunks shorter than they must be.
        let half = Array(plain[..<100])
        #expect(isRefused(try made([(half, false), (half, true)]), half + half, as: .notAuthentic))
    }

    @Test func `another segment than the one asked for is refused`() throws {
        let plain = Sample.random(10, seed: 7)
        let part = try seal(plain, Sample.part(1))
        #expect(open(part, Sample.part(1)) == Opened(plain: plain))
        #expect(open(part, Sample.part(2)).failure == .segmentUnexpected(Sample.part(1)))
        #expect(open(part, .object).failure == .segmentUnexpected(Sample.part(1)))
        #expect(open(try seal(plain)).failure == nil)
        #expect(open(try seal(plain), .footer).failure == .segmentUnexpected(.object))
        // Renumbered in its header it has other keys.
        var renumbered = part
        renumbered[11] = 2
        #expect(open(renumbered, Sample.part(2)) == Opened(failure: .notAuthentic))
        var turned = part
        (turned[7], turned[11]) = (0, 0)
        #expect(open(turned, .object) == Opened(failure: .notAuthentic))
        turned[7] = 2
        #expect(open(turned, .footer) == Opened(failure: .notAuthentic))
        // Another attempt at the same part than the table says.
        #expect(
            open(part, Sample.part(1), salt: Sample.octets(1)) == Opened(plain: plain))
        #expect(
            open(part, Sample.part(1), salt: Sample.octets(2)) == Opened(failure: .notAuthentic))
    }

    @Test func `what is not sealed is never passed on`() {
        let text = Array(
            "CT2 or any text that somebody put in an object's place, long enough ".utf8)
        #expect(open(text + text) == Opened(failure: .notSealed))
        #expect(open([UInt8](repeating: 0, count: 96)) == Opened(failure: .notSealed))
        #expect(open([]) == Opened(failure: .truncated))
    }

    /// No key, commitment, salt or tag that is wrong can be told from another one.
    @Test func `all that depends on the key fails alike`() throws {
        let plain = Sample.random(100, seed: 8)
        let sealed = try seal(plain)
        #expect(open(sealed) == Opened(plain: plain))
        func flipped(_ index: Int) -> [UInt8] {
            var bytes = sealed
            bytes[index] ^= 1
            return bytes
        }
        let alike = [
            open(sealed, dataKey: Sample.otherKey), open(flipped(16)), open(flipped(79)),
            open(flipped(80)), open(flipped(sealed.count - 1)), open(Array(sealed.dropLast())),
            open(sealed + [0]), open(sealed, salt: Sample.octets(2)),
        ]
        for opened in alike { #expect(opened == Opened(failure: .notAuthentic)) }
    }

    @Test func `after a refusal nothing more comes out`() throws {
        let dataKey = Sample.dataKey
        let plain = Sample.random(3 * Sample.chunk, seed: 9)
        var sealed = try seal(plain)
        sealed[Sample.header] ^= 1
        var opener = try OpenerStateMachine(
            Sample.cipher, dataKey: dataKey.span.bytes, identity: .object)
        var output = [UInt8](repeating: 0xEE, count: SealedObjectLimits.outputBytesMax)
        for _ in 0..<3 {
            #expect(throws: SealedObjectFailure.notAuthentic) {
                try output.withUnsafeMutableBytes { try opener.push(sealed.span.bytes, into: $0) }
            }
        }
        #expect(throws: SealedObjectFailure.notAuthentic) {
            try output.withUnsafeMutableBytes { try opener.finish(into: $0) }
        }
        #expect(output.allSatisfy { $0 == 0xEE || $0 == 0 })
    }

    @Test func `ranges refuse changed chunks, other keys and other places`() throws {
        let dataKey = Sample.dataKey
        let size = 3 * Sample.chunk
        let plain = Sample.random(size, seed: 10)
        let sealed = try seal(plain)
        let range = Sample.chunk + 1..<Sample.chunk + 10
        #expect(try openRange(sealed, range, of: size) == Opened(plain: Array(plain[range])))
        var changed = sealed
        changed[Sample.header + Sample.sealedChunk] ^= 1
        #expect(try openRange(changed, range, of: size) == Opened(failure: .notAuthentic))
        // A chunk outside of the range may be changed: it is not read.
        #expect(try openRange(changed, 0..<10, of: size) == Opened(plain: Array(plain[..<10])))
        changed = sealed
        changed[79] ^= 1
        #expect(try openRange(changed, range, of: size) == Opened(failure: .notAuthentic))
        #expect(
            try openRange(sealed, range, of: size, dataKey: Sample.otherKey)
                == Opened(failure: .notAuthentic))
        // Cut so that chunk 1 would be the last: it was not sealed as the last.
        #expect(
            try openRange(sealed, range, of: 2 * Sample.chunk) == Opened(failure: .notAuthentic))
        // Chunk 2 served for chunk 1.
        let header = try readHeader(sealed)
        let wanted = try #require(SegmentRange(range, of: size))
        var opener = try OpenerStateMachine(
            Sample.cipher, dataKey: dataKey.span.bytes, header: header, range: wanted)
        #expect(
            drive(&opener, Array(sealed[(Sample.header + 2 * Sample.sealedChunk)...]), .whole)
                == Opened(failure: .notAuthentic))
    }
}

extension Array where Element == UInt8 {
    func contains(_ part: [UInt8]) -> Bool {
        guard count >= part.count else { return false }
        return (0...count - part.count).contains { self[$0..<$0 + part.count].elementsEqual(part) }
    }
}
