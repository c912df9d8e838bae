// SPDX-License-Identifier: Apache-2.0

/// Why rows are no table of an object's parts, or not the one of these bytes.
package enum PartTableRefusal: Error, Sendable, Equatable {
    case empty
    /// More than `partsMax`.
    case tooManyParts(Int)
    /// A part's number is not from 1 to 9,999, or not above that of the part before.
    case numbersNotAscending(part: Int)
    case partTooLarge(part: Int)
    /// All parts together are larger than `plainBytesMax`.
    case objectTooLarge
    /// Two parts have the same salt. Their keys differ all the same, but what draws salts repeats
    /// itself: two attempts at one part may have had one key stream. The object must not be
    /// completed.
    case saltUsedTwice(part: Int)
    /// Digests are not in the order of their kinds, of one kind twice or of a wrong size.
    case digestsInvalid
    /// The footer's plaintext is not what a writer makes.
    case footerMalformed
    /// The object has another size than its parts and footer have together.
    case sizesDisagree(expectedBytes: Int, foundBytes: Int)

    /// For people.
    package var text: String {
        switch self {
        case .empty: "an object in parts has no part"
        case .tooManyParts(let count):
            "the object has \(count) parts, more than \(SealedObjectLimits.partsMax)"
        case .numbersNotAscending(let part): "part \(part) does not come after the one before it"
        case .partTooLarge(let part): "part \(part) is larger than a segment can be"
        case .objectTooLarge:
            "the parts are larger than \(SealedObjectLimits.plainBytesMax) bytes together"
        case .saltUsedTwice(let part):
            "part \(part) has the salt of another part: the source of randomness repeats itself"
        case .digestsInvalid: "the footer's digests are not of known kinds and sizes"
        case .footerMalformed: "the footer is not as this version writes it"
        case .sizesDisagree(let expected, let found):
            "the object has \(found) bytes where its footer says \(expected): a part is missing, "
                + "added or another one"
        }
    }
}

/// Digests of a whole object's plaintext. They stand in the encrypted footer only: outside of it
/// they would tell which of two known contents an object has.
package struct PlainDigest: Sendable, Hashable {
    package enum Kind: UInt8, Sendable, CaseIterable {
        /// What S3 calls the ETag of an object in parts, without its suffix: MD5 of the parts' MD5.
        case md5OfParts = 1
        case sha256 = 2
        case sha1 = 3
        case crc32 = 4
        case crc32c = 5
        case crc64nvme = 6

        package var byteCount: Int {
            switch self {
            case .md5OfParts: 16
            case .sha256: 32
            case .sha1: 20
            case .crc32, .crc32c: 4
            case .crc64nvme: 8
            }
        }
    }

    package let kind: Kind
    package let bytes: [UInt8]

    /// nil unless there are as many bytes as the kind has.
    package init?(_ kind: Kind, _ bytes: [UInt8]) {
        guard bytes.count == kind.byteCount else { return nil }
        self.kind = kind
        self.bytes = bytes
    }
}

/// The parts of an object in their order: which attempt at each, and how long it is. Without it
/// whoever stores the object could leave parts out, swap them or take an older attempt, since each
/// is authenticated by itself.
package struct PartTable: Sendable, Hashable {
    package struct Row: Sendable, Hashable {
        package let number: Int
        /// Of the part's plaintext.
        package let plainBytes: Int
        /// Of the attempt that counts.
        package let salt: Octets32

        package init(number: Int, plainBytes: Int, salt: Octets32) {
            self.number = number
            self.plainBytes = plainBytes
            self.salt = salt
        }

        // Rows of a table have passed both checks; others have no identity that opens anything.
        var identity: SegmentIdentity { .part(number) ?? .object }
        var sealedBytes: Int { SegmentSize.sealedSize(of: plainBytes) ?? 0 }
    }

    package let rows: [Row]
    /// Of all parts together.
    package let plainBytes: Int
    /// In the order of their kinds, at most one of each.
    package let digests: [PlainDigest]

    package init(_ rows: [Row], digests: [PlainDigest] = []) throws(PartTableRefusal) {
        guard !rows.isEmpty else { throw .empty }
        guard rows.count <= SealedObjectLimits.partsMax else { throw .tooManyParts(rows.count) }
        var salts: Set<Octets32> = []
        var previous = 0
        var total = 0
        for row in rows {
            guard SegmentIdentity.part(row.number) != nil, row.number > previous else {
                throw .numbersNotAscending(part: row.number)
            }
            guard SegmentSize.chunkCount(of: row.plainBytes) != nil else {
                throw .partTooLarge(part: row.number)
            }
            guard salts.insert(row.salt).inserted else { throw .saltUsedTwice(part: row.number) }
            previous = row.number
            total += row.plainBytes
            guard total <= SealedObjectLimits.plainBytesMax else { throw .objectTooLarge }
        }
        let kinds = digests.map(\.kind.rawValue)
        guard zip(kinds, kinds.dropFirst()).allSatisfy({ $0 < $1 }) else { throw .digestsInvalid }
        self.rows = rows
        self.digests = digests
        plainBytes = total
    }

    /// Whether the size can be had from a listing: all parts but the last are whole chunks, and the
    /// last is not empty unless it is the only one.
    package var isAligned: Bool {
        rows.dropLast().allSatisfy { $0.plainBytes % SealedObjectLimits.chunkBytes == 0 }
            && (rows.count == 1 || rows[rows.count - 1].plainBytes > 0)
            && rows.dropLast().allSatisfy { $0.plainBytes > 0 }
    }

    /// Bytes of all sealed parts, without the footer.
    package var sealedPartBytes: Int { rows.reduce(0) { $0 + $1.sealedBytes } }

    /// Refuses an object whose size is not that of the table's parts and footer.
    package func check(
        sealedObjectBytes found: Int, _ layout: FooterLayout
    ) throws(PartTableRefusal) {
        let upstreamParts = layout.upstreamParts(of: rows.count)
        let expected = sealedPartBytes + layout.sealedBytes(upstreamParts: upstreamParts)
        guard expected == found else {
            throw .sizesDisagree(expectedBytes: expected, foundBytes: found)
        }
    }
}
