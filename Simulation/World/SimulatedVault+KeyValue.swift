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

    /// A secrets engine.
    package enum Mount: Sendable {
        /// Secret name → fields.
        case keyValue1([String: SimulatedJSON])
        /// Secret name → versions, the oldest first.
        case keyValue2([String: [Version]])
        /// `creds/<role>` makes a user name and a password.
        case database([String: DynamicRole])
        /// `issue/<role>` makes a certificate and its key.
        case pki([String: DynamicRole])
        /// Key name → newest version, from 1.
        case transit([String: Int])
        /// An engine that this vault knows nothing about.
        case other(type: String)

        /// As `sys/internal/ui/mounts` says.
        var type: String {
            switch self {
            case .keyValue1, .keyValue2: "kv"
            case .database: "database"
            case .pki: "pki"
            case .transit: "transit"
            case .other(let type): type
            }
        }

        /// KV's version; nil elsewhere.
        var version: String? {
            switch self {
            case .keyValue1: "1"
            case .keyValue2: "2"
            case .database, .pki, .transit, .other: nil
            }
        }
    }

    /// One version of a KV v2 secret.
    package struct Version: Sendable, Equatable {
        package enum State: Sendable, Equatable { case live, deleted, destroyed }
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
        case .database, .pki, .transit, .other: break
        }
        namespaces[namespace] = space
    }

    /// Mounts an engine, making the namespace when there is none.
    package mutating func mount(_ mount: Mount, at path: String, namespace: String = "") {
        namespaces[namespace, default: Namespace()].mounts[Self.trimmed(path)] = mount
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

    /// `sys/internal/ui/mounts/<path>`: the engine that holds a path, if the token may know.
    func visibleMount(
        of path: String, token value: String?, in namespace: String
    ) throws(Refusal) -> (path: String, mount: Mount, rest: String) {
        let token = try caller(value, in: namespace)
        let shown = Self.trimmed(path)
        guard let space = namespaces[namespace], let found = Self.mount(of: shown, in: space),
            token.readable?.contains(where: { $0.hasPrefix(found.path + "/") }) ?? true
        else { throw .mountHidden(path: shown) }
        return found
    }

    /// A read (`parameters` nil) or a write of an API path.
    ///
    /// - Parameter parameters: looks a member of the request's body up; nil: a plain read.
    mutating func use(
        _ path: String, parameters: ((String) -> String?)?, token value: String?,
        in namespace: String
    ) throws(Refusal) -> Answer {
        let token = try caller(value, in: namespace)
        guard token.mayUse(path) else { throw .forbidden }
        guard let space = namespaces[namespace], let found = Self.mount(of: path, in: space),
            let value
        else { throw .noRoute(path: path) }
        switch (found.mount, parameters) {
        case (.keyValue1(let secrets), nil):
            guard let fields = secrets[found.rest] else { throw .nothingThere }
            return Answer(data: fields)
        case (.keyValue2(let secrets), nil):
            guard found.rest.hasPrefix("data/"),
                let versions = secrets[String(found.rest.dropFirst("data/".count))],
                let newest = versions.last
            else { throw .nothingThere }
            guard newest.state == .live else {
                throw .versionGone(newest, number: versions.count)
            }
            return Answer(data: Self.data(of: newest, number: versions.count))
        case (.database(let roles), nil):
            return try credentials(
                found.rest, of: roles, path: path, token: value, in: namespace)
        case (.pki(let roles), let parameters?):
            return try certificate(
                found.rest, of: roles, parameters: parameters, path: path, token: value,
                in: namespace)
        case (.transit, let parameters?):
            return try transit(
                found.rest, mount: found.path, parameters: parameters, in: namespace)
        case (.transit, nil):
            return try exportedKey(found.rest, mount: found.path, in: namespace)
        case (.keyValue1, _), (.keyValue2, _), (.database, _), (.pki, _):
            throw .operationUnsupported
        case (.other, _): throw .nothingThere
        }
    }

    /// KV v2's `data` of an answer: the fields and what is known of the version.
    static func data(of version: Version, number: Int) -> SimulatedJSON {
        let isLive = version.state == .live
        let metadata = SimulatedJSON.object([
            ("created_time", .string("2026-01-01T00:00:00Z")), ("custom_metadata", .null),
            ("deletion_time", .string(isLive ? "" : "2026-01-02T00:00:00Z")),
            ("destroyed", .bool(version.state == .destroyed)),
            ("version", .number(String(number))),
        ])
        return .object([
            ("data", isLive ? version.fields : .null), ("metadata", metadata),
        ])
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
