// SPDX-License-Identifier: Apache-2.0
internal import AdmissionTrust
internal import Injection
internal import KubernetesFormat
internal import KubernetesPorts
internal import Operator
internal import Ports
internal import SimulatedCluster
internal import SimulationEngine

/// The cluster of `AdmissionScenario`: its API server, who answers its questions, who creates pods
/// and what becomes of them.
final class AdmissionWorld: @unchecked Sendable {
    static let namespace = "cloudtaser"
    static let replicaNames = ["one", "two"]
    static let webhook = WebhookSettings(
        name: "cloudtaser", namespace: namespace,
        address: .service(namespace: namespace, name: "webhook", port: 443, path: "/mutate"),
        selector: .label)
    private static let address = "service/cloudtaser/webhook/mutate"
    /// Where the API server's calls come from: not where its answers to replicas do.
    private static let caller = "caller"
    private static let stormSizeMax = 8

    let run: SimulationRun
    let cluster = SimulatedCluster()
    var replicas: [String: AdmissionReplica] = [:]
    var history = AdmissionHistory()
    /// When the label of the namespace `changing` changed last.
    var relabelled = MonotonicTime(nanoseconds: 0)
    private let tampering: AdmissionScenario.Tampering
    private let issuer = SimulatedCertificateIssuer()
    /// Of each pod that is being admitted: which policies whoever answered may still hold.
    private var sure: [String: MonotonicTime] = [:]
    private let clock = WorldClock()

    init(_ run: SimulationRun, _ tampering: AdmissionScenario.Tampering) {
        self.run = run
        self.tampering = tampering
        cluster.withServer { server in
            server.addUser(.administrator, token: "token")
            server.registerPolicies()
            for name in AdmissionGrant.namespaces + [Self.namespace] {
                server.write(Self.namespaceObject(name, label: name == "asking" ? "true" : nil))
            }
        }
        cluster.serve(Self.address) { [self] review, seconds in
            await call(review, within: .seconds(seconds))
        }
        setPolicies([AdmissionGrant.all])
        // Nobody may go through a run without a pod.
        admit(false)
    }

    // MARK: - Replicas

    func work(_ name: String, _ context: ComponentContext) async {
        let replica = AdmissionReplica(context, cluster, issuer, tampering)
        replicas[name] = replica
        await replica.work()
    }

    /// The API server's question to one of the replicas, mostly one that is ready.
    private func call(_ review: [UInt8], within time: Duration) async -> AdmissionAnswer {
        let deadline = run.later(time)
        let isStale = run.choices.happens(1, in: 8, label: "admission/endpoint")
        let names = replicas.filter { isStale || $0.value.isReady }.keys.sorted()
        guard let clock = clock.clock, !names.isEmpty else { return .unreachable }
        let name = run.choices.pick(names, label: "admission/endpoint")
        var isReset = false
        switch run.network.route(from: Self.caller, to: name) {
        case .refused: return .unreachable
        case .lost:
            await clock.sleep(until: deadline)
            return .timedOut
        case .reached(_, let latency): await clock.sleep(until: min(deadline, run.later(latency)))
        case .reset(_, let latency):
            isReset = true
            await clock.sleep(until: min(deadline, run.later(latency)))
        }
        guard run.now < deadline else { return .timedOut }
        guard let replica = replicas[name], isBelieved(replica) else {
            run.marks.hit("admission.not-believed")
            return .unreachable
        }
        if let pod = (try? JSONTree(review))?.value(at: "request", "name")?.text {
            sure[pod] = replica.followed.sure
        }
        let answer = SimulatedMailbox<[UInt8]>(capacity: 1, in: run)
        replica.calls.send(AdmissionReplica.Call(review: review, answer: answer))
        guard let reply = await answer.receive(until: deadline) else { return .timedOut }
        guard !isReset else {
            run.marks.hit("admission.reply-lost")
            return .unreachable
        }
        return .answered(reply)
    }

    private func isBelieved(_ replica: AdmissionReplica) -> Bool {
        guard let leaf = replica.leaf?.certificate, let facts = try? issuer.facts(of: leaf),
            clock.secondsSince1970 < facts.validUntil,
            let stored = stored(Self.configuration),
            let configuration = try? WebhookConfiguration(stored.rendered())
        else { return false }
        return configuration.authorities.contains { issuer.isSigned(leaf, by: $0) }
    }

    static let configuration = ResourceCollection(
        group: "admissionregistration.k8s.io", version: "v1",
        resource: "mutatingwebhookconfigurations"
    ).object(webhook.name)

    func stored(_ object: ObjectReference) -> JSONTree? {
        cluster.withServer { try? $0.get(object, token: "token") }
    }

    // MARK: - Users

    /// Storms of pods, and after the end of faults some that have to be admitted.
    func createPods(_ context: ComponentContext) async {
        clock.clock = context.clock
        let api = SimulatedKubernetesAPI(cluster, token: "token", clock: context.clock)
        // What the chart's ValidatingAdmissionPolicy refuses meanwhile.
        while stored(Self.configuration) == nil { await context.clock.sleep(for: .seconds(1)) }
        await withTaskGroup(of: Void.self) { group in
            let healTime = MonotonicTime(nanoseconds: 0)
                .advanced(by: .seconds(AdmissionScenario.healTime))
            var count = 0
            while run.now < healTime {
                let pause = run.choices.draw(in: 1...20, label: "workload/storm")
                await context.clock.sleep(for: .seconds(pause))
                let size = run.choices.draw(in: 1...Self.stormSizeMax, label: "workload/storm")
                for _ in 0..<size {
                    count += 1
                    let pod = AdmissionPod("pod-\(count)", run.choices)
                    group.addTask { _ = await self.create(pod, api) }
                }
            }
        }
        var count = 0
        while true {
            count += 1
            var isAdmitted = true
            for namespace in AdmissionGrant.namespaces {
                let pod = AdmissionPod(plainly: "plain-\(count)", in: namespace)
                if await !create(pod, api) { isAdmitted = false }
            }
            admit(isAdmitted)
            await context.clock.sleep(for: .seconds(15))
        }
    }

    private var isAdmitting: Bool?

    private func admit(_ holds: Bool) {
        if holds != isAdmitting { run.report(ConditionChanged("admitted", holds: holds)) }
        isAdmitting = holds
    }

    /// - Returns: whether it was stored.
    private func create(_ pod: AdmissionPod, _ api: SimulatedKubernetesAPI) async -> Bool {
        let collection = Self.pods(pod.namespace)
        let begun = run.now
        let asks = pod.asks(label(of: pod.namespace))
        sure[pod.name] = run.now
        let outcome: Result<[UInt8], KubernetesFailure>
        do throws(KubernetesFailure) {
            outcome = .success(try await api.create(pod.document, in: collection, WriteOptions()))
        } catch { outcome = .failure(error) }
        switch outcome {
        case .success(let bytes):
            if let stored = try? JSONTree(bytes) { judge(pod, stored, asks: asks, since: begun) }
            cluster.withServer { try? $0.delete(collection.object(pod.name)) }
        case .failure(let failure):
            guard asks else {
                run.report(BystanderRefused(pod: pod.name, reason: "\(failure)"))
                return false
            }
            if case .deniedByAdmission(let message) = failure,
                message.contains("failed calling webhook")
            {
                run.marks.hit("admission.webhook-away")
            } else {
                run.marks.hit("admission.refused")
            }
        }
        if case .success = outcome { return true }
        return false
    }

    private func judge(
        _ pod: AdmissionPod, _ stored: JSONTree, asks: Bool, since begun: MonotonicTime
    ) {
        guard asks else { return run.marks.hit("admission.not-asked") }
        let (bare, wrapped) = pod.containers(of: stored)
        // Whoever takes its namespace's label away meanwhile, takes the pod's wish with it.
        let isUnsure = pod.label == nil && relabelled >= begun && wrapped.isEmpty
        guard !isUnsure else { return }
        let foreign = wrapped.filter { container in
            container.origins != container.vault
                || !history.grants(
                    pod.namespace, vault: container.vault, role: container.role,
                    paths: container.paths, since: min(begun, sure[pod.name] ?? begun))
        }
        run.marks.hit("admission.wrapped")
        if pod.isRestartable { run.marks.hit("admission.restartable") }
        if pod.isColliding { run.marks.hit("admission.colliding") }
        run.report(
            PodStored(
                pod.name, bare: bare,
                foreign: foreign.map { "\($0.name): \($0.vault) \($0.role) \($0.paths)" }))
    }

    private func label(of namespace: String) -> String? {
        stored(ClusterNamespaces.collection.object(namespace))?
            .value(at: "metadata", "labels", AdmissionPod.key)?.text
    }

    private static func pods(_ namespace: String) -> ResourceCollection {
        ResourceCollection(group: "", version: "v1", resource: "pods", namespace: namespace)
    }
}

/// The clock of whoever creates pods, whose calls the API server's are part of.
final class WorldClock: @unchecked Sendable {
    var clock: SimulatedClock?
    var secondsSince1970: Int64 { clock?.secondsSince1970() ?? 0 }
}
