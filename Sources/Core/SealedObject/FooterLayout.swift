// SPDX-License-Identifier: Apache-2.0

/// Where the footer of an object in parts stands, and how large it is.
///
/// An object of M upstream parts has M - 1 parts of the client and the footer as the last one, or M
/// parts of the client with the footer behind the last one's segment: stores refuse parts below 5
/// MiB that are not the last. The footer is padded so that what an object has beyond plaintext and
/// tags depends on M alone, which listings show as the suffix of the ETag.
package enum FooterLayout: UInt8, Sendable, Hashable, CaseIterable {
    case extraPart = 0
    case mergedIntoLastPart = 1

    /// The footer may be one more part than a client's.
    static let upstreamParts = 1...SealedObjectLimits.partsMax + 1
    /// Before the rows: version, layout, 2 zeros, number of rows, total.
    static let fixedBytes = 16
    /// Number (4), plaintext bytes (8), salt (32).
    static let rowBytes = 44
    /// The plaintext of a footer that is a part of its own is a multiple of this.
    static let paddingBytes = 1_024

    /// Of a client's upload of so many parts.
    package func upstreamParts(of clientParts: Int) -> Int {
        self == .extraPart ? clientParts + 1 : clientParts
    }

    /// Of an object that has so many upstream parts.
    package func clientParts(of upstreamParts: Int) -> Int {
        self == .extraPart ? upstreamParts - 1 : upstreamParts
    }

    /// - Parameter upstreamParts: one of `Self.upstreamParts`.
    func plainBytes(upstreamParts: Int) -> Int {
        // The footer of its own makes up for the header of the part that it takes the place of.
        let header = SealedObjectLimits.headerBytes
        let least =
            Self.fixedBytes + Self.rowBytes * upstreamParts + SealedObjectLimits.digestBytesMax
            + header
        let padded = (least + Self.paddingBytes - 1) / Self.paddingBytes * Self.paddingBytes
        return self == .extraPart ? padded : padded - header
    }

    /// Of the footer's segment.
    func sealedBytes(upstreamParts: Int) -> Int {
        SegmentSize.sealedSize(of: plainBytes(upstreamParts: upstreamParts)) ?? 0
    }

    /// How many bytes from the object's end hold the footer in either layout. nil: no object has so
    /// many parts, whatever its store says.
    package static func suffixBytes(upstreamParts: Int) -> Int? {
        guard Self.upstreamParts.contains(upstreamParts) else { return nil }
        return extraPart.sealedBytes(upstreamParts: upstreamParts)
    }

    /// The layouts that an object's last `suffixBytes` look like, and where in them the footer
    /// begins. Two when the bytes before a merged footer look like a header: only a key tells.
    static func candidates(
        in suffix: RawSpan, upstreamParts: Int
    ) -> [(layout: FooterLayout, offset: Int)] {
        guard Self.upstreamParts.contains(upstreamParts) else { return [] }
        return allCases.compactMap { layout in
            let offset = suffix.byteCount - layout.sealedBytes(upstreamParts: upstreamParts)
            guard offset >= 0, layout.clientParts(of: upstreamParts) >= 1,
                let header = try? SegmentHeader(
                    reading: suffix.extracting(offset..<suffix.byteCount)),
                header.identity == .footer
            else { return nil }
            return (layout, offset)
        }
    }

    /// What an object of so many upstream parts has beyond its plaintext and its parts' tags, in
    /// either layout.
    static func overheadBytes(upstreamParts: Int) -> Int {
        mergedIntoLastPart.sealedBytes(upstreamParts: upstreamParts)
            + upstreamParts * SealedObjectLimits.headerBytes
    }

    /// The plaintext size of an object in parts, from a listing. Right when all parts but the last
    /// are whole chunks (`PartTable.isAligned`); a listing does not show whether they are.
    /// nil: no aligned object has this size.
    package static func alignedPlainSize(
        ofSealed sealedBytes: Int, upstreamParts: Int
    ) -> Int? {
        guard Self.upstreamParts.contains(upstreamParts) else { return nil }
        let overhead = overheadBytes(upstreamParts: upstreamParts)
        let (chunks, isTooSmall) = sealedBytes.subtractingReportingOverflow(overhead)
        guard !isTooSmall, chunks >= 0,
            chunks <= SealedObjectLimits.plainBytesMax
                + SealedObjectLimits.chunksMax * SealedObjectLimits.tagBytes
        else { return nil }
        return SegmentSize.plainSize(ofSealed: chunks + SealedObjectLimits.headerBytes)
    }
}
