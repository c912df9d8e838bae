// SPDX-License-Identifier: Apache-2.0

/// The oracles of every run. Later steps add theirs to their scenarios, not here.
package enum StandardOracles {
    package static func make() -> [any Oracle] {
        [
            TaintOracle(), FailClosedOracle(), ConvergenceOracle(), LeaseOracle(), EventOracle(),
            AttackOracle(), HygieneOracle(), BoundsOracle(),
        ]
    }
}

/// What has to happen at least once in a campaign; the oracle over all of its runs.
package enum SometimesFacts {
    /// Oracle name in reports.
    package static let name = "sometimes"

    /// Marks of `scenario` that no run hit, sorted.
    package static func missing(
        of scenario: any SimulatedScenario.Type, in hits: [String: Int]
    ) -> [String] {
        scenario.sometimes.filter { hits[$0, default: 0] == 0 }.sorted()
    }
}
