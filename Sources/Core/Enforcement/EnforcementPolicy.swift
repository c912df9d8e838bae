// SPDX-License-Identifier: Apache-2.0

/// What the agent does about one vector. The raw value is what the BPF programs read
/// (`enum cbpf_action`).
package enum EnforcementAction: UInt8, Sendable, CaseIterable {
    /// Neither denied nor reported.
    case allow = 0
    /// Reported, and let through.
    case detect = 1
    /// Denied with EPERM, and reported.
    case deny = 2
    /// Denied, reported, and the caller is sent SIGKILL.
    case denyAndKill = 3

    /// The word in policies and on command lines.
    package var word: String {
        switch self {
        case .allow: "allow"
        case .detect: "detect"
        case .deny: "deny"
        case .denyAndKill: "deny+kill"
        }
    }

    package init?(word: String) {
        guard let found = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = found
    }
}

/// An action for each vector that a hook knows.
package struct EnforcementPolicy: Sendable, Equatable {
    /// By number of the vector; a vector without a hook is not here.
    package private(set) var actions: [VectorNumber: EnforcementAction]

    package subscript(vector: VectorNumber) -> EnforcementAction {
        actions[vector] ?? .allow
    }

    private init(actions: [VectorNumber: EnforcementAction]) { self.actions = actions }

    /// Denies what has no use on a node that keeps secrets, reports the rest.
    package static let enforcing = EnforcementPolicy(
        actions: Dictionary(
            uniqueKeysWithValues: EnforcedVector.all.map { ($0.number, $0.usual) }))

    /// Reports everything that is not allowed by its nature, and denies nothing.
    package static let detecting = EnforcementPolicy(
        actions: enforcing.actions.mapValues { $0 == .allow ? .allow : .detect })

    /// The usual actions, and whoever is denied is killed.
    package static let killing = EnforcementPolicy(
        actions: enforcing.actions.mapValues { $0 == .deny ? .denyAndKill : $0 })

    /// Neither denies nor reports.
    package static let silent = EnforcementPolicy(actions: [:])

    /// Denies whatever a hook knows: for the self-test, on a victim.
    package static let denyingAll = EnforcementPolicy(
        actions: Dictionary(
            uniqueKeysWithValues: EnforcedVector.all.map { ($0.number, .deny) }))

    /// The same with another action for one vector.
    /// - Throws: no hook knows the vector, so no action can be taken.
    package func setting(
        _ vector: VectorNumber, to action: EnforcementAction
    ) throws(EnforcementPolicyFailure) -> EnforcementPolicy {
        guard actions[vector] != nil else { throw .noHook(vector) }
        var changed = self
        changed.actions[vector] = action
        return changed
    }

    /// Modules are observed, unless the operator has said that none shall be loaded.
    package func lockingModules() -> EnforcementPolicy {
        var changed = self
        changed.actions[.moduleLoad] = .deny
        return changed
    }
}

package enum EnforcementPolicyFailure: Error, Equatable, CustomStringConvertible {
    case noHook(VectorNumber)

    package var description: String {
        switch self {
        case .noHook(let vector):
            "\(vector) has no hook, so no action can be taken on it. "
                + "docs/reference/enforcement-matrix.md lists the vectors that have one."
        }
    }
}
