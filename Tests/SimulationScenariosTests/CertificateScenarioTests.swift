// SPDX-License-Identifier: Apache-2.0
import SimulationEngine
import SimulationScenarios
import Testing

/// Certificates with one mistake each.
enum BrokenCertificates: String, CaseIterable, Sendable {
    case hasty = "uses an authority before API servers have it"
    case forgetful = "drops an authority while it is in use"
    case overwrites = "reads a cache and replaces what it has not seen"

    /// The seed that shows it.
    var seed: UInt64 {
        switch self {
        case .forgetful: 54
        case .overwrites: 39
        default: 1
        }
    }

    var tampering: CertificateScenario.Tampering {
        var tampering = CertificateScenario.Tampering()
        switch self {
        case .hasty: tampering.settle = 0
        case .forgetful: tampering.overlap = 31
        case .overwrites: tampering.wrap = { OverwritingAPI(api: $0) }
        }
        return tampering
    }
}

@Suite("The webhook's certificates in the simulator")
struct CertificateScenarioTests {
    private static func run(_ broken: BrokenCertificates?, seed: UInt64) -> RunResult {
        var runner = SimulationRunner()
        runner.makeOracles = { CertificateScenario.makeOracles() }
        let scenario = CertificateScenario(
            tampering: broken?.tampering ?? CertificateScenario.Tampering())
        return runner.run(
            named: CertificateScenario.name, limits: CertificateScenario.limits, seed: seed
        ) { scenario.build(in: $0) }
    }

    /// A campaign plays more: see the Makefile.
    @Test(
        "no API server refuses a replica that is ready", arguments: 1...5 as ClosedRange<UInt64>
    )
    func healthy(_ seed: UInt64) {
        let result = Self.run(nil, seed: seed)
        #expect(result.findings.isEmpty, "\(result.findings.first.map { "\($0)" } ?? "")")
        #expect(result.marks["trust.called", default: 0] > 0)
    }

    /// Secret and configuration are deleted while one replica hears nothing and the other begins.
    @Test("nobody is blamed who could not know")
    func erased() {
        let result = Self.run(nil, seed: 185_922_838_729_718)
        #expect(result.findings.isEmpty, "\(result.findings.first.map { "\($0)" } ?? "")")
    }

    @Test("what is broken is found out", arguments: BrokenCertificates.allCases)
    func broken(_ certificates: BrokenCertificates) {
        let failure = seeds(upTo: 60, knownToShow: certificates.seed)
            .map { Self.run(certificates, seed: $0) }
            .first { $0.findings.contains { $0.oracle == "trusted-webhook" } }
        #expect(failure != nil, "found nothing wrong with one that \(certificates.rawValue)")
    }

    @Test("the oracle's canary turns it red")
    func canary() {
        var runner = SimulationRunner()
        runner.makeOracles = { CertificateScenario.makeOracles() }
        let own = CertificateScenario.canaries.filter { $0.oracle == "trusted-webhook" }
        #expect(own.map { $0.verdict(with: runner) } == [.red])
    }
}
