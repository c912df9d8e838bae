// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import Ports

/// What may be granted, in words of the scenario: not as the product reads it.
struct AdmissionGrant: Hashable, Sendable {
    static let namespaces = ["plain", "asking", "changing"]
    static let vaults = ["https://a.example:8200", "https://b.example:8200"]
    static let roles = ["web", "job"]
    static let all: [AdmissionGrant] = namespaces.flatMap { namespace in
        vaults.flatMap { vault in
            roles.map { AdmissionGrant(namespace: namespace, vault: vault, role: $0) }
        }
    }

    let namespace: String
    let vault: String
    /// Also where its paths are: `secret/NAMESPACE/ROLE/`.
    let role: String

    static func folder(_ namespace: String, _ role: String) -> String {
        "secret/\(namespace)/\(role)/"
    }

    /// A policy's spec.
    static func spec(_ grants: [AdmissionGrant]) -> JSONTree {
        let vaults = vaults.enumerated().map { index, address -> JSONTree in
            ["name": .string("v\(index)"), "address": .string(address), "audience": "vault"]
        }
        let entries = grants.map { grant -> JSONTree in
            [
                "namespaces": [.string(grant.namespace)],
                "vault": .string("v\(Self.vaults.firstIndex(of: grant.vault) ?? 0)"),
                "roles": [.string(grant.role)],
                "paths": [.string(folder(grant.namespace, grant.role) + "*")],
            ]
        }
        return [
            "vaults": .array(vaults), "grants": .array(entries),
            "wrapper": ["image": .string(AdmissionPod.wrapperImage)],
            "entrypoints": "explicit-command",
        ]
    }
}

/// Which grants were in force when.
struct AdmissionHistory {
    /// From a time on; empty: no policy, several, or none that can be used.
    private var steps: [(from: MonotonicTime, grants: Set<AdmissionGrant>)] = []

    mutating func add(_ grants: Set<AdmissionGrant>, at time: MonotonicTime) {
        steps.append((time, grants))
    }

    /// Whether some policy that was in force then or later granted all of it.
    func grants(
        _ namespace: String, vault: String, role: String, paths: [String], since: MonotonicTime
    ) -> Bool {
        let folder = AdmissionGrant.folder(namespace, role)
        guard paths.allSatisfy({ $0.hasPrefix(folder) }) else { return false }
        let wanted = AdmissionGrant(namespace: namespace, vault: vault, role: role)
        return steps.enumerated().contains { index, step in
            let isOver = index + 1 < steps.count && steps[index + 1].from < since
            return !isOver && step.grants.contains(wanted)
        }
    }
}
