// SPDX-License-Identifier: Apache-2.0

/// An attack was blocked or seen, so that there has to be an event about it.
package struct AttackHandled: SimulationFact {
    /// Unique in the run: `AV-001#2`.
    package let attack: String
    package init(_ attack: String) { self.attack = attack }
    package var summary: String? { attack }
}

/// An event about an attack reached whoever watches.
package struct SecurityEventRecorded: SimulationFact {
    package let attack: String
    package init(_ attack: String) { self.attack = attack }
    package var summary: String? { attack }
}

/// Events were lost, and it is known how many.
package struct SecurityEventsLost: SimulationFact {
    package let count: Int
    package init(count: Int) { self.count = count }
    package var summary: String? { "\(count)" }
}

/// Every attack that was blocked or seen has exactly one event; losses are counted.
package final class EventOracle: Oracle {
    package let name = "event-completeness"
    private var attacks: [String] = []
    private var events: [String: Int] = [:]
    private var lost = 0
    private weak var registry: OracleRegistry?

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        self.registry = registry
        registry.on(AttackHandled.self) { [self] in attacks.append($0.attack) }
        registry.on(SecurityEventsLost.self) { [self] in lost += $0.count }
        registry.on(SecurityEventRecorded.self) { [self, unowned registry] event in
            events[event.attack, default: 0] += 1
            if events[event.attack] == 2 {
                registry.report(name, "\(event.attack) has more than one event")
            }
        }
    }

    package func finish() {
        let missing = attacks.filter { events[$0] == nil }
        if missing.count > lost {
            registry?.report(
                name,
                "\(missing.count) attacks without an event, \(lost) counted as lost: "
                    + missing.prefix(5).joined(separator: ", "))
        }
        let known = Set(attacks)
        for attack in events.keys.sorted() where !known.contains(attack) {
            registry?.report(name, "an event about \(attack), which was neither blocked nor seen")
        }
    }
}
