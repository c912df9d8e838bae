// SPDX-License-Identifier: Apache-2.0
internal import Injection
internal import KubernetesFormat
package import KubernetesPorts
package import NodePorts
internal import Ports
package import Protection
internal import Synchronization

/// Keeps a `ProtectionReport` for each workload with pods that ask, by what the agents of their
/// nodes tell.
///
/// Of other pods nothing is kept. Reports are never deleted: they go with their workloads.
package final class ProtectionReports: Sendable {
    package static let lookEvery = Duration.seconds(30)
    /// While pods have not been read yet.
    static let pause = Duration.seconds(1)
    /// Pods that ask and run, that are kept.
    package static let podsMax = 10_000

    package enum Report: Sendable, Equatable {
        /// A look came to no end, or one report could not be written.
        case failed(KubernetesFailure)
        /// A report's condition is another one.
        case changed(namespace: String, report: String, ProtectionVerdict.Reason, message: String)
    }

    /// From pods, answers by node, and whether these are all pods.
    package typealias Judge =
        @Sendable ([RunningPod], [String: NodeAnswer], Bool) -> ProtectionVerdict

    /// A pod that asks and runs.
    struct Followed: Sendable {
        let namespace: String
        let uid: String
        let pod: RunningPod
        /// nil: it is nobody's.
        let controller: WorkloadOwners.Owner?
    }

    let api: any KubernetesAPI
    let clock: any AsyncTimeSource
    let report: @Sendable (Report) -> Void
    private let namespaces: ClusterNamespaces
    private let agents: ClusterAgents
    private let excluded: Set<String>
    private let podsMax: Int
    private let lookEvery: Duration
    private let judge: Judge
    private let count = Mutex<Int?>(nil)

    /// - Parameters:
    ///   - namespace: of the agents' pods.
    ///   - excluded: namespaces that the webhook is never asked about.
    ///   - judge: what pods and answers come to; another one for a test's broken copy.
    package init(
        api: any KubernetesAPI, agents: any NodeAgents, clock: any AsyncTimeSource,
        namespaces: ClusterNamespaces, namespace: String, excluded: Set<String>,
        podsMax: Int = ProtectionReports.podsMax,
        lookEvery: Duration = ProtectionReports.lookEvery,
        report: @escaping @Sendable (Report) -> Void = { _ in },
        judge: @escaping Judge = { ProtectionVerdict($0, $1, isComplete: $2) }
    ) {
        self.api = api
        self.clock = clock
        self.namespaces = namespaces
        self.agents = ClusterAgents(api: api, agents: agents, namespace: namespace)
        self.excluded = excluded
        self.podsMax = podsMax
        self.lookEvery = lookEvery
        self.judge = judge
        self.report = report
    }

    /// Workloads with pods that are not known to be protected; nil while nobody looks, or no look
    /// has come to its end.
    package var unprotectedCount: Int? { count.withLock { $0 } }

    /// While `isCurrent` and until the task is cancelled.
    package func run(while isCurrent: @escaping @Sendable () -> Bool) async {
        var owners = WorkloadOwners(api: api)
        while isCurrent(), !Task.isCancelled {
            guard let asking = namespaces.asking else {
                await clock.sleep(for: Self.pause)
                continue
            }
            let mirror = makeMirror()
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await mirror.run() }
                while isCurrent(), !Task.isCancelled, namespaces.asking == asking {
                    let isKnown = mirror.isKnown
                    if isKnown {
                        do throws(KubernetesFailure) {
                            try await look(mirror, &owners, while: isCurrent)
                        } catch { if error != .cancelled { report(.failed(error)) } }
                    }
                    await clock.sleep(for: isKnown ? lookEvery : Self.pause)
                }
                group.cancelAll()
            }
        }
        count.withLock { $0 = nil }
    }

    // MARK: - Pods

    private func makeMirror() -> ObjectMirror<Followed> {
        ObjectMirror(
            api: api, clock: clock, collection: UninjectedPods.collection, valuesMax: podsMax,
            report: { [report] in report(.failed($0)) },
            key: { object in
                guard let name = object.value(at: "metadata", "name")?.text else { return nil }
                return (object.value(at: "metadata", "namespace")?.text ?? "") + "/" + name
            },
            read: { [self] in followed($0) })
    }

    private func followed(_ object: JSONTree) -> Followed? {
        guard let namespace = object.value(at: "metadata", "namespace")?.text,
            let uid = object.value(at: "metadata", "uid")?.text, !excluded.contains(namespace),
            let containers = StoredPod.containers(
                of: object.rendered(),
                in: namespaces.known(namespace) ?? NamespaceFacts(name: namespace)),
            let pod = RunningPod(object, wrapped: containers.wrapped, bare: containers.bare)
        else { return nil }
        return Followed(
            namespace: namespace, uid: uid, pod: pod,
            controller: WorkloadOwners.controller(of: object))
    }

    // MARK: - One look

    private func look(
        _ mirror: ObjectMirror<Followed>, _ owners: inout WorkloadOwners,
        while isCurrent: @Sendable () -> Bool
    ) async throws(KubernetesFailure) {
        let pods = (mirror.values ?? [:]).sorted { $0.key < $1.key }.map(\.value)
        let isComplete = mirror.count == pods.count
        let workloads = try await owners.workloads(of: pods)
        var groups: [ReportedWorkload.Key: (workload: ReportedWorkload, pods: [RunningPod])] = [:]
        for (pod, workload) in zip(pods, workloads) {
            groups[workload.key, default: (workload, [])].pods.append(pod.pod)
        }
        let answers = try await agents.answers(from: Set(pods.map(\.pod.node)))
        var stored = try await StoredReports(api: api)
        // Of those that have no pods any more the reports are all that is known.
        for workload in stored.workloads where groups[workload.key] == nil {
            groups[workload.key] = (workload, [])
        }
        var unprotected = 0
        for (_, group) in groups.sorted(by: { $0.key < $1.key }) {
            let verdict = judge(group.pods, answers, isComplete)
            if verdict.status != .holds, !group.pods.isEmpty { unprotected += 1 }
            guard isCurrent(), !Task.isCancelled else { return }
            try await keep(verdict, of: group.workload, in: &stored)
        }
        count.withLock { [unprotected] in $0 = unprotected }
    }

    /// Failures that only this report has are told, and do not keep the others from being written.
    private func keep(
        _ verdict: ProtectionVerdict, of workload: ReportedWorkload, in stored: inout StoredReports
    ) async throws(KubernetesFailure) {
        do throws(KubernetesFailure) {
            let name = try await stored.keep(
                verdict, of: workload, at: clock.secondsSince1970())
            guard let name else { return }
            report(
                .changed(
                    namespace: workload.namespace, report: name, verdict.reason,
                    message: verdict.message))
        } catch {
            switch error {
            // Somebody has changed, made or deleted it: the next look sees that.
            case .conflict, .alreadyExists, .notFound: return
            case .cancelled, .unauthorized: throw error
            case _ where error.isTransient: throw error
            default: report(.failed(error))
            }
        }
    }
}
