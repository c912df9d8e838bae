// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import HTTPFormat
internal import JSONFormat
package import Ports
package import SecretMemory
package import WrapperConfiguration

/// `SecretStore` over the HTTP API of OpenBao and HashiCorp Vault, TLS by OpenSSL.
///
/// Requests, answers, the token and credentials stay in secret memory; TLS records and keys in
/// OpenSSL's arena. Nothing is retried here.
package struct VaultSecretStore: LegacySecretStore, ~Copyable {
    /// Longest token accepted (bytes).
    package static let tokenBytesMax = 4000

    private let settings: VaultSettings
    private let minimumTier: MemoryTier
    private let transport: VaultTransport
    private let requests: VaultRequest
    /// Empty until `logIn`.
    private var token: SecretBuffer
    private var credential: SecretBuffer?

    /// Reads trust anchors and the client certificate; connects to nothing yet.
    ///
    /// - Parameters:
    ///   - credential: the token or secret id, for methods whose settings name no file.
    ///   - openSSLMemory: where OpenSSL keeps what it works on.
    ///   - resolver: how host names become addresses.
    package init(
        settings: VaultSettings, credential: consuming SecretBuffer?,
        openSSLMemory: OpenSSLMemory = .arena, resolver: NameResolver = NameResolver()
    ) throws(SecretStoreFailure) {
        guard settings.origin.scheme == "https",
            settings.allowedOrigins.contains(settings.origin)
        else { throw .originForbidden(origin: settings.origin.description) }
        // A value type that owns memory is made in one step: everything that may fail comes first.
        let tier = settings.minimumTier.tier
        try openSSLMemory.prepare(minimumTier: tier)
        let transport = try VaultTransport(
            settings: settings, resolver: resolver, minimumTier: tier)
        let token = try SecretBuffer.make(capacity: Self.tokenBytesMax, minimumTier: tier)
        self.init(
            settings: settings, minimumTier: tier, transport: transport, token: token,
            credential: credential)
    }

    private init(
        settings: VaultSettings, minimumTier: MemoryTier, transport: VaultTransport,
        token: consuming SecretBuffer, credential: consuming SecretBuffer?
    ) {
        self.settings = settings
        self.minimumTier = minimumTier
        self.transport = transport
        requests = VaultRequest(settings: settings, minimumTier: minimumTier)
        self.token = token
        self.credential = credential
    }

    /// Obtains a token. A token that is already there is checked by the vault at the first read.
    package mutating func logIn() throws(SecretStoreFailure) {
        switch settings.auth {
        case .token(let file):
            let given = try takeCredential(file: file)
            guard given.count <= Self.tokenBytesMax else { throw .tokenInvalid }
            try keepToken(given)
        case .appRole(let roleID, let file):
            let secretID = try takeCredential(file: file)
            try logIn(
                publicName: "role_id", role: roleID, secretName: "secret_id", secret: secretID)
        case .kubernetes(let role, let file), .jwt(let role, let file):
            let assertion = try takeCredential(file: file)
            try logIn(publicName: "role", role: role, secretName: "jwt", secret: assertion)
        case .certificate: throw .credentialMissing(method: settings.auth.name)
        }
    }

    package mutating func read(
        path: String, fields: [String],
        receive: (_ index: Int, _ value: RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) {
        defer { transport.forgetAnswer() }
        let wanted = try SecretPath(path)
        let mount = try mount(of: wanted)
        let response = try get(mount.apiPath(of: wanted))
        let reader = SecretReader(
            valueBytesMax: DeliveryImage.secretValueBytesMax, path: path,
            isVersioned: mount.isVersioned)
        guard response.status == 200 else {
            try refuse(response, path: path, reader: reader)
        }
        try transport.withMutableBody(of: response) { body throws(SecretStoreFailure) in
            try reader.deliver(fields, from: body, receive: receive)
        }
    }

    package mutating func forget() {
        token.zero()
        credential = nil
        transport.close()
    }

    // MARK: - Login

    private mutating func takeCredential(
        file: String?
    ) throws(SecretStoreFailure) -> SecretBuffer {
        let given: SecretBuffer
        if let file {
            given = try CredentialFile.read(file, minimumTier: minimumTier)
        } else if let handed = credential.take() {
            given = handed
        } else {
            throw .credentialMissing(method: settings.auth.name)
        }
        guard given.count > 0 else { throw .credentialMissing(method: settings.auth.name) }
        return given
    }

    private mutating func keepToken(
        _ given: borrowing SecretBuffer
    ) throws(SecretStoreFailure) {
        token.zero()
        do throws(SecretMemoryFailure) {
            try given.withBytes { bytes throws(SecretMemoryFailure) in
                try token.append(bytes)
            }
        } catch { throw .memory(error) }
    }

    private mutating func logIn(
        publicName: StaticString, role: String, secretName: StaticString,
        secret: borrowing SecretBuffer
    ) throws(SecretStoreFailure) {
        defer { transport.forgetAnswer() }
        let path = "/v1/auth/\(settings.authMount)/login"
        let requests = requests
        let response = try transport.perform(path: path) {
            origin, target throws(SecretStoreFailure) in
            try requests.login(
                target, at: origin, publicName: publicName, publicValue: role,
                secretName: secretName, secret: secret)
        }
        guard response.status == 200 else {
            if let failure = try serverFailure(response, path: path) { throw failure }
            guard (400...404).contains(response.status) else {
                throw .unexpectedStatus(path: path, status: response.status)
            }
            throw .loginRefused(
                method: settings.auth.name, role: role, status: response.status)
        }
        token.zero()
        try transport.withMutableBody(of: response) { body throws(SecretStoreFailure) in
            let range = try LoginAnswer.token(in: body, path: path, limit: Self.tokenBytesMax)
            do throws(SecretMemoryFailure) {
                try token.append(UnsafeRawBufferPointer(rebasing: body[range]).bytes)
            } catch { throw .memory(error) }
        }
    }

    // MARK: - Reading

    private func get(_ path: String) throws(SecretStoreFailure) -> HTTPResponse {
        let requests = requests
        return try transport.perform(path: path) { origin, target throws(SecretStoreFailure) in
            try requests.get(target, at: origin, token: token)
        }
    }

    /// Asks which engine holds a path; the answer to a guess would be a wrong secret.
    private func mount(of path: SecretPath) throws(SecretStoreFailure) -> SecretMount {
        let response = try get("/v1/sys/internal/ui/mounts/\(path.text)")
        if response.status == 200 {
            return try transport.withBody(of: response) { body throws(SecretStoreFailure) in
                try SecretMount(answer: body, for: path)
            }
        }
        if let failure = try serverFailure(response, path: path.text) { throw failure }
        switch response.status {
        case 403:
            let isAboutMount = try contains("preflight", response)
            if !isAboutMount, try isTokenInvalid() { throw .tokenInvalid }
            throw .mountUnknown(path: path.text)
        case 400, 404: throw .mountUnknown(path: path.text)
        default: throw .unexpectedStatus(path: path.text, status: response.status)
        }
    }

    /// Says why a read was not answered with 200.
    private func refuse(
        _ response: HTTPResponse, path: String, reader: SecretReader
    ) throws(SecretStoreFailure) -> Never {
        if let failure = try serverFailure(response, path: path) { throw failure }
        switch response.status {
        case 403:
            throw try isTokenInvalid() ? .tokenInvalid : .permissionDenied(path: path)
        case 404:
            throw try transport.withBody(of: response) { body throws(SecretStoreFailure) in
                reader.missing(body)
            }
        default: throw .unexpectedStatus(path: path, status: response.status)
        }
    }

    /// Whether the vault does not know the token (any more). A token that is known but may not
    /// look itself up is refused with a list of errors instead.
    private func isTokenInvalid() throws(SecretStoreFailure) -> Bool {
        let response = try get("/v1/auth/token/lookup-self")
        guard response.status == 403 else { return false }
        return try !contains("1 error occurred", response)
    }

    private func contains(
        _ text: StaticString, _ response: HTTPResponse
    ) throws(SecretStoreFailure) -> Bool {
        try transport.withBody(of: response) { $0.contains(text) }
    }

    /// What an answer says about the server rather than about the request; nil: nothing.
    private func serverFailure(
        _ response: HTTPResponse, path: String
    ) throws(SecretStoreFailure) -> SecretStoreFailure? {
        let host = settings.origin.host
        switch response.status {
        case 429:
            if let text = transport.publicHeader("retry-after", of: response) {
                return .rateLimited(host: host, retryAfterSeconds: Int(text))
            }
            return ServerHealth.failure(status: healthStatus(), host: host)
                ?? .rateLimited(host: host, retryAfterSeconds: nil)
        case 472, 473: return .standby(host: host)
        case 500...599:
            let isSealed = try contains("is sealed", response)
            let isStandby = try contains("not active", response)
            if let failure = ServerHealth.failure(status: healthStatus(), host: host) {
                return failure
            }
            if isSealed { return .sealed(host: host) }
            if isStandby { return .standby(host: host) }
            return .serverError(host: host, status: response.status)
        default: return nil
        }
    }

    /// What `sys/health` answers, without a token; nil when it does not.
    private func healthStatus() -> Int? {
        let requests = requests
        let minimumTier = minimumTier
        let response = try? transport.perform(path: "/v1/sys/health") {
            origin, target throws(SecretStoreFailure) in
            let none = try SecretBuffer.make(capacity: 1, minimumTier: minimumTier)
            return try requests.get(target, at: origin, token: none)
        }
        return response?.status
    }
}

/// The status codes of `sys/health`.
enum ServerHealth {
    static func failure(status: Int?, host: String) -> SecretStoreFailure? {
        switch status {
        case 429, 472, 473: .standby(host: host)
        case 501: .uninitialized(host: host)
        case 503: .sealed(host: host)
        default: nil
        }
    }
}
