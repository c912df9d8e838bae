// SPDX-License-Identifier: Apache-2.0
package import Ports
package import SecretMemory

/// Why a key could not be made, wrapped or unwrapped. Texts never carry a key.
package enum KeyCustodyFailure: Error, Sendable, Equatable {
    /// The vault did not do it.
    case vault(SecretStoreFailure)
    /// The vault says that the ciphertext is none of its own for this key and context: it was
    /// changed, or belongs to another object.
    case notAuthentic
    /// What was unwrapped is no key of 32 bytes.
    case keyLengthWrong(bytes: Int)
    /// The arena for keys has no block left.
    case memoryExhausted
    case entropy(EntropyFailure)
    /// Too many calls wait for the vault already.
    case overloaded
    case cancelled

    /// Whether the same call may succeed a little later without anybody changing anything.
    package var isTransient: Bool {
        switch self {
        case .memoryExhausted, .entropy, .overloaded: true
        case .vault(let failure): failure.isOutage
        case .notAuthentic, .keyLengthWrong, .cancelled: false
        }
    }
}

extension SecretStoreFailure {
    /// The vault is away, sealed or busy, rather than refusing.
    package var isOutage: Bool {
        switch self {
        case .nameNotResolved, .connectionFailed, .timedOut, .interrupted, .sealed, .standby,
            .rateLimited, .serverError, .responseTruncated, .tokenInvalid:
            true
        default: false
        }
    }
}

/// Keys of objects and what wraps them: a transit key of a vault, which never leaves it.
///
/// Contract:
/// - Keys are 32 bytes and live in blocks of secret memory only. None becomes an array or a text.
/// - The transit key has `derived=true`: `context` is part of what its key is made from, so that
///   another context is `notAuthentic`, and a rewrap inside the vault keeps it.
/// - A ciphertext is `vault:vN:…`, of at most 160 visible characters.
/// - A version of the transit key that was given up (`min_decryption_version`) does not unwrap:
///   `vault(.versionDeleted)`.
/// - `unwrap` gives the very key that `wrap` got, or fails; it never gives another one.
/// - Calls end within the vault's limit of time, retries included; a task's cancellation ends the
///   wait with `cancelled`. Calls may be made at the same time.
package protocol KeyCustodian: Sendable {
    /// 32 new random bytes.
    func newKey() throws(KeyCustodyFailure) -> SecretBlock

    /// - Parameters:
    ///   - name: of the transit key.
    ///   - context: 32 bytes that say what the key is for.
    func wrap(
        _ key: SecretBlock, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> String

    func unwrap(
        _ ciphertext: String, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> SecretBlock
}

/// Random bytes that everybody may see: salts, identifiers.
///
/// Contract: uniform, never the same 32 bytes twice, not computable from those that were seen.
package protocol SaltSource: Sendable {
    /// 32 bytes.
    func salt() throws(EntropyFailure) -> [UInt8]
}
