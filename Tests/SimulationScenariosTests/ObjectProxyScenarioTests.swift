// SPDX-License-Identifier: Apache-2.0
import SimulationEngine
import SimulationScenarios
import TestKit
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
        let failure = seeds(upTo: 90, knownToShow: proxy.seed).map { Self.run(proxy, seed: $0) }
            .first { result in result.findings.contains { $0.oracle == proxy.oracle } }
        #expect(failure != nil, "found nothing wrong with one that \(proxy.rawValue)")
    }

    private static func oracles(_ broken: BrokenProxies?, seeds: ClosedRange<UInt64>) -> [String] {
        seeds.flatMap { run(broken, seed: $0).findings.map(\.oracle) }
    }

    @Test(
        "the store gets ciphertext only, and no key seals twice with one nonce",
        .evidence(
            "SIM-S3-01",
            control: "copies of the proxy that tell the store a hash of the content, use a salt "
                + "again, and forget the footer are found out"))
    func evidenceOfCiphertext() {
        let found = Self.oracles(nil, seeds: 11...20)
        #expect(found.isEmpty)
        let broken = [BrokenProxies.hashing, .salts, .footless]
        Evidence.control(
            passed: broken.allSatisfy { copy in
                Self.oracles(copy, seeds: 1...4).contains(copy.oracle)
            })
        Evidence.observe(
            "In 10 runs with failing stores and vaults nothing of content, metadata or hashes was "
                + "in what the store was told, no key and nonce sealed twice, and what was "
                + "acknowledged was read as it was.")
    }

    @Test(
        "no key and no credential reaches the store, a metric or an answer",
        .evidence(
            "SIM-S3-02",
            control: "a copy of the proxy that keeps keys where they are read is found out"))
    func evidenceOfKeys() {
        let found = Self.oracles(nil, seeds: 21...30)
        #expect(found.isEmpty)
        Evidence.control(passed: Self.oracles(.clear, seeds: 1...4).contains("taint"))
        Evidence.observe(
            "In 10 runs no data key, epoch key or client's secret was in a request to the store, "
                + "in its metadata, in the metrics or in an answer.")
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
