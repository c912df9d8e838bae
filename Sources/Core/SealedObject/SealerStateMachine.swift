// SPDX-License-Identifier: Apache-2.0

/// What the caller of a sealer or an opener does next.
package enum SegmentAction: Sendable, Equatable {
    /// The slice is used up. Hand over the next one, or finish when there is none.
    case needsMore
    /// `output` of the output holds bytes to pass on. Then call again with the slice's rest, from
    /// its byte `taken` on, even when that is empty.
    case pass(taken: Int, output: Range<Int>)
}

/// Seals one segment while its plaintext arrives in slices of any size.
///
/// The caller hands over slices, passes on what comes out and finishes. Each output is the header
/// with the first chunk, or one chunk. Where the plaintext's size is not known, a chunk is sealed
/// when a byte behind it has arrived, since only then it is known not to be the last; until then
/// at most one chunk of plaintext is kept. Whole chunks inside a slice are sealed where they are.
package struct SealerStateMachine<Cipher: AuthenticatedCipher>: ~Copyable, Sendable {
    private enum State: Sendable, Equatable {
        case sealing
        case finished
        case failed(SealedObjectFailure)
    }

    /// What goes before the first chunk, and for a whole object into its envelope too.
    package let header: SegmentHeader

    private let cipher: Cipher
    private let key: Cipher.SealingKey
    /// nil: not known before the end.
    private let plainBytes: Int?
    private var pending = ChunkBuffer(capacity: SealedObjectLimits.chunkBytes)
    private var index = 0
    private var state = State.sealing

    /// - Parameters:
    ///   - dataKey: the object's, 32 bytes; the caller's to keep and to zero.
    ///   - salt: random, used for nothing else before. A second attempt at the same part has
    ///     another one, even for the same bytes: equal salts would have equal key streams.
    ///   - plainBytes: of the segment, where that is known; another size is refused then, so that
    ///     the sealed one can be promised before.
    package init(
        _ cipher: Cipher, dataKey: RawSpan, identity: SegmentIdentity, salt: Octets32,
        plainBytes: Int? = nil
    ) throws(SealedObjectFailure) {
        if let plainBytes, SegmentSize.chunkCount(of: plainBytes) == nil {
            throw .tooLarge(limitBytes: SealedObjectLimits.plainBytesMax)
        }
        let keys = try SegmentKeys(
            cipher, dataKey: try cipher.checkedSecret(dataKey), identity: identity, salt: salt)
        let header = SegmentHeader(identity: identity, salt: salt, commitment: keys.commitment)
        self.init(cipher, keys.encryption, header, plainBytes)
    }

    private init(
        _ cipher: Cipher, _ key: Cipher.SealingKey, _ header: SegmentHeader, _ plainBytes: Int?
    ) {
        self.cipher = cipher
        self.key = key
        self.header = header
        self.plainBytes = plainBytes
    }

    /// As if so many chunks had gone out: for tests of the largest index.
    mutating func skip(to index: Int) { self.index = index }

    /// Takes plaintext.
    ///
    /// - Parameters:
    ///   - slice: what of it was not taken yet.
    ///   - output: room for `outputBytesMax` bytes.
    package mutating func push(
        _ slice: RawSpan, into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> SegmentAction {
        try check(output)
        let chunk = try nextChunk(behind: slice.byteCount)
        if pending.count == 0, slice.byteCount >= chunk.needed {
            let written = try seal(
                slice.extracting(0..<chunk.bytes), isLast: chunk.isLast, into: output)
            return .pass(taken: chunk.bytes, output: 0..<written)
        }
        let taken = pending.take(slice, from: 0, upTo: chunk.bytes)
        guard pending.count + (slice.byteCount - taken) >= chunk.needed else { return .needsMore }
        let written = try sealPending(isLast: chunk.isLast, into: output)
        return .pass(taken: taken, output: 0..<written)
    }

    /// The plaintext ended. Returns which bytes of `output` are the segment's last, none when they
    /// went out before.
    ///
    /// - Parameter output: room for `outputBytesMax` bytes.
    package mutating func finish(
        into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> Range<Int> {
        try check(output)
        if let plainBytes, plainBytes > 0 {
            guard index == SegmentSize.chunkCount(of: plainBytes) else {
                state = .failed(.truncated)
                throw .truncated
            }
            state = .finished
            return 0..<0
        }
        precondition(pending.count > 0 || index == 0, "the rest of a slice was not handed over")
        let written = try sealPending(isLast: true, into: output)
        state = .finished
        return 0..<written
    }

    /// How many bytes the next chunk has, and how many must be there before it is sealed.
    ///
    /// - Parameter sliceBytes: that follow behind those that are kept.
    private mutating func nextChunk(
        behind sliceBytes: Int
    ) throws(SealedObjectFailure) -> (bytes: Int, needed: Int, isLast: Bool) {
        let most = SealedObjectLimits.chunkBytes
        guard let plainBytes else { return (most, most + 1, false) }
        // Below zero behind a last chunk that was not full.
        let rest = max(0, plainBytes - index * most)
        guard pending.count + sliceBytes <= rest else {
            state = .failed(.trailingBytes)
            throw .trailingBytes
        }
        let bytes = min(rest, most)
        // What is empty is sealed in the end.
        return (bytes, max(bytes, 1), bytes == rest)
    }

    private func check(_ output: UnsafeMutableRawBufferPointer) throws(SealedObjectFailure) {
        if case .failed(let failure) = state { throw failure }
        precondition(state == .sealing, "a finished segment takes no more bytes")
        precondition(output.count >= SealedObjectLimits.outputBytesMax, "the output is too small")
    }

    private mutating func sealPending(
        isLast: Bool, into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> Int {
        // Out of the machine for the time of the call: the buffer is read while the state changes.
        var full = ChunkBuffer(capacity: SealedObjectLimits.chunkBytes)
        swap(&full, &pending)
        defer { swap(&full, &pending) }
        let written = try full.withBytes { bytes throws(SealedObjectFailure) in
            try seal(bytes, isLast: isLast, into: output)
        }
        full.clear()
        return written
    }

    private mutating func seal(
        _ plaintext: RawSpan, isLast: Bool, into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> Int {
        do throws(SealedObjectFailure) {
            guard let number = UInt32(exactly: index) else {
                throw SealedObjectFailure.tooLarge(limitBytes: SealedObjectLimits.plainBytesMax)
            }
            let start = index == 0 ? SealedObjectLimits.headerBytes : 0
            if index == 0 { output.copyBytes(from: header.bytes) }
            try cipher.sealChunk(
                plaintext, key, ChunkNonce(index: number, isLast: isLast),
                into: UnsafeMutableRawBufferPointer(rebasing: output[start...]))
            index += 1
            return start + plaintext.byteCount + SealedObjectLimits.tagBytes
        } catch {
            state = .failed(error)
            throw error
        }
    }
}

extension AuthenticatedCipher {
    /// Chunks have no authenticated data of their own: what they belong to is in their key.
    func sealChunk(
        _ plaintext: RawSpan, _ key: SealingKey, _ nonce: ChunkNonce,
        into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) {
        do {
            try seal(plaintext, key, nonce: nonce, authenticating: [], into: output)
        } catch { throw SealedObjectFailure(error) }
    }

    func openChunk(
        _ sealed: RawSpan, _ key: SealingKey, _ nonce: ChunkNonce,
        into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) {
        do {
            try open(sealed, key, nonce: nonce, authenticating: [], into: output)
        } catch { throw SealedObjectFailure(error) }
    }
}
