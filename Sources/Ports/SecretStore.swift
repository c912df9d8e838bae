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
    /// A wait was broken off because this process is to stop.
    case interrupted
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
    /// The wrapping token of a wrapped secret id is used up, expired or unknown: somebody else
    /// may have unwrapped it.
    case wrappingTokenInvalid
    /// The wrapping token stands for something else than a secret id of the mount that is logged in
    /// at: somebody may have put it in the place of the right one. It was not used up.
    case wrappingTokenForeign(creationPath: String)
    case tokenInvalid
    // Reading
    case permissionDenied(path: String)
    case notFound(path: String)
    case mountUnknown(path: String)
    case versionDeleted(path: String)
    case versionDestroyed(path: String)
    case fieldMissing(path: String, field: String)
    case fieldNotText(path: String, field: String)
    // Leases
    /// The vault knows no such lease (any more), or no such token.
    case leaseUnknown
    /// It may not be renewed, or not any further.
    case renewalRefused
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

/// How long something that the vault granted lasts.
package struct Grant: Sendable, Equatable {
    /// From now until the vault ends it; nil: it does not end.
    package var lifetime: Duration?
    package var isRenewable: Bool

    package init(lifetime: Duration?, isRenewable: Bool) {
        self.lifetime = lifetime
        self.isRenewable = isRenewable
    }
}

/// The vault's name for a lease. Worth nothing without a token, and still nothing to be logged.
package struct LeaseID: Sendable, Hashable, CustomStringConvertible {
    package let text: String

    package init(_ text: String) { self.text = text }

    package var description: String { "(lease)" }
}

/// A dynamic secret's life.
package struct Lease: Sendable, Equatable {
    package var id: LeaseID
    package var grant: Grant

    package init(id: LeaseID, grant: Grant) {
        self.id = id
        self.grant = grant
    }
}

/// What a read brought besides the values.
package struct SecretFacts: Sendable, Equatable {
    /// KV v2's version; nil elsewhere.
    package var version: Int?
    /// Of a dynamic secret.
    package var lease: Lease?
    /// When the content itself ends without a lease (a certificate's notAfter); nil: it does not,
    /// or nobody says.
    package var lifetime: Duration?

    package init(version: Int? = nil, lease: Lease? = nil, lifetime: Duration? = nil) {
        self.version = version
        self.lease = lease
        self.lifetime = lifetime
    }
}

/// What to read.
package struct SecretQuery: Sendable, Equatable {
    /// Mount and path, with or without KV v2's `data/` (`secret/app`, `secret/data/app`,
    /// `database/creds/app`, `pki/issue/web`).
    package var path: String
    /// Sent as the request's JSON body, which makes it a write (`common_name`, `ttl`). Empty: a
    /// plain read.
    package var parameters: [Parameter]

    package struct Parameter: Sendable, Equatable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(path: String, parameters: [Parameter] = []) {
        self.path = path
        self.parameters = parameters
    }
}

/// A vault with Vault's HTTP semantics: log in, read secrets, keep what was granted alive.
///
/// Contract:
/// - `logIn` comes first; its token stays inside the store, in secret memory. It may come again,
///   and then replaces the token: the credential is read anew from its file, or kept until
///   `forget`. A wrapped secret id is unwrapped once and kept.
/// - `read` asks the mount's type of the vault (KV v1, v2, other engines), never guesses it; a
///   deleted or destroyed version is a failure.
/// - Values are handed over in secret memory or in place; none becomes a `String` or an array.
/// - A failure leaves nothing half delivered: `receive` is called only after the whole answer
///   was read and checked, once for each field, in the order of `fields`.
/// - A lease that was granted is reported even when a field is then missing, through `onLease`:
///   nobody else could revoke it.
/// - No call retries, and each ends within the settings' `requestSecondsMax`.
package protocol SecretStore: ~Copyable {
    /// - Returns: how long the token lasts. A token that was given, not obtained, is looked up.
    mutating func logIn() throws(SecretStoreFailure) -> Grant

    /// - Parameters:
    ///   - receive: gets the field's index and its unescaped UTF-8 bytes, valid during the call.
    ///   - onLease: gets the lease before any field is looked at.
    mutating func read(
        _ query: SecretQuery, fields: [String], onLease: (Lease) -> Void,
        receive: (_ index: Int, _ value: RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) -> SecretFacts

    /// The number of the newest version of a KV v2 secret; nil where there are no versions.
    mutating func currentVersion(of query: SecretQuery) throws(SecretStoreFailure) -> Int?

    /// auth/token/renew-self
    mutating func renewToken() throws(SecretStoreFailure) -> Grant

    /// sys/leases/renew, asking for the lease's own increment.
    mutating func renew(_ lease: LeaseID) throws(SecretStoreFailure) -> Grant

    /// sys/leases/revoke. A lease that is gone already is no failure.
    mutating func revoke(_ lease: LeaseID) throws(SecretStoreFailure)

    /// auth/token/revoke-self: ends the token and every lease it obtained.
    mutating func revokeToken() throws(SecretStoreFailure)

    /// Zeroes tokens, credentials and connection state. Idempotent.
    mutating func forget()
}
