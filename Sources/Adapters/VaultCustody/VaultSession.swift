// SPDX-License-Identifier: Apache-2.0
package import Ports

/// The life of one store's token: when it is renewed, replaced, and whether a refused call is worth
/// another try. It reads no clock and asks nobody.
package struct VaultSession: Sendable {
    /// What has to be done before the next call.
    package enum Step: Sendable, Equatable {
        case nothing, renew, logIn
    }

    /// Between two tries to renew a token that goes on meanwhile.
    package static let renewalPause = Duration.seconds(5)
    /// A token that is refused something is replaced at most once in this time: roles change, and
    /// a new token has the new rights.
    package static let replacementPause = Duration.seconds(30)

    private struct Token: Sendable {
        var since: MonotonicTime
        /// Of the first grant.
        var lifetime: Duration?
        var isRenewable: Bool
        /// nil: it does not end.
        var endsAt: MonotonicTime?
        var dueAt: MonotonicTime?
        /// A call has succeeded with it.
        var isProven = false
    }

    private var token: Token?

    package init() {}

    /// When something has to be done though nobody calls; nil: never.
    package var dueAt: MonotonicTime? { token?.dueAt }

    /// Whether calls can be made with what there is.
    package func isUsable(at now: MonotonicTime) -> Bool {
        guard let token else { return false }
        return token.endsAt.map { now < $0 } ?? true
    }

    package func step(at now: MonotonicTime) -> Step {
        guard let token, isUsable(at: now) else { return .logIn }
        guard let due = token.dueAt, due <= now else { return .nothing }
        return token.isRenewable ? .renew : .logIn
    }

    package mutating func loggedIn(_ grant: Grant, at now: MonotonicTime) {
        token = Token(since: now, lifetime: grant.lifetime, isRenewable: grant.isRenewable)
        extend(grant.lifetime, at: now)
    }

    package mutating func renewed(_ grant: Grant, at now: MonotonicTime) {
        extend(grant.lifetime, at: now)
        guard let first = token?.lifetime, let left = grant.lifetime else { return }
        // Its longest life is near: the next one is a new one.
        if !grant.isRenewable || left < first / 2 { token?.isRenewable = false }
    }

    /// A renewal or a replacement failed while the token may still be good.
    package mutating func upkeepFailed(_ failure: SecretStoreFailure, at now: MonotonicTime) {
        switch failure {
        case .tokenInvalid: token = nil
        case .renewalRefused, .permissionDenied:
            token?.isRenewable = false
            token?.dueAt = now
        default: token?.dueAt = now.advanced(by: Self.renewalPause)
        }
    }

    package mutating func succeeded() { token?.isProven = true }

    /// What a failed call means for the token.
    ///
    /// - Returns: whether the same call may be made once more, and whether the token was refused
    ///   before it was of any use: then another one is no better.
    package mutating func failed(
        _ failure: SecretStoreFailure, at now: MonotonicTime
    ) -> (isWorthAnotherTry: Bool, isTokenUseless: Bool) {
        switch failure {
        case .tokenInvalid:
            let isProven = token?.isProven ?? false
            token = nil
            return (isProven, !isProven)
        case .permissionDenied:
            guard let since = token?.since,
                since.duration(to: now) >= Self.replacementPause
            else { return (false, false) }
            token = nil
            return (true, false)
        case .connectionFailed, .responseTruncated, .standby, .serverError: return (true, false)
        default: return (false, false)
        }
    }

    private mutating func extend(_ lifetime: Duration?, at now: MonotonicTime) {
        token?.endsAt = lifetime.map { now.advanced(by: $0) }
        token?.dueAt = lifetime.map { now.advanced(by: $0 * 2 / 3) }
    }
}

/// Keeps logins that fail from becoming a storm: after each, nobody tries for a while, and
/// whoever needs a token gets the same failure at once.
package struct LoginPause: Sendable {
    package static let first = Duration.milliseconds(250)
    package static let longest = Duration.seconds(30)

    private var failures = 0
    private var last: (failure: SecretStoreFailure, until: MonotonicTime)?

    package init() {}

    package func check(at now: MonotonicTime) throws(SecretStoreFailure) {
        if let last, now < last.until { throw last.failure }
    }

    package mutating func failed(_ failure: SecretStoreFailure, at now: MonotonicTime) {
        let doublings = min(failures, 16)
        failures += 1
        let pause = min(Self.first * (1 << doublings), Self.longest)
        last = (failure, now.advanced(by: pause))
    }

    package mutating func succeeded() {
        failures = 0
        last = nil
    }
}
