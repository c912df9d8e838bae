// SPDX-License-Identifier: Apache-2.0
package import Delivery
package import Destinations

/// One path to read and where its fields go.
package struct SecretRequest: Sendable, Equatable {
    /// One field of the secret and the environment name it is delivered under.
    package struct Mapping: Sendable, Equatable {
        package let field: String
        package let name: String

        package init(field: String, name: String) {
            self.field = field
            self.name = name
        }
    }

    /// Something that the vault wants to be told (`common_name`).
    package struct Parameter: Sendable, Equatable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package let path: String
    /// Not empty: the path is written to with these, as pki/issue wants it.
    package let parameters: [Parameter]
    package let mappings: [Mapping]

    package init(path: String, parameters: [Parameter] = [], mappings: [Mapping]) {
        self.path = path
        self.parameters = parameters
        self.mappings = mappings
    }
}

/// What an empty value means.
package enum EmptyValues: String, Sendable, CaseIterable {
    /// Delivered as `NAME=`.
    case allow
    case refuse
}

/// Whether the program may run on a node whose agent does not protect it.
package enum AgentPolicy: String, Sendable, CaseIterable {
    /// The agent is not asked.
    case none
    /// It is asked once, and the program runs in any case.
    case preferred
    /// Nothing is fetched before it has said yes.
    case required
}

/// Everything the wrapper was told. Holds no secret.
package struct WrapperSettings: Sendable, Equatable {
    package var vault: VaultSettings
    /// At least one; distinct paths.
    package var requests: [SecretRequest]
    package var delivery = DeliveryMode.splice
    package var follow: FollowStrategy
    package var emptyValues = EmptyValues.allow
    package var undumpable = false
    package var readOnlyValues = false
    package var readableFiles = false
    package var dropCapabilities = false
    package var restrictSystemCalls = true
    package var denySendmmsg = false
    package var life = LifeSettings()
    package var agent = AgentPolicy.preferred
    package var agentSocket = Self.agentSocketUsual
    /// Where values may be sent; anywhere else is a leak to the agent.
    package var destinations: [SecretDestination] = []

    /// What probes and hooks may run.
    package var attach = AttachPolicy.none

    /// Where the agent listens, if nothing else is said.
    package static let agentSocketUsual = "/run/cloudtaser/agent.sock"

    package init(vault: VaultSettings, requests: [SecretRequest], follow: FollowStrategy) {
        self.vault = vault
        self.requests = requests
        self.follow = follow
    }
}

/// Where a value may be sent.
package struct SecretDestination: Sendable, Equatable {
    /// The environment name that it is delivered under; nil: every value.
    package let name: String?
    package let network: NetworkPrefix
    /// nil: every port.
    package let port: UInt16?

    package init(name: String?, network: NetworkPrefix, port: UInt16?) {
        self.name = name
        self.network = network
        self.port = port
    }
}

extension WrapperSettings {
    /// With the values' positions for their names.
    ///
    /// - Parameter names: of all values, in the order of their delivery.
    package func rules(forValuesNamed names: [String]) -> [DestinationRule] {
        destinations.compactMap { destination in
            let position = destination.name.flatMap { names.firstIndex(of: $0) }
            // Of a value that is not there nothing may be sent.
            guard destination.name == nil || position != nil else { return nil }
            return DestinationRule(
                secret: position, network: destination.network, port: destination.port)
        }
    }
}

/// A control variable that cannot be used. The text names the variable and the fix, never a value
/// that could be secret.
package struct ConfigurationFailure: Error, Equatable {
    package let variable: String
    package let reason: String

    package init(_ variable: String, _ reason: String) {
        self.variable = variable
        self.reason = reason
    }

    package var message: String { "\(variable): \(reason)" }
}

/// The environment variables that steer the wrapper.
package enum ControlVariable: String, Sendable, CaseIterable {
    case address = "VAULT_ADDR"
    case trustAnchors = "VAULT_CACERT"
    case clientCertificate = "VAULT_CLIENT_CERT"
    case clientKey = "VAULT_CLIENT_KEY"
    case namespace = "VAULT_NAMESPACE"
    case authMethod = "VAULT_AUTH_METHOD"
    case authRole = "VAULT_AUTH_ROLE"
    case authMount = "VAULT_AUTH_MOUNT_PATH"
    case token = "VAULT_TOKEN"
    case tokenFile = "VAULT_TOKEN_FILE"
    case jwtFile = "VAULT_JWT_FILE"
    case secretID = "VAULT_SECRET_ID"
    case secretIDFile = "VAULT_SECRET_ID_FILE"
    case secretIDWrapped = "VAULT_SECRET_ID_WRAPPED"
    case secretPaths = "CLOUDTASER_SECRET_PATHS"
    case environmentMap = "CLOUDTASER_ENV_MAP"
    case delivery = "CLOUDTASER_DELIVERY"
    case follow = "CLOUDTASER_FOLLOW"
    case allowedOrigins = "CLOUDTASER_ALLOWED_ORIGINS"
    case minimumTier = "CLOUDTASER_MINIMUM_TIER"
    case emptyValues = "CLOUDTASER_EMPTY_VALUES"
    case undumpable = "CLOUDTASER_UNDUMPABLE"
    case readOnlyValues = "CLOUDTASER_READ_ONLY_VALUES"
    case readableFiles = "CLOUDTASER_READABLE_FILES"
    case dropCapabilities = "CLOUDTASER_DROP_CAPABILITIES"
    case restrictSystemCalls = "CLOUDTASER_RESTRICT_SYSTEM_CALLS"
    case denySendmmsg = "CLOUDTASER_DENY_SENDMMSG"
    case rotation = "CLOUDTASER_ROTATION"
    case rotationHook = "CLOUDTASER_ROTATION_HOOK"
    case rotationCheckSeconds = "CLOUDTASER_ROTATION_CHECK_SECONDS"
    case fetchSecondsMax = "CLOUDTASER_FETCH_SECONDS_MAX"
    case stopSeconds = "CLOUDTASER_STOP_SECONDS"
    case terminationMessage = "CLOUDTASER_TERMINATION_MESSAGE"
    case agent = "CLOUDTASER_AGENT"
    case agentSocket = "CLOUDTASER_AGENT_SOCKET"
    case destinations = "CLOUDTASER_DESTINATIONS"
    case attach = "CLOUDTASER_ATTACH"

    /// Its bytes are a credential: moved to secret memory and overwritten in place at start.
    package var isCredential: Bool { self == .token || self == .secretID }

    /// One line for `--help` and the reference page.
    package var summary: String {
        switch self {
        case .address: "https URL of the vault (required)"
        case .trustAnchors: "PEM file of the CA that issued the vault's certificate"
        case .clientCertificate: "PEM file of the client certificate (mTLS)"
        case .clientKey: "PEM file of the client certificate's key"
        case .namespace: "vault namespace"
        case .authMethod: "token | approle | kubernetes | jwt | cert (default token)"
        case .authRole: "role to log in as (approle: the role id; cert: may be left out)"
        case .authMount: "mount of the auth method (default: the method's name)"
        case .token: "the token itself; overwritten in place at start; prefer VAULT_TOKEN_FILE"
        case .tokenFile: "file that holds the token"
        case .jwtFile: "file that holds the JWT (kubernetes: the projected token)"
        case .secretID: "AppRole secret id; overwritten at start; prefer VAULT_SECRET_ID_FILE"
        case .secretIDFile: "file that holds the AppRole secret id"
        case .secretIDWrapped: "true: the secret id is a wrapping token, good for one start"
        case .secretPaths:
            "paths to read, separated by commas: secret/app,pki/issue/web?common_name=app.example"
                + " (required)"
        case .environmentMap: "field=ENV,field=ENV;field=ENV, a group for each path (required)"
        case .delivery: "splice | file | environ (default splice)"
        case .follow: "attached | notified | none: how splice follows later execs"
        case .allowedOrigins: "https origins that may be contacted, separated by commas"
        case .minimumTier: "memfd_secret | locked | ordinary (default memfd_secret)"
        case .emptyValues: "allow | refuse (default allow)"
        case .undumpable: "true sets PR_SET_DUMPABLE 0 in the program (default false)"
        case .readOnlyValues: "true maps the delivered values read-only (default false)"
        case .readableFiles: "true: file delivery by ordinary, readable memory (default false)"
        case .dropCapabilities: "true empties the program's capabilities (default false)"
        case .restrictSystemCalls: "false lets the program trace, load BPF, ... (default true)"
        case .denySendmmsg: "true denies sendmmsg, which resolvers use (default false)"
        case .rotation: "none | restart | signal:HUP | exec-hook (default none)"
        case .rotationHook: "command of exec-hook, its words separated by blanks; no shell"
        case .rotationCheckSeconds: "how often KV versions are looked at (default 300)"
        case .fetchSecondsMax: "how long failed fetches are tried again; 0: once (default 60)"
        case .stopSeconds: "from SIGTERM to SIGKILL at a restart (default 30)"
        case .agent: "none | preferred | required: the node agent's protection (default preferred)"
        case .agentSocket: "the agent's socket (default /run/cloudtaser/agent.sock)"
        case .destinations:
            "where values may be sent: ENV=10.0.0.5:5432,[fd00::/8]:5432;*=:443 (default nowhere)"
        case .attach:
            "commands that attach may run: pg_isready -q,/check --all; or plain (default none)"
        case .terminationMessage: "file for the cause of a refusal (default /dev/termination-log)"
        }
    }

    /// Whether an environment entry's name steers the wrapper or its libraries, and is therefore
    /// kept from the program: every variable above and anything else under the two prefixes.
    package static func isControl(_ name: String) -> Bool {
        ControlVariable(rawValue: name) != nil || name.hasPrefix("CLOUDTASER_")
            || name.hasPrefix("VAULT_")
    }
}
