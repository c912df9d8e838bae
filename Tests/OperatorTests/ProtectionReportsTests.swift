// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import KubernetesPorts
import Operator
import Ports
import Protection
import SimulatedCluster
import Synchronization
import Testing

@Suite("Reports of protection", .timeLimit(.minutes(5)))
struct ProtectionReportsTests {
    @Test func `say of a Deployment what the agents of its pods' nodes tell`() async throws {
        let cluster = try await ReportCluster()
        let deployment = try await cluster.owner("apps", "Deployment", "web")
        let set = try await cluster.owner("apps", "ReplicaSet", "web-5d", of: deployment)
        try await cluster.pod("web-5d-1", ["a", "b"], owner: set)
        try await cluster.pod("web-5d-2", ["c"], node: "n2", owner: set)
        try await cluster.agent("n1", 1)
        try await cluster.agent("n2", 2)
        try cluster.tell(1, ["a", "b", "e"])
        try cluster.tell(2, ["c"])
        try await cluster.looking { (reports) async throws in
            #expect(try await cluster.comes("deployment-web", to: "AllEnrolled"))
            #expect(try await soon { reports.unprotectedCount == 0 })
            let report = try #require(try await cluster.report("deployment-web"))
            #expect(
                report.value(at: "spec", "workload")
                    == ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web"])
            let owners = report.value(at: "metadata", "ownerReferences")?.elements
            #expect(owners?.first?["uid"] == deployment["uid"] && owners?.count == 1)
            #expect(
                report.value(at: "status", "facts")
                    == [
                        "pods": 2, "enrolledPods": 2, "enforcementTier": "lsm", "mode": "deny",
                        "outputIsScanned": true,
                    ])
            #expect(ReportCluster.condition(report)?["status"] == "True")

            // One of two containers is not enrolled any more.
            try cluster.tell(1, ["a"])
            #expect(try await cluster.comes("deployment-web", to: "NotEnrolled"))
            #expect(try await soon { reports.unprotectedCount == 1 })
            let bad = try #require(try await cluster.report("deployment-web"))
            #expect(bad.value(at: "status", "facts", "enrolledPods") == 1)
            #expect(
                ReportCluster.condition(bad)?["message"]?.text?
                    .hasPrefix("not protected: web-5d-1 (1 of 2 pods)") == true)
        }
        let asked = cluster.calls.withLock { $0 }.filter { $0.verb == .get }
        #expect(asked.map(\.name) == ["web-5d"], "each owner is asked for once")
        let changes = cluster.told.withLock { $0 }.compactMap { report in
            if case .changed(_, _, let reason, _) = report { reason } else { nil }
        }
        #expect(changes == [.allEnrolled, .notEnrolled])
    }

    @Test func `are not written when nothing has changed`() async throws {
        let cluster = try await ReportCluster()
        try await cluster.pod("alone", ["a"])
        try await cluster.agent("n1", 1)
        try cluster.tell(1, ["a"])
        try await cluster.looking { (_) async throws in
            #expect(try await cluster.comes("pod-alone", to: "AllEnrolled"))
            let before = cluster.cluster.withServer { $0.revision }
            #expect(try await cluster.looks(5))
            #expect(cluster.cluster.withServer { $0.revision } == before)
        }
    }

    @Test func `say what is not known`() async throws {
        let cluster = try await ReportCluster()
        try await cluster.pod("alone", ["a"])
        try await cluster.looking { (reports) async throws in
            #expect(try await cluster.comes("pod-alone", to: "NoAgent"))
            #expect(try await soon { reports.unprotectedCount == 1 })
            try await cluster.agent("n1", 1)
            #expect(try await cluster.comes("pod-alone", to: "AgentUnreachable"))
            let report = try await cluster.report("pod-alone")
            #expect(report?.value(at: "status", "facts") == ["pods": 1, "enrolledPods": 0])
            #expect(ReportCluster.condition(report)?["status"] == "Unknown")
            try cluster.tell(1, ["a"])
            #expect(try await cluster.comes("pod-alone", to: "AllEnrolled"))
            try cluster.tell(1, ["a"], mode: "detect")
            #expect(try await cluster.comes("pod-alone", to: "NotEnforced"))
        }
    }

    @Test func `count no pods when they are gone`() async throws {
        let cluster = try await ReportCluster()
        let set = try await cluster.owner("apps", "StatefulSet", "db")
        try await cluster.pod("db-0", ["a"], owner: set)
        try await cluster.agent("n1", 1)
        try cluster.tell(1, ["a"])
        try await cluster.looking { (reports) async throws in
            #expect(try await cluster.comes("statefulset-db", to: "AllEnrolled"))
            try await cluster.api.delete(
                ReportCluster.pods.object("db-0"), DeletePreconditions(), WriteOptions())
            #expect(try await cluster.comes("statefulset-db", to: "NoPods"))
            let report = try await cluster.report("statefulset-db")
            #expect(report?.value(at: "status", "facts") == ["pods": 0, "enrolledPods": 0])
            #expect(try await soon { reports.unprotectedCount == 0 })
        }
    }

    @Test func `are each workload's own`() async throws {
        let cluster = try await ReportCluster()
        let cron = try await cluster.owner("batch", "CronJob", "nightly")
        let job = try await cluster.owner("batch", "Job", "nightly-7", of: cron)
        let set = try await cluster.owner("apps", "ReplicaSet", "bare-set")
        let daemons = try await cluster.owner("apps", "DaemonSet", "log")
        let gone: JSONTree = [
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "gone", "uid": "1",
            "controller": true,
        ]
        let foreign: JSONTree = [
            "apiVersion": "example.eu/v1", "kind": "Shard", "name": "s", "uid": "2",
            "controller": true,
        ]
        for (index, owner) in [job, set, daemons, gone, foreign].enumerated() {
            try await cluster.pod("pod-\(index)", [String(index)], owner: owner)
        }
        try await cluster.pod("alone", ["f"])
        try await cluster.pod("alone", ["e"], in: "bank")
        try await cluster.agent("n1", 1)
        try cluster.tell(1, ["0", "1", "2", "3", "4", "f"])
        try await cluster.looking { (_) async throws in
            for name in [
                "cronjob-nightly", "replicaset-bare-set", "daemonset-log", "replicaset-gone",
                "shard-s", "pod-alone",
            ] {
                #expect(try await cluster.comes(name, to: "AllEnrolled"), "\(name)")
            }
            #expect(try await cluster.comes("pod-alone", to: "NotEnrolled", in: "bank"))
        }
    }

    @Test func `are of pods that ask, injected or not`() async throws {
        let cluster = try await ReportCluster()
        try await cluster.pod("bare", ["a"], isWrapped: false)
        try await cluster.put(
            ReportCluster.pods, "Pod", ["name": "silent", "namespace": "shop"],
            [
                "spec": ["nodeName": "n1", "containers": [["name": "web", "image": "app"]]],
                "status": [
                    "phase": "Running",
                    "containerStatuses": [
                        [
                            "name": "web", "state": ["running": [:]],
                            "containerID": .string("containerd://" + ReportCluster.id("b")),
                        ]
                    ],
                ],
            ])
        try await cluster.agent("n1", 1)
        try cluster.tell(1, ["a", "b"])
        try await cluster.looking { (_) async throws in
            #expect(try await cluster.comes("pod-bare", to: "NotEnrolled"))
            #expect(try await cluster.looks(3))
            #expect(try await cluster.report("pod-silent") == nil)
            // The operator's own pods do not count.
            #expect(try await cluster.report("pod-agent-1") == nil)
        }
    }

    @Test(arguments: [7, 30]) func `are looked at as often as is wanted`(seconds: Int) async throws
    {
        let cluster = try await ReportCluster()
        let clock = NotingClock()
        let namespaces = ClusterNamespaces(api: cluster.api, clock: ImmediateClock())
        let reports = ProtectionReports(
            api: cluster.api, agents: cluster.agents, clock: clock, namespaces: namespaces,
            namespace: ReportCluster.operators, excluded: [], lookEvery: .seconds(seconds))
        let running = [
            Task { await namespaces.mirror.run() }, Task { await reports.run(while: { true }) },
        ]
        #expect(try await soon { clock.pauses.contains(.seconds(seconds)) })
        for task in running { task.cancel() }
        #expect(!clock.pauses.contains(.seconds(37 - seconds)))
    }

    @Test func `are written by the leader only`() async throws {
        let cluster = try await ReportCluster()
        try await cluster.pod("alone", ["a"])
        let namespaces = ClusterNamespaces(api: cluster.api, clock: ImmediateClock())
        let reports = ProtectionReports(
            api: cluster.api, agents: cluster.agents, clock: ImmediateClock(),
            namespaces: namespaces, namespace: ReportCluster.operators, excluded: [])
        await reports.run(while: { false })
        #expect(reports.unprotectedCount == nil)
        #expect(try await cluster.report("pod-alone") == nil)
    }

    @Test func `are asked of the agent that stays, where a node has two`() async throws {
        let cluster = try await ReportCluster()
        try await cluster.pod("alone", ["a"])
        try await cluster.agent("n1", 1, named: "a-old", isGoing: true)
        try await cluster.agent("n1", 2, named: "b-new")
        try cluster.tell(1, [])
        try cluster.tell(2, ["a"])
        try await cluster.looking { (_) async throws in
            #expect(try await cluster.comes("pod-alone", to: "AllEnrolled"))
            #expect(try await cluster.looks(3))
            #expect(try await cluster.comes("pod-alone", to: "AllEnrolled"))
        }
    }

    @Test func `come to be in spite of conflicts and of one that cannot be written`() async throws {
        let cluster = try await ReportCluster()
        try await cluster.pod("alone", ["a"])
        try await cluster.pod("alone", ["b"], in: "bank")
        try await cluster.agent("n1", 1)
        try cluster.tell(1, ["a", "b"])
        cluster.fault.withLock {
            $0 = { [cluster] call in
                guard call.collection.resource == "protectionreports" else { return nil }
                if call.collection.namespace == "bank" {
                    return .before(.forbidden(message: "the namespace is being terminated"))
                }
                let count = cluster.calls.withLock { $0.count { $0.verb == .patch } }
                return call.verb == .patch && count < 4
                    ? .before(.conflict(path: "reports", fields: [])) : nil
            }
        }
        try await cluster.looking { (_) async throws in
            #expect(try await cluster.comes("pod-alone", to: "AllEnrolled"))
            #expect(try await cluster.report("pod-alone", in: "bank") == nil)
        }
        let told = cluster.told.withLock { $0 }
        #expect(
            told.contains(.failed(.forbidden(message: "the namespace is being terminated"))))
        let hasConflict = told.contains { report in
            if case .failed(.conflict) = report { true } else { false }
        }
        #expect(!hasConflict)
    }

    @Test func `have another name where somebody has theirs, and wait for the garbage collector`()
        async throws
    {
        let cluster = try await ReportCluster()
        for (name, uid, kind) in [("pod-alone", "1", "Other"), ("pod-again", "0", "Pod")] {
            let workload = name == "pod-again" ? "again" : "x"
            try await cluster.put(
                ReportCluster.reports, "ProtectionReport",
                [
                    "name": .string(name), "namespace": "shop",
                    "ownerReferences": [
                        [
                            "apiVersion": "v1", "kind": .string(kind), "name": .string(workload),
                            "uid": .string(uid),
                        ]
                    ],
                ],
                [
                    "spec": [
                        "workload": [
                            "apiVersion": "v1", "kind": .string(kind), "name": .string(workload),
                        ]
                    ]
                ])
        }
        try await cluster.pod("alone", ["a"])
        try await cluster.pod("again", ["b"])
        try await cluster.agent("n1", 1)
        try cluster.tell(1, ["a", "b"])
        let alone = ReportedWorkload(
            namespace: "shop", apiVersion: "v1", kind: "Pod", name: "alone", uid: nil)
        try await cluster.looking { (_) async throws in
            let own = ProtectionReport.name(of: alone, isTaken: true)
            #expect(try await cluster.comes(own, to: "AllEnrolled"))
            #expect(try await cluster.comes("pod-alone", to: "NoPods"), "it is another's")
            #expect(try await cluster.looks(3))
            #expect(ReportCluster.condition(try await cluster.report("pod-again")) == nil)
            try await cluster.api.delete(
                ReportCluster.reports.object("pod-again"), DeletePreconditions(), WriteOptions())
            #expect(try await cluster.comes("pod-again", to: "AllEnrolled"))
            // It keeps its name.
            #expect(try await cluster.looks(3))
            #expect(try await cluster.comes(own, to: "AllEnrolled"))
        }
    }

    @Test func `call nothing protected where not all pods are looked at`() async throws {
        for (podsMax, reason) in [(2, "AllEnrolled"), (1, "TooManyPods")] {
            let cluster = try await ReportCluster()
            try await cluster.pod("one", ["a"])
            try await cluster.pod("two", ["b"])
            try await cluster.agent("n1", 1)
            try cluster.tell(1, ["a", "b"])
            try await cluster.looking(podsMax: podsMax) { (_) async throws in
                #expect(try await cluster.comes("pod-one", to: reason))
            }
        }
        #expect(ProtectionReports.podsMax == 10_000)
    }

    @Test func `are not made in a look that could not read everything`() async throws {
        let cluster = try await ReportCluster()
        let deployment = try await cluster.owner("apps", "Deployment", "web")
        let set = try await cluster.owner("apps", "ReplicaSet", "web-5d", of: deployment)
        try await cluster.pod("web-5d-1", ["a"], owner: set)
        try await cluster.agent("n1", 1)
        try cluster.tell(1, ["a"])
        let failure = KubernetesFailure.serverError(status: 500, retryAfterSeconds: nil)
        cluster.fault.withLock {
            $0 = { call in call.collection.resource == "replicasets" ? .before(failure) : nil }
        }
        try await cluster.looking { (reports) async throws in
            #expect(
                try await soon { cluster.told.withLock { $0.contains(.failed(failure)) } })
            #expect(try await cluster.report("replicaset-web-5d") == nil)
            #expect(reports.unprotectedCount == nil)
            cluster.fault.withLock { $0 = { _ in nil } }
            #expect(try await cluster.comes("deployment-web", to: "AllEnrolled"))
        }
    }
}

/// Passes over every pause, and notes how long it was to be.
private final class NotingClock: AsyncTimeSource {
    private let noted = Mutex<Set<Duration>>([])

    var pauses: Set<Duration> { noted.withLock { $0 } }

    func monotonic() -> MonotonicTime { ImmediateClock().monotonic() }
    func secondsSince1970() -> Int64 { 0 }
    func sleep(until time: MonotonicTime) async {
        noted.withLock { _ = $0.insert(monotonic().duration(to: time)) }
        await Task.yield()
    }
}
