// SPDX-License-Identifier: Apache-2.0

/// The sealed bytes that hold a range of an object in parts: one stretch, which begins at a chunk
/// and goes on through the headers of further parts.
package struct MultipartRange: Sendable, Hashable {
    /// What is read of one part.
    struct Piece: Sendable, Hashable {
        /// Index into the table's rows.
        let row: Int
        let range: SegmentRange
        /// Whether the part's header stands in the stretch: for all parts but the first.
        let hasHeader: Bool

        var sealedBytes: Int {
            range.sealed.count + (hasHeader ? SealedObjectLimits.headerBytes : 0)
        }
    }

    /// Where the stretch stands in the object.
    package let sealed: Range<Int>
    let pieces: [Piece]

    /// - Parameters:
    ///   - plain: offsets in the object's plaintext.
    ///   - withFirstHeader: the first part's header stands in the stretch too, and is compared;
    ///     only for a range that begins where the part does.
    ///
    /// nil: the range is empty or ends behind the object. The range `0..<0` of an empty object is
    /// all of it.
    package init?(_ plain: Range<Int>, of table: PartTable, withFirstHeader: Bool = false) {
        guard plain.lowerBound >= 0, plain.upperBound <= table.plainBytes,
            !plain.isEmpty || table.plainBytes == 0
        else { return nil }
        let isWhole = plain == 0..<table.plainBytes
        var pieces: [Piece] = []
        var start = 0
        var (plainOffset, sealedOffset) = (0, 0)
        for (index, row) in table.rows.enumerated() {
            let own = plainOffset..<plainOffset + row.plainBytes
            let wanted = own.clamped(to: plain)
            // An empty part belongs to a range that goes on behind it, or to all of the object.
            let isInside =
                isWhole || !wanted.isEmpty
                || (!pieces.isEmpty && own.lowerBound < plain.upperBound)
            if isInside {
                let local = wanted.lowerBound - plainOffset..<wanted.upperBound - plainOffset
                guard let range = SegmentRange(local, of: row.plainBytes) else { return nil }
                let isFirst = pieces.isEmpty
                let hasHeader = !isFirst || withFirstHeader && range.chunks.lowerBound == 0
                if isFirst { start = sealedOffset + (hasHeader ? 0 : range.sealed.lowerBound) }
                pieces.append(Piece(row: index, range: range, hasHeader: hasHeader))
            }
            plainOffset = own.upperBound
            sealedOffset += row.sealedBytes
        }
        self.pieces = pieces
        sealed = start..<start + pieces.reduce(0) { $0 + $1.sealedBytes }
    }
}

/// Opens a range of an object in parts, or all of it, with the table of its footer: each part must
/// be the attempt that the table names, at its place and as long as it says.
///
/// It is used as `OpenerStateMachine` is. The first part's header need not be read: the table has
/// its salt, and the footer's commitment was compared when the table was opened.
package struct MultipartOpenerStateMachine<Cipher: AuthenticatedCipher>: ~Copyable, Sendable {
    private let cipher: Cipher
    private let dataKey: Cipher.Secret
    private let table: PartTable
    private let pieces: [MultipartRange.Piece]
    private var opener: OpenerStateMachine<Cipher>
    private var current = 0
    /// Bytes of the current piece that were not taken yet.
    private var rest: Int
    private var failure: SealedObjectFailure?

    /// - Parameters:
    ///   - dataKey: that the table was opened with, 32 bytes. The cipher's copy of it is kept until
    ///     the end: each further part has keys of its own.
    ///   - range: of this table.
    package init(
        _ cipher: Cipher, dataKey: RawSpan, table: PartTable, range: MultipartRange
    ) throws(SealedObjectFailure) {
        guard let first = range.pieces.first, range.pieces.allSatisfy({ $0.row < table.rows.count })
        else { throw .partTable(.empty) }
        let key = try cipher.checkedSecret(dataKey)
        try self.init(cipher, key, table, range.pieces, first)
    }

    private init(
        _ cipher: Cipher, _ dataKey: Cipher.Secret, _ table: PartTable,
        _ pieces: [MultipartRange.Piece], _ first: MultipartRange.Piece
    ) throws(SealedObjectFailure) {
        self.cipher = cipher
        self.dataKey = dataKey
        self.table = table
        self.pieces = pieces
        rest = first.sealedBytes
        let row = table.rows[first.row]
        opener =
            first.hasHeader
            ? OpenerStateMachine(cipher, dataKey: dataKey, laterPart: row, range: first.range)
            : try OpenerStateMachine(cipher, dataKey: dataKey, part: row, range: first.range)
    }

    /// As `OpenerStateMachine.push`.
    package mutating func push(
        _ slice: RawSpan, into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> SegmentAction {
        if let failure { throw failure }
        do throws(SealedObjectFailure) {
            return try open(slice, into: output)
        } catch {
            failure = error
            throw error
        }
    }

    /// As `OpenerStateMachine.finish`. All bytes went out before.
    package mutating func finish(
        into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) {
        if let failure { throw failure }
        guard rest == 0, current + 1 == pieces.count else {
            failure = .truncated
            throw .truncated
        }
        _ = try opener.finish(into: output)
    }

    private mutating func open(
        _ slice: RawSpan, into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> SegmentAction {
        var start = 0
        while true {
            if rest == 0, start < slice.byteCount { try next(into: output) }
            let end = min(slice.byteCount, start + rest)
            let action = try opener.push(slice.extracting(start..<end), into: output)
            switch action {
            case .pass(let taken, let written):
                rest -= taken
                return .pass(taken: start + taken, output: written)
            case .needsMore:
                rest -= end - start
                start = end
                guard start < slice.byteCount else { return .needsMore }
            }
        }
    }

    private mutating func next(
        into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) {
        guard current + 1 < pieces.count else { throw .trailingBytes }
        _ = try opener.finish(into: output)
        current += 1
        let piece = pieces[current]
        rest = piece.sealedBytes
        opener = OpenerStateMachine(
            cipher, dataKey: dataKey, laterPart: table.rows[piece.row], range: piece.range)
    }
}
