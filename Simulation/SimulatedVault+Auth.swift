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

    func liveToken(_ value: String?) -> Token? {
        guard let value, let token = tokens[value] else { return nil }
        if let end = token.expiresAt, end <= now { return nil }
        return token
    }

    func lookUpSelf(_ token: Token) -> Response {
        let left = token.expiresAt.map { $0 - now } ?? 0
        return .envelope(data: .object([("ttl", .number(String(left)))]))
    }

    /// `auth/<mount>/login`
    mutating func logIn(_ parts: [String], in namespace: String, request: Request) -> Response {
        let mount = parts.dropFirst().dropLast().joined(separator: "/")
        guard let backend = namespaces[namespace]?.authBackends[mount] else {
            return .errors(403, ["permission denied"])
        }
        guard let fields = Self.textFields(of: request.body) else {
            return .errors(400, ["failed to parse JSON input"])
        }
        switch backend {
        case .appRole(let roles):
            guard let role = roles[fields("role_id")],
                role.credentials.contains(fields("secret_id"))
            else { return .errors(400, ["invalid role or secret ID"]) }
            return issue(for: role, in: namespace)
        case .kubernetes(let roles):
            guard let role = roles[fields("role")] else {
                return .errors(400, ["invalid role name \"\(fields("role"))\""])
            }
            guard role.credentials.contains(fields("jwt")) else {
                return .errors(403, ["service account name not authorized"])
            }
            return issue(for: role, in: namespace)
        case .jwt(let roles):
            guard let role = roles[fields("role")] else {
                return .errors(400, ["role \"\(fields("role"))\" could not be found"])
            }
            guard role.credentials.contains(fields("jwt")) else {
                return .errors(400, ["error validating token: no known key verified the token"])
            }
            return issue(for: role, in: namespace)
        }
    }

    private mutating func issue(for role: Role, in namespace: String) -> Response {
        tokensIssued += 1
        let token = tokenPrefix + String(tokensIssued)
        tokens[token] = Token(
            namespace: namespace, readable: role.readable, expiresAt: now + role.secondsToLive)
        return .envelope(
            auth: .object([
                ("client_token", .string(token)), ("accessor", .string("a\(tokensIssued)")),
                ("policies", .array([.string("default")])),
                ("lease_duration", .number(String(role.secondsToLive))),
                ("renewable", .bool(true)), ("token_type", .string("service")),
            ]))
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
