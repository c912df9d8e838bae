// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher
import RequestSignature
import Testing

@Suite struct `Limits of a body in chunks` {
    private static func chain() throws -> SignatureChain {
        try TestWorld.verify(try #require(PublishedExample.all().first).head).chain
    }

    /// Unsigned chunks of the given lengths, with the checksum that belongs to them.
    private static func unsigned(_ sizes: [Int], declared: Int? = nil) throws -> BodyRun {
        let payload = ChunkedPayload(
            isSigned: false, decodedByteCount: declared ?? sizes.reduce(0, +), trailer: .crc32)
        var encoder = ChunkedBodyEncoder(payload, chain: try chain(), TestWorld.digests)
        var wire: [UInt8] = []
        for size in sizes {
            let data = [UInt8](repeating: 1, count: size)
            wire += encoder.head(of: data.span.bytes) + data + [13, 10]
        }
        return BodyRun(
            ChunkedBodyStateMachine(payload, chain: try chain(), TestWorld.digests),
            wire + encoder.end())
    }

    @Test func `only the last chunk may be short`() throws {
        #expect(try Self.unsigned([8192, 1]).refusal == nil)
        #expect(try Self.unsigned([1]).refusal == nil)
        #expect(try Self.unsigned([]).refusal == nil)
        #expect(try Self.unsigned([8191, 1]).refusal == .chunkTooSmall(byteCount: 8191))
        #expect(try Self.unsigned([8192, 8191, 1]).refusal == .chunkTooSmall(byteCount: 8191))
        #expect(
            BodyRefusal.chunkTooSmall(byteCount: 8191).answer.code == "InvalidChunkSizeError")
    }

    @Test func `the length is the declared one`() throws {
        #expect(try Self.unsigned([8192], declared: 8191).refusal == .decodedLengthMismatch)
        #expect(try Self.unsigned([8192], declared: 8193).refusal == .decodedLengthMismatch)
        #expect(try Self.unsigned([1], declared: 0).refusal == .decodedLengthMismatch)
        #expect(try Self.unsigned([], declared: 1).refusal == .decodedLengthMismatch)
    }

    @Test func `a signed chunk's length`() throws {
        for (size, refusal) in [
            (9000, nil), (9001, .chunkTooLarge(limitBytes: 9000)),
        ] as [(Int, BodyRefusal?)] {
            let payload = ChunkedPayload(
                isSigned: true, decodedByteCount: size, trailer: nil)
            let chain = try Self.chain()
            var encoder = ChunkedBodyEncoder(payload, chain: chain, TestWorld.digests)
            let data = [UInt8](repeating: 1, count: size)
            let wire = encoder.head(of: data.span.bytes) + data + [13, 10] + encoder.end()
            let machine = ChunkedBodyStateMachine(
                payload, chain: chain, TestWorld.digests,
                limits: ChunkedBodyLimits(signedChunkBytesMax: 9000))
            #expect(BodyRun(machine, wire).refusal == refusal)
        }
        #expect(ChunkedBodyLimits().signedChunkBytesMax == 1 << 20)
    }

    @Test func `a slice that is a piece is handed on as it is`() throws {
        let head = RequestHead(method: "PUT", target: "/", fields: [])
        var machine = try PlainBodyStateMachine(contentHash: nil, of: head, TestWorld.digests)
        #expect(machine.roomByteCount == BodyPiece.byteCount)
        _ = try machine.received([1, 2], from: 0)
        #expect(machine.roomByteCount == BodyPiece.byteCount - 2)
        _ = try machine.received([UInt8](repeating: 3, count: machine.roomByteCount), from: 0)
        let slice = [UInt8](repeating: 4, count: machine.roomByteCount)
        #expect(try machine.received(slice, from: 0).action == .release)
        #expect(machine.takeReleased().prefix(3) == [1, 2, 3])
        #expect(try machine.received(slice, from: 0).action == .read)
        #expect(try machine.received([5], from: 0).action == .release)
        let piece = machine.takeReleased()
        #expect(piece == slice)
        #expect(
            piece.withUnsafeBufferPointer { $0.baseAddress }
                == slice.withUnsafeBufferPointer { $0.baseAddress })
        // Nothing of it is left, and what follows stands for itself.
        _ = try machine.received([5], from: 0)
        try machine.ended()
        #expect(machine.takeReleased() == [5])
        #expect(machine.takeReleased().isEmpty)
    }

    @Test func `no more than a chunk or piece is kept`() throws {
        let size = 10 * BodyPiece.byteCount
        let payload = ChunkedPayload(isSigned: false, decodedByteCount: size, trailer: .crc32)
        var machine = ChunkedBodyStateMachine(payload, chain: try Self.chain(), TestWorld.digests)
        let wire = Array("\(String(size, radix: 16))\r\n".utf8) + [UInt8](repeating: 1, count: size)
        var offset = 0
        var most = 0
        while true {
            let step = try machine.received(wire, from: offset)
            offset += step.consumed
            most = max(most, machine.keptByteCount)
            guard step.action == .release else { break }
            _ = machine.takeReleased()
        }
        #expect(offset == wire.count)
        #expect(most <= BodyPiece.byteCount + ChunkedBodyLimits.headBytesMax)
        // The last piece stays until the end was checked.
        #expect(machine.keptByteCount >= BodyPiece.byteCount)
    }

    private static func refusal(
        _ wire: String, isSigned: Bool = false, count: Int = 0, trailer: ChecksumAlgorithm? = .crc32
    ) throws -> BodyRefusal? {
        BodyRun(
            ChunkedBodyStateMachine(
                ChunkedPayload(isSigned: isSigned, decodedByteCount: count, trailer: trailer),
                chain: try chain(), TestWorld.digests),
            Array(wire.utf8)
        ).refusal
    }

    @Test func `the framing`() throws {
        let end = "x-amz-checksum-crc32:AAAAAA==\r\n\r\n"
        #expect(try Self.refusal("0\r\n" + end) == nil)
        #expect(try Self.refusal("000000000000\r\n" + end) == nil)
        #expect(try Self.refusal("0000000000000\r\n" + end) == .framingMalformed)
        for head in [
            "\r\n", "0\n", "0 \r\n", " 0\r\n", "-0\r\n", "0x0\r\n", "g\r\n", "0;a=b\r\n", ";\r\n",
            "0;chunk-signature=\(String(repeating: "0", count: 64))\r\n",
            String(repeating: "0", count: 200),
        ] {
            #expect(try Self.refusal(head + end) == .framingMalformed, "\(head)")
        }
        #expect(try Self.refusal("1\r\nab\r\n", count: 1) == .framingMalformed)
        #expect(try Self.refusal("1\r\na\n", count: 1) == .framingMalformed)
        for head in ["0\r\n", "0;chunk-signature=0\r\n", "0;Chunk-Signature=\(Self.zeros)\r\n"] {
            #expect(
                try Self.refusal(head, isSigned: true, trailer: nil) == .framingMalformed, "\(head)"
            )
        }
        #expect(
            try Self.refusal("0;chunk-signature=\(Self.zeros)\r\n", isSigned: true, trailer: nil)
                == .chunkSignatureMismatch)
    }

    private static let zeros = String(repeating: "0", count: 64)

    @Test func `the trailer`() throws {
        for (text, refusal) in [
            ("X-Amz-Checksum-Crc32:AAAAAA==\r\n\r\n", nil),
            ("x-amz-checksum-crc32: AAAAAA== \r\n\r\n", nil),
            ("x-amz-checksum-crc32:AAAAAA==\n\r\n\r\n", nil),
            ("\r\n", .trailerMissing),
            ("x-amz-checksum-crc32c:AAAAAA==\r\n\r\n", .trailerMalformed),
            (
                "x-amz-checksum-crc32:AAAAAA==\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
                .trailerMalformed
            ),
            (
                "x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:\(Self.zeros)\r\n\r\n",
                .trailerMalformed
            ),
            (":AAAAAA==\r\n\r\n", .trailerMalformed),
            ("x-amz-checksum-crc32\r\n\r\n", .trailerMalformed),
            ("x-amz-checksum-crc32:AAAAAA=\r\n\r\n", .checksumMalformed(name: "CRC32")),
            ("x-amz-checksum-crc32:\r\n\r\n", .checksumMalformed(name: "CRC32")),
            ("x-amz-checksum-crc32:AAAAAAAA\r\n\r\n", .checksumMalformed(name: "CRC32")),
            ("x-amz-checksum-crc32:AAAAAB==\r\n\r\n", .checksumMalformed(name: "CRC32")),
            ("x-amz-checksum-crc32:AAAAAQ==\r\n\r\n", .checksumMismatch(name: "CRC32")),
            ("x-amz-checksum-crc32:AAAAAA==\r\n", .truncated),
            (String(repeating: "a", count: 512), .truncated),
            (String(repeating: "a", count: 513), .framingMalformed),
        ] as [(String, BodyRefusal?)] {
            #expect(try Self.refusal("0\r\n" + text) == refusal, "\(text)")
        }
    }

    /// minio-go has an empty line before the signature, others none or two.
    @Test func `empty lines before the trailer's signature`() throws {
        let payload = ChunkedPayload(isSigned: true, decodedByteCount: 0, trailer: .crc32)
        let chain = try Self.chain()
        var encoder = ChunkedBodyEncoder(payload, chain: chain, TestWorld.digests)
        let text = String(decoding: encoder.end(), as: UTF8.self)
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        func refusal(_ lines: [String]) -> BodyRefusal? {
            BodyRun(
                ChunkedBodyStateMachine(payload, chain: chain, TestWorld.digests),
                Array(lines.joined(separator: "\r\n").utf8)
            ).refusal
        }
        #expect(refusal(lines) == nil)
        #expect(refusal([lines[0], lines[1] + "\n"] + lines[2...]) == nil)
        #expect(refusal([lines[0], ""] + lines[1...]) == nil)
        #expect(refusal([lines[0], "", lines[1], ""] + lines[2...]) == nil)
        #expect(refusal([lines[0], "", "", "", lines[1]] + lines[2...]) == .trailerMissing)
        #expect(refusal([lines[0]] + lines[2...]) == .trailerMissing)
        #expect(refusal([lines[0], lines[2], lines[1], "", ""]) == .trailerMissing)
        #expect(refusal([lines[0], lines[1], "", "", "", ""]) == .trailerMissing)
        #expect(
            refusal([lines[0], lines[1], "x-amz-trailer-signature:\(Self.zeros)", "", ""])
                == .trailerSignatureMismatch)
    }
}
