// SPDX-License-Identifier: Apache-2.0
import COpenSSL

/// Signs with an Ed25519 key made for the test (RFC 8032).
package final class Ed25519Signer: Sendable {
    private static let keyBytes = 32
    private static let signatureBytes = 64

    nonisolated(unsafe) private let key: OpaquePointer
    /// 32 bytes.
    package let publicKey: [UInt8]

    package init() throws {
        // Any 32 bytes are a private key.
        let seed = (0..<Self.keyBytes).map { _ in UInt8.random(in: .min ... .max) }
        guard let made = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count)
        else { throw LoopbackPKIFailure(call: "EVP_PKEY_new_raw_private_key") }
        key = made
        var bytes = [UInt8](repeating: 0, count: Self.keyBytes)
        var count = bytes.count
        guard EVP_PKEY_get_raw_public_key(made, &bytes, &count) == 1, count == bytes.count else {
            throw LoopbackPKIFailure(call: "EVP_PKEY_get_raw_public_key")
        }
        publicKey = bytes
    }

    deinit { EVP_PKEY_free(key) }

    /// 64 bytes; nil: OpenSSL made none.
    package func signature(of message: [UInt8]) -> [UInt8]? {
        guard let context = EVP_MD_CTX_new() else { return nil }
        defer { EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: Self.signatureBytes)
        var count = signature.count
        guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
            EVP_DigestSign(context, &signature, &count, message, message.count) == 1,
            count == signature.count
        else { return nil }
        return signature
    }
}
