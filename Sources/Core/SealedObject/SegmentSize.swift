// SPDX-License-Identifier: Apache-2.0

/// Sizes of a segment with and without its seal. Each plaintext size has one sealed size and the
/// other way round, so that a listing needs no request for each object.
package enum SegmentSize {
    /// Chunks of a segment; an empty one has one. nil: below zero or above `plainBytesMax`.
    package static func chunkCount(of plainBytes: Int) -> Int? {
        guard (0...SealedObjectLimits.plainBytesMax).contains(plainBytes) else { return nil }
        let chunk = SealedObjectLimits.chunkBytes
        return max(1, (plainBytes + chunk - 1) / chunk)
    }

    /// Bytes of the sealed segment, header included. nil: below zero or above `plainBytesMax`.
    package static func sealedSize(of plainBytes: Int) -> Int? {
        guard let chunks = chunkCount(of: plainBytes) else { return nil }
        return SealedObjectLimits.headerBytes + plainBytes + chunks * SealedObjectLimits.tagBytes
    }

    /// Bytes of the plaintext. nil: no segment has this size.
    package static func plainSize(ofSealed sealedBytes: Int) -> Int? {
        let tag = SealedObjectLimits.tagBytes
        let sealedChunk = SealedObjectLimits.sealedChunkBytes
        guard sealedBytes >= SealedObjectLimits.headerBytes + tag else { return nil }
        let chunkBytes = sealedBytes - SealedObjectLimits.headerBytes
        let (whole, rest) = chunkBytes.quotientAndRemainder(dividingBy: sealedChunk)
        // Behind whole chunks stands nothing, or a tag and at least one byte.
        guard rest == 0 || rest > tag || whole == 0 else { return nil }
        let plainBytes = chunkBytes - (whole + (rest == 0 ? 0 : 1)) * tag
        guard plainBytes <= SealedObjectLimits.plainBytesMax else { return nil }
        return plainBytes
    }
}

/// The chunks of one segment that hold a range of its plaintext.
package struct SegmentRange: Sendable, Hashable {
    /// Of the whole segment.
    package let plainBytes: Int
    /// Numbers of the chunks that are needed.
    package let chunks: Range<Int>
    /// Where they stand in the sealed segment, behind its header.
    package let sealed: Range<Int>
    /// Bytes of the first chunk's plaintext that were not asked for.
    package let dropped: Int
    /// Bytes that were asked for, behind `dropped`.
    package let kept: Int

    /// - Parameters:
    ///   - plain: offsets in the segment's plaintext.
    ///   - plainBytes: of the whole segment.
    ///
    /// nil: the range is empty or ends behind the segment. The range `0..<0` of an empty segment
    /// is its one chunk, which has to be opened as others have.
    package init?(_ plain: Range<Int>, of plainBytes: Int) {
        guard let count = SegmentSize.chunkCount(of: plainBytes),
            let size = SegmentSize.sealedSize(of: plainBytes),
            plain.lowerBound >= 0, plain.upperBound <= plainBytes,
            !plain.isEmpty || plainBytes == 0
        else { return nil }
        let first = plain.lowerBound / SealedObjectLimits.chunkBytes
        let last = max(plain.upperBound - 1, 0) / SealedObjectLimits.chunkBytes
        self.plainBytes = plainBytes
        chunks = first..<last + 1
        let header = SealedObjectLimits.headerBytes
        let sealedChunk = SealedObjectLimits.sealedChunkBytes
        let end = last + 1 == count ? size : header + (last + 1) * sealedChunk
        sealed = header + first * sealedChunk..<end
        dropped = plain.lowerBound - first * SealedObjectLimits.chunkBytes
        kept = plain.count
    }

    /// All of a segment. nil: no segment is so large.
    package init?(wholeOf plainBytes: Int) {
        guard plainBytes >= 0 else { return nil }
        self.init(0..<plainBytes, of: plainBytes)
    }
}
