// SPDX-License-Identifier: Apache-2.0
package import Delivery

/// Reads settings from environment variables. Pure: the caller looks the values up.
package struct SettingsParser {
    /// Most paths in `CLOUDTASER_SECRET_PATHS`.
    package static let pathCountMax = 64
    /// Most entries in `CLOUDTASER_ENV_MAP`.
    package static let mappingCountMax = 256
    /// Longest value of any control variable but a credential (bytes).
    package static let valueBytesMax = 65_536
    /// Where Kubernetes puts a pod's token unless told otherwise.
    package static let serviceAccountTokenFile =
        "/var/run/secrets/kubernetes.io/serviceaccount/token"

    /// Value of a variable, nil when unset. Never called for a credential.
    let lookUp: (ControlVariable) -> String?
    /// Whether a credential variable is set.
    let hasCredential: (ControlVariable) -> Bool
    let defaultFollow: FollowStrategy

    package init(
        defaultFollow: FollowStrategy,
        hasCredential: @escaping (ControlVariable) -> Bool,
        lookUp: @escaping (ControlVariable) -> String?
    ) {
        self.defaultFollow = defaultFollow
        self.hasCredential = hasCredential
        self.lookUp = lookUp
    }

    /// Only where the vault is and how to log in: for programs that read no secrets.
    package func parseVault() throws(ConfigurationFailure) -> VaultSettings {
        try checkLengths()
        return try vault()
    }

    private func checkLengths() throws(ConfigurationFailure) {
        for variable in ControlVariable.allCases where !variable.isCredential {
            guard let value = lookUp(variable) else { continue }
            guard value.utf8.count <= Self.valueBytesMax else {
                throw ConfigurationFailure(
                    variable.rawValue, "is longer than \(Self.valueBytesMax) bytes")
            }
        }
    }

    package func parse() throws(ConfigurationFailure) -> WrapperSettings {
        try checkLengths()
        var settings = WrapperSettings(
            vault: try vault(), requests: try requests(),
            follow: try choice(.follow) ?? defaultFollow)
        settings.delivery = try choice(.delivery) ?? .splice
        settings.emptyValues = try choice(.emptyValues) ?? .allow
        settings.undumpable = try flag(.undumpable)
        settings.readOnlyValues = try flag(.readOnlyValues)
        settings.readableFiles = try flag(.readableFiles)
        guard !settings.readableFiles || settings.delivery == .file else {
            throw ConfigurationFailure(
                "CLOUDTASER_READABLE_FILES", "needs CLOUDTASER_DELIVERY=file")
        }
        settings.dropCapabilities = try flag(.dropCapabilities)
        settings.restrictSystemCalls = try flag(.restrictSystemCalls, default: true)
        settings.denySendmmsg = try flag(.denySendmmsg)
        settings.life = try life()
        // 0 is one try, not one without time.
        if settings.life.fetchSecondsMax > 0 {
            settings.vault.requestSecondsMax = min(
                settings.vault.requestSecondsMax, settings.life.fetchSecondsMax)
        }
        settings.agent = try choice(.agent) ?? .preferred
        if let path = try filePath(.agentSocket) { settings.agentSocket = path }
        settings.destinations = try destinations(for: settings)
        settings.attach = try attach()
        return settings
    }

    /// Only what `attach` may run: for the program that a probe starts.
    package func parseAttach() throws(ConfigurationFailure) -> AttachPolicy {
        try checkLengths()
        return try attach()
    }

    private func attach() throws(ConfigurationFailure) -> AttachPolicy {
        guard let text = text(.attach) else { return .none }
        return try AttachPolicy(text)
    }

    private func vault() throws(ConfigurationFailure) -> VaultSettings {
        let address = try required(.address, "set it to the vault's URL, https://vault.example.eu")
        let (origin, prefix) = try Self.address(address, variable: .address)
        var vault = VaultSettings(origin: origin, auth: try auth())
        vault.pathPrefix = prefix
        vault.authMount = try authMount() ?? vault.auth.name
        vault.isSecretIDWrapped = try flag(.secretIDWrapped)
        if vault.isSecretIDWrapped, vault.auth.name != "approle" {
            throw ConfigurationFailure(
                "VAULT_SECRET_ID_WRAPPED", "needs VAULT_AUTH_METHOD=approle")
        }
        vault.trustAnchorsFile = text(.trustAnchors)
        vault.namespace = try namespace()
        vault.clientCertificateFile = text(.clientCertificate)
        vault.clientKeyFile = try filePath(.clientKey)
        guard (vault.clientCertificateFile == nil) == (vault.clientKeyFile == nil) else {
            throw ConfigurationFailure(
                "VAULT_CLIENT_CERT", "needs VAULT_CLIENT_KEY, and the other way round")
        }
        vault.minimumTier = try choice(.minimumTier) ?? .secret
        if let list = text(.allowedOrigins) {
            vault.allowedOrigins = []
            for part in list.split(separator: ",") {
                let (allowed, path) = try Self.address(
                    Self.trimmed(part), variable: .allowedOrigins)
                guard path.isEmpty else {
                    throw ConfigurationFailure(
                        "CLOUDTASER_ALLOWED_ORIGINS", "an origin has no path: \(allowed)")
                }
                vault.allowedOrigins.append(allowed)
            }
        }
        return vault
    }

    private func auth() throws(ConfigurationFailure) -> AuthMethod {
        let name = text(.authMethod) ?? "token"
        switch name {
        case "token":
            if let file = try filePath(.tokenFile) { return .token(file: file) }
            guard hasCredential(.token) else {
                throw ConfigurationFailure(
                    "VAULT_TOKEN_FILE", "set it (or VAULT_TOKEN), or choose VAULT_AUTH_METHOD")
            }
            return .token(file: nil)
        case "approle":
            let role = try required(.authRole, "set it to the AppRole's role id")
            if let file = try filePath(.secretIDFile) {
                return .appRole(roleID: role, secretIDFile: file)
            }
            guard hasCredential(.secretID) else {
                throw ConfigurationFailure(
                    "VAULT_SECRET_ID_FILE", "set it (or VAULT_SECRET_ID) for approle")
            }
            return .appRole(roleID: role, secretIDFile: nil)
        case "kubernetes":
            return .kubernetes(
                role: try required(.authRole, "set it to the vault role of this workload"),
                tokenFile: try filePath(.jwtFile) ?? Self.serviceAccountTokenFile)
        case "jwt":
            return .jwt(
                role: try required(.authRole, "set it to the vault role of this workload"),
                tokenFile: try jwtFile())
        case "cert":
            // Without one the vault could only refuse.
            _ = try required(.clientCertificate, "set it to the certificate to log in with")
            return .certificate(name: text(.authRole))
        default:
            throw ConfigurationFailure(
                "VAULT_AUTH_METHOD", "is not one of token, approle, kubernetes, jwt, cert")
        }
    }

    private func jwtFile() throws(ConfigurationFailure) -> String {
        _ = try required(.jwtFile, "set it to the file that holds the JWT")
        return try filePath(.jwtFile) ?? ""
    }

    private func authMount() throws(ConfigurationFailure) -> String? {
        guard var mount = text(.authMount) else { return nil }
        if mount.hasPrefix("auth/") { mount.removeFirst("auth/".count) }
        while mount.hasSuffix("/") { mount.removeLast() }
        guard Self.isPath(mount) else {
            throw ConfigurationFailure("VAULT_AUTH_MOUNT_PATH", "is not a mount path")
        }
        return mount
    }

    private func namespace() throws(ConfigurationFailure) -> String? {
        guard let namespace = text(.namespace) else { return nil }
        guard Self.isPath(namespace) else {
            throw ConfigurationFailure("VAULT_NAMESPACE", "is not a namespace path")
        }
        return namespace
    }
}

extension SettingsParser {
    /// A set and non-empty value.
    func text(_ variable: ControlVariable) -> String? {
        guard let value = lookUp(variable), !value.isEmpty else { return nil }
        return value
    }

    /// The path of a file that holds a credential. Who writes the credential itself there must
    /// not find it in a message.
    func filePath(_ variable: ControlVariable) throws(ConfigurationFailure) -> String? {
        guard let path = text(variable) else { return nil }
        guard path.utf8.contains(UInt8(ascii: "/")), path.utf8.allSatisfy({ $0 >= 0x20 }) else {
            throw ConfigurationFailure(
                variable.rawValue, "is not the path of a file; write ./ before a plain name")
        }
        return path
    }

    func required(
        _ variable: ControlVariable, _ remedy: String
    ) throws(ConfigurationFailure) -> String {
        guard let value = text(variable) else {
            throw ConfigurationFailure(variable.rawValue, "is not set; \(remedy)")
        }
        return value
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ variable: ControlVariable
    ) throws(ConfigurationFailure) -> Choice? where Choice.RawValue == String {
        guard let value = text(variable) else { return nil }
        guard let choice = Choice(rawValue: value) else {
            let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw ConfigurationFailure(variable.rawValue, "is not one of \(names)")
        }
        return choice
    }

    func flag(
        _ variable: ControlVariable, default standard: Bool = false
    ) throws(ConfigurationFailure) -> Bool {
        switch text(variable) {
        case nil: return standard
        case "false", "0": return false
        case "true", "1": return true
        default: throw ConfigurationFailure(variable.rawValue, "is neither true nor false")
        }
    }

    /// Without surrounding blanks.
    static func trimmed(_ text: some StringProtocol) -> String {
        let blank: (Character) -> Bool = { $0 == " " || $0 == "\n" || $0 == "\t" || $0 == "\r\n" }
        let head = text.drop(while: blank)
        guard let last = head.lastIndex(where: { !blank($0) }) else { return "" }
        return String(head[...last])
    }

    /// Relative, no empty, `.` or `..` segment, printable ASCII without what a URL or a header
    /// gives a meaning to.
    static func isPath(_ path: String) -> Bool {
        guard !path.isEmpty, path.utf8.count <= 1024 else { return false }
        let clean = path.utf8.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && !"\"#%<>?\\^`{|}".utf8.contains(byte)
        }
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        return clean && segments.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }

    /// `https://host[:port][/prefix]` (RFC 3986). Plain http is refused: the token would travel
    /// in the clear.
    static func address(
        _ text: String, variable: ControlVariable
    ) throws(ConfigurationFailure) -> (Origin, prefix: String) {
        let refusal = ConfigurationFailure(
            variable.rawValue, "is not https://host[:port]; plain http is refused")
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            text.lowercased().hasPrefix("https://")
        else { throw refusal }
        let rest = text.dropFirst("https://".count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        var prefix = String(rest.dropFirst(authority.count))
        while prefix.hasSuffix("/") { prefix.removeLast() }
        guard prefix.isEmpty || prefix.hasPrefix("/") && isPath(String(prefix.dropFirst())) else {
            throw refusal
        }
        var host = authority
        var port: UInt16 = 443
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw refusal }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let tail = authority[authority.index(after: end)...]
            guard tail.isEmpty || tail.hasPrefix(":") else { throw refusal }
            if !tail.isEmpty { port = try Self.port(tail.dropFirst(), refusal) }
        } else if let colon = authority.lastIndex(of: ":") {
            host = authority[..<colon]
            port = try Self.port(authority[authority.index(after: colon)...], refusal)
        }
        let allowed = host.utf8.allSatisfy { byte in
            byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ":")
                || byte == UInt8(ascii: "_") || (0x30...0x39).contains(byte)
                || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        guard allowed, !host.isEmpty, host.utf8.count <= 253 else { throw refusal }
        return (Origin(scheme: "https", host: host.lowercased(), port: port), prefix)
    }

    private static func port(
        _ text: Substring, _ refusal: ConfigurationFailure
    ) throws(ConfigurationFailure) -> UInt16 {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text),
            port > 0
        else { throw refusal }
        return port
    }
}
