// SPDX-License-Identifier: Apache-2.0

/// Somebody decided whether a subject may start, and it is on record.
package struct DecisionRecorded: SimulationFact {
    package let subject: String
    package let allows: Bool
    package let reason: String

    package init(subject: String, allows: Bool, reason: String) {
        self.subject = subject
        self.allows = allows
        self.reason = reason
    }

    package var summary: String? {
        "\(subject) \(allows ? "may start" : "may not start"): \(reason)"
    }
}

/// A protected program runs its first instruction.
package struct ProgramStarted: SimulationFact {
    package let subject: String

    package init(subject: String) { self.subject = subject }

    package var summary: String? { subject }
}

/// No protected program starts without a decision that allows it, recorded before. One decision is
/// good for one start.
package final class FailClosedOracle: Oracle {
    package let name = "fail-closed"
    private var decisions: [String: DecisionRecorded] = [:]

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(DecisionRecorded.self) { [self] in decisions[$0.subject] = $0 }
        registry.on(ProgramStarted.self) { [self, unowned registry] start in
            let decision = decisions.removeValue(forKey: start.subject)
            guard let decision else {
                return registry.report(name, "\(start.subject) started without a decision")
            }
            guard decision.allows else {
                return registry.report(
                    name, "\(start.subject) started against a decision: \(decision.reason)")
            }
        }
    }

    package func finish() {}
}
