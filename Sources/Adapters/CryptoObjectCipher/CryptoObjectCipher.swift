// SPDX-License-Identifier: Apache-2.0
internal import CBoringSSL
internal import Crypto
package import SealedObject

/// Suite 1 of CT1 by swift-crypto and the BoringSSL inside it.
///
/// Copies of keys that this makes in ordinary memory:
/// - `Secret` and `PseudorandomKey` are a `SymmetricKey` each, on the heap, which swift-crypto
///   zeroes with the last reference.
/// - While HKDF runs: its salt and pseudorandom key as further `SymmetricKey`s, what was made so
///   far, and the hash's states; swift-crypto zeroes these too.
/// - HMAC's key, padded to 128 bytes, and its two masked forms are arrays on the heap which nobody
///   zeroes: in `extract` the salt, in `expand` the pseudorandom key, from which a segment's keys
///   can be computed. The secret itself is HMAC's message and does not get there.
/// - HMAC's results, 64 bytes each, are values on the stack that nobody zeroes; of `extract` that
///   is the pseudorandom key.
/// - `SealingKey` is BoringSSL's key schedule, on the heap, zeroed when freed. The 32 bytes that it
///   is made from are a `SymmetricKey` until then.
///
/// An opened data key goes to the caller's memory only.
package struct CryptoObjectCipher: AuthenticatedCipher {
    /// A key in ordinary memory. Never described.
    package struct Secret: Sendable, CustomStringConvertible, CustomReflectable {
        fileprivate let key: SymmetricKey

        package var description: String { "(key)" }
        package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
    }

    /// An expanded key.
    package final class SealingKey: Sendable {
        /// nil: BoringSSL could not take the key.
        fileprivate let schedule: Schedule?

        fileprivate init(_ key: SymmetricKey) {
            schedule = key.withUnsafeBytes { bytes in
                guard bytes.count == SealedObjectLimits.keyBytes else { return nil }
                return boringssl_aead_new(bytes.start).map { Schedule(pointer: $0) }
            }
        }

        deinit { boringssl_aead_free(schedule?.pointer) }
    }

    /// BoringSSL does not change a key schedule that it has made.
    fileprivate struct Schedule: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    package init() {}

    package func secret(_ bytes: RawSpan) -> Secret {
        bytes.withUnsafeBytes { Secret(key: SymmetricKey(data: $0)) }
    }

    package func extract(_ secret: Secret, salt: Octets32?) -> Secret {
        Secret(
            key: SymmetricKey(
                data: HKDF<SHA512>.extract(
                    inputKeyMaterial: secret.key, salt: salt?.array ?? [])))
    }

    package func expand(_ key: Secret, info: [UInt8]) -> Secret {
        Secret(
            key: HKDF<SHA512>.expand(
                pseudoRandomKey: key.key, info: info,
                outputByteCount: SealedObjectLimits.keyBytes))
    }

    package func expandToSeal(_ key: Secret, info: [UInt8]) -> SealingKey {
        SealingKey(expand(key, info: info).key)
    }

    /// Of 32 bytes, for published vectors.
    func sealingKey(_ bytes: RawSpan) -> SealingKey { SealingKey(secret(bytes).key) }

    package func expandInClear(_ key: Secret, info: [UInt8]) -> Octets32 {
        expand(key, info: info).key.withUnsafeBytes { bytes in
            var octets = InlineArray<32, UInt8>(repeating: 0)
            for index in 0..<min(bytes.count, Octets32.byteCount) { octets[index] = bytes[index] }
            return Octets32(octets)
        }
    }

    package func seal(
        _ plaintext: RawSpan, _ key: SealingKey, nonce: ChunkNonce, authenticating: [UInt8],
        into output: UnsafeMutableRawBufferPointer
    ) throws(CipherFailure) {
        let size = plaintext.byteCount + SealedObjectLimits.tagBytes
        precondition(output.count >= size, "the output is too small")
        guard let schedule = key.schedule else { throw .unavailable }
        let isMade = plaintext.withUnsafeBytes { plain in
            nonce.withStart { nonce in
                boringssl_aead_seal(
                    schedule.pointer, output.start, nonce, plain.start, plain.count,
                    authenticating, authenticating.count) == 1
            }
        }
        guard isMade else { throw .unavailable }
    }

    package func open(
        _ sealed: RawSpan, _ key: SealingKey, nonce: ChunkNonce, authenticating: [UInt8],
        into output: UnsafeMutableRawBufferPointer
    ) throws(CipherFailure) {
        let size = sealed.byteCount - SealedObjectLimits.tagBytes
        precondition(size >= 0 && output.count >= size, "the output is too small")
        guard let schedule = key.schedule else { throw .unavailable }
        let isOpened = sealed.withUnsafeBytes { sealed in
            nonce.withStart { nonce in
                boringssl_aead_open(
                    schedule.pointer, output.start, nonce, sealed.start, sealed.count,
                    authenticating, authenticating.count) == 1
            }
        }
        guard isOpened else { throw .notAuthentic }
    }

    package func sha256(_ bytes: [UInt8]) -> Octets32 {
        var octets = InlineArray<32, UInt8>(repeating: 0)
        for (index, byte) in SHA256.hash(data: bytes).enumerated() { octets[index] = byte }
        return Octets32(octets)
    }
}

extension ChunkNonce {
    fileprivate func withStart<Result>(_ body: (UnsafePointer<UInt8>?) -> Result) -> Result {
        let bytes = bytes
        return bytes.span.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var start: UnsafePointer<UInt8>? {
        baseAddress?.assumingMemoryBound(to: UInt8.self)
    }
}

extension UnsafeMutableRawBufferPointer {
    fileprivate var start: UnsafeMutablePointer<UInt8>? {
        baseAddress?.assumingMemoryBound(to: UInt8.self)
    }
}
