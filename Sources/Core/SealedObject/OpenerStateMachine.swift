// SPDX-License-Identifier: Apache-2.0

/// Opens one segment, or some of its chunks, while its bytes arrive in slices of any size.
///
/// The caller hands over slices, passes on what comes out and finishes; before `finish` returned,
/// it must not tell anybody that all is there. Each output is the plaintext of one chunk whose tag
/// was right. The commitment is compared before the first chunk is opened. At most one sealed chunk
/// is kept; whole ones inside a slice are opened where they are. After a failure every call throws
/// it again.
package struct OpenerStateMachine<Cipher: AuthenticatedCipher>: ~Copyable, Sendable {
    private enum State: Sendable {
        /// The header is in the stream. Holds the data key until its own key is known.
        case header(dataKey: Cipher.Secret)
        case chunks(Cipher.SealingKey)
        case finished
        case failed(SealedObjectFailure)
    }

    /// Which chunks arrive.
    private struct Course: Sendable {
        /// Number of the next one.
        var index: Int
        /// nil: up to the end of the stream, wherever that is.
        var range: SegmentRange?
    }

    private let cipher: Cipher
    private let identity: SegmentIdentity
    /// nil: whichever the header has.
    private let salt: Octets32?
    private var state: State
    private var course: Course
    private var pending = ChunkBuffer(capacity: SealedObjectLimits.sealedChunkBytes)

    /// Opens a whole segment with its header.
    ///
    /// - Parameters:
    ///   - dataKey: the object's, 32 bytes.
    ///   - identity: which segment is wanted; another one is refused.
    ///   - salt: what a footer's table says of the part; another one is refused.
    ///   - plainBytes: of the segment, where that is known; nil: as many as arrive.
    package init(
        _ cipher: Cipher, dataKey: RawSpan, identity: SegmentIdentity, salt: Octets32? = nil,
        plainBytes: Int? = nil
    ) throws(SealedObjectFailure) {
        let key = try cipher.checkedSecret(dataKey)
        var range: SegmentRange?
        if let plainBytes {
            range = SegmentRange(wholeOf: plainBytes)
            guard range != nil else {
                throw .tooLarge(limitBytes: SealedObjectLimits.plainBytesMax)
            }
        }
        self.init(cipher, identity, salt, .header(dataKey: key), range)
    }

    /// Opens some chunks of a segment whose header is known, from its envelope.
    ///
    /// - Throws: `notAuthentic` unless the header's commitment is that of the data key.
    package init(
        _ cipher: Cipher, dataKey: RawSpan, header: SegmentHeader, range: SegmentRange
    ) throws(SealedObjectFailure) {
        let keys = try SegmentKeys(
            cipher, dataKey: try cipher.checkedSecret(dataKey), identity: header.identity,
            salt: header.salt)
        guard keys.commitment == header.commitment else { throw .notAuthentic }
        self.init(cipher, header.identity, header.salt, .chunks(keys.encryption), range)
    }

    /// Opens some chunks of a part whose salt stands in an opened footer. The footer's commitment
    /// has bound the data key, and with this salt it has one key only.
    init(
        _ cipher: Cipher, dataKey: Cipher.Secret, part: PartTable.Row, range: SegmentRange
    ) throws(SealedObjectFailure) {
        let keys = try SegmentKeys(
            cipher, dataKey: dataKey, identity: part.identity, salt: part.salt)
        self.init(cipher, part.identity, part.salt, .chunks(keys.encryption), range)
    }

    /// Opens the beginning of a part, header included, whose salt stands in an opened footer.
    init(
        _ cipher: Cipher, dataKey: Cipher.Secret, laterPart part: PartTable.Row, range: SegmentRange
    ) {
        self.init(cipher, part.identity, part.salt, .header(dataKey: dataKey), range)
    }

    private init(
        _ cipher: Cipher, _ identity: SegmentIdentity, _ salt: Octets32?, _ state: State,
        _ range: SegmentRange?
    ) {
        self.cipher = cipher
        self.identity = identity
        self.salt = salt
        self.state = state
        course = Course(index: range?.chunks.lowerBound ?? 0, range: range)
    }

    /// Takes sealed bytes.
    ///
    /// - Parameters:
    ///   - slice: what of it was not taken yet.
    ///   - output: room for `outputBytesMax` bytes. May hold anything after a failure, but no
    ///     plaintext that was not authenticated.
    package mutating func push(
        _ slice: RawSpan, into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> SegmentAction {
        try check(output)
        do throws(SealedObjectFailure) {
            var taken = 0
            if case .header(let dataKey) = state {
                taken = pending.take(slice, from: 0, upTo: SealedObjectLimits.headerBytes)
                guard pending.count == SealedObjectLimits.headerBytes else { return .needsMore }
                state = .chunks(try readHeader(dataKey))
            }
            guard case .chunks(let key) = state else { return .needsMore }
            return try chunk(slice, from: taken, key, into: output)
        } catch {
            state = .failed(error)
            throw error
        }
    }

    /// The sealed bytes ended. Returns which bytes of `output` are the segment's last, none when
    /// they went out before.
    ///
    /// - Throws: `truncated` or `notAuthentic` when this was not the segment's end.
    package mutating func finish(
        into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> Range<Int> {
        try check(output)
        do throws(SealedObjectFailure) {
            let written = try end(into: output)
            state = .finished
            return written
        } catch {
            state = .failed(error)
            throw error
        }
    }

    private func check(_ output: UnsafeMutableRawBufferPointer) throws(SealedObjectFailure) {
        if case .failed(let failure) = state { throw failure }
        if case .finished = state { preconditionFailure("a finished segment takes no more bytes") }
        precondition(output.count >= SealedObjectLimits.outputBytesMax, "the output is too small")
    }

    // MARK: - Header

    private mutating func readHeader(
        _ dataKey: Cipher.Secret
    ) throws(SealedObjectFailure) -> Cipher.SealingKey {
        let header = try pending.withBytes { bytes throws(SealedObjectFailure) in
            try SegmentHeader(reading: bytes)
        }
        pending.clear()
        guard header.identity == identity else { throw .segmentUnexpected(header.identity) }
        let keys = try SegmentKeys(
            cipher, dataKey: dataKey, identity: identity, salt: header.salt)
        // Both are looked at before either decides.
        let isCommitted = keys.commitment == header.commitment
        let isWanted = salt.map { $0 == header.salt } ?? true
        guard isCommitted, isWanted else { throw .notAuthentic }
        return keys.encryption
    }

    // MARK: - Chunks

    /// Bytes of the next sealed chunk and whether it is the segment's last, where that is known.
    private var expected: (bytes: Int, isLast: Bool)? {
        guard let range = course.range, course.index < range.chunks.upperBound else { return nil }
        let start = course.index * SealedObjectLimits.chunkBytes
        let plain = min(SealedObjectLimits.chunkBytes, range.plainBytes - start)
        let isLast = start + plain == range.plainBytes
        return (plain + SealedObjectLimits.tagBytes, isLast)
    }

    private mutating func chunk(
        _ slice: RawSpan, from start: Int, _ key: Cipher.SealingKey,
        into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> SegmentAction {
        guard course.range != nil else {
            // A byte behind a chunk shows that it is not the last one.
            let bytes = SealedObjectLimits.sealedChunkBytes
            return try chunk(
                slice, from: start, of: bytes, once: bytes + 1, isLast: false, key, into: output)
        }
        guard let (bytes, isLast) = expected else {
            guard start == slice.byteCount else { throw .trailingBytes }
            return .needsMore
        }
        return try chunk(
            slice, from: start, of: bytes, once: bytes, isLast: isLast, key, into: output)
    }

    /// Opens a chunk of `bytes` once so many are there, those behind it counted.
    private mutating func chunk(
        _ slice: RawSpan, from start: Int, of bytes: Int, once needed: Int, isLast: Bool,
        _ key: Cipher.SealingKey, into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> SegmentAction {
        if pending.count == 0, slice.byteCount - start >= needed {
            let plain = try open(
                slice.extracting(start..<start + bytes), key, isLast: isLast, into: output)
            return .pass(taken: start + bytes, output: plain)
        }
        let end = start + pending.take(slice, from: start, upTo: bytes)
        guard pending.count + (slice.byteCount - end) >= needed else { return .needsMore }
        return .pass(taken: end, output: try openPending(key, isLast: isLast, into: output))
    }

    private mutating func end(
        into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> Range<Int> {
        guard case .chunks(let key) = state else { throw .truncated }
        guard course.range == nil else {
            guard expected == nil else { throw .truncated }
            return 0..<0
        }
        // An empty chunk is the only one of an empty segment: behind others it would be a second
        // way to write the same plaintext.
        let least = SealedObjectLimits.tagBytes + (course.index == 0 ? 0 : 1)
        guard pending.count >= least else { throw .truncated }
        return try openPending(key, isLast: true, into: output)
    }

    private mutating func openPending(
        _ key: Cipher.SealingKey, isLast: Bool, into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> Range<Int> {
        var full = ChunkBuffer(capacity: SealedObjectLimits.sealedChunkBytes)
        swap(&full, &pending)
        defer { swap(&full, &pending) }
        let plain = try full.withBytes { bytes throws(SealedObjectFailure) in
            try open(bytes, key, isLast: isLast, into: output)
        }
        full.clear()
        return plain
    }

    /// Returns where in `output` the plaintext is that was asked for.
    private mutating func open(
        _ sealed: RawSpan, _ key: Cipher.SealingKey, isLast: Bool,
        into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> Range<Int> {
        guard let number = UInt32(exactly: course.index) else {
            throw .tooLarge(limitBytes: SealedObjectLimits.plainBytesMax)
        }
        try cipher.openChunk(
            sealed, key, ChunkNonce(index: number, isLast: isLast), into: output)
        let plain = 0..<sealed.byteCount - SealedObjectLimits.tagBytes
        defer { course.index += 1 }
        guard let range = course.range else { return plain }
        let offset = (course.index - range.chunks.lowerBound) * SealedObjectLimits.chunkBytes
        return plain.clamped(to: range.dropped - offset..<range.dropped + range.kept - offset)
    }
}
