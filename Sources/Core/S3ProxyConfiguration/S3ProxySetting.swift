// SPDX-License-Identifier: Apache-2.0
package import WrapperConfiguration

/// What `cloudtaser-s3-proxy` can be told: `--NAME` on the command line, a variable of the
/// environment, or `NAME value` on a line of the file that `--config` names.
package enum S3ProxySetting: String, Sendable, CaseIterable {
    case config
    // Serving
    case listen
    case healthListen = "health-listen"
    case tlsCertificate = "tls-certificate"
    case tlsKey = "tls-key"
    case plainHTTP = "plain-http"
    case region
    case domain
    // The upstream store
    case upstreamEndpoint = "upstream-endpoint"
    case upstreamRegion = "upstream-region"
    case upstreamStyle = "upstream-style"
    case upstreamDialect = "upstream-dialect"
    case upstreamCA = "upstream-ca"
    case allowPlainHTTPUpstream = "allow-plain-http-upstream"
    // The vault
    case vaultAddress = "vault-address"
    case vaultCA = "vault-ca"
    case vaultNamespace = "vault-namespace"
    case vaultAuthMethod = "vault-auth-method"
    case vaultAuthMount = "vault-auth-mount"
    case vaultRole = "vault-role"
    case vaultTokenFile = "vault-token-file"
    case vaultSecretIDFile = "vault-secret-id-file"
    case vaultSecretIDWrapped = "vault-secret-id-wrapped"
    case vaultJWTFile = "vault-jwt-file"
    case vaultClientCertificate = "vault-client-certificate"
    case vaultClientKey = "vault-client-key"
    case vaultAllowedOrigins = "vault-allowed-origins"
    case minimumTier = "minimum-tier"
    case vaultThreads = "vault-threads"
    case vaultSeconds = "vault-seconds"
    // Keys
    case transitMount = "transit-mount"
    case transitKey = "transit-key"
    case tenant
    case mode
    case epochHours = "epoch-hours"
    case keyConfirmSeconds = "key-confirm-seconds"
    case keyCacheSeconds = "key-cache-seconds"
    case keyCacheEntries = "key-cache-entries"
    // Credentials
    case clientsPath = "clients-path"
    case upstreamCredentialsPath = "upstream-credentials-path"
    case credentialsSeconds = "credentials-seconds"
    // Policy and limits
    case passThrough = "pass-through"
    case requestsMax = "requests-max"
    case objectBytesMax = "object-bytes-max"
    case drainSeconds = "drain-seconds"
    case logLevel = "log-level"

    /// Takes no value on the command line; `true` or `false` elsewhere.
    package var isSwitch: Bool {
        switch self {
        case .plainHTTP, .allowPlainHTTPUpstream, .vaultSecretIDWrapped: true
        default: false
        }
    }

    /// May be given more than once; in a variable, separated by commas.
    package var isList: Bool { self == .domain || self == .passThrough }

    /// The wrapper's variable, which has the same meaning here.
    package var vaultVariable: ControlVariable? {
        switch self {
        case .vaultAddress: .address
        case .vaultCA: .trustAnchors
        case .vaultNamespace: .namespace
        case .vaultAuthMethod: .authMethod
        case .vaultAuthMount: .authMount
        case .vaultRole: .authRole
        case .vaultTokenFile: .tokenFile
        case .vaultSecretIDFile: .secretIDFile
        case .vaultSecretIDWrapped: .secretIDWrapped
        case .vaultJWTFile: .jwtFile
        case .vaultClientCertificate: .clientCertificate
        case .vaultClientKey: .clientKey
        case .vaultAllowedOrigins: .allowedOrigins
        case .minimumTier: .minimumTier
        default: nil
        }
    }

    package var flag: String { "--\(rawValue)" }

    /// The variable of the environment.
    package var variable: String {
        if let vaultVariable { return vaultVariable.rawValue }
        let name = String(rawValue.uppercased().map { $0 == "-" ? "_" : $0 })
        return Self.variablePrefix + name
    }

    package static let variablePrefix = "CLOUDTASER_S3_"
}

/// Why the proxy cannot run with what it was told: which setting, what is wrong, what to do.
package struct S3ProxySettingsFailure: Error, Sendable, Equatable {
    package let text: String

    package init(_ text: String) { self.text = text }

    init(_ setting: S3ProxySetting, _ reason: String) {
        text = "\(setting.flag) (\(setting.variable)): \(reason)"
    }
}
