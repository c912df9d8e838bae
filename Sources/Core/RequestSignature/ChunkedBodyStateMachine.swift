// SPDX-License-Identifier: Apache-2.0
package import Checksums

/// Takes `aws-chunked` framing off a body and checks what it carries
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
/// …/sigv4-streaming-trailers.html).
///
/// Data of a signed chunk is released when its signature was checked, other data in pieces of
/// `BodyPiece.byteCount`. The last chunk or piece is released by `ended` alone, when the final
/// chunk, the trailer, its signature, its checksum and the length were checked: an object that is
/// made of released bytes is incomplete until then. Keeps one chunk or piece, no more.
package struct ChunkedBodyStateMachine: Sendable {
    /// What the caller does next.
    package enum Action: Sendable, Equatable {
        /// Give more bytes, or say that the body ended.
        case read
        /// Take what is released, then give the bytes that were not consumed.
        case release
    }

    package struct Step: Sendable, Equatable {
        /// So many of the bytes given need not be given again.
        package let consumed: Int
        package let action: Action
    }

    private enum State: Sendable, Equatable {
        case head
        case data(remaining: Int)
        /// The line end after a chunk's data; whether its first byte came.
        case dataEnd(afterReturn: Bool)
        /// The empty line after the final chunk of a body without a trailer.
        case end
        case trailer
        /// Behind the trailer's empty line: so many bytes of another one, which some clients send.
        case epilogue(Int)
        case ended
        case refused
    }

    private let payload: ChunkedPayload
    private let limits: ChunkedBodyLimits
    private let digests: any MessageDigests
    private var chain: SignatureChain
    private var checksum: RunningChecksum?
    private var trailer: ChunkTrailer
    private var state = State.head
    private var line: [UInt8] = []
    /// Of the chunk under way.
    private var signature: Signature?
    private var digest: any RunningDigest
    private var piece: [UInt8] = []
    private var isReleased = false
    /// Length of all data so far.
    private var byteCount = 0

    /// - Parameter chain: starts with the request's signature. Of no use for unsigned chunks.
    package init(
        _ payload: ChunkedPayload, chain: SignatureChain, _ digests: any MessageDigests,
        limits: ChunkedBodyLimits = ChunkedBodyLimits()
    ) {
        self.payload = payload
        self.limits = limits
        self.digests = digests
        self.chain = chain
        checksum = payload.trailer.map { RunningChecksum($0, digests) }
        trailer = ChunkTrailer(payload)
        digest = digests.begin(.sha256)
    }

    /// Takes a slice as it arrived, cut anywhere, from a byte on.
    package mutating func received(
        _ slice: [UInt8], from offset: Int
    ) throws(BodyRefusal) -> Step {
        try received(slice.span.bytes.extracting(offset..<slice.count))
    }

    private mutating func received(_ bytes: RawSpan) throws(BodyRefusal) -> Step {
        guard !isReleased else { return Step(consumed: 0, action: .release) }
        do throws(BodyRefusal) {
            return try bytes.withUnsafeBytes { bytes throws(BodyRefusal) in
                var offset = 0
                while !isReleased, try advance(bytes, &offset) {}
                return Step(consumed: offset, action: isReleased ? .release : .read)
            }
        } catch {
            refuse()
            throw error
        }
    }

    /// The body has no more bytes. When this returns, what is released is the last of a body that
    /// was checked as a whole. To be called when nothing is released.
    package mutating func ended() throws(BodyRefusal) {
        guard state != .refused else { throw .alreadyRefused }
        guard case .epilogue(let count) = state, count != 1, !isReleased else {
            refuse()
            throw .truncated
        }
        state = .ended
        isReleased = true
    }

    /// Hands over what is released.
    package mutating func takeReleased() -> [UInt8] {
        guard isReleased else { return [] }
        isReleased = false
        defer { piece = [] }
        return piece
    }

    /// Bytes kept at the moment.
    package var keptByteCount: Int { piece.count + line.count }

    private mutating func refuse() {
        state = .refused
        piece = []
        isReleased = false
    }

    /// One step; returns whether another one is possible with the bytes at hand.
    private mutating func advance(
        _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
    ) throws(BodyRefusal) -> Bool {
        switch state {
        case .head:
            guard try readLine(bytes, &offset, ChunkedBodyLimits.headBytesMax) else { return false }
            try beginChunk()
        case .data(let remaining): return data(bytes, &offset, remaining)
        case .dataEnd(let isAfterReturn):
            guard offset < bytes.count else { return false }
            guard bytes[offset] == (isAfterReturn ? 10 : 13) else { throw .framingMalformed }
            offset += 1
            state = .dataEnd(afterReturn: true)
            if isAfterReturn { try endChunk() }
        case .end:
            guard try readLine(bytes, &offset, ChunkedBodyLimits.headBytesMax) else { return false }
            guard line == [13, 10] else { throw .framingMalformed }
            state = .epilogue(2)
            line = []
        case .trailer:
            guard try readLine(bytes, &offset, ChunkedBodyLimits.trailerLineBytesMax) else {
                return false
            }
            try readTrailer()
        case .epilogue(let count):
            guard offset < bytes.count else { return false }
            guard count < 2, bytes[offset] == (count == 0 ? 13 : 10) else {
                throw .framingMalformed
            }
            offset += 1
            state = .epilogue(count + 1)
        case .ended, .refused: throw .alreadyRefused
        }
        return true
    }

    /// Moves bytes up to a line feed to `line`; returns whether it came.
    private mutating func readLine(
        _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, _ limit: Int
    ) throws(BodyRefusal) -> Bool {
        if line.last == 10 { line.removeAll(keepingCapacity: true) }
        while offset < bytes.count {
            guard line.count < limit else { throw .framingMalformed }
            line.append(bytes[offset])
            offset += 1
            if line.last == 10 { return true }
        }
        return false
    }

    private mutating func beginChunk() throws(BodyRefusal) {
        let head = try ChunkHead(line, isSigned: payload.isSigned)
        signature = head.signature
        guard head.byteCount > 0 else {
            guard byteCount == payload.decodedByteCount else { throw .decodedLengthMismatch }
            try checkChunk()
            state = payload.trailer == nil ? .end : .trailer
            return
        }
        let rest = payload.decodedByteCount - byteCount
        guard head.byteCount <= rest else { throw .decodedLengthMismatch }
        guard head.byteCount == rest || head.byteCount >= ChunkedBodyLimits.chunkBytesMin else {
            throw .chunkTooSmall(byteCount: head.byteCount)
        }
        guard !payload.isSigned || head.byteCount <= limits.signedChunkBytesMax else {
            throw .chunkTooLarge(limitBytes: limits.signedChunkBytesMax)
        }
        state = .data(remaining: head.byteCount)
    }

    /// Takes data of a chunk; returns whether another step is possible.
    private mutating func data(
        _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, _ remaining: Int
    ) -> Bool {
        let room = payload.isSigned ? remaining : BodyPiece.byteCount - piece.count
        let count = min(remaining, bytes.count - offset, room)
        let taken = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
        if piece.isEmpty { piece.reserveCapacity(min(room, remaining, BodyPiece.byteCount)) }
        piece.append(contentsOf: taken)
        if payload.isSigned { digest.update(taken.bytes) }
        checksum?.update(taken.bytes)
        offset += count
        byteCount += count
        state =
            remaining == count ? .dataEnd(afterReturn: false) : .data(remaining: remaining - count)
        if !payload.isSigned { releaseUnlessLast(piece.count == BodyPiece.byteCount) }
        return remaining == count || offset < bytes.count
    }

    private mutating func endChunk() throws(BodyRefusal) {
        state = .head
        guard payload.isSigned else { return }
        try checkChunk()
        releaseUnlessLast(true)
    }

    private mutating func releaseUnlessLast(_ isWhole: Bool) {
        isReleased = isWhole && byteCount < payload.decodedByteCount
    }

    private mutating func checkChunk() throws(BodyRefusal) {
        guard payload.isSigned else { return }
        let expected = chain.chunk(hash: digest.finished(byteCount: Signature.byteCount))
        digest = digests.begin(.sha256)
        guard let signature, expected.equals(signature) else { throw .chunkSignatureMismatch }
    }

    private mutating func readTrailer() throws(BodyRefusal) {
        guard try trailer.read(line) else { return }
        if payload.isSigned {
            let expected = chain.trailer(lines: trailer.signedLines)
            guard let signature = trailer.signature, expected.equals(signature) else {
                throw .trailerSignatureMismatch
            }
        }
        if let checksum { try trailer.check(checksum) }
        state = .epilogue(0)
        line = []
    }
}
