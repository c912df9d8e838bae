// SPDX-License-Identifier: Apache-2.0
import Protection
import SimulationEngine
import SimulationScenarios
import Testing

/// Reports with one mistake each.
enum BrokenReports: String, CaseIterable, Sendable {
    case anyContainer = "count a pod as enrolled when any of its containers is"
    case silence = "take an agent that says nothing for one that has everybody enrolled"

    var tampering: ReportScenario.Tampering {
        var tampering = ReportScenario.Tampering()
        switch self {
        case .anyContainer:
            tampering.judge = { pods, answers, isComplete in
                ProtectionVerdict(
                    pods.map { Self.enrolledPart(of: $0, answers) }, answers,
                    isComplete: isComplete)
            }
        case .silence:
            tampering.judge = { pods, answers, isComplete in
                var believed = answers
                for pod in pods {
                    if case .told = answers[pod.node] { continue }
                    believed[pod.node] = .told(Self.everybody(pods))
                }
                return ProtectionVerdict(pods, believed, isComplete: isComplete)
            }
        }
        return tampering
    }

    private static func enrolledPart(
        of pod: RunningPod, _ answers: [String: NodeAnswer]
    ) -> RunningPod {
        guard case .told(let node) = answers[pod.node] else { return pod }
        let enrolled = pod.wrapped.filter { $0.id.flatMap { node.containers[$0] } != nil }
        return RunningPod(
            name: pod.name, node: pod.node, wrapped: enrolled.isEmpty ? pod.wrapped : enrolled)
    }

    private static func everybody(_ pods: [RunningPod]) -> NodeProtection {
        let ids = pods.flatMap(\.wrapped).compactMap(\.id)
        return NodeProtection(
            tier: .lsm, mode: .deny, scans: true,
            containers: Dictionary(ids.map { ($0, true) }, uniquingKeysWith: { first, _ in first }))
    }
}

@Suite("Reports of protection in the simulator")
struct ReportScenarioTests {
    private static func run(_ broken: BrokenReports?, seed: UInt64) -> RunResult {
        var runner = SimulationRunner()
        runner.makeOracles = { ReportScenario.makeOracles() }
        let scenario = ReportScenario(tampering: broken?.tampering ?? ReportScenario.Tampering())
        return runner.run(
            named: ReportScenario.name, limits: ReportScenario.limits, seed: seed
        ) { scenario.build(in: $0) }
    }

    /// A campaign plays more: see the Makefile.
    @Test(
        "nothing open is called protected, and in the end all is told",
        arguments: 1...10 as ClosedRange<UInt64>
    )
    func healthy(_ seed: UInt64) {
        let result = Self.run(nil, seed: seed)
        #expect(result.findings.isEmpty, "\(result.findings.first.map { "\($0)" } ?? "")")
        #expect(result.marks["reports.protected", default: 0] > 0)
    }

    @Test("a run is the same again")
    func repeats() {
        #expect(Self.run(nil, seed: 3) == Self.run(nil, seed: 3))
    }

    @Test("what is broken is found out", arguments: BrokenReports.allCases)
    func broken(_ reports: BrokenReports) {
        let failure = (1...60 as ClosedRange<UInt64>).lazy.map { Self.run(reports, seed: $0) }
            .first { $0.findings.contains { $0.oracle == "protected-workload" } }
        #expect(failure != nil, "found nothing wrong with those that \(reports.rawValue)")
    }

    @Test("the oracle's canary turns it red")
    func canary() {
        var runner = SimulationRunner()
        runner.makeOracles = { ReportScenario.makeOracles() }
        let own = ReportScenario.canaries.filter { $0.oracle == "protected-workload" }
        #expect(own.map { $0.verdict(with: runner) } == [.red])
    }
}
