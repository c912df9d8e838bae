// SPDX-License-Identifier: Apache-2.0
import COpenSSL
import COpenSSLShims
internal import EvidencePackage
import Glibc

/// Ed25519, or ECDSA on P-256 with SHA-256.
package enum EvidenceKeyKind: String, Sendable, CaseIterable {
    case ed25519, p256
}

/// A key of libcrypto, with or without its private half; freed with its owner.
final class EvidenceKey {
    let pointer: OpaquePointer
    let kind: EvidenceKeyKind

    /// Takes the key over; nil unless it is of a kind that signs evidence.
    init?(owning pointer: OpaquePointer?) {
        guard let pointer else { return nil }
        guard let kind = Self.kind(of: pointer) else {
            EVP_PKEY_free(pointer)
            return nil
        }
        self.pointer = pointer
        self.kind = kind
    }

    deinit { EVP_PKEY_free(pointer) }

    private static func kind(of pointer: OpaquePointer) -> EvidenceKeyKind? {
        if EVP_PKEY_get_id(pointer) == EVP_PKEY_ED25519 { return .ed25519 }
        guard EVP_PKEY_get_id(pointer) == EVP_PKEY_EC else { return nil }
        var name = [CChar](repeating: 0, count: 64)
        var count = 0
        guard EVP_PKEY_get_group_name(pointer, &name, name.count, &count) == 1 else { return nil }
        let text = String(decoding: name.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return text == "prime256v1" ? .p256 : nil
    }

    /// SubjectPublicKeyInfo, DER.
    var publicKeyInfo: [UInt8] {
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = i2d_PUBKEY(pointer, &bytes)
        defer { CRYPTO_free(bytes, "", 0) }
        guard count > 0, let bytes else { return [] }
        return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }

    var keyID: String { OpenSSLDigests().sha256Text(publicKeyInfo) }

    private var digest: OpaquePointer? { kind == .ed25519 ? nil : EVP_sha256() }

    func signature(of message: [UInt8]) -> [UInt8]? {
        guard let context = EVP_MD_CTX_new() else { return nil }
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        var count = 0
        guard EVP_DigestSignInit(context, nil, digest, nil, pointer) == 1,
            EVP_DigestSign(context, nil, &count, message, message.count) == 1
        else { return nil }
        var signature = [UInt8](repeating: 0, count: count)
        guard EVP_DigestSign(context, &signature, &count, message, message.count) == 1 else {
            return nil
        }
        return Array(signature.prefix(count))
    }

    func isValid(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard let context = EVP_MD_CTX_new() else { return false }
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        guard EVP_DigestVerifyInit(context, nil, digest, nil, pointer) == 1 else { return false }
        return EVP_DigestVerify(
            context, signature, signature.count, message, message.count) == 1
    }

    static func made(_ kind: EvidenceKeyKind) -> EvidenceKey? {
        switch kind {
        case .p256: return EvidenceKey(owning: openssl_generate_p256())
        case .ed25519:
            guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil) else { return nil }
            defer { EVP_PKEY_CTX_free(context) }
            var key: OpaquePointer?
            guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_keygen(context, &key) == 1 else {
                return nil
            }
            return EvidenceKey(owning: key)
        }
    }

    /// PEM, PKCS #8 without a passphrase or SubjectPublicKeyInfo.
    func pem(isPrivate: Bool) -> [UInt8]? {
        guard let writer = BIO_new(BIO_s_mem()) else { return nil }
        defer { BIO_free(writer) }
        let written =
            isPrivate
            ? PEM_write_bio_PKCS8PrivateKey(writer, pointer, nil, nil, 0, nil, nil)
            : PEM_write_bio_PUBKEY(writer, pointer)
        var bytes: UnsafeMutablePointer<CChar>?
        let count = openssl_memory_bio_bytes(writer, &bytes)
        guard written == 1, count > 0, let bytes else { return nil }
        return UnsafeBufferPointer(start: bytes, count: count).map { UInt8(bitPattern: $0) }
    }
}
