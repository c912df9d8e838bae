// SPDX-License-Identifier: Apache-2.0
package import SecretMemory

/// An https origin: scheme, host and port, nothing else (RFC 6454).
package struct Origin: Sendable, Equatable, CustomStringConvertible {
    package let scheme: String
    /// Lower case; an IPv6 address without its brackets.
    package let host: String
    package let port: UInt16

    package init(scheme: String, host: String, port: UInt16) {
        self.scheme = scheme
        self.host = host
        self.port = port
    }

    package var description: String {
        let shown = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return "\(scheme)://\(shown):\(port)"
    }
}

/// How the wrapper logs in.
package enum AuthMethod: Sendable, Equatable {
    /// A token that is already there: from a file, or (`nil`) handed over in secret memory.
    case token(file: String?)
    /// The secret id comes from a file, or (`nil`) was handed over in secret memory.
    case appRole(roleID: String, secretIDFile: String?)
    /// A projected service-account token.
    case kubernetes(role: String, tokenFile: String)
    case jwt(role: String, tokenFile: String)
    /// The client certificate that the connection shows (`clientCertificateFile`). `name`: the
    /// one role to try; nil: any that accepts it.
    case certificate(name: String?)

    /// The name used in `VAULT_AUTH_METHOD` and in messages.
    package var name: String {
        switch self {
        case .token: "token"
        case .appRole: "approle"
        case .kubernetes: "kubernetes"
        case .jwt: "jwt"
        case .certificate: "cert"
        }
    }

    /// The role as configured, empty for a token and where none is named.
    package var role: String {
        switch self {
        case .token: ""
        case .appRole(let roleID, _): roleID
        case .kubernetes(let role, _), .jwt(let role, _): role
        case .certificate(let name): name ?? ""
        }
    }
}

/// Where the vault is and how to talk to it. Holds no secret.
package struct VaultSettings: Sendable, Equatable {
    package var origin: Origin
    /// Path before `/v1` when the vault stands behind a path prefix; usually empty.
    package var pathPrefix = ""
    /// Origins that a redirect may lead to, and that `origin` itself must be one of.
    package var allowedOrigins: [Origin]
    /// PEM file of trust anchors; nil: the system's bundle.
    package var trustAnchorsFile: String?
    package var clientCertificateFile: String?
    package var clientKeyFile: String?
    package var namespace: String?
    package var auth: AuthMethod
    /// Mount of the auth method, without `auth/`; defaults to the method's name.
    package var authMount: String
    /// The AppRole credential is a wrapping token that stands for the secret id, once.
    package var isSecretIDWrapped = false
    /// Where the transit engine is mounted.
    package var transitMount = "transit"
    /// For one call of the store with all its exchanges, name resolution to last byte (seconds).
    package var requestSecondsMax = 30
    /// Secret memory below this tier is refused.
    package var minimumTier = MemoryTierRequirement.locked

    package init(origin: Origin, auth: AuthMethod) {
        self.origin = origin
        self.allowedOrigins = [origin]
        self.auth = auth
        self.authMount = auth.name
    }
}

/// What memory the wrapper insists on (`CLOUDTASER_MINIMUM_TIER`).
package enum MemoryTierRequirement: String, Sendable, CaseIterable {
    case secret = "memfd_secret"
    case locked
    case ordinary

    /// The tier that satisfies it.
    package var tier: MemoryTier {
        switch self {
        case .secret: .secret
        case .locked: .locked
        case .ordinary: .ordinary
        }
    }
}
