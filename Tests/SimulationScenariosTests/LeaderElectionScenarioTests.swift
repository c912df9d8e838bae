// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import SimulationEngine
import SimulationScenarios
import Testing

/// Elections with one mistake each.
enum BrokenElection: String, CaseIterable, Sendable {
    case outlivesItsLease = "goes on for longer than others wait"
    case overwrites = "reads a cache and replaces what it has not seen"
    case actsBlindly = "does not look whether it still leads"

    var tampering: LeaderElectionScenario.Tampering {
        var tampering = LeaderElectionScenario.Tampering()
        switch self {
        case .outlivesItsLease: tampering.times.renewWithin = .seconds(25)
        case .overwrites: tampering.wrap = { OverwritingAPI(api: $0) }
        case .actsBlindly: tampering.actsBlindly = true
        }
        return tampering
    }
}

@Suite("A leader election in the simulator")
struct LeaderElectionScenarioTests {
    private static func run(_ broken: BrokenElection?, seed: UInt64) -> RunResult {
        var runner = SimulationRunner()
        runner.makeOracles = { LeaderElectionScenario.makeOracles() }
        let scenario = LeaderElectionScenario(
            tampering: broken?.tampering ?? LeaderElectionScenario.Tampering())
        return runner.run(
            named: LeaderElectionScenario.name, limits: LeaderElectionScenario.limits, seed: seed
        ) { scenario.build(in: $0) }
    }

    /// A campaign plays more: see the Makefile.
    @Test(
        "two never lead at once, and somebody leads again", arguments: 1...20 as ClosedRange<UInt64>
    )
    func healthy(_ seed: UInt64) {
        let result = Self.run(nil, seed: seed)
        #expect(result.findings.isEmpty)
        #expect(result.marks["election.led", default: 0] > 0)
    }

    @Test("an election that is broken is found out", arguments: BrokenElection.allCases)
    func broken(_ election: BrokenElection) {
        let failure = (1...60 as ClosedRange<UInt64>).lazy.map { Self.run(election, seed: $0) }
            .first { $0.findings.contains { $0.oracle == "single-leader" } }
        #expect(failure != nil, "found nothing wrong with one that \(election.rawValue)")
    }

    @Test("the oracle's canary turns it red")
    func canary() {
        var runner = SimulationRunner()
        runner.makeOracles = { LeaderElectionScenario.makeOracles() }
        let own = LeaderElectionScenario.canaries.filter { $0.oracle == "single-leader" }
        #expect(own.map { $0.verdict(with: runner) } == [.red])
    }
}
