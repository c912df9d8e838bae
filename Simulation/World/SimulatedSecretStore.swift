// SPDX-License-Identifier: Apache-2.0
internal import Delivery
package import Ports
internal import SecretMemory
package import WrapperConfiguration

/// `SecretStore` straight on a SimulatedVault's state, without HTTP, TLS or files.
///
/// The next failures can be planted, any of the port's closed list.
package struct SimulatedSecretStore: LegacySecretStore, ~Copyable {
    /// The vault behind the store; a test may change it at any time.
    package var vault: SimulatedVault
    /// Thrown by the next `logIn`, then gone.
    package var loginFailure: SecretStoreFailure?
    /// Thrown by the next `read`, then gone.
    package var readFailure: SecretStoreFailure?
    /// How often `logIn` and `read` were called.
    package private(set) var logIns = 0
    package private(set) var reads = 0

    private let settings: VaultSettings
    private var credential: String?
    private var token: String?

    /// - Parameter credential: token, secret id or JWT; the files that `settings` names are not
    ///   read.
    package init(vault: SimulatedVault, settings: VaultSettings, credential: String?) {
        self.vault = vault
        self.settings = settings
        self.credential = credential
    }

    package mutating func logIn() throws(SecretStoreFailure) {
        logIns += 1
        if let planted = loginFailure {
            loginFailure = nil
            throw planted
        }
        guard let given = credential, !given.isEmpty else {
            throw .credentialMissing(method: settings.auth.name)
        }
        credential = nil
        guard settings.auth.name != "token" else {
            token = given
            return
        }
        try checkCondition()
        let role = settings.auth.role
        let found = vault.role(
            role, mount: settings.authMount, namespace: namespace, credential: given)
        switch found {
        case .success(let accepted): token = vault.newToken(for: accepted, in: namespace)
        case .failure(let refusal):
            throw .loginRefused(
                method: settings.auth.name, role: role, status: refusal.status)
        }
    }

    package mutating func read(
        path: String, fields: [String],
        receive: (_ index: Int, _ value: RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) {
        reads += 1
        if let planted = readFailure {
            readFailure = nil
            throw planted
        }
        try checkCondition()
        let secret = try secret(at: path)
        if vault.condition == .invalidJSON {
            throw .responseMalformed(path: path, detail: "simulated")
        }
        var values: [[UInt8]] = []
        for field in fields { values.append(try text(of: field, in: secret, path: path)) }
        for (index, value) in values.enumerated() { try receive(index, value.span.bytes) }
    }

    package mutating func forget() {
        token = nil
        credential = nil
    }

    // MARK: - Looking things up

    private var namespace: String { SimulatedVault.trimmed(settings.namespace ?? "") }

    private func checkCondition() throws(SecretStoreFailure) {
        let host = settings.origin.host
        switch vault.condition {
        case .active, .invalidJSON: return
        case .sealed: throw .sealed(host: host)
        case .uninitialized: throw .uninitialized(host: host)
        case .standby: throw .standby(host: host)
        case .rateLimited(let seconds):
            throw .rateLimited(host: host, retryAfterSeconds: seconds)
        case .failing(let status): throw .serverError(host: host, status: status)
        case .redirecting(let origin):
            throw .redirectForbidden(from: settings.origin.description, to: origin)
        }
    }

    private func secret(at path: String) throws(SecretStoreFailure) -> SimulatedJSON {
        let wanted = SimulatedVault.trimmed(path)
        guard let space = vault.namespaces[namespace] else { throw .mountUnknown(path: path) }
        guard let token = vault.liveToken(token, in: namespace) else { throw .tokenInvalid }
        guard let (mountPath, mount, rest) = SimulatedVault.mount(of: wanted, in: space),
            token.readable?.contains(where: { $0.hasPrefix(mountPath + "/") }) ?? true
        else { throw .mountUnknown(path: path) }
        switch mount {
        case .keyValue1(let secrets):
            guard token.mayRead(wanted) else { throw .permissionDenied(path: path) }
            guard let fields = secrets[rest] else { throw .notFound(path: path) }
            return fields
        case .keyValue2(let secrets):
            let name = rest.hasPrefix("data/") ? String(rest.dropFirst("data/".count)) : rest
            guard token.mayRead("\(mountPath)/data/\(name)") else {
                throw .permissionDenied(path: path)
            }
            guard let version = secrets[name]?.last else { throw .notFound(path: path) }
            switch version.state {
            case .live: return version.fields
            case .deleted: throw .versionDeleted(path: path)
            case .destroyed: throw .versionDestroyed(path: path)
            }
        case .other: throw .mountUnknown(path: path)
        }
    }

    private func text(
        of field: String, in secret: SimulatedJSON, path: String
    ) throws(SecretStoreFailure) -> [UInt8] {
        guard case .object(let members) = secret,
            let member = members.first(where: { $0.name == field })
        else { throw .fieldMissing(path: path, field: field) }
        let bytes: [UInt8]
        switch member.value {
        case .string(let text): bytes = Array(text.utf8)
        case .number, .bool: bytes = member.value.rendered()
        case .object, .array, .null: throw .fieldNotText(path: path, field: field)
        }
        guard !bytes.contains(0) else { throw .valueContainsNUL(path: path, field: field) }
        let limit = DeliveryImage.secretValueBytesMax
        guard bytes.count <= limit else {
            throw .valueTooLarge(path: path, field: field, limitBytes: limit)
        }
        return bytes
    }
}
