// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
package import Enforcement
package import EnforcementEvents

/// How vectors are enforced, from one run to the next.
package enum TierHistory {
    package struct Change: Sendable, Equatable {
        package let vector: VectorNumber
        package let from: EventTier
        package let to: EventTier

        package var isDowngrade: Bool { to.isWeaker(than: from) }
    }

    /// What the self-test showed; a vector that could not be tested is not there.
    package static func measured(
        _ tier: EnforcementTier, _ findings: [VectorFinding]
    ) -> [VectorNumber: EventTier] {
        var measured: [VectorNumber: EventTier] = [:]
        for finding in findings {
            switch finding.result {
            case .denied: measured[finding.vector] = tier == .lsm ? .lsm : .modifyReturn
            case .killed: measured[finding.vector] = .signal
            case .notDenied, .interrupted: measured[finding.vector] = EventTier.none
            case .untested: break
            }
        }
        return measured
    }

    /// In ascending order of vectors; those that were measured once only did not change.
    package static func changes(
        from before: [VectorNumber: EventTier], to after: [VectorNumber: EventTier]
    ) -> [Change] {
        after.sorted { $0.key < $1.key }.compactMap { vector, tier in
            guard let earlier = before[vector], earlier != tier else { return nil }
            return Change(vector: vector, from: earlier, to: tier)
        }
    }
}
