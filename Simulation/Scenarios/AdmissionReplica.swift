// SPDX-License-Identifier: Apache-2.0
internal import Admission
internal import AdmissionTrust
internal import ImagePorts
internal import Injection
internal import KubernetesFormat
internal import KubernetesPorts
internal import Operator
internal import Ports
internal import SimulatedCluster
internal import SimulationEngine

/// One incarnation of the operator, put together as the program does it.
final class AdmissionReplica: @unchecked Sendable {
    /// A review on its way, and where the answer is waited for.
    struct Call {
        let review: [UInt8]
        let answer: SimulatedMailbox<[UInt8]>
    }

    static let watchPause = Duration.seconds(2)
    private static let callsMax = 64

    let calls: SimulatedMailbox<Call>
    /// Since when its policies may be behind.
    let followed: FollowedPolicies
    private(set) var leaf: CertificateIdentity?

    private let tampering: AdmissionScenario.Tampering
    private let policies: ClusterPolicies
    private let namespaces: ClusterNamespaces
    private var trust: WebhookTrust?
    private let handler: AdmissionHandler

    init(
        _ context: ComponentContext, _ cluster: SimulatedCluster,
        _ issuer: SimulatedCertificateIssuer, _ tampering: AdmissionScenario.Tampering
    ) {
        let (run, clock, name) = (context.run, context.clock, context.name)
        self.tampering = tampering
        calls = SimulatedMailbox(capacity: Self.callsMax, in: run)
        let begins = Begins()
        let plain = SimulatedKubernetesAPI(
            cluster, token: "token", clock: clock, watchPause: Self.watchPause
        ) { call in
            let fault = await run.meet(call, of: name, clock, lost: "admission.answer-lost")
            if case .before = fault { return fault }
            begins.policies?.begins(call)
            return fault
        }
        followed = FollowedPolicies(api: tampering.wrap(plain), clock: clock)
        begins.policies = followed
        policies = ClusterPolicies(api: followed, clock: clock)
        namespaces = ClusterNamespaces(api: followed, clock: clock)
        handler = AdmissionHandler(
            policies: policies, namespaces: tampering.namespaces(namespaces),
            images: NobodysImages(), selector: .label, clock: clock, metrics: AdmissionMetrics())
        var settings = WebhookTrustSettings(
            namespace: AdmissionWorld.namespace, secretName: "certificates",
            names: ["webhook.cloudtaser.svc"], webhook: AdmissionWorld.webhook)
        guard
            let times = CertificateTimes(
                checked: 400, leafLife: 120, backdate: 20, settle: 10, overlap: 60)
        else { preconditionFailure("times of certificates that do not fit") }
        settings.times = times
        settings.lookEvery = .seconds(20)
        trust = WebhookTrust(
            api: followed, clock: clock, issuer: issuer, settings: settings,
            report: { if $0 == .leafRenewed { run.marks.hit("admission.leaf-renewed") } },
            serve: { [unowned self] in leaf = $0 })
    }

    /// As the program's readiness has it.
    var isReady: Bool {
        policies.mirror.isKnown && namespaces.mirror.isKnown && trust?.isReady == true
    }

    func work() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.policies.mirror.run() }
            group.addTask { await self.namespaces.mirror.run() }
            if let trust { group.addTask { await trust.run() } }
            while let call = await calls.receive() {
                group.addTask { call.answer.send(await self.reply(to: call.review)) }
            }
        }
    }

    /// - Returns: the body of the answer; empty: the review was none.
    private func reply(to review: [UInt8]) async -> [UInt8] {
        switch await handler.reply(to: tampering.review(review), .mutate) {
        case .badRequest: return []
        case .answer(let answer):
            guard case .patched(let patch) = answer.outcome else { return answer.rendered() }
            let reply = AdmissionReply.answer(
                .init(
                    uid: answer.uid, outcome: .patched(tampering.patch(review, patch)),
                    warnings: answer.warnings))
            guard case .answer(let changed) = reply else { return [] }
            return changed.rendered()
        }
    }
}

/// The policy of the scenario asks no registry.
private struct NobodysImages: ImageCommandSource {
    func answers(
        to question: ImageQuestion, namespace: String
    ) async -> [String: ImageAnswer] { [:] }
}

/// Whom to tell that a call has reached the server; it is made after the client that tells.
private final class Begins: @unchecked Sendable {
    weak var policies: FollowedPolicies?
}

/// Notes since when what is known of policies may be behind.
final class FollowedPolicies: ForwardingKubernetesAPI, @unchecked Sendable {
    let api: any KubernetesAPI
    private let clock: any AsyncTimeSource
    /// When the watch that is under way began to look; nil: there is none.
    private var begun: MonotonicTime?
    private var lastSure = MonotonicTime(nanoseconds: 0)
    /// When the replica stood still.
    private var pauses: [(from: MonotonicTime, until: MonotonicTime)] = []

    init(api: any KubernetesAPI, clock: any AsyncTimeSource) {
        self.api = api
        self.clock = clock
    }

    /// Everything that was so at that time, or changed before, is known.
    var sure: MonotonicTime {
        guard let begun else { return lastSure }
        let now = clock.monotonic()
        guard now > begun.advanced(by: AdmissionReplica.watchPause) else {
            return lastSure
        }
        var since = now.before(AdmissionReplica.watchPause * 2)
        for pause in pauses.reversed() where pause.until >= since {
            since = min(since, pause.from.before(AdmissionReplica.watchPause * 2))
        }
        return max(lastSure, since)
    }

    func stoodStill(from: MonotonicTime, until: MonotonicTime) { pauses.append((from, until)) }

    /// A watch has reached the server, and looks from now on.
    func begins(_ call: KubernetesCall) {
        guard call.verb == .watch, call.collection == ClusterPolicies.collection else { return }
        begun = clock.monotonic()
    }

    func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?
    ) async throws(KubernetesFailure) -> ObjectPage {
        let start = clock.monotonic()
        let page = try await api.list(
            collection, selection, limit: limit, continuation: continuation)
        if collection == ClusterPolicies.collection { lastSure = start }
        return page
    }

    func watch(
        _ collection: ResourceCollection, _ selection: ObjectSelection,
        since resourceVersion: String, time: Duration,
        receive: (WatchEvent) async -> WatchDecision
    ) async throws(KubernetesFailure) {
        defer {
            if collection == ClusterPolicies.collection {
                lastSure = sure
                begun = nil
            }
        }
        try await api.watch(
            collection, selection, since: resourceVersion, time: time, receive: receive)
    }
}

extension MonotonicTime {
    /// So much earlier; not before the start.
    func before(_ time: Duration) -> MonotonicTime {
        let length = UInt64(max(0, time / .nanoseconds(1)))
        return MonotonicTime(nanoseconds: nanoseconds > length ? nanoseconds - length : 0)
    }
}
