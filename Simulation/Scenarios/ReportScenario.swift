// SPDX-License-Identifier: Apache-2.0
package import KubernetesPorts
package import Operator
package import SimulationEngine

/// Two replicas of the operator keep reports of protection while containers restart, some without
/// an enrolment, pods move, agents come and go and cannot be reached, calls meet conflicts, and
/// whoever leads crashes, hangs and is cut off.
package struct ReportScenario: SimulatedScenario {
    package static let name = "protection-reports"
    package static let summary = "Workloads are reported about while agents come and go."
    package static let sometimes = [
        "reports.protected", "reports.not-enrolled", "reports.no-agent", "reports.unreachable",
        "reports.led-by-another", "reports.answer-lost", "reports.restarted", "reports.moved",
        "reports.agent-away", "reports.forgotten", "reports.left-open",
    ]
    package static let limits = RunLimits(duration: .seconds(800), stepsMax: 400_000)
    /// Faults end.
    static let healTime = 400
    /// By then somebody leads, has read everything and has looked.
    static let reportWithin = Duration.seconds(240)
    /// Looks for which a container may have run without an enrolment and nobody knows.
    package static let looksMax = 3
    static let claimAfter = ProtectionReports.lookEvery * looksMax

    package static func makeOracles() -> [any Oracle] {
        StandardOracles.make() + [ProtectedWorkloadOracle()]
    }

    package static let canaries =
        StandardCanaries.all + [
            OracleCanary("protected-workload/open", oracle: "protected-workload") { run in
                run.report(
                    ProtectionClaimed("web", container: "web-1/a", openFor: claimAfter * 2))
            }
        ]

    /// What the broken copies change.
    package struct Tampering: Sendable {
        package var wrap: @Sendable (any KubernetesAPI) -> any KubernetesAPI = { $0 }
        /// nil: as the product judges.
        package var judge: ProtectionReports.Judge?

        package init() {}
    }

    private let tampering: Tampering

    package init() { tampering = Tampering() }
    package init(tampering: Tampering) { self.tampering = tampering }

    package func build(in run: SimulationRun) {
        run.oracles.oracle(ConvergenceOracle.self)?.within = Self.reportWithin
        let world = ReportWorld(run, tampering)
        run.network.listen(at: "server", as: "server")
        for node in ReportWorld.nodes { run.network.listen(at: node, as: node) }
        for name in ReportWorld.replicaNames {
            run.spawn(name) { await world.work(name, $0) }
        }
        world.upset()
        run.after(.seconds(Self.healTime)) { world.settle() }
        world.look()
    }
}

/// Somebody says that a workload is protected.
package struct ProtectionClaimed: SimulationFact {
    package let workload: String
    /// Of its running containers the one that has been without an enrolment for longest.
    package let container: String
    package let openFor: Duration

    package init(_ workload: String, container: String, openFor: Duration) {
        self.workload = workload
        self.container = container
        self.openFor = openFor
    }

    package var summary: String? { "\(workload): \(container) open for \(openFor)" }
}

/// No workload is said to be protected while one of its wrapped containers has run without an
/// enrolment for longer than some looks.
package final class ProtectedWorkloadOracle: Oracle {
    package let name = "protected-workload"

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(ProtectionClaimed.self) { [name, unowned registry] claimed in
            guard claimed.openFor > ReportScenario.claimAfter else { return }
            registry.report(
                name,
                "\(claimed.workload) is said to be protected, and \(claimed.container) has been "
                    + "without an enrolment for \(claimed.openFor)")
        }
    }

    package func finish() {}
}
