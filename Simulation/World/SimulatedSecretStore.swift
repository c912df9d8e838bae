// SPDX-License-Identifier: Apache-2.0
internal import Delivery
package import Ports
internal import SecretMemory
package import WrapperConfiguration

/// One vault that several stores talk to, and that outlives them. For one thread.
package final class SimulatedVaultServer {
    package var vault: SimulatedVault

    package init(_ vault: SimulatedVault) { self.vault = vault }
}

/// One call of the `SecretStore` and `TransitEngine` ports, as a plan of failures sees it.
package enum SecretStoreCall: Sendable, Equatable {
    case logIn
    /// The first step of a login with a wrapped secret id: asked for after `logIn`.
    case unwrap
    case read(path: String)
    case currentVersion(path: String)
    case renewToken
    case renewLease(LeaseID)
    case revokeLease(LeaseID)
    case revokeToken
    case encrypt(key: String)
    case decrypt(key: String)
}

/// How a planted failure meets a call.
package enum SimulatedStoreFault: Sendable, Equatable {
    /// The vault never saw the call.
    case before(SecretStoreFailure)
    /// The vault did what was asked; the answer was lost.
    case answerLost(SecretStoreFailure)
    /// The answer came, a lease in it was reported, and then something about it was wrong.
    case inAnswer(SecretStoreFailure)
}

/// `SecretStore` straight on a SimulatedVault's state, without HTTP, TLS or files.
///
/// Failures can be planted at every call, any of the port's closed list.
package struct SimulatedSecretStore: SecretStore, TransitEngine, ~Copyable {
    /// The vault behind the store; a test may change it at any time.
    package let server: SimulatedVaultServer
    /// Asked at each call; nil: nothing is planted there.
    package var plan: (SecretStoreCall) -> SimulatedStoreFault?
    /// The calls so far, in order.
    package private(set) var calls: [SecretStoreCall] = []

    let settings: VaultSettings
    /// The client's wall clock (POSIX seconds); nil: the vault's.
    private let secondsSince1970: (() -> Int64)?
    private var credential: String?
    /// What a wrapped secret id stood for.
    private var unwrapped: String?
    private(set) var token: String?

    /// - Parameters:
    ///   - credential: token, secret id, wrapping token, JWT, or the client certificate's name;
    ///     the files that `settings` names are not read.
    ///   - secondsSince1970: the client's wall clock; nil: it agrees with the vault's.
    package init(
        server: SimulatedVaultServer, settings: VaultSettings, credential: String?,
        secondsSince1970: (() -> Int64)? = nil,
        plan: @escaping (SecretStoreCall) -> SimulatedStoreFault? = { _ in nil }
    ) {
        self.server = server
        self.settings = settings
        self.credential = credential
        self.secondsSince1970 = secondsSince1970
        self.plan = plan
    }

    // MARK: - SecretStore

    package mutating func logIn() throws(SecretStoreFailure) -> Grant {
        let fault = try begin(.logIn)
        guard let given = credential, !given.isEmpty else {
            throw .credentialMissing(method: settings.auth.name)
        }
        try checkCondition()
        if case .token = settings.auth {
            let grant = try lookUp(given)
            try end(fault)
            token = given
            return grant
        }
        let proof = try settings.isSecretIDWrapped ? secretID(wrappedBy: given) : given
        let role: SimulatedVault.Role
        do throws(SimulatedVault.Refusal) {
            role = try server.vault.role(
                settings.auth.role, mount: settings.authMount, namespace: namespace,
                credential: proof)
        } catch { throw failure(error, path: "auth/\(settings.authMount)/login") }
        let issued = server.vault.newToken(for: role, in: namespace)
        try end(fault)
        token = issued
        return try lookUp(issued)
    }

    package mutating func read(
        _ query: SecretQuery, fields: [String], onLease: (Lease) -> Void,
        receive: (_ index: Int, _ value: RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) -> SecretFacts {
        let fault = try begin(.read(path: query.path))
        let (answer, mount) = try answer(to: query)
        if case .answerLost(let planted) = fault { throw planted }
        var facts = SecretFacts()
        if let lease = answer.lease {
            let granted = Lease(id: LeaseID(lease.id), grant: grant(of: lease))
            onLease(granted)
            facts.lease = granted
        }
        if case .inAnswer(let planted) = fault { throw planted }
        if server.vault.condition == .invalidJSON {
            throw .responseMalformed(path: query.path, detail: "simulated")
        }
        let secret = mount.version == "2" ? answer.data["data"] ?? .null : answer.data
        if mount.version == "2" { facts.version = Self.version(of: answer) }
        if mount.type == "pki", let end = answer.data["expiration"]?.wholeNumber {
            let now = secondsSince1970?() ?? server.vault.secondsSince1970
            facts.lifetime = .seconds(max(0, Int64(end) - now))
        }
        var values: [[UInt8]] = []
        for field in fields {
            values.append(try text(of: field, in: secret, path: query.path))
        }
        for (index, value) in values.enumerated() { try receive(index, value.span.bytes) }
        return facts
    }

    package mutating func currentVersion(
        of query: SecretQuery
    ) throws(SecretStoreFailure) -> Int? {
        let fault = try begin(.currentVersion(path: query.path))
        guard try mount(of: query).mount.version == "2" else {
            try end(fault)
            return nil
        }
        let (answer, _) = try answer(to: SecretQuery(path: query.path))
        try end(fault)
        return Self.version(of: answer)
    }

    package mutating func renewToken() throws(SecretStoreFailure) -> Grant {
        let fault = try begin(.renewToken)
        try checkCondition()
        let renewed = try asking("auth/token/renew-self") {
            vault throws(SimulatedVault.Refusal) in
            try vault.renewToken(token, in: namespace)
        }
        try end(fault)
        return grant(of: renewed)
    }

    package mutating func renew(_ lease: LeaseID) throws(SecretStoreFailure) -> Grant {
        let fault = try begin(.renewLease(lease))
        try checkCondition()
        let renewed = try asking("sys/leases/renew") { vault throws(SimulatedVault.Refusal) in
            try vault.renewLease(lease.text, token: token, in: namespace)
        }
        try end(fault)
        return grant(of: renewed)
    }

    package mutating func revoke(_ lease: LeaseID) throws(SecretStoreFailure) {
        let fault = try begin(.revokeLease(lease))
        try checkCondition()
        try asking("sys/leases/revoke") { vault throws(SimulatedVault.Refusal) in
            try vault.revokeLease(lease.text, token: token, in: namespace)
        }
        try end(fault)
    }

    package mutating func revokeToken() throws(SecretStoreFailure) {
        let fault = try begin(.revokeToken)
        try checkCondition()
        try asking("auth/token/revoke-self") { vault throws(SimulatedVault.Refusal) in
            try vault.revokeToken(token, in: namespace)
        }
        token = nil
        try end(fault)
    }

    package mutating func forget() {
        token = nil
        credential = nil
        unwrapped = nil
    }

    // MARK: - Steps

    var namespace: String { SimulatedVault.trimmed(settings.namespace ?? "") }

    /// Counts the call and asks the plan.
    mutating func begin(_ call: SecretStoreCall) throws(SecretStoreFailure) -> SimulatedStoreFault?
    {
        calls.append(call)
        let fault = plan(call)
        if case .before(let planted) = fault { throw planted }
        return fault
    }

    /// What was planted for when the vault has done its part.
    func end(_ fault: SimulatedStoreFault?) throws(SecretStoreFailure) {
        switch fault {
        case .answerLost(let planted), .inAnswer(let planted): throw planted
        case .before, nil: break
        }
    }

    private mutating func secretID(wrappedBy given: String) throws(SecretStoreFailure) -> String {
        if let unwrapped { return unwrapped }
        let fault = try begin(.unwrap)
        let made = try asking("sys/wrapping/lookup") { vault throws(SimulatedVault.Refusal) in
            try vault.creationPath(of: given, in: namespace)
        }
        let words = made.split(separator: "/")
        guard made.hasPrefix("auth/\(settings.authMount)/role/"), words.count > 4,
            ["secret-id", "custom-secret-id"].contains(words[words.count - 1])
        else { throw .wrappingTokenForeign(creationPath: made) }
        let data = try asking("sys/wrapping/unwrap") { vault throws(SimulatedVault.Refusal) in
            try vault.unwrap(given, in: namespace)
        }
        // Lost here, it is lost for good: the wrapping token is used up.
        try end(fault)
        guard case .string(let text) = data["secret_id"] else { throw .wrappingTokenInvalid }
        unwrapped = text
        return text
    }

    private func lookUp(_ value: String) throws(SecretStoreFailure) -> Grant {
        do throws(SimulatedVault.Refusal) {
            return grant(of: try server.vault.caller(value, in: namespace))
        } catch {
            guard error == .namespaceUnknown else {
                throw failure(error, path: "auth/token/lookup-self")
            }
            throw .loginRefused(method: settings.auth.name, role: "", status: 404)
        }
    }

    private func grant(of token: SimulatedVault.Token) -> Grant {
        Grant(
            lifetime: server.vault.secondsLeft(of: token).map { .seconds($0) },
            isRenewable: token.isRenewable)
    }

    private func grant(of lease: SimulatedVault.Lease) -> Grant {
        Grant(
            lifetime: .seconds(lease.expiresAt - server.vault.now),
            isRenewable: lease.isRenewable)
    }

    func answer(
        to query: SecretQuery
    ) throws(SecretStoreFailure) -> (SimulatedVault.Answer, SimulatedVault.Mount) {
        let (path, mount, rest) = try mount(of: query)
        guard query.parameters.isEmpty || mount.version == nil else {
            throw .responseMalformed(
                path: query.path, detail: "the engine is kv, which takes no parameters")
        }
        let isAPIPath = mount.version != "2" || rest.hasPrefix("data/")
        let look: (String) -> String? = { name in
            query.parameters.first { $0.name == name }?.value
        }
        let answer = try asking(query.path) { vault throws(SimulatedVault.Refusal) in
            try vault.use(
                "\(path)/\(isAPIPath ? "" : "data/")\(rest)",
                parameters: query.parameters.isEmpty ? nil : look, token: token,
                in: namespace)
        }
        return (answer, mount)
    }

    private func mount(
        of query: SecretQuery
    ) throws(SecretStoreFailure) -> (path: String, mount: SimulatedVault.Mount, rest: String) {
        try checkCondition()
        return try asking(query.path) { vault throws(SimulatedVault.Refusal) in
            try vault.visibleMount(of: query.path, token: token, in: namespace)
        }
    }

    private static func version(of answer: SimulatedVault.Answer) -> Int? {
        answer.data["metadata"]?["version"]?.wholeNumber
    }

    private func text(
        of field: String, in secret: SimulatedJSON, path: String
    ) throws(SecretStoreFailure) -> [UInt8] {
        guard let value = secret[field] else {
            throw .fieldMissing(path: path, field: field)
        }
        let bytes: [UInt8]
        switch value {
        case .string(let text): bytes = Array(text.utf8)
        case .number, .bool: bytes = value.rendered()
        case .array(let elements):
            let blocks = elements.compactMap { element -> String? in
                guard case .string(let text) = element, text.hasPrefix("-----BEGIN ") else {
                    return nil
                }
                return text
            }
            guard !blocks.isEmpty, blocks.count == elements.count else {
                throw .fieldNotText(path: path, field: field)
            }
            bytes = Array(blocks.joined(separator: "\n").utf8)
        case .object, .null: throw .fieldNotText(path: path, field: field)
        }
        guard !bytes.contains(0) else { throw .valueContainsNUL(path: path, field: field) }
        let limit = DeliveryImage.secretValueBytesMax
        guard bytes.count <= limit else {
            throw .valueTooLarge(path: path, field: field, limitBytes: limit)
        }
        return bytes
    }
}
