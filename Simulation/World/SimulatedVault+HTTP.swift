// SPDX-License-Identifier: Apache-2.0
import JSONFormat

extension SimulatedVault {
    /// One HTTP request.
    package struct Request: Sendable {
        package var method: String
        /// Without the query.
        package var path: String
        /// In the order received; names in any case.
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]
        /// Common name of the client certificate, when one was shown and verified.
        package var clientName: String?

        package init(
            method: String, path: String, headers: [(name: String, value: String)] = [],
            body: [UInt8] = [], clientName: String? = nil
        ) {
            self.method = method
            self.path = path
            self.headers = headers
            self.body = body
            self.clientName = clientName
        }

        /// The first header of that name.
        package func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    /// What the vault answers.
    package mutating func respond(to request: Request) -> Response {
        log.append("\(request.method) \(request.path)")
        guard request.path.hasPrefix("/v1/") else { return .errors(404, []) }
        let path = String(request.path.dropFirst("/v1/".count))
        if path == "sys/health" { return health() }
        if let refusal = refusal(for: request) { return refusal }
        do throws(Refusal) {
            return try route(path, request)
        } catch { return .refusal(error) }
    }

    private mutating func route(
        _ path: String, _ request: Request
    ) throws(Refusal) -> Response {
        let namespace = Self.trimmed(request.header("X-Vault-Namespace") ?? "")
        guard namespaces[namespace] != nil else { throw .namespaceUnknown }
        let token = request.header("X-Vault-Token")
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if parts.first == "auth", parts.last == "login" {
            return try logIn(parts, in: namespace, request: request)
        }
        let isWrite = request.method == "POST" || request.method == "PUT"
        if isWrite, path == "sys/wrapping/unwrap" {
            return .envelope(data: try unwrap(token, in: namespace))
        }
        if isWrite, path == "sys/wrapping/lookup" {
            let fields = try Self.textFields(of: request.body)
            let made = try creationPath(of: fields("token"), in: namespace)
            return .envelope(data: .object([("creation_path", .string(made))]))
        }
        let caller = try caller(token, in: namespace)
        guard isWrite || request.method == "GET" else { throw .operationUnsupported }
        if isWrite {
            return try write(path, token: token, in: namespace, request: request)
        }
        if path == "auth/token/lookup-self" { return lookUpSelf(caller, value: token ?? "") }
        let mountQuery = "sys/internal/ui/mounts/"
        if path.hasPrefix(mountQuery) {
            let wanted = String(path.dropFirst(mountQuery.count))
            return .mount(try visibleMount(of: wanted, token: token, in: namespace))
        }
        return respond(try use(path, parameters: nil, token: token, in: namespace))
    }

    private mutating func write(
        _ path: String, token: String?, in namespace: String, request: Request
    ) throws(Refusal) -> Response {
        switch path {
        case "auth/token/renew-self":
            let renewed = try renewToken(token, in: namespace)
            return .authenticated(
                token ?? "", lifetime: secondsLeft(of: renewed), isRenewable: true)
        case "auth/token/revoke-self":
            try revokeToken(token, in: namespace)
            return Response(status: 204)
        default: break
        }
        let fields = try Self.textFields(of: request.body)
        switch path {
        case "sys/leases/renew":
            let lease = try renewLease(fields("lease_id") ?? "", token: token, in: namespace)
            return .envelope(lease: (lease, now))
        case "sys/leases/revoke":
            try revokeLease(fields("lease_id") ?? "", token: token, in: namespace)
            return Response(status: 204)
        default:
            return respond(try use(path, parameters: fields, token: token, in: namespace))
        }
    }

    private func respond(_ answer: Answer) -> Response {
        if condition == .invalidJSON {
            return Response(status: 200, body: Array("{\"data\": {\"data\":".utf8))
        }
        return .envelope(data: answer.data, lease: answer.lease.map { ($0, now) })
    }

    /// `auth/<mount>/login`
    private mutating func logIn(
        _ parts: [String], in namespace: String, request: Request
    ) throws(Refusal) -> Response {
        let mount = parts.dropFirst().dropLast().joined(separator: "/")
        let fields = try Self.textFields(of: request.body)
        let role: Role
        switch namespaces[namespace]?.authBackends[mount] {
        case .appRole:
            role = try self.role(
                fields("role_id") ?? "", mount: mount, namespace: namespace,
                credential: fields("secret_id") ?? "")
        case .certificate:
            role = try self.role(
                fields("name") ?? "", mount: mount, namespace: namespace,
                credential: request.clientName ?? "")
        case .kubernetes, .jwt, nil:
            role = try self.role(
                fields("role") ?? "", mount: mount, namespace: namespace,
                credential: fields("jwt") ?? "")
        }
        let issued = newToken(for: role, in: namespace)
        return .authenticated(
            issued, lifetime: tokens[issued].flatMap(secondsLeft),
            isRenewable: role.isRenewable)
    }

    private func lookUpSelf(_ token: Token, value: String) -> Response {
        let left = secondsLeft(of: token)
        return .envelope(
            data: .object([
                ("expire_time", left == nil ? .null : .string("2027-01-15T08:00:00Z")),
                ("id", .string(value)), ("renewable", .bool(token.isRenewable)),
                ("ttl", .number(String(left ?? 0))),
            ]))
    }

    /// What the server's condition makes of any request.
    private func refusal(for request: Request) -> Response? {
        switch condition {
        case .active, .invalidJSON: return nil
        case .sealed: return .errors(503, ["Vault is sealed"])
        case .uninitialized: return .errors(501, ["Vault is not initialized"])
        case .standby: return .errors(429, ["standby node: no active node to forward to"])
        case .rateLimited(let seconds):
            var response = Response.errors(429, ["request path rate limit quota exceeded"])
            if let seconds { response.headers.append(("Retry-After", String(seconds))) }
            return response
        case .failing(let status): return .errors(status, ["internal error"])
        case .redirecting(let origin):
            return Response(status: 307, headers: [("Location", origin + request.path)])
        }
    }

    /// `sys/health` with Vault's status codes.
    private func health() -> Response {
        let status: Int
        switch condition {
        case .sealed: status = 503
        case .uninitialized: status = 501
        case .standby: status = 429
        default: status = 200
        }
        return .json(
            status,
            .object([
                ("initialized", .bool(condition != .uninitialized)),
                ("sealed", .bool(condition == .sealed || condition == .uninitialized)),
                ("standby", .bool(condition == .standby)),
            ]))
    }

    /// Looks a flat body's text members up. An empty body has none.
    private static func textFields(of body: [UInt8]) throws(Refusal) -> (String) -> String? {
        guard !body.isEmpty else { return { _ in nil } }
        let isObject = body.withUnsafeBytes { bytes in
            (try? JSONFormat.check(bytes.bytes))?.kind == .object
        }
        guard isObject else { throw .badRequest("failed to parse JSON input") }
        return { name in
            body.withUnsafeBytes { bytes in
                guard let root = try? JSONFormat.check(bytes.bytes),
                    let value = try? JSONFormat.member(name, of: root, in: bytes.bytes),
                    let text = try? JSONText.publicText(value, in: bytes.bytes)
                else { return nil }
                return text
            }
        }
    }
}
