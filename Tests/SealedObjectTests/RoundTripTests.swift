// SPDX-License-Identifier: Apache-2.0
import CryptoObjectCipher
import TestKit
import Testing

@testable import SealedObject

@Suite struct `Sealing and opening` {
    @Test(arguments: Sample.sizes)
    func `give the plaintext back, of the size that was computed`(_ size: Int) throws {
        let plain = Sample.random(size, seed: 1)
        let sealed = try seal(plain)
        #expect(sealed.count == SegmentSize.sealedSize(of: size))
        #expect(open(sealed) == Opened(plain: plain))
        #expect(open(sealed, plainBytes: size) == Opened(plain: plain))
        // Nothing of the plaintext is visible; a control for the search itself.
        if size >= 16 {
            let part = Array(plain[(size - 16)...])
            #expect(!sealed.contains(part) && plain.contains(part))
        }
    }

    @Test(arguments: 1...24)
    func `do not depend on how bytes are sliced`(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let size = Int.random(in: 0...300_000, using: &generator)
        let plain = Sample.random(size, seed: seed)
        let sealed = try seal(plain, slicing: .random(&generator))
        #expect(try seal(plain) == sealed)
        #expect(try seal(plain, plainBytes: size, slicing: .random(&generator)) == sealed)
        #expect(open(sealed, slicing: .random(&generator)) == Opened(plain: plain))
        #expect(open(sealed, plainBytes: size, slicing: .random(&generator)).plain == plain)
    }

    @Test(arguments: [1, 79, 80, 81, 65_535, 65_536, 65_537, 65_551, 65_552, 65_553])
    func `take slices of an awkward length`(_ length: Int) throws {
        let plain = Sample.random(length < 79 ? 70_000 : 200_000, seed: 2)
        let sealed = try seal(plain, slicing: .of(length))
        #expect(try seal(plain) == sealed)
        #expect(try seal(plain, plainBytes: plain.count, slicing: .of(length)) == sealed)
        #expect(open(sealed, slicing: .of(length)) == Opened(plain: plain))
        #expect(open(sealed, plainBytes: plain.count, slicing: .of(length)).plain == plain)
    }

    @Test func `open every range of a segment`() throws {
        let size = 3 * Sample.chunk + 100
        let plain = Sample.random(size, seed: 3)
        let sealed = try seal(plain)
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<100 {
            let start = Int.random(in: 0..<size, using: &generator)
            let end = Int.random(in: start + 1...size, using: &generator)
            let opened = try openRange(
                sealed, start..<end, of: size, slicing: .random(&generator))
            #expect(opened == Opened(plain: Array(plain[start..<end])))
        }
        for edge in [0, 1, 2, 3].map({ $0 * Sample.chunk }) {
            for (start, end) in [(edge - 1, edge + 1), (edge, edge + 1), (edge - 1, edge)]
            where start >= 0 {
                let opened = try openRange(sealed, start..<end, of: size)
                #expect(opened == Opened(plain: Array(plain[start..<end])))
            }
        }
        let empty = try seal([])
        #expect(try openRange(empty, 0..<0, of: 0) == Opened())
    }

    /// A plaintext chunk is kept while nothing is known of a byte behind it, and no more than that.
    @Test func `keep one chunk and its tag at most`() throws {
        let dataKey = Sample.dataKey
        var sealer = try SealerStateMachine(
            Sample.cipher, dataKey: dataKey.span.bytes, identity: .object,
            salt: Sample.octets(1))
        var output = [UInt8](repeating: 0, count: SealedObjectLimits.outputBytesMax)
        let plain = Sample.random(Sample.chunk, seed: 4)
        let held = try output.withUnsafeMutableBytes { try sealer.push(plain.span.bytes, into: $0) }
        #expect(held == .needsMore)
        let one: [UInt8] = [1]
        let first = try output.withUnsafeMutableBytes { try sealer.push(one.span.bytes, into: $0) }
        // The byte goes into the buffer only after the chunk has left it.
        #expect(first == .pass(taken: 0, output: 0..<Sample.header + Sample.sealedChunk))
        var opener = try OpenerStateMachine(
            Sample.cipher, dataKey: dataKey.span.bytes, identity: .object)
        let sealed = Array(output[..<(Sample.header + Sample.sealedChunk)])
        let kept = try output.withUnsafeMutableBytes {
            try opener.push(sealed.span.bytes, into: $0)
        }
        #expect(kept == .needsMore)
        let passed = try output.withUnsafeMutableBytes { try opener.push(one.span.bytes, into: $0) }
        #expect(passed == .pass(taken: 0, output: 0..<Sample.chunk))
    }

    /// The sealed size is promised to the store before the plaintext has arrived.
    @Test(arguments: Sample.sizes)
    func `hold a client to the size that it said`(_ size: Int) throws {
        let plain = Sample.random(size + 1, seed: 6)
        for slicing in [Slicing.whole, .of(1_000), .of(65_536)] {
            #expect(
                try seal(Array(plain.dropLast()), plainBytes: size, slicing: slicing)
                    == (try seal(Array(plain.dropLast()))))
            #expect(throws: SealedObjectFailure.trailingBytes) {
                try seal(plain, plainBytes: size, slicing: slicing)
            }
            #expect(throws: SealedObjectFailure.truncated) {
                try seal(Array(plain.dropLast()), plainBytes: size + 1, slicing: slicing)
            }
        }
    }

    /// Where the size is known, a whole chunk is sealed where it is and does not wait.
    @Test func `pass on a chunk at once when the size is known`() throws {
        let dataKey = Sample.dataKey
        var sealer = try SealerStateMachine(
            Sample.cipher, dataKey: dataKey.span.bytes, identity: .object,
            salt: Sample.octets(1), plainBytes: Sample.chunk)
        var output = [UInt8](repeating: 0, count: SealedObjectLimits.outputBytesMax)
        let plain = Sample.random(Sample.chunk, seed: 7)
        let action = try output.withUnsafeMutableBytes {
            try sealer.push(plain.span.bytes, into: $0)
        }
        let sealed = Sample.header + Sample.sealedChunk
        #expect(action == .pass(taken: Sample.chunk, output: 0..<sealed))
        #expect(try output.withUnsafeMutableBytes { try sealer.finish(into: $0) }.isEmpty)
        #expect(open(Array(output[..<sealed])) == Opened(plain: plain))
    }

    @Test func `end where the index does`() throws {
        let dataKey = Sample.dataKey
        var output = [UInt8](repeating: 0, count: SealedObjectLimits.outputBytesMax)
        let plain = Sample.random(Sample.chunk + 1, seed: 5)
        for (index, isLast) in [(Int(UInt32.max) - 1, false), (Int(UInt32.max), true)] {
            var sealer = try SealerStateMachine(
                Sample.cipher, dataKey: dataKey.span.bytes, identity: .object,
                salt: Sample.octets(1))
            sealer.skip(to: index)
            let action = try output.withUnsafeMutableBytes {
                try sealer.push(plain.span.bytes, into: $0)
            }
            #expect(action == .pass(taken: Sample.chunk, output: 0..<Sample.sealedChunk))
            let rest: [UInt8] = [plain[Sample.chunk]]
            let end = try output.withUnsafeMutableBytes {
                try sealer.push(rest.span.bytes, into: $0)
            }
            #expect(end == .needsMore)
            let failure = SealedObjectFailure.tooLarge(limitBytes: 1 << 48)
            if isLast {
                for _ in 0..<2 {
                    #expect(throws: failure) {
                        try output.withUnsafeMutableBytes { try sealer.finish(into: $0) }
                    }
                }
            } else {
                #expect(
                    try output.withUnsafeMutableBytes { try sealer.finish(into: $0) } == 0..<17)
            }
        }
    }

    @Test func `take data keys of 32 bytes only`() {
        for count in [0, 31, 33] {
            let key = [UInt8](repeating: 1, count: count)
            #expect(throws: SealedObjectFailure.keyLengthWrong(bytes: count)) {
                try seal([], dataKey: key)
            }
            #expect(open([], dataKey: key).failure == .keyLengthWrong(bytes: count))
        }
    }

    @Test func `know how large a segment can be`() {
        let tooMany = SealedObjectLimits.plainBytesMax + 1
        #expect(open([], plainBytes: tooMany).failure == .tooLarge(limitBytes: 1 << 48))
        #expect(open([], plainBytes: tooMany - 1).failure == .truncated)
        #expect(throws: SealedObjectFailure.tooLarge(limitBytes: 1 << 48)) {
            try seal([], plainBytes: tooMany)
        }
        #expect(throws: SealedObjectFailure.truncated) { try seal([], plainBytes: tooMany - 1) }
    }
}
