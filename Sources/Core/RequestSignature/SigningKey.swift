// SPDX-License-Identifier: Apache-2.0
internal import Checksums
internal import SecretMemory

/// Why no signing key could be made.
package enum SigningKeyFailure: Error, Sendable, Equatable {
    /// The arena has no block left.
    case memoryExhausted
    /// The secret access key is empty or longer than `RequestLimits.secretBytesMax`.
    case secretLength(byteCount: Int)
}

/// The key that signs, made of a secret access key and a scope
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, task 3).
///
/// 32 bytes in a block of the arena, zeroed when the last user goes. Whoever has it can sign for
/// its scope until the day is over.
package final class SigningKey: @unchecked Sendable {
    // Written once, before anybody else sees the key, and only read from then on.
    private let block: UnsafeMutableRawBufferPointer
    private let memory: SecretArena
    private let digests: any MessageDigests

    /// - Parameter secret: the secret access key; it is copied nowhere but to the stack, which is
    ///   zeroed.
    init(
        secret: RawSpan, scope: SigningScope, _ digests: any MessageDigests, in memory: SecretArena
    ) throws(SigningKeyFailure) {
        guard (1...RequestLimits.secretBytesMax).contains(secret.byteCount) else {
            throw .secretLength(byteCount: secret.byteCount)
        }
        guard let start = memory.allocate(MessageAuthentication.byteCount) else {
            throw .memoryExhausted
        }
        block = UnsafeMutableRawBufferPointer(
            start: start, count: MessageAuthentication.byteCount)
        self.memory = memory
        self.digests = digests
        let prefix = SigningText.accessKeyPrefix.utf8
        withUnsafeTemporaryAllocation(
            byteCount: prefix.count + secret.byteCount, alignment: 16
        ) { prefixed in
            defer { SecretBytes.zero(prefixed) }
            prefixed.copyBytes(from: prefix)
            secret.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: prefixed[prefix.count...])
                    .copyMemory(from: $0)
            }
            MessageAuthentication.sha256(
                key: UnsafeRawBufferPointer(prefixed).bytes,
                message: Array(scope.date.utf8).span.bytes, digests, into: block)
        }
        for part in [scope.region, scope.service, SigningScope.terminator] {
            MessageAuthentication.sha256(
                key: UnsafeRawBufferPointer(block).bytes, message: Array(part.utf8).span.bytes,
                digests, into: block)
        }
    }

    deinit {
        if let start = block.baseAddress { memory.free(start) }
    }

    func sign(_ text: [UInt8]) -> Signature {
        Signature(
            bytes: [UInt8](unsafeUninitializedCapacity: Signature.byteCount) { buffer, count in
                MessageAuthentication.sha256(
                    key: UnsafeRawBufferPointer(block).bytes, message: text.span.bytes, digests,
                    into: UnsafeMutableRawBufferPointer(buffer))
                count = Signature.byteCount
            })
    }

    /// The hash that is signed, of any text.
    func hash(_ text: [UInt8]) -> [UInt8] { digests.digest(.sha256, of: text.span.bytes) }
}
