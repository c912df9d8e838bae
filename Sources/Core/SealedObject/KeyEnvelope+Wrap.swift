// SPDX-License-Identifier: Apache-2.0
package import SecretMemory

extension KeyEnvelope {
    /// Wraps a data key under an epoch key (mode B).
    ///
    /// The wrapping key is HKDF-SHA512 of the epoch key with `wrapSalt` and the info `wrap`; it
    /// seals this data key only, with nonce 0. Authenticated with it: the context, then every byte
    /// of the envelope before the wrapped key.
    ///
    /// - Parameters:
    ///   - dataKey: 32 bytes, the caller's to zero.
    ///   - epochKey: 32 bytes, likewise.
    ///   - wrapSalt: random, new for each wrap, also for that of a copy.
    ///   - context: of the object's name.
    package static func wrapping<Cipher: AuthenticatedCipher>(
        _ dataKey: RawSpan, of content: Content, context: Octets32, epochKey: RawSpan,
        keyReference: String, wrapSalt: Octets32, _ cipher: Cipher
    ) throws(SealedObjectFailure) -> KeyEnvelope {
        guard dataKey.byteCount == SealedObjectLimits.keyBytes else {
            throw .keyLengthWrong(bytes: dataKey.byteCount)
        }
        let key = try wrappingKey(cipher, epochKey, wrapSalt)
        let authenticated =
            context.array
            + authenticated(content: content, keyReference: keyReference, wrapSalt: wrapSalt)
        var wrapped = [UInt8](repeating: 0, count: WrappedKey.byteCount)
        do {
            try wrapped.withOutput { output throws(CipherFailure) in
                try cipher.seal(
                    dataKey, key, nonce: .single, authenticating: authenticated,
                    into: output)
            }
        } catch { throw SealedObjectFailure(error) }
        guard let wrapped = WrappedKey(wrapped) else { throw .cipherUnavailable }
        do {
            return try KeyEnvelope(
                content: content, keyReference: keyReference,
                wrap: .epoch(salt: wrapSalt, wrapped: wrapped))
        } catch { throw .envelope(error) }
    }

    /// Unwraps the data key of mode B into secret memory.
    ///
    /// - Parameters:
    ///   - epochKey: the one that `keyReference` names, 32 bytes.
    ///   - context: of the name that the object was asked for by.
    ///   - buffer: gets 32 bytes more, or none when it throws.
    /// - Throws: `notAuthentic` when the epoch key, the name or a byte of the envelope is another;
    ///   `modeUnexpected` in mode A.
    package func unwrap<Cipher: AuthenticatedCipher>(
        context: Octets32, epochKey: RawSpan, _ cipher: Cipher, into buffer: inout SecretBuffer
    ) throws(SealedObjectFailure) {
        try buffer.fill { room throws(SealedObjectFailure) in
            guard room.count >= SealedObjectLimits.keyBytes else {
                throw SealedObjectFailure.cipherUnavailable
            }
            try unwrap(context: context, epochKey: epochKey, cipher, into: room)
            return SealedObjectLimits.keyBytes
        }
    }

    /// As above, into a block of its own; nil: the arena has none left.
    package func unwrapped<Cipher: AuthenticatedCipher>(
        context: Octets32, epochKey: RawSpan, _ cipher: Cipher, in arena: SecretArena
    ) throws(SealedObjectFailure) -> SecretBlock? {
        try SecretBlock(SealedObjectLimits.keyBytes, in: arena) {
            room throws(SealedObjectFailure) in
            try unwrap(context: context, epochKey: epochKey, cipher, into: room)
        }
    }

    private func unwrap<Cipher: AuthenticatedCipher>(
        context: Octets32, epochKey: RawSpan, _ cipher: Cipher,
        into room: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) {
        guard case .epoch(let salt, let wrapped) = wrap else { throw .envelope(.modeUnexpected) }
        let key = try Self.wrappingKey(cipher, epochKey, salt)
        let authenticated =
            context.array
            + Self.authenticated(content: content, keyReference: keyReference, wrapSalt: salt)
        do {
            try cipher.open(
                wrapped.bytes.span.bytes, key, nonce: .single, authenticating: authenticated,
                into: room)
        } catch { throw SealedObjectFailure(error) }
    }

    private static func wrappingKey<Cipher: AuthenticatedCipher>(
        _ cipher: Cipher, _ epochKey: RawSpan, _ salt: Octets32
    ) throws(SealedObjectFailure) -> Cipher.SealingKey {
        let secret = try cipher.checkedSecret(epochKey)
        do throws(CipherFailure) {
            let key = try cipher.extract(secret, salt: salt)
            return try cipher.expandToSeal(key, info: KeyUse.wrap)
        } catch { throw SealedObjectFailure(error) }
    }
}
