// SPDX-License-Identifier: Apache-2.0
internal import SecretMemory

/// HMAC-SHA256 (RFC 2104).
///
/// What holds a part of the key is on the stack and is zeroed here. The digests that are handed
/// in see the padded key: what they keep of it is theirs to zero.
package enum MessageAuthentication {
    /// Length of a code in bytes.
    package static let byteCount = 32

    /// SHA-256's block.
    private static let blockBytes = 64
    private static let innerPad: UInt8 = 0x36
    private static let outerPad: UInt8 = 0x5C

    /// Writes the code of `message` under `key` to the first 32 bytes of `code`, which may be
    /// where the key is.
    package static func sha256(
        key: RawSpan, message: RawSpan, _ digests: any MessageDigests,
        into code: UnsafeMutableRawBufferPointer
    ) {
        withUnsafeTemporaryAllocation(byteCount: blockBytes, alignment: 16) { block in
            defer { SecretBytes.zero(block) }
            fill(block, with: key, digests)
            exclusiveOr(block, innerPad)
            var inner = digests.begin(.sha256)
            inner.update(UnsafeRawBufferPointer(block).bytes)
            inner.update(message)
            exclusiveOr(block, innerPad ^ outerPad)
            var outer = digests.begin(.sha256)
            outer.update(UnsafeRawBufferPointer(block).bytes)
            // From here on the block holds the inner digest.
            let innerDigest = UnsafeMutableRawBufferPointer(rebasing: block[..<byteCount])
            inner.finish(into: innerDigest)
            outer.update(UnsafeRawBufferPointer(innerDigest).bytes)
            outer.finish(into: code)
        }
    }

    /// The key, or its digest when it is longer than a block, then zeros.
    private static func fill(
        _ block: UnsafeMutableRawBufferPointer, with key: RawSpan, _ digests: any MessageDigests
    ) {
        for index in block.indices { block[index] = 0 }
        guard key.byteCount > blockBytes else {
            key.withUnsafeBytes { block.copyMemory(from: $0) }
            return
        }
        var running = digests.begin(.sha256)
        running.update(key)
        running.finish(into: block)
    }

    private static func exclusiveOr(_ block: UnsafeMutableRawBufferPointer, _ pad: UInt8) {
        for index in block.indices { block[index] ^= pad }
    }
}
