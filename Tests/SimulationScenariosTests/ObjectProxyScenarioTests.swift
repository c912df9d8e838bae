// SPDX-License-Identifier: Apache-2.0
import SimulationEngine
import SimulationScenarios
import Testing

@Suite("The S3 proxy in the simulator")
struct ObjectProxyScenarioTests {
    private static func run(_ broken: BrokenProxies?, seed: UInt64) -> RunResult {
        var runner = SimulationRunner()
        runner.makeOracles = { ObjectProxyScenario.makeOracles() }
        let scenario = ObjectProxyScenario(
            tampering: broken?.tampering ?? ObjectProxyScenario.Tampering())
        return runner.run(
            named: ObjectProxyScenario.name, limits: ObjectProxyScenario.limits, seed: seed
        ) { scenario.build(in: $0) }
    }

    /// A campaign plays more: see the Makefile.
    @Test(
        "what was acknowledged is read, and nothing else",
        arguments: 1...10 as ClosedRange<UInt64>)
    func healthy(_ seed: UInt64) {
        let result = Self.run(nil, seed: seed)
        #expect(result.findings.isEmpty, "\(result.findings.first.map { "\($0)" } ?? "")")
    }

    @Test("a run is the same again")
    func repeats() {
        #expect(Self.run(nil, seed: 3) == Self.run(nil, seed: 3))
    }

    @Test("what is broken is found out", arguments: BrokenProxies.allCases)
    func broken(_ proxy: BrokenProxies) {
        let failure = (1...30 as ClosedRange<UInt64>).lazy.map { Self.run(proxy, seed: $0) }
            .first { result in result.findings.contains { $0.oracle == proxy.oracle } }
        #expect(failure != nil, "found nothing wrong with one that \(proxy.rawValue)")
    }

    @Test("the oracles' canaries turn them red")
    func canaries() {
        var runner = SimulationRunner()
        runner.makeOracles = { ObjectProxyScenario.makeOracles() }
        let names: Set = ["object-integrity", "nonce-reuse", "upload-state", "request-time"]
        let own = ObjectProxyScenario.canaries.filter { names.contains($0.oracle) }
        #expect(Set(own.map(\.oracle)) == names)
        for canary in own { #expect(canary.verdict(with: runner) == .red, "\(canary.name)") }
    }
}
