// SPDX-License-Identifier: Apache-2.0
internal import Ports

/// Whether something that is to be so is so. Reported whenever it changes.
package struct ConditionChanged: SimulationFact {
    package let condition: String
    package let holds: Bool

    package init(_ condition: String, holds: Bool) {
        self.condition = condition
        self.holds = holds
    }

    package var summary: String? { "\(condition) \(holds ? "holds" : "does not hold")" }
}

/// Within `within` after faults have healed every condition holds, and keeps holding.
package final class ConvergenceOracle: Oracle {
    package let name = "convergence"
    /// Time from `FaultsHealed` until all must be well.
    package var within = Duration.seconds(600)
    /// In the order of their first report.
    private var conditions: [(name: String, holds: Bool)] = []
    private var healed: MonotonicTime?
    private weak var registry: OracleRegistry?

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        self.registry = registry
        registry.on(FaultsHealed.self) { [self, unowned registry] _ in
            healed = healed ?? registry.now
        }
        registry.on(ConditionChanged.self) { [self] in judge($0) }
    }

    private func judge(_ change: ConditionChanged) {
        let index = conditions.firstIndex { $0.name == change.condition }
        let before = index.map { conditions[$0].holds }
        if let index {
            conditions[index].holds = change.holds
        } else {
            conditions.append((change.condition, change.holds))
        }
        guard let registry, let healed, registry.now > healed.advanced(by: within) else { return }
        if before == false, change.holds {
            registry.report(name, "\(change.condition) holds later than \(within) after healing")
        } else if !change.holds, before != false {
            registry.report(name, "\(change.condition) stopped holding after faults had healed")
        }
    }

    package func finish() {
        guard healed != nil else { return }
        for condition in conditions where !condition.holds {
            registry?.report(name, "\(condition.name) does not hold at the end")
        }
    }
}
