// SPDX-License-Identifier: Apache-2.0
package import Ports

/// The name under which the engine itself reports: escapes, hot loops, lost components.
package let tripwireName = "tripwire"

/// Judges what happens in a run.
///
/// An oracle subscribes to the facts it knows and reports what may not be. It never reads the
/// choices, the trace or the components.
package protocol Oracle: AnyObject {
    /// Stable, in the reports: `taint`, `lease-safety`.
    var name: String { get }
    /// Called once, before the run.
    func subscribe(to registry: OracleRegistry)
    /// The run is over: what is still owed?
    func finish()
}

/// What an oracle reported.
package struct OracleFinding: Sendable, Equatable, CustomStringConvertible {
    package let oracle: String
    package let message: String
    package let component: String
    package let time: MonotonicTime

    package var description: String { "\(time.seconds) \(component) \(oracle): \(message)" }
}

/// The oracles of a run and what they reported. Later steps add theirs with `add`.
package final class OracleRegistry: @unchecked Sendable {
    /// Further ones are counted only: a run that is wrong is often wrong many times.
    package static let findingsMax = 20

    package private(set) var findings: [OracleFinding] = []
    package private(set) var findingCount = 0
    package private(set) var oracles: [any Oracle] = []
    private var handlers: [ObjectIdentifier: [(any SimulationFact) -> Void]] = [:]
    private let log: EventLog
    private var isFinished = false

    init(log: EventLog) { self.log = log }

    /// Virtual time since the run's start.
    package var now: MonotonicTime { log.now }

    package func add(_ oracle: any Oracle) {
        oracles.append(oracle)
        oracle.subscribe(to: self)
    }

    /// The oracle of that type, to set it up (allow rules, limits).
    package func oracle<Wanted: Oracle>(_ type: Wanted.Type) -> Wanted? {
        for oracle in oracles {
            if let wanted = oracle as? Wanted { return wanted }
        }
        return nil
    }

    /// Calls `handler` for each fact of that type.
    package func on<Fact: SimulationFact>(
        _ type: Fact.Type, _ handler: @escaping (Fact) -> Void
    ) {
        handlers[ObjectIdentifier(type), default: []].append { fact in
            guard let fact = fact as? Fact else { return }
            handler(fact)
        }
    }

    func observe<Fact: SimulationFact>(_ fact: Fact) {
        if let summary = fact.summary { log.add(.fact, "\(Fact.self) \(summary)") }
        for handler in handlers[ObjectIdentifier(Fact.self)] ?? [] { handler(fact) }
    }

    /// Something is so that may not be.
    package func report(_ oracle: String, _ message: String, component: String? = nil) {
        findingCount += 1
        guard findings.count < Self.findingsMax else { return }
        let finding = OracleFinding(
            oracle: oracle, message: message, component: component ?? log.currentLabel,
            time: log.now)
        findings.append(finding)
        log.add(.finding, "\(oracle): \(message)", by: finding.component)
    }

    func finish() {
        guard !isFinished else { return }
        isFinished = true
        for oracle in oracles { oracle.finish() }
    }

    func forget() {
        handlers = [:]
        oracles = []
    }
}
