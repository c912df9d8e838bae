// SPDX-License-Identifier: Apache-2.0
import JSONFormat

extension SimulatedVault {
    /// A token's rights and end.
    package struct Token: Sendable {
        var namespace: String
        /// API paths (`secret/data/app`) it may read; nil: all.
        var readable: [String]?
        /// In the vault's seconds; nil: never.
        var expiresAt: Int?

        /// - Parameter path: as the API has it.
        func mayRead(_ path: String) -> Bool { readable?.contains(path) ?? true }
    }

    /// One way to log in, by mount path without `auth/`.
    package enum AuthBackend: Sendable {
        /// Role id → secret ids.
        case appRole([String: Role])
        /// Role name → accepted service-account tokens.
        case kubernetes([String: Role])
        case jwt([String: Role])
    }

    /// What a role accepts and what its tokens may do.
    package struct Role: Sendable {
        /// Secret ids, or JWTs, that are accepted.
        package var credentials: [String]
        /// API paths its tokens may read; nil: all.
        package var readable: [String]?
        /// Of its tokens.
        package var secondsToLive: Int

        package init(credentials: [String], readable: [String]? = nil, secondsToLive: Int = 3600) {
            self.credentials = credentials
            self.readable = readable
            self.secondsToLive = secondsToLive
        }
    }

    /// Makes a token known.
    package mutating func addToken(
        _ token: String, namespace: String = "", readable: [String]? = nil,
        secondsToLive: Int? = nil
    ) {
        tokens[token] = Token(
            namespace: namespace, readable: readable,
            expiresAt: secondsToLive.map { now + $0 })
    }

    /// nil: unknown, expired, or of a namespace that is not above `namespace`.
    func liveToken(_ value: String?, in namespace: String) -> Token? {
        guard let value, let token = tokens[value] else { return nil }
        if let end = token.expiresAt, end <= now { return nil }
        let isAbove = token.namespace.isEmpty || "\(namespace)/".hasPrefix("\(token.namespace)/")
        return isAbove ? token : nil
    }

    func lookUpSelf(_ token: Token) -> Response {
        let left = token.expiresAt.map { $0 - now } ?? 0
        return .envelope(data: .object([("ttl", .number(String(left)))]))
    }

    /// Why a login is refused.
    struct LoginRefusal: Error {
        let status: Int
        let text: String
    }

    /// `auth/<mount>/login`
    mutating func logIn(_ parts: [String], in namespace: String, request: Request) -> Response {
        let mount = parts.dropFirst().dropLast().joined(separator: "/")
        guard let fields = Self.textFields(of: request.body) else {
            return .errors(400, ["failed to parse JSON input"])
        }
        let isAppRole = !fields("role_id").isEmpty
        let found = role(
            fields(isAppRole ? "role_id" : "role"), mount: mount, namespace: namespace,
            credential: fields(isAppRole ? "secret_id" : "jwt"))
        switch found {
        case .failure(let refusal): return .errors(refusal.status, [refusal.text])
        case .success(let role):
            let issued = newToken(for: role, in: namespace)
            return .envelope(
                auth: .object([
                    ("client_token", .string(issued)), ("accessor", .string("a\(tokensIssued)")),
                    ("policies", .array([.string("default")])),
                    ("lease_duration", .number(String(role.secondsToLive))),
                    ("renewable", .bool(true)), ("token_type", .string("service")),
                ]))
        }
    }

    /// The role that accepts the credential, with OpenBao's refusals.
    func role(
        _ name: String, mount: String, namespace: String, credential: String
    ) -> Result<Role, LoginRefusal> {
        guard let backend = namespaces[namespace]?.authBackends[mount] else {
            return .failure(LoginRefusal(status: 403, text: "permission denied"))
        }
        switch backend {
        case .appRole(let roles):
            guard let role = roles[name], role.credentials.contains(credential) else {
                return .failure(LoginRefusal(status: 400, text: "invalid role or secret ID"))
            }
            return .success(role)
        case .kubernetes(let roles):
            guard let role = roles[name] else {
                return .failure(LoginRefusal(status: 400, text: "invalid role name \"\(name)\""))
            }
            guard role.credentials.contains(credential) else {
                return .failure(
                    LoginRefusal(status: 403, text: "service account name not authorized"))
            }
            return .success(role)
        case .jwt(let roles):
            guard let role = roles[name] else {
                return .failure(
                    LoginRefusal(status: 400, text: "role \"\(name)\" could not be found"))
            }
            guard role.credentials.contains(credential) else {
                return .failure(
                    LoginRefusal(
                        status: 400, text: "error validating token: no known key verified it"))
            }
            return .success(role)
        }
    }

    /// Issues the next token.
    mutating func newToken(for role: Role, in namespace: String) -> String {
        tokensIssued += 1
        let issued = tokenPrefix + String(tokensIssued)
        tokens[issued] = Token(
            namespace: namespace, readable: role.readable, expiresAt: now + role.secondsToLive)
        return issued
    }

    /// Looks a flat body's text members up; a missing one is empty. nil: not a JSON object.
    private static func textFields(of body: [UInt8]) -> ((String) -> String)? {
        func look(_ name: String?) -> String? {
            body.withUnsafeBytes { bytes in
                guard let root = try? JSONFormat.check(bytes.bytes), root.kind == .object else {
                    return nil
                }
                guard let name else { return "" }
                guard let value = try? JSONFormat.member(name, of: root, in: bytes.bytes),
                    let text = try? JSONText.publicText(value, in: bytes.bytes)
                else { return "" }
                return text
            }
        }
        guard look(nil) != nil else { return nil }
        return { look($0) ?? "" }
    }
}
