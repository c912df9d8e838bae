// SPDX-License-Identifier: Apache-2.0

/// A deterministic vault with Vault's HTTP semantics: a request and the state give a response.
///
/// Time is `now`, moved by `advance`; tokens are numbered, not drawn. Statuses and bodies follow
/// what OpenBao 2.7.2 answers (PortConformanceTests holds both to the same suite).
package struct SimulatedVault: Sendable {
    /// One HTTP request.
    package struct Request: Sendable {
        package var method: String
        /// Without the query.
        package var path: String
        /// In the order received; names in any case.
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]

        package init(
            method: String, path: String, headers: [(name: String, value: String)] = [],
            body: [UInt8] = []
        ) {
            self.method = method
            self.path = path
            self.headers = headers
            self.body = body
        }

        /// The first header of that name.
        package func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    /// One HTTP response; Content-Length is the listener's to add.
    package struct Response: Sendable {
        package var status: Int
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]

        package init(
            status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []
        ) {
            self.status = status
            self.headers = headers
            self.body = body
        }
    }

    /// What the server as a whole is doing.
    package enum Condition: Sendable, Equatable {
        case active
        case sealed
        case uninitialized
        /// Answers as a standby that forwards nothing: every request but health gets 429, as
        /// `sys/health` of a standby does.
        case standby
        /// Every request is refused with 429 and, if given, `Retry-After` (seconds).
        case rateLimited(retryAfterSeconds: Int?)
        /// Every request fails with this status (5xx).
        case failing(status: Int)
        /// Every request is sent elsewhere: `origin` + the request's path.
        case redirecting(origin: String)
        /// Reads of secrets answer 200 with a body that is no JSON.
        case invalidJSON
    }

    /// The token of the first administrator. May do everything.
    package static let rootToken = "s.simulated-root"

    package var condition = Condition.active
    /// Seconds since the vault was made.
    package private(set) var now = 0
    /// By name without slashes at the ends; the root namespace is the empty string.
    package var namespaces: [String: Namespace]
    /// Every request's method and path, in order: what was asked how often.
    package private(set) var log: [String] = []
    var tokens: [String: Token] = [:]
    var tokensIssued = 0

    /// - Parameter tokenPrefix: start of every token issued; the rest is a running number.
    ///   A test that scans memory for tokens gives a random one.
    package init(tokenPrefix: String = "s.simulated-") {
        self.tokenPrefix = tokenPrefix
        namespaces = ["": Namespace()]
        tokens[Self.rootToken] = Token(namespace: "", readable: nil, expiresAt: nil)
    }

    let tokenPrefix: String

    /// Lets time pass.
    package mutating func advance(seconds: Int) { now += seconds }

    /// What the vault answers.
    package mutating func respond(to request: Request) -> Response {
        log.append("\(request.method) \(request.path)")
        guard request.path.hasPrefix("/v1/") else { return .errors(404, []) }
        let path = String(request.path.dropFirst("/v1/".count))
        if path == "sys/health" { return health() }
        if let refusal = refusal(for: request) { return refusal }
        let namespaceName = Self.trimmed(request.header("X-Vault-Namespace") ?? "")
        guard let namespace = namespaces[namespaceName] else {
            return .errors(404, ["namespace not found"])
        }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if parts.first == "auth", parts.last == "login" {
            return logIn(parts, in: namespaceName, request: request)
        }
        guard let token = liveToken(request.header("X-Vault-Token"), in: namespaceName) else {
            return .errors(403, ["permission denied"])
        }
        guard request.method == "GET" else {
            return .errors(405, ["unsupported operation"])
        }
        if path == "auth/token/lookup-self" { return lookUpSelf(token) }
        let mountQuery = "sys/internal/ui/mounts/"
        if path.hasPrefix(mountQuery) {
            let wanted = String(path.dropFirst(mountQuery.count))
            return mountInformation(for: wanted, in: namespace, token: token)
        }
        return readSecret(path, in: namespace, token: token)
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

    static func trimmed(_ path: String) -> String {
        path.split(separator: "/").joined(separator: "/")
    }
}

extension SimulatedVault.Response {
    /// Vault's error body.
    package static func errors(_ status: Int, _ texts: [String]) -> Self {
        json(status, .object([("errors", .array(texts.map { .string($0) }))]))
    }

    /// A JSON body.
    package static func json(_ status: Int, _ body: SimulatedJSON) -> Self {
        SimulatedVault.Response(
            status: status,
            headers: [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
            body: body.rendered())
    }

    /// Vault's envelope around `data` or `auth`.
    static func envelope(
        _ status: Int = 200, data: SimulatedJSON = .null, auth: SimulatedJSON = .null
    ) -> Self {
        json(
            status,
            .object([
                ("request_id", .string("00000000-0000-0000-0000-000000000000")),
                ("lease_id", .string("")), ("renewable", .bool(false)),
                ("lease_duration", .number("0")), ("data", data), ("wrap_info", .null),
                ("warnings", .null), ("auth", auth),
            ]))
    }
}
