// SPDX-License-Identifier: Apache-2.0

extension KeyEnvelope {
    enum Tag: UInt8 {
        case keyReference = 1
        case segmentSalt = 2
        case segmentCommitment = 3
        case wrapSalt = 4
        case wrappedKey = 5
        case vaultCiphertext = 6
    }

    private static let version: UInt8 = 1
    private static let suite: UInt8 = 1

    /// The value of `x-amz-meta-ct1`.
    package var text: String {
        var bytes = Self.head(content: content, keyReference: keyReference)
        switch wrap {
        case .vault(let ciphertext):
            Self.append(.vaultCiphertext, Array(ciphertext.utf8), to: &bytes)
        case .epoch(let salt, let wrapped):
            Self.append(.wrapSalt, salt.array, to: &bytes)
            Self.append(.wrappedKey, wrapped.bytes, to: &bytes)
        }
        return Base64URL.text(bytes)
    }

    /// The fields before those of the wrap.
    private static func head(content: Content, keyReference: String) -> [UInt8] {
        var bytes = [version, suite, content == .parts ? UInt8(1) : UInt8(0)]
        append(.keyReference, Array(keyReference.utf8), to: &bytes)
        if case .object(let salt, let commitment) = content {
            append(.segmentSalt, salt.array, to: &bytes)
            append(.segmentCommitment, commitment.array, to: &bytes)
        }
        return bytes
    }

    /// All fields before the wrapped key of mode B: what its wrap authenticates beside the context.
    static func authenticated(
        content: Content, keyReference: String, wrapSalt: Octets32
    ) -> [UInt8] {
        var bytes = head(content: content, keyReference: keyReference)
        append(.wrapSalt, wrapSalt.array, to: &bytes)
        return bytes
    }

    private static func append(_ tag: Tag, _ value: [UInt8], to bytes: inout [UInt8]) {
        bytes += [tag.rawValue, UInt8(value.count)]
        bytes += value
    }

    /// Reads the value of `x-amz-meta-ct1`; nil: the object has none, which is refused as well: an
    /// object may not pass for a plain one because somebody took its metadata away.
    package init(_ text: String?) throws(EnvelopeRefusal) {
        guard let text else { throw .missing }
        guard text.utf8.count <= SealedObjectLimits.envelopeTextBytesMax else {
            throw .tooLong(bytes: text.utf8.count)
        }
        guard let bytes = Base64URL.bytes(text) else { throw .notBase64URL }
        guard bytes.count >= 3 else { throw .fieldMissing(tag: Tag.keyReference.rawValue) }
        guard bytes[0] == Self.version else { throw .versionUnknown(bytes[0]) }
        guard bytes[1] == Self.suite else { throw .suiteUnknown(bytes[1]) }
        guard bytes[2] <= 1 else { throw .kindUnknown(bytes[2]) }
        var fields = FieldReader(bytes: bytes, offset: 3)
        let reference = try fields.text(.keyReference)
        let content: Content =
            bytes[2] == 1
            ? .parts
            : .object(
                salt: try fields.octets(.segmentSalt),
                commitment: try fields.octets(.segmentCommitment))
        let wrap: Wrap
        if fields.isNext(.vaultCiphertext) {
            wrap = .vault(ciphertext: try fields.text(.vaultCiphertext))
        } else {
            let salt = try fields.octets(.wrapSalt)
            guard let wrapped = WrappedKey(try fields.value(.wrappedKey)) else {
                throw .fieldInvalid(tag: Tag.wrappedKey.rawValue)
            }
            wrap = .epoch(salt: salt, wrapped: wrapped)
        }
        if let tag = fields.nextTag { throw .fieldInvalid(tag: tag) }
        try self.init(content: content, keyReference: reference, wrap: wrap)
    }

    private struct FieldReader {
        let bytes: [UInt8]
        var offset: Int

        var nextTag: UInt8? { offset < bytes.count ? bytes[offset] : nil }

        func isNext(_ tag: Tag) -> Bool { nextTag == tag.rawValue }

        mutating func value(_ tag: Tag) throws(EnvelopeRefusal) -> [UInt8] {
            guard let found = nextTag else { throw .fieldMissing(tag: tag.rawValue) }
            guard found == tag.rawValue, offset + 1 < bytes.count else {
                throw .fieldInvalid(tag: found)
            }
            let start = offset + 2
            let end = start + Int(bytes[offset + 1])
            guard end <= bytes.count else { throw .fieldInvalid(tag: found) }
            offset = end
            return Array(bytes[start..<end])
        }

        mutating func octets(_ tag: Tag) throws(EnvelopeRefusal) -> Octets32 {
            guard let octets = Octets32(try value(tag)) else {
                throw .fieldInvalid(tag: tag.rawValue)
            }
            return octets
        }

        mutating func text(_ tag: Tag) throws(EnvelopeRefusal) -> String {
            let value = try value(tag)
            guard KeyEnvelope.isVisible(value, upTo: Int(UInt8.max)) else { throw .valueInvalid }
            return String(decoding: value, as: UTF8.self)
        }
    }
}
