// SPDX-License-Identifier: Apache-2.0

/// Why a client's metadata cannot be sealed, or a text is none that was.
package enum UserMetadataRefusal: Error, Sendable, Equatable {
    /// Names, values and their lengths have more than `userMetadataPlainBytesMax`.
    case tooLarge(bytes: Int)
    /// A name is empty or stands twice.
    case nameInvalid
    /// The text is too long, too short or no base64url.
    case notSealed
    /// What was sealed is no list of names and values.
    case malformed

    /// For people.
    package var text: String {
        switch self {
        case .tooLarge(let bytes):
            "the object's metadata has \(bytes) bytes, more than "
                + "\(SealedObjectLimits.userMetadataPlainBytesMax)"
        case .nameInvalid: "a name of the object's metadata is empty or stands twice"
        case .notSealed: "x-amz-meta-ct1m is too long, too short or no base64url"
        case .malformed: "the sealed metadata is no list of names and values"
        }
    }
}

/// What a client says about its object (`x-amz-meta-…`, Content-Type and others), sealed into
/// `x-amz-meta-ct1m`.
///
/// Shape of the plaintext: for each pair the name's length (2 bytes, big-endian), the name, the
/// value's length (2) and the value, in the client's order. Of the text: base64url of a salt (32
/// bytes), the ciphertext and its tag (16).
package struct UserMetadata: Sendable, Hashable {
    package struct Pair: Sendable, Hashable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package let pairs: [Pair]

    package init(_ pairs: [Pair]) throws(UserMetadataRefusal) {
        var names: Set<[UInt8]> = []
        for pair in pairs {
            guard !pair.name.isEmpty, names.insert(Array(pair.name.utf8)).inserted else {
                throw .nameInvalid
            }
        }
        self.pairs = pairs
        let bytes = pairs.reduce(0) { $0 + 4 + $1.name.utf8.count + $1.value.utf8.count }
        guard bytes <= SealedObjectLimits.userMetadataPlainBytesMax else {
            throw .tooLarge(bytes: bytes)
        }
    }

    /// Seals under a key of its own, from the object's data key and `salt`, bound to the name.
    ///
    /// - Parameters:
    ///   - salt: random, new for each call: a copy with other metadata has the same data key.
    ///   - context: of the object's name.
    package func sealed<Cipher: AuthenticatedCipher>(
        _ cipher: Cipher, dataKey: RawSpan, salt: Octets32, context: Octets32
    ) throws(SealedObjectFailure) -> String {
        let key = try Self.key(cipher, dataKey, salt)
        let plain = bytes
        var sealed = [UInt8](repeating: 0, count: plain.count + SealedObjectLimits.tagBytes)
        do {
            try sealed.withOutput { output throws(CipherFailure) in
                try cipher.seal(
                    plain.span.bytes, key, nonce: .single,
                    authenticating: context.array, into: output)
            }
        } catch { throw SealedObjectFailure(error) }
        return Base64URL.text(salt.array + sealed)
    }

    /// Opens the value of `x-amz-meta-ct1m`.
    ///
    /// - Throws: `notAuthentic` when the data key, the name or the text is another.
    package init<Cipher: AuthenticatedCipher>(
        _ text: String, _ cipher: Cipher, dataKey: RawSpan, context: Octets32
    ) throws(SealedObjectFailure) {
        guard text.utf8.count <= SealedObjectLimits.userMetadataTextBytesMax,
            let bytes = Base64URL.bytes(text),
            bytes.count >= Octets32.byteCount + SealedObjectLimits.tagBytes,
            let salt = Octets32(bytes[..<Octets32.byteCount])
        else { throw .userMetadata(.notSealed) }
        let key = try Self.key(cipher, dataKey, salt)
        let sealed = Array(bytes[Octets32.byteCount...])
        var plain = [UInt8](repeating: 0, count: sealed.count - SealedObjectLimits.tagBytes)
        do {
            try plain.withOutput { output throws(CipherFailure) in
                try cipher.open(
                    sealed.span.bytes, key, nonce: .single,
                    authenticating: context.array, into: output)
            }
        } catch { throw SealedObjectFailure(error) }
        do {
            try self.init(Self.pairs(plain))
        } catch { throw .userMetadata(error) }
    }

    private static func key<Cipher: AuthenticatedCipher>(
        _ cipher: Cipher, _ dataKey: RawSpan, _ salt: Octets32
    ) throws(SealedObjectFailure) -> Cipher.SealingKey {
        let dataKey = try cipher.checkedSecret(dataKey)
        do throws(CipherFailure) {
            let secret = try SegmentKeys.metadataKey(cipher, dataKey: dataKey)
            let key = try cipher.extract(secret, salt: salt)
            return try cipher.expandToSeal(key, info: KeyUse.userMetadata)
        } catch { throw SealedObjectFailure(error) }
    }

    // MARK: - Plaintext

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for pair in pairs {
            for text in [pair.name, pair.value] {
                bytes.append(bigEndian: UInt16(text.utf8.count))
                bytes += Array(text.utf8)
            }
        }
        return bytes
    }

    static func pairs(_ bytes: [UInt8]) throws(UserMetadataRefusal) -> [Pair] {
        var texts: [String] = []
        var offset = 0
        while offset < bytes.count {
            guard offset + 2 <= bytes.count else { throw .malformed }
            let start = offset + 2
            let end = start + (Int(bytes[offset]) << 8 | Int(bytes[offset + 1]))
            guard end <= bytes.count,
                let text = String(validating: bytes[start..<end], as: UTF8.self)
            else { throw .malformed }
            texts.append(text)
            offset = end
        }
        guard texts.count.isMultiple(of: 2) else { throw .malformed }
        return stride(from: 0, to: texts.count, by: 2).map { Pair(texts[$0], texts[$0 + 1]) }
    }
}
