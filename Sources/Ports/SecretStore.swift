// SPDX-License-Identifier: Apache-2.0
package import SecretMemory

/// Why a vault operation failed. Texts carry host, path and status, never a secret or a header.
package enum SecretStoreFailure: Error, Sendable, Equatable {
    // Reaching the vault
    case nameNotResolved(host: String)
    case connectionFailed(host: String, port: UInt16, errorNumber: Int32)
    case timedOut(host: String, seconds: Int)
    // TLS
    case certificateUntrusted(host: String, detail: String)
    case certificateNameMismatch(host: String)
    case certificateExpired(host: String, detail: String)
    case tlsFailed(host: String, detail: String)
    case trustAnchorsUnreadable(path: String)
    case clientCertificateRejected(path: String, detail: String)
    // The vault's own state
    case sealed(host: String)
    case uninitialized(host: String)
    case standby(host: String)
    case rateLimited(host: String, retryAfterSeconds: Int?)
    case serverError(host: String, status: Int)
    // Redirects and origins
    case originForbidden(origin: String)
    case redirectForbidden(from: String, to: String)
    // Login
    case credentialUnreadable(path: String, errorNumber: Int32)
    case credentialMissing(method: String)
    case loginRefused(method: String, role: String, status: Int)
    case tokenInvalid
    // Reading
    case permissionDenied(path: String)
    case notFound(path: String)
    case mountUnknown(path: String)
    case versionDeleted(path: String)
    case versionDestroyed(path: String)
    case fieldMissing(path: String, field: String)
    case fieldNotText(path: String, field: String)
    // The answer itself
    case responseMalformed(path: String, detail: String)
    case responseTruncated(path: String)
    case responseTooLarge(path: String, limitBytes: Int)
    case unexpectedStatus(path: String, status: Int)
    // Values
    case valueContainsNUL(path: String, field: String)
    case valueTooLarge(path: String, field: String, limitBytes: Int)
    // Local
    case memory(SecretMemoryFailure)
}

/// A vault with Vault's HTTP semantics: log in once, then read key-value secrets.
///
/// Contract:
/// - `logIn` comes first and once; its token stays inside the store, in secret memory.
/// - `read` asks the mount's type of the vault (KV v1 or v2), never guesses it; a deleted or
///   destroyed version is a failure.
/// - Values are handed over in secret memory or in place; none becomes a `String` or an array.
/// - A failure leaves nothing half delivered: `receive` is called only after the whole answer
///   was read and checked, once for each field, in the order of `fields`.
package protocol SecretStore: ~Copyable {
    mutating func logIn() throws(SecretStoreFailure)

    /// - Parameters:
    ///   - path: mount and path, with or without KV v2's `data/` (`secret/app`,
    ///     `secret/data/app`).
    ///   - receive: gets the field's index and its unescaped UTF-8 bytes, valid during the call.
    mutating func read(
        path: String, fields: [String],
        receive: (_ index: Int, _ value: RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure)

    /// Zeroes tokens and connection state. Idempotent.
    mutating func forget()
}
