// SPDX-License-Identifier: Apache-2.0
import ProtectionScore

/// Facts to start from.
enum Facts {
    static func all(
        _ state: Fact.State, delivery: ValueDelivery?, except others: [ProtectionFact: Fact] = [:]
    ) -> WorkloadFacts {
        var facts = WorkloadFacts(
            object: "Pod shop/web", container: "app", delivery: delivery,
            deliverySource: .storedObject)
        for name in ProtectionFact.allCases { facts[name] = Fact(state, by: .agent) }
        for (name, fact) in others { facts[name] = fact }
        return facts
    }

    /// As a container without the wrapper, whose value is in a Secret.
    static let unprotected: WorkloadFacts = {
        var facts = all(.fails, delivery: .notByWrapper)
        // What the node has helps a Secret's value nothing.
        facts[.processorMitigations] = .holds(.agent)
        facts[.confidentialMachine] = .holds(.agent)
        return facts
    }()

    /// All that this version can do on a node that is no confidential machine.
    static let guarded = all(
        .holds, delivery: .splice,
        except: [
            .confidentialMachine: .unreachable(.agent), .attestationVerified: .fails(.storedObject),
        ])

    /// Like `guarded`, and no agent.
    static let alone: WorkloadFacts = {
        var facts = guarded
        for name in [
            ProtectionFact.agentConnected, .enforceMode, .denyingPrograms, .lsmPrograms,
            .selfTestPassed,
        ] {
            facts[name] = .fails(.agent)
        }
        facts[.dumpableOff] = .fails(.agent)
        return facts
    }()

    static func with(
        _ facts: WorkloadFacts, delivery: ValueDelivery?, _ changes: [ProtectionFact: Fact] = [:]
    ) -> WorkloadFacts {
        var changed = facts
        changed.delivery = delivery
        for (name, fact) in changes { changed[name] = fact }
        return changed
    }
}
