// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat
package import KubernetesPorts
internal import Operator
internal import Ports
internal import SimulatedCluster
package import SimulationEngine

extension SimulatedClock: AsyncTimeSource {}

/// Replicas of one program take part in an election on one API server, over a network with faults,
/// while they crash, hang, retire and come back. The leader acts every 500 ms.
package struct LeaderElectionScenario: SimulatedScenario {
    package static let name = "leader-election"
    package static let summary = "Replicas elect a leader through faults, crashes and hangs."
    package static let sometimes = [
        "election.led", "election.led-by-another", "election.leader-crashed",
        "election.leader-paused", "election.retired", "election.answer-lost",
        "election.lease-deleted",
    ]
    package static let limits = RunLimits(duration: .seconds(500), stepsMax: 100_000)

    package static func makeOracles() -> [any Oracle] {
        StandardOracles.make() + [SingleLeaderOracle()]
    }

    package static let canaries =
        StandardCanaries.all + [
            OracleCanary("single-leader/two", oracle: "single-leader") { run in
                run.report(LeaderActed("one", until: run.later(.seconds(10))))
                run.after(.seconds(9)) {
                    run.report(LeaderActed("two", until: run.later(.seconds(10))))
                }
            }
        ]

    /// What the broken copies change.
    package struct Tampering: Sendable {
        package var times = LeaderElectionTimes.usual
        package var wrap: @Sendable (any KubernetesAPI) -> any KubernetesAPI = { $0 }
        /// Acts without looking whether it still leads.
        package var actsBlindly = false

        package init() {}
    }

    /// How long the leader works on one thing.
    package static let actEvery = Duration.milliseconds(500)
    private let tampering: Tampering

    package init() { tampering = Tampering() }
    package init(tampering: Tampering) { self.tampering = tampering }

    package func build(in run: SimulationRun) {
        let cluster = SimulatedCluster()
        cluster.withServer { $0.addUser(.administrator, token: "token") }
        run.network.listen(at: "server", as: "server")
        let watcher = LeaderWatcher(run)
        for name in ["one", "two", "three"].prefix(run.choices.draw(in: 2...3, label: "workload")) {
            let candidate = Candidate(
                name: name, run: run, cluster: cluster, tampering: tampering, watcher: watcher)
            run.spawn(name) { await candidate.work($0) }
            upset(name, run, watcher)
        }
        if run.choices.happens(1, in: 4, label: "workload/delete") {
            let second = run.choices.draw(in: 10...200, label: "workload/delete")
            run.after(.seconds(second)) {
                run.marks.hit("election.lease-deleted")
                cluster.withServer { try? $0.delete(Candidate.lease) }
            }
        }
        run.after(.seconds(250)) { run.heal() }
        watcher.look()
    }

    /// Crashes, hangs and partitions of one replica, all before the faults are healed.
    private func upset(_ name: String, _ run: SimulationRun, _ watcher: LeaderWatcher) {
        run.drawUpsets(in: 5...200, secondsMax: 40, kinds: 3) { kind, length in
            let leads = watcher.leader == name
            switch kind {
            case 0:
                if leads { run.marks.hit("election.leader-crashed") }
                run.crash(name)
                run.after(length) { run.restart(name) }
            case 1:
                if leads { run.marks.hit("election.leader-paused") }
                run.pause(name)
                run.after(length) { run.resume(name) }
            default:
                run.network.partition(name, "server")
                run.after(length) { run.network.heal(name, "server") }
            }
        }
    }
}

/// Whether somebody leads, looked at once a second.
private final class LeaderWatcher: @unchecked Sendable {
    private let run: SimulationRun
    private(set) var leader: String?
    private var until = MonotonicTime(nanoseconds: 0)
    private var isLed = false

    init(_ run: SimulationRun) {
        self.run = run
        run.report(ConditionChanged("led", holds: false))
    }

    func acted(_ name: String, until end: MonotonicTime) {
        run.marks.hit("election.led")
        if let leader, leader != name { run.marks.hit("election.led-by-another") }
        leader = name
        until = end
    }

    func look() {
        let holds = run.now < until
        if holds != isLed { run.report(ConditionChanged("led", holds: holds)) }
        isLed = holds
        run.after(.seconds(1)) { [self] in look() }
    }
}

/// One replica.
private struct Candidate: @unchecked Sendable {
    static let lease = ResourceCollection(
        group: "coordination.k8s.io", version: "v1", resource: "leases", namespace: "default"
    ).object("operator")
    let name: String
    let run: SimulationRun
    let cluster: SimulatedCluster
    let tampering: LeaderElectionScenario.Tampering
    let watcher: LeaderWatcher

    func work(_ context: ComponentContext) async {
        let identity = "\(name)-\(context.incarnation)"
        let clock = context.clock
        let plain = SimulatedKubernetesAPI(cluster, token: "token", clock: clock) { call in
            await run.meet(call, of: name, clock, lost: "election.answer-lost")
        }
        let election = LeaderElection(
            api: tampering.wrap(plain), clock: clock, name: "operator", namespace: "default",
            identity: identity, times: tampering.times
        ) { report in
            if case .ended = report { run.report(LeaderEnded(name)) }
        }
        // Some retire in good order and come back.
        let retires = run.choices.happens(1, in: 3, label: "workload/retire")
        let second = retires ? run.choices.draw(in: 20...200, label: "workload/retire") : 100_000
        await election.run(until: { await clock.sleep(for: .seconds(second)) }) { leadership in
            while !Task.isCancelled {
                act(leadership)
                await clock.sleep(for: LeaderElectionScenario.actEvery)
            }
        }
        run.marks.hit("election.retired")
        run.after(.seconds(5)) { run.restart(name) }
    }

    private func act(_ leadership: Leadership) {
        guard let until = leadership.deadline else { return }
        guard tampering.actsBlindly || leadership.isCurrent else { return }
        run.report(LeaderActed(name, until: until))
        watcher.acted(name, until: until)
    }
}
