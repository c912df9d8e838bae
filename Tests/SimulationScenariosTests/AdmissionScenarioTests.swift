// SPDX-License-Identifier: Apache-2.0
import SimulationEngine
import SimulationScenarios
import Testing

@Suite("Admission in the simulator")
struct AdmissionScenarioTests {
    private static let own = ["wrapped-pod", "granted-pod", "bystander"]

    private static func run(_ broken: BrokenAdmission?, seed: UInt64) -> RunResult {
        var runner = SimulationRunner()
        runner.makeOracles = { AdmissionScenario.makeOracles() }
        let scenario = AdmissionScenario(
            tampering: broken?.tampering ?? AdmissionScenario.Tampering())
        return runner.run(
            named: AdmissionScenario.name, limits: AdmissionScenario.limits, seed: seed
        ) { scenario.build(in: $0) }
    }

    /// A campaign plays more: see the Makefile.
    @Test(
        "who asks is wrapped or refused, and nobody else is",
        arguments: 1...10 as ClosedRange<UInt64>
    )
    func healthy(_ seed: UInt64) {
        let result = Self.run(nil, seed: seed)
        #expect(result.findings.isEmpty, "\(result.findings.first.map { "\($0)" } ?? "")")
        #expect(result.marks["admission.wrapped", default: 0] > 0)
        #expect(result.marks["admission.not-asked", default: 0] > 0)
    }

    @Test("what is broken is found out", arguments: BrokenAdmission.allCases)
    func broken(_ admission: BrokenAdmission) {
        let failure = seeds(upTo: 60, knownToShow: admission.seed)
            .map { Self.run(admission, seed: $0) }
            .first { $0.findings.contains { $0.oracle == admission.oracle } }
        #expect(failure != nil, "found nothing wrong with one that \(admission.rawValue)")
    }

    @Test("the oracles' canaries turn them red", arguments: own)
    func canary(_ oracle: String) {
        var runner = SimulationRunner()
        runner.makeOracles = { AdmissionScenario.makeOracles() }
        let own = AdmissionScenario.canaries.filter { $0.oracle == oracle }
        #expect(own.map { $0.verdict(with: runner) } == [.red])
    }
}
