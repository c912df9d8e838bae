// SPDX-License-Identifier: Apache-2.0
package import WrapperConfiguration

/// The spec of a `CloudTaserPolicy`: which vaults there are and which namespace may ask them for
/// what. What no grant allows is refused.
package struct CloudTaserPolicy: Sendable, Equatable {
    /// A vault, and how workloads log in to it.
    package struct Vault: Sendable, Equatable {
        package let name: String
        /// https URL, as the wrapper gets it.
        package let address: String
        package let origin: Origin
        /// Before `/v1`; usually empty.
        package let pathPrefix: String
        package let namespace: String?
        package let method: LoginMethod
        package let mount: String?
        /// Of the projected token.
        package let audience: String
        package let trustAnchors: ConfigMapKey?
    }

    /// Logins whose credential is the pod's projected token.
    package enum LoginMethod: String, Sendable, CaseIterable {
        case kubernetes, jwt
    }

    /// A PEM file in each namespace of the workloads.
    package struct ConfigMapKey: Sendable, Equatable {
        package let name: String
        package let key: String
    }

    /// Lets workloads of some namespaces log in to one vault as some roles and read some paths.
    package struct Grant: Sendable, Equatable {
        /// `*`: any.
        package let namespaces: [String]
        /// All of these must be on the namespace, beside its name being in `namespaces`.
        package let namespaceLabels: [String: String]
        package let vault: String
        package let roles: [Pattern]
        package let paths: [Pattern]

        package func isFor(_ namespace: NamespaceFacts) -> Bool {
            (namespaces.isEmpty || namespaces.contains("*") || namespaces.contains(namespace.name))
                && namespaceLabels.allSatisfy { namespace.labels[$0.key] == $0.value }
        }
    }

    /// How the agent's socket gets into a pod (docs/adr/0014-the-agents-socket-in-pods.md).
    package enum AgentSocket: Sendable, Equatable {
        /// A folder of the node. Pod Security allows it in `privileged` namespaces only.
        case hostPath(folder: String)
        /// An inline volume of a CSI driver that mounts that folder; allowed everywhere.
        case csi(driver: String)
    }

    /// Where the command line of a container without `command` comes from.
    package enum Entrypoints: String, Sendable, CaseIterable {
        case registry
        /// No registry is asked; a container must have a `command`.
        case explicitCommand = "explicit-command"
    }

    package enum EphemeralContainers: String, Sendable, CaseIterable {
        case refuse, warn
    }

    package var vaults: [Vault]
    package var grants: [Grant]
    /// The image whose `/cloudtaser-wrapper` is installed.
    package var wrapperImage: String
    package var wrapperPullPolicy: String?
    /// Modes that a pod may choose from; the first is the default.
    package var delivery: [String] = ["splice"]
    package var minimumTier = MemoryTierRequirement.secret
    package var agent = AgentPolicy.required
    package var agentSocket = AgentSocket.csi(driver: Self.csiDriver)
    /// Whether a pod may set `restrict-system-calls: "false"`.
    package var allowsAllSystemCalls = false
    package var tokenSeconds = Self.tokenSecondsMin
    package var entrypoints = Entrypoints.registry
    /// Of the nodes, as in `kubernetes.io/arch`. Empty: those that the image has.
    package var architectures: [String] = []
    package var ephemeralContainers = EphemeralContainers.refuse

    package static let csiDriver = "agent.csi.cloudtaser.io"
    /// Shortest life of a projected token that Kubernetes grants (seconds).
    package static let tokenSecondsMin = 600
    package static let tokenSecondsMax = 86_400
    package static let vaultCountMax = 64
    package static let grantCountMax = 1024
    /// Namespaces, roles or paths of one grant; entries of other lists of the policy.
    package static let entryCountMax = 256

    /// Grants of this namespace for this vault under which this role may log in.
    func grants(
        for namespace: NamespaceFacts, vault: Vault, role: String
    ) -> [Grant] {
        grants.filter { grant in
            grant.vault == vault.name && grant.isFor(namespace)
                && grant.roles.contains { $0.matches(role, in: namespace) }
        }
    }
}

/// A role or path as vault policies write them: `+` is one whole part between slashes, `*` at the
/// end is whatever follows, `{{namespace}}` is the name of the pod's namespace. Paths have a rule
/// more (`matches(path:in:)`).
package struct Pattern: Sendable, Equatable {
    package let text: String
    private static let namespaceMark = "{{namespace}}"

    /// nil when `*` stands elsewhere than at the end, `+` is not a part of its own, or a part is
    /// empty.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !text.isEmpty,
            !text.dropLast().contains("*"),
            parts.allSatisfy({ !$0.isEmpty && (!$0.contains("+") || $0 == "+") })
        else { return nil }
        self.text = text
    }

    /// Whether a role is meant.
    package func matches(_ subject: String, in namespace: NamespaceFacts) -> Bool {
        matches(Self.parts(subject), in: namespace)
    }

    /// Whether what a path leads to is meant, wherever the vault has its mounts.
    ///
    /// In KV version 2 `MOUNT/data/NAME` is the API's path of the secret `MOUNT/NAME`
    /// (https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2), and is read as such. So a
    /// part `data` behind the first counts where the pattern itself has it, or where the path is
    /// also meant without it: never because the namespace is called so, or because of `+`. The
    /// same holds for `metadata`.
    package func matches(path: String, in namespace: NamespaceFacts) -> Bool {
        let given = Self.parts(path)
        guard matches(given, in: namespace) else { return false }
        let written = Self.parts(text)
        // A last part is a name, since a path of the API goes on behind it.
        return given.indices.dropFirst().dropLast().allSatisfy { index in
            guard Self.ofKeyValueAPI.contains(given[index]) else { return true }
            if index < written.count, written[index] == given[index] { return true }
            var rest = given
            rest.remove(at: index)
            return matches(rest, in: namespace)
        }
    }

    /// Parts of a path that KV version 2 puts between a mount and a name.
    private static let ofKeyValueAPI: Set<Substring> = ["data", "metadata"]

    private static func parts(_ text: String) -> [Substring] {
        text.split(separator: "/", omittingEmptySubsequences: false)
    }

    private func matches(_ given: [Substring], in namespace: NamespaceFacts) -> Bool {
        var wanted =
            text.utf8.contains(UInt8(ascii: "{"))
            ? text.replacing(Self.namespaceMark, with: namespace.name) : text
        let isPrefix = wanted.hasSuffix("*")
        if isPrefix { wanted.removeLast() }
        let parts = Self.parts(wanted)
        guard isPrefix ? given.count >= parts.count : given.count == parts.count else {
            return false
        }
        for (index, part) in parts.enumerated() {
            let isLast = index == parts.count - 1
            let isEqual = part == "+" ? !given[index].isEmpty : part == given[index]
            guard isEqual || (isPrefix && isLast && given[index].hasPrefix(part)) else {
                return false
            }
        }
        return true
    }
}

/// What is known of the pod's namespace.
package struct NamespaceFacts: Sendable, Equatable {
    package let name: String
    package let labels: [String: String]
    package let annotations: [String: String]

    package init(
        name: String, labels: [String: String] = [:], annotations: [String: String] = [:]
    ) {
        self.name = name
        self.labels = labels
        self.annotations = annotations
    }
}
