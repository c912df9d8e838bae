// SPDX-License-Identifier: Apache-2.0
package import Ports

/// Growing pauses between tries, with jitter: many wrappers that a vault's restart has thrown out
/// at once must not come back at once.
package struct Backoff: Sendable, Equatable {
    package static let firstPause = Duration.milliseconds(500)
    package static let pauseMax = Duration.seconds(30)

    /// Failures so far.
    package private(set) var failures = 0

    package init() {}

    /// The pause before the next try: between half of, and the whole of, a span that doubles with
    /// each failure up to `pauseMax`.
    ///
    /// - Parameter chance: any number, drawn anew each time.
    package mutating func next(chance: UInt64) -> Duration {
        let doublings = min(failures, 16)
        failures += 1
        let span = min(Self.firstPause * (1 << doublings), Self.pauseMax)
        return span / 2 + Jitter.share(chance, of: span / 2)
    }
}

/// Turns a drawn number into a part of a duration.
enum Jitter {
    /// Between nothing and all of `span`, in steps of a 1024th.
    static func share(_ chance: UInt64, of span: Duration) -> Duration {
        span * Int(chance % 1025) / 1024
    }
}

extension SecretStoreFailure {
    /// Whether another try may succeed without anybody changing anything.
    package var isTransient: Bool {
        switch self {
        case .nameNotResolved, .connectionFailed, .timedOut, .sealed, .uninitialized, .standby,
            .rateLimited, .serverError, .responseTruncated:
            true
        case .interrupted, .certificateUntrusted, .certificateNameMismatch, .certificateExpired,
            .tlsFailed, .trustAnchorsUnreadable, .clientCertificateRejected, .originForbidden,
            .redirectForbidden, .credentialUnreadable, .credentialMissing, .loginRefused,
            .wrappingTokenInvalid, .wrappingTokenForeign, .tokenInvalid, .permissionDenied,
            .notFound, .mountUnknown,
            .versionDeleted, .versionDestroyed, .fieldMissing, .fieldNotText, .leaseUnknown,
            .renewalRefused, .responseMalformed, .responseTooLarge, .unexpectedStatus,
            .valueContainsNUL, .valueTooLarge, .memory:
            false
        }
    }

    /// What the vault asked for by `Retry-After`; nil: nothing.
    package var retryAfter: Duration? {
        guard case .rateLimited(_, let seconds?) = self else { return nil }
        return .seconds(max(seconds, 0))
    }
}
