// SPDX-License-Identifier: Apache-2.0

/// Why a primitive gave no result.
package enum CipherFailure: Error, Sendable, Equatable {
    /// The bytes were not made with this key, nonce and authenticated data, or were changed.
    case notAuthentic
    /// The library refused what it was asked to do: a key or nonce of a wrong size.
    case unavailable
    /// The memory for keys is used up at the moment.
    case memoryExhausted
}

/// The primitives of suite 1, which no part of the standard library has: HKDF with SHA-512
/// (RFC 5869), AES-256-GCM (NIST SP 800-38D) with 16-byte tags, SHA-256 (FIPS 180-4).
///
/// It stands here and not among the ports because the state machines call it
/// (docs/adr/0019-ct1-where-it-differs.md).
///
/// Contract:
/// - Calls are synchronous, hold nothing between each other and may come from any thread.
/// - Outputs go to the caller's memory. `open` writes nothing there, or zeros, unless the tag is
///   right: no byte that was not authenticated is seen.
/// - Key types say themselves in which memory they hold keys. They have no description. Where that
///   memory is bounded, what makes a key throws `memoryExhausted`; `seal` and `open` need no more.
package protocol AuthenticatedCipher: Sendable {
    /// 32 bytes that other keys come from: a data key, a key-encryption key.
    associatedtype Secret: Sendable
    /// 64 bytes: what HKDF-Extract gives.
    associatedtype PseudorandomKey: Sendable
    /// 32 bytes that seal and open, made ready for it.
    associatedtype SealingKey: Sendable

    /// Takes over a key of 32 bytes; `bytes` stay the caller's to zero.
    func secret(_ bytes: RawSpan) throws(CipherFailure) -> Secret

    /// HKDF-Extract; nil: without a salt.
    func extract(_ secret: Secret, salt: Octets32?) throws(CipherFailure) -> PseudorandomKey

    /// HKDF-Expand to 32 bytes that other keys come from.
    func expand(_ key: PseudorandomKey, info: [UInt8]) throws(CipherFailure) -> Secret

    /// HKDF-Expand to 32 bytes that seal and open.
    func expandToSeal(
        _ key: PseudorandomKey, info: [UInt8]
    ) throws(CipherFailure) -> SealingKey

    /// HKDF-Expand to 32 bytes that everybody may see.
    func expandInClear(
        _ key: PseudorandomKey, info: [UInt8]
    ) throws(CipherFailure) -> Octets32

    /// Writes `plaintext.byteCount` bytes of ciphertext and 16 bytes of tag to the start of
    /// `output`, which has room for them and does not overlap `plaintext`.
    func seal(
        _ plaintext: RawSpan, _ key: SealingKey, nonce: ChunkNonce, authenticating: [UInt8],
        into output: UnsafeMutableRawBufferPointer
    ) throws(CipherFailure)

    /// Writes `sealed.byteCount - 16` bytes of plaintext to the start of `output`, which has room
    /// for them and does not overlap `sealed`. `sealed` has at least 16 bytes.
    func open(
        _ sealed: RawSpan, _ key: SealingKey, nonce: ChunkNonce, authenticating: [UInt8],
        into output: UnsafeMutableRawBufferPointer
    ) throws(CipherFailure)

    func sha256(_ bytes: [UInt8]) -> Octets32
}

/// The 12-byte nonce of a chunk: seven zeros, the chunk's index in big-endian order, 1 for the
/// segment's last chunk and 0 for others (the STREAM construction, eprint.iacr.org/2015/189).
///
/// Chunks of one segment never share a nonce, and no two segments share a key.
package struct ChunkNonce: Sendable, Hashable {
    package static let byteCount = 12

    package let index: UInt32
    package let isLast: Bool

    /// For a key that seals one message only.
    package static let single = ChunkNonce(index: 0, isLast: false)

    package init(index: UInt32, isLast: Bool) {
        self.index = index
        self.isLast = isLast
    }

    /// The bytes, in order.
    package var bytes: InlineArray<12, UInt8> {
        var bytes = InlineArray<12, UInt8>(repeating: 0)
        for place in 0..<4 {
            bytes[7 + place] = UInt8(truncatingIfNeeded: index >> UInt32(24 - 8 * place))
        }
        bytes[11] = isLast ? 1 : 0
        return bytes
    }
}
