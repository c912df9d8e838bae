// SPDX-License-Identifier: Apache-2.0
import COpenSSL
internal import EnforcementEvents
import Glibc

/// An Ed25519 key of libcrypto, freed with its owner.
struct Ed25519Key: ~Copyable {
    static let publicBytes = 32
    private let pointer: OpaquePointer

    /// Takes the key over; nil unless it is one of Ed25519.
    init?(owning pointer: OpaquePointer?) {
        guard let pointer else { return nil }
        guard EVP_PKEY_get_id(pointer) == EVP_PKEY_ED25519 else {
            EVP_PKEY_free(pointer)
            return nil
        }
        self.pointer = pointer
    }

    deinit { EVP_PKEY_free(pointer) }

    /// A public key of 32 bytes (RFC 8032).
    init?(publicKey bytes: [UInt8]) {
        guard bytes.count == Self.publicBytes else { return nil }
        self.init(owning: EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count))
    }

    var publicKey: [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: Self.publicBytes)
        var count = bytes.count
        guard EVP_PKEY_get_raw_public_key(pointer, &bytes, &count) == 1, count == bytes.count else {
            return nil
        }
        return bytes
    }

    func signature(of message: [UInt8]) -> [UInt8]? {
        guard let context = EVP_MD_CTX_new() else { return nil }
        defer { EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: EventCheckpoint.signatureBytes)
        var count = signature.count
        guard EVP_DigestSignInit(context, nil, nil, nil, pointer) == 1,
            EVP_DigestSign(context, &signature, &count, message, message.count) == 1,
            count == signature.count
        else { return nil }
        return signature
    }

    func isValid(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, nil, nil, pointer) == 1 else { return false }
        return EVP_DigestVerify(
            context, signature, signature.count, message, message.count) == 1
    }

    /// Names the key by what it is: `sha256:` and the hash of the public key's 32 bytes.
    static func name(ofPublicKey bytes: [UInt8]) -> CheckpointKey? {
        CheckpointKey("sha256:" + OpenSSLEventHasher().sha256(bytes).text)
    }
}
