// SPDX-License-Identifier: Apache-2.0

/// An attack was played.
package struct AttackPlayed: SimulationFact {
    /// What is expected of it, by a model of the machine that has no mistake.
    package enum Expectation: String, Sendable {
        case blocked
        /// It gains something, as the attack matrix has it or because of what came before.
        case succeeds
        /// The attack matrix has it as blocked, nothing was prepared, and it would succeed here.
        case contradictory
    }

    /// Unique in the run: `AV-001#2`.
    package let attack: String
    package let expectation: Expectation
    /// Secret, control, setting or information.
    package let hasGained: Bool
    /// Protected processes that ended, though no call was meant to end one.
    package let ended: [String]

    package init(
        _ attack: String, _ expectation: Expectation, hasGained: Bool, ended: [String] = []
    ) {
        self.attack = attack
        self.expectation = expectation
        self.hasGained = hasGained
        self.ended = ended
    }

    package var summary: String? {
        "\(attack): expected \(expectation.rawValue), \(hasGained ? "gained" : "gained nothing")"
    }
}

/// An attack that is blocked gains nothing and leaves running what runs, in whatever order attacks
/// come.
package final class AttackOracle: Oracle {
    package let name = "attack"

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(AttackPlayed.self) { [self, unowned registry] played in
            if played.expectation == .contradictory {
                registry.report(
                    name,
                    "\(played.attack) is blocked in the matrix, and attacks before it opened it")
            }
            guard played.expectation == .blocked else { return }
            if played.hasGained {
                registry.report(name, "\(played.attack) is blocked, and gained something")
            }
            for process in played.ended {
                registry.report(name, "\(played.attack) is blocked, and ended the \(process)")
            }
        }
    }

    package func finish() {}
}
