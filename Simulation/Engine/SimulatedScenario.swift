// SPDX-License-Identifier: Apache-2.0

/// A world to run: fakes, components, what is done to them.
///
///     struct PingScenario: SimulatedScenario {
///         static let name = "ping"
///         static let summary = "A client asks a server until it has ten answers."
///         static let sometimes = ["ping.retried"]
///
///         init() {}
///
///         func build(in run: SimulationRun) {
///             run.network.listen(at: "server", as: "server")
///             run.spawn("client") { context in
///                 for _ in 0..<10 {
///                     switch run.network.route(from: "client", to: "server") {
///                     case .reached(_, let latency): await context.clock.sleep(for: latency)
///                     default:
///                         run.marks.hit("ping.retried")
///                         await context.clock.sleep(for: .seconds(1))
///                     }
///                 }
///             }
///             run.after(.seconds(60)) { run.heal() }
///         }
///     }
package protocol SimulatedScenario: Sendable {
    /// Stable, on command lines: lower case, digits, `-`.
    static var name: String { get }
    /// One sentence.
    static var summary: String { get }
    /// Marks of which each must be hit at least once in a campaign of a few hundred seeds.
    static var sometimes: [String] { get }
    static var limits: RunLimits { get }
    /// Who judges; the standard oracles unless a scenario has more.
    static func makeOracles() -> [any Oracle]
    /// One at least for each oracle.
    static var canaries: [OracleCanary] { get }

    init()

    /// Called at virtual time 0, outside of every component. Everything random is drawn from
    /// `run.choices`.
    func build(in run: SimulationRun)
}

extension SimulatedScenario {
    package static var sometimes: [String] { [] }
    package static var limits: RunLimits { RunLimits() }
    package static func makeOracles() -> [any Oracle] { StandardOracles.make() }
    package static var canaries: [OracleCanary] { StandardCanaries.all }
}

/// What became of one seed.
package struct RunResult: Sendable, Equatable {
    package let scenario: String
    package let seed: UInt64
    package let findings: [OracleFinding]
    /// More findings than are kept may have been reported.
    package let findingCount: Int
    /// Over the trace and all choices: equal for equal runs.
    package let hash: String
    /// Jobs and timers.
    package let steps: Int
    package let events: Int
    /// Virtual time at the end.
    package let duration: Duration
    /// Names with how often.
    package let marks: [String: Int]
    /// Fault classes with how often they fired.
    package let faults: [String: Int]
    package let tape: Tape
    /// Empty unless asked for.
    package let trace: [String]
}
