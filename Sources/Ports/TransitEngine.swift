// SPDX-License-Identifier: Apache-2.0

/// What a ciphertext is bound to besides its key: the same is needed to decrypt it.
package enum TransitBinding: Sendable, Equatable {
    /// Additional authenticated data, `associated_data`. A rewrap inside the vault does not know
    /// it: what is bound so cannot be rewrapped. Empty: bound to nothing.
    case associatedData([UInt8])
    /// Part of what the key is made from, `context`; a rewrap inside the vault keeps it. Only for
    /// keys with `derived=true`: others ignore it without a word.
    case derivation([UInt8])

    package static let none = TransitBinding.associatedData([])
}

/// Vault's transit engine: keys that never leave the vault.
///
/// Contract:
/// - Plaintexts go in and come out as spans of secret memory; ciphertexts are `vault:vN:…` text.
/// - A ciphertext that was changed, or made with another key or another binding, is
///   `unexpectedStatus` with 400, and nothing else is. It is never a wrong plaintext.
/// - A key that is not there cannot decrypt: `notFound`. A version of the key that the key's
///   settings (`min_decryption_version`) exclude is `versionDeleted`.
/// - A key with `derived=true` refuses to work without `derivation`: `unexpectedStatus` with 400.
package protocol TransitEngine: ~Copyable {
    /// transit/encrypt/<key>
    mutating func encrypt(
        _ plaintext: RawSpan, key: String, binding: TransitBinding
    ) throws(SecretStoreFailure) -> String

    /// transit/decrypt/<key>
    mutating func decrypt(
        _ ciphertext: String, key: String, binding: TransitBinding,
        receive: (RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure)
}
