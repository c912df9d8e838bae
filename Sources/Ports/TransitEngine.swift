// SPDX-License-Identifier: Apache-2.0

/// Vault's transit engine: keys that never leave the vault.
///
/// Contract:
/// - Plaintexts go in and come out as spans of secret memory; ciphertexts are `vault:vN:…` text.
/// - A ciphertext that was changed, or made with another key, is `responseMalformed` or
///   `unexpectedStatus`, never a wrong plaintext.
/// - `context` is additional authenticated data: the same bytes are needed to decrypt.
package protocol TransitEngine: ~Copyable {
    /// transit/encrypt/<key>
    mutating func encrypt(
        _ plaintext: RawSpan, key: String, context: [UInt8]
    ) throws(SecretStoreFailure) -> String

    /// transit/decrypt/<key>
    mutating func decrypt(
        _ ciphertext: String, key: String, context: [UInt8],
        receive: (RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure)
}
