// SPDX-License-Identifier: Apache-2.0

/// Why sealed bytes are refused, or could not be made.
///
/// What depends on a key has one case, `notAuthentic`: a wrong commitment, a wrong tag, a wrong
/// name, a wrong key and changed bytes are not told apart, so that nobody can ask us which. All
/// other cases follow from bytes and sizes that everybody sees.
package enum SealedObjectFailure: Error, Sendable, Equatable {
    /// It does not begin as a CT1 segment does.
    case notSealed
    case versionUnknown(UInt8)
    case suiteUnknown(UInt8)
    case chunkSizeUnknown(log2: UInt8)
    case kindUnknown(UInt8)
    /// A part has a number from 1 to 9,999, other segments have 0.
    case partNumberInvalid(UInt32)
    /// Reserved bytes are not zero.
    case reservedBytesUsed
    /// A whole segment, but not the one that was asked for.
    case segmentUnexpected(SegmentIdentity)
    /// No segment has so many bytes, or they ended before the segment did.
    case truncated
    /// Bytes follow behind the end.
    case trailingBytes
    /// More plaintext than a segment or an object holds (bytes).
    case tooLarge(limitBytes: Int)
    /// A key is not 32 bytes long.
    case keyLengthWrong(bytes: Int)
    case notAuthentic
    case partTable(PartTableRefusal)
    case envelope(EnvelopeRefusal)
    case userMetadata(UserMetadataRefusal)
    /// The cipher refused to work.
    case cipherUnavailable
    /// The cipher has no memory left for keys.
    case memoryExhausted

    /// For people. Never holds a key, a name or content.
    package var text: String {
        switch self {
        case .notSealed:
            "the object is not sealed; where plain objects are meant, policy has to list the prefix"
        case .versionUnknown(let version):
            "the segment is of version \(version) of the format, this program reads version 1"
        case .suiteUnknown(let suite): "the segment is sealed with suite \(suite), not with suite 1"
        case .chunkSizeUnknown(let log2): "the segment's chunks have 2^\(log2) bytes, not 2^16"
        case .kindUnknown(let kind): "the segment is of kind \(kind), which is not known"
        case .partNumberInvalid(let number): "the segment has the part number \(number)"
        case .reservedBytesUsed: "the segment's header has reserved bytes that are not zero"
        case .segmentUnexpected(let identity):
            "the segment is \(identity.text), another one is wanted"
        case .truncated: "the sealed bytes ended too early, or have a size that no segment has"
        case .trailingBytes: "bytes follow behind the end of the sealed segment"
        case .tooLarge(let limit): "the plaintext is larger than \(limit) bytes"
        case .keyLengthWrong(let bytes): "a key has \(bytes) bytes, not 32"
        case .notAuthentic:
            "the bytes do not belong to this key and name, or were changed; nothing was released"
        case .partTable(let refusal): refusal.text
        case .envelope(let refusal): refusal.text
        case .userMetadata(let refusal): refusal.text
        case .cipherUnavailable: "the cryptographic library refused to work"
        case .memoryExhausted:
            "the secret memory for keys is used up; try again when fewer requests are under way, "
                + "or allow fewer"
        }
    }

    /// Whether the same may succeed a little later.
    package var isTransient: Bool { self == .memoryExhausted }

    package init(_ failure: CipherFailure) {
        switch failure {
        case .notAuthentic: self = .notAuthentic
        case .unavailable: self = .cipherUnavailable
        case .memoryExhausted: self = .memoryExhausted
        }
    }
}
