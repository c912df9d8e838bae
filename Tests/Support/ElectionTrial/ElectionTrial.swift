// SPDX-License-Identifier: Apache-2.0
package import KubernetesPorts
internal import Operator
internal import Ports
package import SimulationEngine
internal import SimulationScenarios

/// Candidates of one election in virtual time, on any API server, and who led when.
package final class ElectionTrial: @unchecked Sendable {
    package struct Event: Sendable, Equatable {
        /// `+one` begins to lead, `-one` ends.
        package let name: String
        /// Virtual, since the run began.
        package let seconds: Double
    }

    /// What came of a trial.
    package struct Outcome: Sendable {
        package var names: [String] = []
        package var seconds: [Double] = []
        package var failures: [KubernetesFailure] = []
        /// Of the simulator: nothing but the trial's own clock may be asked.
        package var findings: [String] = []
    }

    /// How a candidate reaches the server.
    package typealias Connection =
        @Sendable (_ candidate: String, any AsyncTimeSource) -> any KubernetesAPI

    private let run: SimulationRun
    private let lease: String
    private let connection: Connection
    private var events: [Event] = []
    private var failures: [KubernetesFailure] = []

    private init(_ run: SimulationRun, lease: String, _ connection: @escaping Connection) {
        self.run = run
        self.lease = lease
        self.connection = connection
    }

    /// Two minutes of virtual time.
    package static func outcome(
        lease: String, _ connection: @escaping Connection,
        _ build: (ElectionTrial, SimulationRun) -> Void
    ) -> Outcome {
        var trial: ElectionTrial?
        let limits = RunLimits(duration: .seconds(120), stepsMax: 100_000)
        let result = SimulationRunner().run(named: "election", limits: limits, seed: 1) { run in
            let made = ElectionTrial(run, lease: lease, connection)
            build(made, run)
            trial = made
        }
        var outcome = Outcome()
        outcome.findings = result.findings.map { "\($0)" }
        guard let trial else { return outcome }
        outcome.names = trial.events.map(\.name)
        outcome.seconds = trial.events.map(\.seconds)
        outcome.failures = trial.failures
        return outcome
    }

    private func note(_ name: String) {
        events.append(Event(name: name, seconds: Double(run.now.nanoseconds) / 1_000_000_000))
    }

    /// - Parameter retires: after so many seconds, in good order.
    package func spawn(_ name: String, after delay: Int, retires: Int = 100_000) {
        run.after(.seconds(delay)) { [self] in
            run.spawn(name) { [self] context in
                let clock = context.clock
                let election = LeaderElection(
                    api: connection(name, clock), clock: clock, name: lease,
                    namespace: "default", identity: name
                ) { [self] report in
                    if case .failed(let failure) = report { failures.append(failure) }
                }
                await election.run(until: { await clock.sleep(for: .seconds(retires)) }) {
                    [self] leadership in
                    note("+" + name)
                    while leadership.isCurrent, !Task.isCancelled {
                        await clock.sleep(for: .milliseconds(100))
                    }
                    note("-" + name)
                }
            }
        }
    }
}
