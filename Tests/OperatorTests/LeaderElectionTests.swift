// SPDX-License-Identifier: Apache-2.0
import ElectionTrial
import KubernetesPorts
import SimulatedCluster
import SimulationEngine
import Synchronization
import Testing

/// An election on the fake server, a call of which takes 10 ms.
private final class FakeElection: Sendable {
    private let cluster = SimulatedCluster()
    private let cut = Mutex<Set<String>>([])

    init() { cluster.withServer { $0.addUser(.administrator, token: "token") } }

    /// From now on its calls do not arrive.
    func cutOff(_ name: String) { cut.withLock { _ = $0.insert(name) } }

    func connection(_ name: String, _ clock: any AsyncTimeSource) -> any KubernetesAPI {
        SimulatedKubernetesAPI(cluster, token: "token", clock: clock) { [self] _ in
            await clock.sleep(for: .milliseconds(10))
            return cut.withLock { $0.contains(name) }
                ? .before(.unreachable(host: "server", detail: "cut")) : nil
        }
    }
}

private func outcome(
    _ fake: FakeElection = FakeElection(), _ build: (ElectionTrial, SimulationRun) -> Void
) -> ElectionTrial.Outcome {
    let outcome = ElectionTrial.outcome(lease: "lock", fake.connection, build)
    #expect(outcome.findings.isEmpty)
    return outcome
}

@Suite("Leader election") struct LeaderElectionTests {
    @Test("one leads as soon as a leader of a deleted Lease cannot, and goes on leading")
    func leads() {
        let trial = outcome { election, _ in
            election.spawn("one", after: 0)
            election.spawn("two", after: 5)
        }
        #expect(trial.names == ["+one"])
        #expect((10...13).contains(trial.seconds[0]), "\(trial.seconds[0])")
    }

    @Test("when the leader is killed, another leads after its lease, and not before")
    func killed() {
        let trial = outcome { election, run in
            election.spawn("one", after: 0)
            election.spawn("two", after: 5)
            run.after(.seconds(60)) { run.crash("one") }
        }
        #expect(trial.names == ["+one", "+two"])
        // The last renewal was up to 2 s before the crash, and the others look every 2 s.
        #expect((73...80).contains(trial.seconds[1]), "\(trial.seconds[1])")
    }

    @Test("one that retires stops, and is followed at the next look")
    func retires() {
        let trial = outcome { election, _ in
            election.spawn("one", after: 0, retires: 60)
            election.spawn("two", after: 5)
        }
        #expect(trial.names == ["+one", "-one", "+two"])
        #expect((60...60.5).contains(trial.seconds[1]), "\(trial.seconds[1])")
        #expect(trial.seconds[2] < 63, "\(trial.seconds[2])")
    }

    @Test("one that is cut off stops before anybody else begins")
    func cutOff() {
        let fake = FakeElection()
        let trial = outcome(fake) { election, run in
            election.spawn("one", after: 0)
            election.spawn("two", after: 5)
            run.after(.seconds(60)) { fake.cutOff("one") }
        }
        #expect(trial.names == ["+one", "-one", "+two"])
        #expect(
            trial.seconds[1] < 71 && trial.seconds[1] + 3 < trial.seconds[2], "\(trial.seconds)")
    }

    @Test("one that hangs beyond its lease finds its leadership over when it goes on")
    func hangs() {
        let trial = outcome { election, run in
            election.spawn("one", after: 0)
            election.spawn("two", after: 5)
            run.after(.seconds(40)) { run.pause("one") }
            run.after(.seconds(80)) { run.resume("one") }
        }
        #expect(trial.names == ["+one", "+two", "-one"])
        #expect(trial.seconds[2] >= 80)
    }
}
