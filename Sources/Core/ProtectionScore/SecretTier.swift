// SPDX-License-Identifier: Apache-2.0

/// How far a container's secrets are protected, in steps each of which needs the one before.
package enum SecretTier: Int, Sendable, CaseIterable, Comparable, CustomStringConvertible {
    case storedInCluster, fetched, lockedMemory, secretMemory, guarded, attested

    package static func < (left: SecretTier, right: SecretTier) -> Bool {
        left.rawValue < right.rawValue
    }

    package var description: String { "T\(rawValue)" }

    package var meaning: String {
        switch self {
        case .storedInCluster:
            "a Kubernetes Secret or another copy in the cluster, or no delivery by the wrapper"
        case .fetched: "fetched from the vault at each start; in the environment block"
        case .lockedMemory: "delivered without a file on a disk, in locked memory"
        case .secretMemory: "memfd_secret active, and its descriptor closed"
        case .guarded: "as T3, and an agent that answers denies by LSM programs"
        case .attested: "as T4, in a confidential machine whose verified attestation releases them"
        }
    }

    /// What is known to be reached, and what may be if everything that is not known holds.
    package static func reached(_ facts: WorkloadFacts) -> (known: SecretTier, possible: SecretTier)
    {
        (
            highest(facts.delivery ?? .notByWrapper) { facts[$0].holds },
            highest(facts.delivery ?? .splice) { facts[$0].mayHold }
        )
    }

    private static func highest(
        _ delivery: ValueDelivery, _ holds: (ProtectionFact) -> Bool
    ) -> SecretTier {
        guard holds(.outsideCluster), delivery != .notByWrapper else {
            return .storedInCluster
        }
        guard delivery != .environ, holds(.lockedMemory) || holds(.secretMemory) else {
            return .fetched
        }
        guard delivery == .splice, holds(.secretMemory), holds(.descriptorClosed) else {
            return .lockedMemory
        }
        let guarding: [ProtectionFact] = [
            .agentConnected, .enforceMode, .denyingPrograms, .lsmPrograms, .selfTestPassed,
        ]
        guard guarding.allSatisfy(holds) else { return .secretMemory }
        return holds(.confidentialMachine) && holds(.attestationVerified) ? .attested : .guarded
    }
}
