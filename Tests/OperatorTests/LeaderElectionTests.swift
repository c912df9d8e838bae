// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import KubernetesPorts
import Operator
import Ports
import SimulatedCluster
import SimulationEngine
import SimulationScenarios
import Testing

/// Candidates of one election in virtual time, and who led when.
private final class Election: @unchecked Sendable {
    struct Event: Equatable {
        /// `+one` begins to lead, `-one` ends.
        let name: String
        let seconds: Double
    }

    let run: SimulationRun
    let cluster = SimulatedCluster()
    private(set) var events: [Event] = []
    private(set) var failures: [KubernetesFailure] = []
    private var cut: Set<String> = []

    init(_ run: SimulationRun) {
        self.run = run
        cluster.withServer { $0.addUser(.administrator, token: "token") }
    }

    private func note(_ name: String) {
        events.append(Event(name: name, seconds: Double(run.now.nanoseconds) / 1_000_000_000))
    }

    /// From now on its calls do not arrive.
    func cutOff(_ name: String) { cut.insert(name) }

    /// - Parameter retires: after so long, in good order.
    func spawn(_ name: String, after delay: Int, retires: Int = 100_000) {
        run.after(.seconds(delay)) { [self] in
            run.spawn(name) { [self] context in
                let clock = context.clock
                let api = SimulatedKubernetesAPI(cluster, token: "token", clock: clock) {
                    [self] _ in
                    await clock.sleep(for: .milliseconds(10))
                    return cut.contains(name)
                        ? .before(.unreachable(host: "server", detail: "cut")) : nil
                }
                let election = LeaderElection(
                    api: api, clock: clock, name: "lock", namespace: "default", identity: name
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

/// Runs an election for two minutes of virtual time, and says what happened in it.
private func events(
    _ build: (Election, SimulationRun) -> Void
) throws -> (names: [String], seconds: [Double]) {
    var election: Election?
    let limits = RunLimits(duration: .seconds(120), stepsMax: 100_000)
    let result = SimulationRunner().run(named: "election", limits: limits, seed: 1) { run in
        let made = Election(run)
        build(made, run)
        election = made
    }
    #expect(result.findings.isEmpty)
    let events = try #require(election).events
    return (events.map(\.name), events.map(\.seconds))
}

@Suite("Leader election") struct LeaderElectionTests {
    @Test("one leads as soon as a leader of a deleted Lease cannot, and goes on leading")
    func leads() throws {
        let (names, seconds) = try events { election, _ in
            election.spawn("one", after: 0)
            election.spawn("two", after: 5)
        }
        #expect(names == ["+one"])
        #expect((10...13).contains(seconds[0]), "\(seconds[0])")
    }

    @Test("when the leader is killed, another leads after its lease, and not before")
    func killed() throws {
        let (names, seconds) = try events { election, run in
            election.spawn("one", after: 0)
            election.spawn("two", after: 5)
            run.after(.seconds(60)) { run.crash("one") }
        }
        #expect(names == ["+one", "+two"])
        // The last renewal was up to 2 s before the crash, and the others look every 2 s.
        #expect((73...80).contains(seconds[1]), "\(seconds[1])")
    }

    @Test("one that retires stops, and is followed at the next look")
    func retires() throws {
        let (names, seconds) = try events { election, _ in
            election.spawn("one", after: 0, retires: 60)
            election.spawn("two", after: 5)
        }
        #expect(names == ["+one", "-one", "+two"])
        #expect((60...60.5).contains(seconds[1]), "\(seconds[1])")
        #expect(seconds[2] < 63, "\(seconds[2])")
    }

    @Test("one that is cut off stops before anybody else begins")
    func cutOff() throws {
        let (names, seconds) = try events { election, run in
            election.spawn("one", after: 0)
            election.spawn("two", after: 5)
            run.after(.seconds(60)) { election.cutOff("one") }
        }
        #expect(names == ["+one", "-one", "+two"])
        #expect(seconds[1] < 71 && seconds[1] + 3 < seconds[2], "\(seconds)")
    }

    @Test("one that hangs beyond its lease finds its leadership over when it goes on")
    func hangs() throws {
        let (names, seconds) = try events { election, run in
            election.spawn("one", after: 0)
            election.spawn("two", after: 5)
            run.after(.seconds(40)) { run.pause("one") }
            run.after(.seconds(80)) { run.resume("one") }
        }
        #expect(names == ["+one", "+two", "-one"])
        #expect(seconds[2] >= 80)
    }
}
