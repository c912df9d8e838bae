// SPDX-License-Identifier: Apache-2.0
import SealedObject
import SecretMemory
import Testing

/// What CT1 neither hides nor notices (docs/reference/ct1.md). Each test shows it happen.
@Suite struct `Limits of the format` {
    private func envelope(_ name: String, salt: Int) throws -> KeyEnvelope {
        let (dataKey, epochKey) = (Sample.dataKey, Sample.epochKey)
        return try KeyEnvelope.wrapping(
            dataKey.span.bytes, of: .parts, context: Sample.context(name),
            epochKey: epochKey.span.bytes, keyReference: "e", wrapSalt: Sample.octets(salt),
            Sample.cipher)
    }

    private func key(_ envelope: KeyEnvelope, _ name: String) throws -> [UInt8] {
        let epochKey = Sample.epochKey
        var buffer = try SecretBuffer(capacity: 32, minimumTier: .ordinary)
        try envelope.unwrap(
            context: Sample.context(name), epochKey: epochKey.span.bytes, Sample.cipher,
            into: &buffer)
        return buffer.withBytes { bytes in bytes.withUnsafeBytes { Array($0) } }
    }

    @Test func `an earlier version, served again with its envelope, opens`() throws {
        let earlier = (try envelope("k", salt: 1), try seal([1], salt: Sample.octets(1)))
        let later = (try envelope("k", salt: 2), try seal([2], salt: Sample.octets(2)))
        #expect(open(later.1, dataKey: try key(later.0, "k")) == Opened(plain: [2]))
        #expect(open(earlier.1, dataKey: try key(earlier.0, "k")) == Opened(plain: [1]))
    }

    @Test func `sizes are visible to the byte without any key`() throws {
        for size in Sample.sizes {
            let sealed = try seal([UInt8](repeating: 0, count: size))
            #expect(SegmentSize.plainSize(ofSealed: sealed.count) == size)
        }
    }

    @Test func `which key wraps is visible`() throws {
        #expect(try KeyEnvelope(try envelope("k", salt: 1).text).keyReference == "e")
    }

    @Test func `a copy has the data key of its source`() throws {
        #expect(
            try key(envelope("from", salt: 1), "from") == (try key(envelope("to", salt: 2), "to")))
    }

    /// A reader that streams has passed on what was right before it sees what is wrong.
    @Test func `chunks before a bad one have gone out`() throws {
        let plain = Sample.random(2 * Sample.chunk, seed: 1)
        var sealed = try seal(plain)
        sealed[sealed.count - 1] ^= 1
        #expect(
            open(sealed) == Opened(plain: Array(plain[..<Sample.chunk]), failure: .notAuthentic))
    }
}
