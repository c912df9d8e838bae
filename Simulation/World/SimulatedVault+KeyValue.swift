// SPDX-License-Identifier: Apache-2.0

extension SimulatedVault {
    /// Mounts and auth methods of one namespace.
    package struct Namespace: Sendable {
        /// By mount path without slashes at the ends.
        package var mounts: [String: Mount] = [:]
        /// By mount path without `auth/`.
        package var authBackends: [String: AuthBackend] = [:]

        package init() {}
    }

    /// A key-value engine.
    package enum Mount: Sendable {
        /// Secret name → fields.
        case keyValue1([String: SimulatedJSON])
        /// Secret name → versions, the oldest first.
        case keyValue2([String: [Version]])
        /// An engine that is no key-value store.
        case other(type: String)
    }

    /// One version of a KV v2 secret.
    package struct Version: Sendable {
        package enum State: Sendable { case live, deleted, destroyed }
        package var fields: SimulatedJSON
        package var state: State

        package init(fields: SimulatedJSON, state: State = .live) {
            self.fields = fields
            self.state = state
        }
    }

    /// Stores a secret's fields: a new version in KV v2, the whole secret in KV v1.
    /// The mount is made as KV v2 when there is none.
    package mutating func put(
        mount: String, name: String, fields: [(name: String, value: SimulatedJSON)],
        namespace: String = ""
    ) {
        var space = namespaces[namespace] ?? Namespace()
        switch space.mounts[mount] ?? .keyValue2([:]) {
        case .keyValue1(var secrets):
            secrets[name] = .object(fields)
            space.mounts[mount] = .keyValue1(secrets)
        case .keyValue2(var secrets):
            secrets[name, default: []].append(Version(fields: .object(fields)))
            space.mounts[mount] = .keyValue2(secrets)
        case .other: break
        }
        namespaces[namespace] = space
    }

    /// Marks the newest version of a KV v2 secret.
    package mutating func mark(
        mount: String, name: String, _ state: Version.State, namespace: String = ""
    ) {
        guard case .keyValue2(var secrets) = namespaces[namespace]?.mounts[mount],
            var versions = secrets[name], !versions.isEmpty
        else { return }
        versions[versions.count - 1].state = state
        secrets[name] = versions
        namespaces[namespace]?.mounts[mount] = .keyValue2(secrets)
    }

    /// `sys/internal/ui/mounts/<path>`
    func mountInformation(for path: String, in namespace: Namespace, token: Token) -> Response {
        let shown = Self.trimmed(path)
        guard let (mountPath, mount, _) = Self.mount(of: shown, in: namespace),
            token.readable?.contains(where: { $0.hasPrefix(mountPath + "/") }) ?? true
        else {
            let text =
                "preflight capability check returned 403, please ensure client's policies "
                + "grant access to path \"\(shown)/\""
            return .errors(403, [text])
        }
        let type: String
        let options: SimulatedJSON
        switch mount {
        case .keyValue1: (type, options) = ("kv", .object([("version", .string("1"))]))
        case .keyValue2: (type, options) = ("kv", .object([("version", .string("2"))]))
        case .other(let name): (type, options) = (name, .null)
        }
        return .envelope(
            data: .object([
                ("options", options), ("path", .string(mountPath + "/")), ("type", .string(type)),
            ]))
    }

    /// A read of any other path: a key-value secret.
    func readSecret(_ path: String, in namespace: Namespace, token: Token) -> Response {
        guard token.mayRead(path) else {
            return .errors(403, ["1 error occurred:\n\t* permission denied\n\n"])
        }
        guard let (_, mount, rest) = Self.mount(of: path, in: namespace) else {
            return .errors(404, ["no handler for route \"\(path)\". route entry not found."])
        }
        if condition == .invalidJSON {
            return Response(status: 200, body: Array("{\"data\": {\"data\":".utf8))
        }
        switch mount {
        case .keyValue1(let secrets):
            guard let fields = secrets[rest] else { return .errors(404, []) }
            return .envelope(data: fields)
        case .keyValue2(let secrets):
            guard rest.hasPrefix("data/"),
                let versions = secrets[String(rest.dropFirst("data/".count))],
                let version = versions.last
            else { return .errors(404, []) }
            return Self.answer(version, number: versions.count)
        case .other: return .errors(404, [])
        }
    }

    /// KV v2: a deleted or destroyed version is a 404 that still carries its metadata.
    private static func answer(_ version: Version, number: Int) -> Response {
        let isLive = version.state == .live
        let metadata = SimulatedJSON.object([
            ("created_time", .string("2026-01-01T00:00:00Z")), ("custom_metadata", .null),
            ("deletion_time", .string(isLive ? "" : "2026-01-02T00:00:00Z")),
            ("destroyed", .bool(version.state == .destroyed)),
            ("version", .number(String(number))),
        ])
        return .envelope(
            isLive ? 200 : 404,
            data: .object([
                ("data", isLive ? version.fields : .null), ("metadata", metadata),
            ]))
    }

    /// The mount that `path` lies in (the longest that fits) and the rest of the path.
    static func mount(
        of path: String, in namespace: Namespace
    ) -> (path: String, mount: Mount, rest: String)? {
        let fitting = namespace.mounts.filter { path == $0.key || path.hasPrefix($0.key + "/") }
        guard let (key, mount) = fitting.max(by: { $0.key.count < $1.key.count }) else {
            return nil
        }
        return (key, mount, String(path.dropFirst(key.count + 1)))
    }
}
