// SPDX-License-Identifier: Apache-2.0

/// Why a text is no envelope.
package enum EnvelopeRefusal: Error, Sendable, Equatable {
    /// There is none where a sealed object has one.
    case missing
    /// Longer than `envelopeTextBytesMax`.
    case tooLong(bytes: Int)
    case notBase64URL
    case versionUnknown(UInt8)
    case suiteUnknown(UInt8)
    case kindUnknown(UInt8)
    /// A field is not known, stands twice, not in its place, or has another length.
    case fieldInvalid(tag: UInt8)
    case fieldMissing(tag: UInt8)
    /// The key is wrapped in another mode than the caller unwraps.
    case modeUnexpected
    /// A reference or ciphertext is empty, too long or not visible ASCII.
    case valueInvalid

    /// For people.
    package var text: String {
        switch self {
        case .missing: "the object has no x-amz-meta-ct1, which says what its key is wrapped with"
        case .tooLong(let bytes):
            "x-amz-meta-ct1 has \(bytes) bytes, more than "
                + "\(SealedObjectLimits.envelopeTextBytesMax)"
        case .notBase64URL: "x-amz-meta-ct1 is no base64url"
        case .versionUnknown(let version): "x-amz-meta-ct1 is of version \(version), not 1"
        case .suiteUnknown(let suite): "x-amz-meta-ct1 is of suite \(suite), not 1"
        case .kindUnknown(let kind): "x-amz-meta-ct1 is of kind \(kind), which is not known"
        case .fieldInvalid(let tag): "field \(tag) of x-amz-meta-ct1 is not as it should be"
        case .fieldMissing(let tag): "field \(tag) of x-amz-meta-ct1 is not there"
        case .modeUnexpected: "the object's key is wrapped in the other mode"
        case .valueInvalid: "a key's reference or ciphertext is empty, too long or no visible ASCII"
        }
    }
}

/// What stands in `x-amz-meta-ct1` of a sealed object: its data key, wrapped, and by what.
///
/// Shape: base64url of version 1, suite 1, kind, and fields of tag (1 byte), length (1) and value
/// in the order of their tags, each once. It has one text only; what is unknown is refused.
package struct KeyEnvelope: Sendable, Hashable {
    package enum Content: Sendable, Hashable {
        /// One segment. Its salt and commitment stand here too, so that a range can be read without
        /// its header.
        case object(salt: Octets32, commitment: Octets32)
        /// Parts with a footer.
        case parts

        /// Of the sealer that seals a whole object; nil when it seals something else.
        package init?(_ header: SegmentHeader) {
            guard header.identity == .object else { return nil }
            self = .object(salt: header.salt, commitment: header.commitment)
        }

        /// The segment's header, so that a range is one request; nil for parts.
        package var header: SegmentHeader? {
            guard case .object(let salt, let commitment) = self else { return nil }
            return SegmentHeader(identity: .object, salt: salt, commitment: commitment)
        }
    }

    package enum Wrap: Sendable, Hashable {
        /// Mode A: a vault's transit engine, with the object's context as `context`.
        case vault(ciphertext: String)
        /// Mode B: a key-encryption key that the proxy holds for an epoch.
        case epoch(salt: Octets32, wrapped: WrappedKey)
    }

    package let content: Content
    /// Which key wraps: of the vault (mode A), of the table of epoch keys (mode B). 1 ... 64
    /// characters of visible ASCII.
    package let keyReference: String
    package let wrap: Wrap

    package init(
        content: Content, keyReference: String, wrap: Wrap
    ) throws(EnvelopeRefusal) {
        guard Self.isVisible(keyReference.utf8, upTo: SealedObjectLimits.keyReferenceBytesMax)
        else { throw .valueInvalid }
        if case .vault(let ciphertext) = wrap {
            guard ciphertext.hasPrefix("vault:v"),
                Self.isVisible(ciphertext.utf8, upTo: SealedObjectLimits.vaultCiphertextBytesMax)
            else { throw .valueInvalid }
        }
        self.content = content
        self.keyReference = keyReference
        self.wrap = wrap
    }

    static func isVisible(_ bytes: some Collection<UInt8>, upTo limit: Int) -> Bool {
        (1...limit).contains(bytes.count) && bytes.allSatisfy { (0x21...0x7E).contains($0) }
    }
}

/// A data key under an epoch key: 32 bytes of ciphertext and 16 of tag.
package struct WrappedKey: Sendable, Hashable {
    package static let byteCount = SealedObjectLimits.keyBytes + SealedObjectLimits.tagBytes
    package let bytes: [UInt8]

    /// nil unless there are 48.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }
}
