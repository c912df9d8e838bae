// SPDX-License-Identifier: Apache-2.0

extension SimulatedVault {
    /// One way to log in, by mount path without `auth/`.
    package enum AuthBackend: Sendable {
        /// Role id → secret ids.
        case appRole([String: Role])
        /// Role name → accepted service-account tokens.
        case kubernetes([String: Role])
        case jwt([String: Role])
        /// Role name → common names of accepted client certificates.
        case certificate([String: Role])
    }

    /// What a role accepts and what its tokens may do.
    package struct Role: Sendable {
        /// Secret ids, JWTs, or names of client certificates, that are accepted.
        package var credentials: [String]
        /// API paths its tokens may use; nil: all.
        package var readable: [String]?
        /// Of its tokens.
        package var secondsToLive: Int
        /// However often its tokens are renewed; nil: without an end.
        package var maxSecondsToLive: Int?
        package var isRenewable: Bool

        package init(
            credentials: [String], readable: [String]? = nil, secondsToLive: Int = 3600,
            maxSecondsToLive: Int? = nil, isRenewable: Bool = true
        ) {
            self.credentials = credentials
            self.readable = readable
            self.secondsToLive = secondsToLive
            self.maxSecondsToLive = maxSecondsToLive
            self.isRenewable = isRenewable
        }
    }

    /// Something that a wrapping token stands for, once.
    struct Wrapping: Sendable {
        var namespace: String
        /// Which request's answer was wrapped.
        var creationPath: String
        var data: SimulatedJSON
        /// In the vault's seconds.
        var expiresAt: Int
    }

    /// The role that accepts the credential, with OpenBao's refusals.
    ///
    /// - Parameter name: the role (AppRole: the role id); for certificates it may be empty, which
    ///   tries them all.
    func role(
        _ name: String, mount: String, namespace: String, credential: String
    ) throws(Refusal) -> Role {
        guard let space = namespaces[namespace] else {
            throw .loginRefused(status: 404, text: "namespace not found")
        }
        guard let backend = space.authBackends[mount] else {
            throw .loginRefused(status: 403, text: "permission denied")
        }
        switch backend {
        case .appRole(let roles):
            guard let role = roles[name], role.credentials.contains(credential) else {
                throw .loginRefused(status: 400, text: "invalid role or secret ID")
            }
            return role
        case .kubernetes(let roles):
            guard let role = roles[name] else {
                throw .loginRefused(status: 400, text: "invalid role name \"\(name)\"")
            }
            guard role.credentials.contains(credential) else {
                throw .loginRefused(status: 403, text: "service account name not authorized")
            }
            return role
        case .jwt(let roles):
            guard let role = roles[name] else {
                throw .loginRefused(status: 400, text: "role \"\(name)\" could not be found")
            }
            guard role.credentials.contains(credential) else {
                throw .loginRefused(
                    status: 400, text: "error validating token: no known key verified it")
            }
            return role
        case .certificate(let roles):
            let candidates = name.isEmpty ? roles.keys.sorted() : [name]
            let accepting = candidates.compactMap { roles[$0] }
                .first { $0.credentials.contains(credential) }
            guard let accepting, !credential.isEmpty else {
                throw .loginRefused(
                    status: 400, text: "invalid certificate or no client certificate supplied")
            }
            return accepting
        }
    }

    /// Gives an AppRole role another secret id and hands it out wrapped.
    ///
    /// - Parameter given: what the wrapping token is to be; nil: one is made up.
    /// - Returns: the wrapping token; nil when there is no such role.
    package mutating func wrapSecretID(
        mount: String = "approle", roleID: String, namespace: String = "",
        secondsToLive: Int = 300, as given: String? = nil
    ) -> String? {
        guard case .appRole(var roles) = namespaces[namespace]?.authBackends[mount],
            roles[roleID] != nil
        else { return nil }
        let made = issue(.secretID)
        roles[roleID]?.credentials.append(made)
        namespaces[namespace]?.authBackends[mount] = .appRole(roles)
        let wrapping = given ?? issue(.wrappingToken)
        wrappings[wrapping] = Wrapping(
            namespace: namespace, creationPath: "auth/\(mount)/role/app/secret-id",
            data: .object([("secret_id", .string(made))]), expiresAt: now + secondsToLive)
        return wrapping
    }

    /// `sys/wrapping/wrap`: whoever has a token wraps what he likes.
    package mutating func wrap(
        _ data: SimulatedJSON, namespace: String = "", secondsToLive: Int = 300
    ) -> String {
        let wrapping = issue(.wrappingToken)
        wrappings[wrapping] = Wrapping(
            namespace: namespace, creationPath: "sys/wrapping/wrap", data: data,
            expiresAt: now + secondsToLive)
        return wrapping
    }

    /// `sys/wrapping/lookup`: the path of the request whose answer was wrapped.
    func creationPath(
        of token: String?, in namespace: String
    ) throws(Refusal) -> String {
        try wrapping(token, in: namespace).creationPath
    }

    private func wrapping(
        _ token: String?, in namespace: String
    ) throws(Refusal) -> Wrapping {
        guard let token, let wrapping = wrappings[token], wrapping.expiresAt > now,
            wrapping.namespace == namespace
        else { throw .wrappingTokenInvalid }
        return wrapping
    }

    /// `sys/wrapping/unwrap`: whoever comes first gets it.
    mutating func unwrap(
        _ token: String?, in namespace: String
    ) throws(Refusal) -> SimulatedJSON {
        let wrapping = try wrapping(token, in: namespace)
        if let token { wrappings[token] = nil }
        return wrapping.data
    }
}
