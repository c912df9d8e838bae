// SPDX-License-Identifier: Apache-2.0
internal import Injection
package import Inventory
package import KubernetesFormat

/// A login that pods make: which role of which vault, as the policy in force has it.
package struct VaultLogin: Sendable, Hashable {
    /// Its name in the policy.
    package let vault: String
    package let address: String
    /// nil: the vault's root.
    package let namespace: String?
    /// Of the login method.
    package let mount: String
    package let role: String
    let isJWT: Bool
    /// Of the projected token.
    let audience: String

    /// For a reader.
    package var text: String { "auth/\(mount)/role/\(role) of vault \(vault)" }

    init(_ vault: CloudTaserPolicy.Vault, role: String) {
        self.vault = vault.name
        address = vault.address
        namespace = vault.namespace
        mount = vault.mount ?? vault.method.rawValue
        self.role = role
        isJWT = vault.method == .jwt
        audience = vault.audience
    }
}

/// What a vault says of a role.
package enum VaultRole: Sendable, Equatable {
    /// `data` of its answer: what the role is bound to.
    case found(JSONTree)
    case missing
    /// No login method is mounted there.
    case methodMissing
    case unread(reason: String)
}

/// A workload whose pods log in.
struct LoginUse {
    let workload: Workload
    let login: VaultLogin

    var account: String { workload.pod["serviceAccountName"]?.text ?? "default" }
    var namespace: String { workload.object.namespace }

    static func all(
        _ verdicts: [(Workload, PodVerdict)], _ policy: CloudTaserPolicy?,
        _ namespaces: [String: NamespaceFacts]
    ) -> [LoginUse] {
        guard let policy else { return [] }
        return verdicts.compactMap { workload, verdict in
            guard verdict.answer == .injected || verdict.answer == .unchanged,
                let role = workload.annotation(PodAnnotation.vaultRole.rawValue)
            else { return nil }
            let name = workload.object.namespace
            let address = workload.annotation(PodAnnotation.vaultAddress.rawValue)
            let vault = policy.vault(
                at: address, for: namespaces[name] ?? NamespaceFacts(name: name))
            return vault.map { LoginUse(workload: workload, login: VaultLogin($0, role: role)) }
        }
    }
}

extension ValidationInput {
    /// Logins of the pods that the policy in force lets log in, each once, in their order: what
    /// `roles` has to say something of.
    package static func logins(
        in objects: [ClusterObject], _ inventory: Inventory
    ) -> [VaultLogin] {
        let reading = PolicyReading(inventory)
        let names = Inventory.namespaces(in: objects)
        let verdicts = Validation.verdicts(of: inventory, reading, names)
        var known: Set<VaultLogin> = []
        return LoginUse.all(verdicts, reading.policy, names).map(\.login)
            .filter { known.insert($0).inserted }
    }
}
