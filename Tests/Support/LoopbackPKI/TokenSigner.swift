// SPDX-License-Identifier: Apache-2.0
import COpenSSL
import COpenSSLShims

/// Signs JSON Web Tokens with RS256 (RFC 7518, section 3.3) under a key made for the test.
package final class TokenSigner: Sendable {
    nonisolated(unsafe) private let key: OpaquePointer
    /// PEM of the public key, for a vault's `jwt_validation_pubkeys`.
    package let publicKeyPEM: String

    package init() throws {
        guard let made = openssl_generate_rsa(2048) else {
            throw LoopbackPKIFailure(call: "EVP_RSA_gen")
        }
        key = made
        publicKeyPEM = try LoopbackPKI.text { PEM_write_bio_PUBKEY($0, made) }
    }

    deinit { EVP_PKEY_free(key) }

    /// - Parameter claims: a JSON object.
    package func sign(claims: String) throws -> String {
        let header = #"{"alg":"RS256","typ":"JWT"}"#
        let message = Self.encoded(Array(header.utf8)) + "." + Self.encoded(Array(claims.utf8))
        return message + "." + Self.encoded(try Self.signature(of: message, by: key))
    }

    /// Over the SHA-256 of the text.
    static func signature(of message: String, by key: OpaquePointer) throws -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else {
            throw LoopbackPKIFailure(call: "EVP_MD_CTX_new")
        }
        defer { EVP_MD_CTX_free(context) }
        let bytes = Array(message.utf8)
        var count = 0
        guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
            EVP_DigestSign(context, nil, &count, bytes, bytes.count) == 1
        else { throw LoopbackPKIFailure(call: "EVP_DigestSign") }
        var signature = [UInt8](repeating: 0, count: count)
        guard EVP_DigestSign(context, &signature, &count, bytes, bytes.count) == 1 else {
            throw LoopbackPKIFailure(call: "EVP_DigestSign")
        }
        return Array(signature.prefix(count))
    }

    /// Base64url without padding (RFC 4648, section 5).
    static func encoded(_ bytes: [UInt8]) -> String {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".unicodeScalars)
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let padded = Array(group) + [0, 0]
            let value = Int(padded[0]) << 16 | Int(padded[1]) << 8 | Int(padded[2])
            for index in 0...group.count {
                text.unicodeScalars.append(alphabet[value >> (18 - 6 * index) & 63])
            }
        }
        return text
    }
}
