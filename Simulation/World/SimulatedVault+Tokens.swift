// SPDX-License-Identifier: Apache-2.0

extension SimulatedVault {
    /// A token's rights and end.
    package struct Token: Sendable {
        var namespace: String
        /// API paths (`secret/data/app`) it may use; nil: all.
        var readable: [String]?
        /// In the vault's seconds; nil: never.
        var expiresAt: Int?
        /// What a renewal gives it anew (seconds).
        var secondsToLive = 0
        /// No renewal goes beyond; nil: there is no such point.
        var maxExpiresAt: Int?
        var isRenewable = false

        /// - Parameter path: as the API has it.
        func mayUse(_ path: String) -> Bool { readable?.contains(path) ?? true }
    }

    /// Makes a token known.
    package mutating func addToken(
        _ token: String, namespace: String = "", readable: [String]? = nil,
        secondsToLive: Int? = nil, maxSecondsToLive: Int? = nil, isRenewable: Bool = false
    ) {
        tokens[token] = Token(
            namespace: namespace, readable: readable,
            expiresAt: secondsToLive.map { now + $0 }, secondsToLive: secondsToLive ?? 0,
            maxExpiresAt: maxSecondsToLive.map { now + $0 }, isRenewable: isRenewable)
    }

    /// Issues the next token.
    mutating func newToken(for role: Role, in namespace: String) -> String {
        let made = issue(.token)
        let lifetime = min(role.secondsToLive, role.maxSecondsToLive ?? role.secondsToLive)
        addToken(
            made, namespace: namespace, readable: role.readable, secondsToLive: lifetime,
            maxSecondsToLive: role.maxSecondsToLive, isRenewable: role.isRenewable)
        return made
    }

    /// Tokens that are valid now.
    package var liveTokens: [String] {
        tokens.filter { isLive($0.value) }.keys.sorted()
    }

    private func isLive(_ token: Token) -> Bool { token.expiresAt.map { $0 > now } ?? true }

    /// nil: unknown, expired, or of a namespace that is not above `namespace`.
    func liveToken(_ value: String?, in namespace: String) -> Token? {
        guard let value, let token = tokens[value], isLive(token) else { return nil }
        let isAbove = token.namespace.isEmpty || "\(namespace)/".hasPrefix("\(token.namespace)/")
        return isAbove ? token : nil
    }

    /// The token behind a request.
    func caller(_ value: String?, in namespace: String) throws(Refusal) -> Token {
        guard namespaces[namespace] != nil else { throw .namespaceUnknown }
        guard let token = liveToken(value, in: namespace) else { throw .tokenUnknown }
        return token
    }

    /// Seconds left; nil: it does not end.
    func secondsLeft(of token: Token) -> Int? { token.expiresAt.map { $0 - now } }

    /// `auth/token/renew-self`
    mutating func renewToken(_ value: String?, in namespace: String) throws(Refusal) -> Token {
        var token = try caller(value, in: namespace)
        guard token.isRenewable, let value else { throw .leaseNotRenewable }
        let wanted = now + token.secondsToLive
        token.expiresAt = min(wanted, token.maxExpiresAt ?? wanted)
        tokens[value] = token
        return token
    }

    /// `auth/token/revoke-self`: the token's leases go with it.
    mutating func revokeToken(_ value: String?, in namespace: String) throws(Refusal) {
        _ = try caller(value, in: namespace)
        guard let value else { return }
        endToken(value, at: now)
    }

    /// What an administrator does: ends a token and its leases. Unknown ones are no matter.
    package mutating func revoke(token value: String) { endToken(value, at: now) }

    private mutating func endToken(_ value: String, at end: Int) {
        tokens[value] = nil
        for index in leases.indices where leases[index].token == value && leases[index].isLive {
            leases[index].state = .revoked(at: end)
        }
    }

    /// Ends leases and tokens whose time has come; the leases of an ended token with it.
    mutating func endWhatIsOver() {
        for (value, token) in tokens {
            guard let end = token.expiresAt, end <= now else { continue }
            for index in leases.indices
            where leases[index].token == value && leases[index].isLive
                && leases[index].expiresAt > end
            {
                leases[index].state = .revoked(at: end)
            }
            tokens[value] = nil
        }
        for index in leases.indices where leases[index].isLive && leases[index].expiresAt <= now {
            leases[index].state = .expired(at: leases[index].expiresAt)
        }
    }
}
