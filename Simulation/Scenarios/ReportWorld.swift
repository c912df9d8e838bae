// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import KubernetesPorts
internal import NodePorts
internal import Operator
internal import Ports
internal import Protection
internal import SimulatedCluster
internal import SimulationEngine

/// The cluster of `ReportScenario`: what runs where and is enrolled, who looks at it, and what the
/// reports say.
final class ReportWorld: @unchecked Sendable {
    static let nodes = ["n1", "n2", "n3"]
    static let replicaNames = ["one", "two"]
    static let operators = "cloudtaser"
    static let namespace = "shop"
    static let watchPause = Duration.seconds(2)
    /// How long a question to an agent takes before it is given up.
    private static let askTime = Duration.seconds(5)

    struct Container {
        let name: String
        var id: String
        /// Since when it runs without an enrolment; nil: it is enrolled.
        var openSince: MonotonicTime?
    }

    struct Pod {
        let name: String
        let workload: String
        let node: String
        var containers: [Container]
    }

    struct Node {
        var isUp = true
        /// Of the agent's pod; nil: it has none.
        var address: NodeAddress?
    }

    let run: SimulationRun
    let cluster = SimulatedCluster()
    var pods: [String: Pod] = [:]
    var agents: [String: Node] = [:]
    var lastNumber = 0
    private let tampering: ReportScenario.Tampering
    private var leader: String?
    private var versions: [String: JSONTree] = [:]
    private var isReported: Bool?

    init(_ run: SimulationRun, _ tampering: ReportScenario.Tampering) {
        self.run = run
        self.tampering = tampering
        setUp()
        tell(false)
    }

    // MARK: - Replicas

    func work(_ name: String, _ context: ComponentContext) async {
        let clock = context.clock
        let plain = SimulatedKubernetesAPI(
            cluster, token: "token", clock: clock, watchPause: Self.watchPause
        ) { [self] call in await meet(call, of: name, clock) }
        let api = tampering.wrap(plain)
        let agents = SimulatedNodeAgents(
            begin: { [self] address in await meet(address, of: name, clock) },
            others: { [self] address in answer(of: address) })
        let namespaces = ClusterNamespaces(api: api, clock: clock)
        let judge = tampering.judge ?? { ProtectionVerdict($0, $1, isComplete: $2) }
        let reports = ProtectionReports(
            api: api, agents: agents, clock: clock,
            namespaces: namespaces, namespace: Self.operators,
            excluded: ["kube-system", Self.operators],
            judge: { [self] pods, answers, isComplete in
                let verdict = judge(pods, answers, isComplete)
                judged(pods, verdict, by: name)
                return verdict
            })
        let election = LeaderElection(
            api: api, clock: clock, name: "operator", namespace: Self.operators,
            identity: "\(name)-\(context.incarnation)")
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await namespaces.mirror.run() }
            await election.run(until: { while true { await clock.sleep(for: .seconds(3600)) } }) {
                leadership in
                await reports.run(while: { leadership.isCurrent })
            }
            group.cancelAll()
        }
    }

    /// The mirror of pods meets partitions only: what a broken watch does is shown elsewhere
    /// (`AdmissionScenario`), and how far behind it is would have to be told here.
    private func meet(
        _ call: KubernetesCall, of name: String, _ clock: SimulatedClock
    ) async -> SimulatedKubernetesFault? {
        let isMirror = call.collection == UninjectedPods.collection
        guard isMirror, !run.network.isPartitioned(name, "server") else {
            return await run.meet(call, of: name, clock, lost: "reports.answer-lost")
        }
        return nil
    }

    private func meet(
        _ address: NodeAddress, of name: String, _ clock: SimulatedClock
    ) async -> AgentAnswerFailure? {
        guard let node = agents.first(where: { $0.value.address == address })?.key else {
            await clock.sleep(for: Self.askTime)
            return .timedOut
        }
        switch run.network.route(from: name, to: node) {
        case .lost:
            await clock.sleep(for: Self.askTime)
            return .timedOut
        case .refused: return .unreachable(detail: "cannot connect")
        case .reset(_, let latency):
            await clock.sleep(for: min(latency, Self.askTime))
            return .unreachable(detail: "the connection was closed")
        case .reached(_, let latency):
            await clock.sleep(for: min(latency, Self.askTime))
            guard latency <= Self.askTime else { return .timedOut }
        }
        guard agents[node]?.isUp == true, agents[node]?.address == address else {
            return .unreachable(detail: "cannot connect")
        }
        if run.faults.fires("agent.malformed", site: node) {
            return .malformed(detail: "is no JSON object")
        }
        return run.faults.fires("agent.status", site: node) ? .unexpectedStatus(503) : nil
    }

    /// What the agent there says, as it is when the question has arrived.
    private func answer(of address: NodeAddress) -> SimulatedNodeAgents.Answer? {
        guard let node = agents.first(where: { $0.value.address == address })?.key else {
            return nil
        }
        let enrolled = pods.values.filter { $0.node == node }.flatMap(\.containers)
            .filter { $0.openSince == nil }.map(\.id).sorted()
        let workloads = enrolled.enumerated().map { index, id -> JSONTree in
            [
                "pod": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "container": .string(id),
                "enrolment": .number(String(16 + index)), "scanned": true,
            ]
        }
        let document: JSONTree = [
            "tier": "lsm", "mode": "deny", "scans": true, "workloads": .array(workloads),
            "more": false,
        ]
        return SimulatedNodeAgents.Answer(body: document.rendered())
    }

    // MARK: - What is said

    private func judged(_ given: [RunningPod], _ verdict: ProtectionVerdict, by name: String) {
        if let leader, leader != name { run.marks.hit("reports.led-by-another") }
        leader = name
        switch verdict.reason {
        case .allEnrolled: run.marks.hit("reports.protected")
        case .notEnrolled: run.marks.hit("reports.not-enrolled")
        case .noAgent: run.marks.hit("reports.no-agent")
        case .agentUnreachable: run.marks.hit("reports.unreachable")
        default: break
        }
        guard verdict.status == .holds, let workload = given.first.map({ Self.workload($0.name) })
        else { return }
        claim(workload)
    }

    /// `web-7` is one of `web`.
    private static func workload(_ pod: String) -> String {
        String(pod.prefix { $0 != "-" })
    }

    private func claim(_ workload: String) {
        let open = pods.values.filter { $0.workload == workload }.flatMap { pod in
            pod.containers.compactMap { container in
                container.openSince.map { ("\(pod.name)/\(container.name)", $0) }
            }
        }.min { ($0.1, $0.0) < ($1.1, $1.0) }
        guard let open else { return }
        run.report(
            ProtectionClaimed(
                workload, container: open.0, openFor: open.1.duration(to: run.now)))
    }

    /// Once a second, until the end.
    func look() {
        var isRight = true
        for workload in Self.workloads {
            let report = stored(Self.reportName(workload))
            let condition = report?.value(at: "status", "conditions")?.elements?.first
            let isProtected = condition?["status"] == "True"
            let version = report?.value(at: "metadata", "resourceVersion")
            if isProtected, version != versions[workload] { claim(workload) }
            versions[workload] = version
            let own = pods.values.filter { $0.workload == workload }
            let shouldBe =
                !own.isEmpty && own.flatMap(\.containers).allSatisfy { $0.openSince == nil }
            let wanted: JSONTree = shouldBe ? "True" : "False"
            if condition?["status"] != wanted { isRight = false }
        }
        tell(isRight)
        run.after(.seconds(1)) { [self] in look() }
    }

    private func tell(_ holds: Bool) {
        if holds != isReported { run.report(ConditionChanged("reported", holds: holds)) }
        isReported = holds
    }

    private func stored(_ name: String) -> JSONTree? {
        let reference = ResourceCollection(
            group: "cloudtaser.io", version: "v1alpha1", resource: "protectionreports",
            namespace: Self.namespace
        ).object(name)
        return cluster.withServer { try? $0.get(reference, token: "token") }
    }
}
