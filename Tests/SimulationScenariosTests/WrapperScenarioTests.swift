// SPDX-License-Identifier: Apache-2.0
import Ports
import Simulation
import SimulationEngine
import SimulationScenarios
import Testing

@Suite("The wrapper in the simulator")
struct WrapperScenarioTests {
    private static func runner() -> SimulationRunner {
        var runner = SimulationRunner()
        runner.makeOracles = { StandardOracles.make() }
        return runner
    }

    private static func run(
        _ broken: BrokenWrapper?, seed: UInt64
    ) -> RunResult {
        let scenario =
            broken.map { kind in WrapperScenario { try kind.make($0) } } ?? WrapperScenario()
        return runner().run(
            named: WrapperScenario.name, limits: WrapperScenario.limits, seed: seed
        ) { scenario.build(in: $0) }
    }

    /// So many seeds may pass before a mistake is found.
    private static let seedsMax: UInt64 = 200

    @Test("a wrapper that is broken is found out", arguments: BrokenWrapper.allCases)
    func broken(_ kind: BrokenWrapper) {
        for seed in 1...Self.seedsMax {
            let findings = Self.run(kind, seed: seed).findings
            guard findings.contains(where: { $0.oracle == kind.oracle }) else { continue }
            // Control: the same seed finds nothing wrong with the production wrapper.
            let whole = Self.run(nil, seed: seed).findings
            #expect(whole.isEmpty, "seed \(seed): \(whole)")
            return
        }
        Issue.record("\(Self.seedsMax) seeds found nothing wrong with one that \(kind.rawValue)")
    }

    /// The program ended during a slow renewal; an attack ended a wrapper that was frozen; a lease
    /// ended unsaid while the vault wanted peace.
    private static let onceFailing: [UInt64] = [
        80_474_408_204_264, 80_474_408_205_774, 53_336_541_952_225,
    ]

    @Test("the production wrapper passes", arguments: Array(1...10) + onceFailing)
    func production(seed: UInt64) {
        let result = Self.run(nil, seed: seed)
        #expect(result.findings.isEmpty, "seed \(seed): \(result.findings)")
        #expect(result.steps > 100 && result.duration == .seconds(1800))
    }

    @Test("every case of the store's failures can happen in a run")
    func faults() {
        let cases = Set(SecretStoreFailure.oneOfEach().map(\.caseName))
        #expect(cases.subtracting(StoreFaults.caseNames) == [])
        #expect(StoreFaults.caseNames.subtracting(cases) == [], "no class is made up")
    }
}
