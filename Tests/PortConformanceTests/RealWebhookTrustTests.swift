// SPDX-License-Identifier: Apache-2.0
import AdmissionTrust
import AsyncClock
import Foundation
import Injection
import Kubeconfig
import KubernetesFormat
import KubernetesHTTP
import KubernetesPorts
import KubernetesServer
import LoopbackPKI
import Operator
import Ports
import ScriptedServer
import Synchronization
import Testing
import X509Issuer

/// Two replicas of the webhook, with real certificates and TLS, and a real API server that asks
/// them. Time is moved by the test, so that no step waits for it.
@Suite(
    "RealWebhookTrustTests",
    .enabled(if: KubernetesServer.programs != nil, "CLOUDTASER_KUBERNETES names no directory"))
struct RealWebhookTrustTests {
    static let count = 1

    @Test("certificates rotate while the API server asks, and what somebody breaks is put right")
    func rotation() async throws {
        let stage = try await TrustStage()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for replica in stage.replicas { group.addTask { await replica.trust.run() } }
            group.addTask { await stage.callOnAndOn() }
            // The second begins with an authority that is new.
            try await stage.wait("both serve") { stage.replicas.allSatisfy { $0.served != nil } }
            stage.clock.advance(by: .seconds(TrustStage.times.settle + 1))
            try await stage.wait("both are ready") { stage.replicas.allSatisfy(\.trust.isReady) }
            try await stage.everybodyConnects()

            // Another authority: whoever knows the first only, still connects.
            let first = try await stage.bundle()
            try await stage.call.delete(stage.secret)
            try await stage.wait("two are believed") {
                PEMBundle.certificates(in: try await stage.bundle()).count == 2
            }
            try await stage.everybodyConnects()
            #expect(await stage.failures(trusting: first) == [nil, nil])

            // API servers have had it for a while: certificates are of the second.
            let before = stage.replicas.map(\.served)
            stage.clock.advance(by: .seconds(TrustStage.times.settle + 1))
            try await stage.wait("both serve another") {
                zip(stage.replicas, before).allSatisfy { $0.served != $1 }
            }
            try await stage.everybodyConnects()
            for failure in await stage.failures(trusting: first) {
                guard case .tlsFailed = failure else {
                    Issue.record("control: the first authority still signs: \(failure as Any)")
                    continue
                }
            }

            stage.clock.advance(by: .seconds(TrustStage.times.overlap))
            try await stage.wait("one is believed") {
                PEMBundle.certificates(in: try await stage.bundle()).count == 1
            }
            try await stage.everybodyConnects()
            #expect(stage.failed.withLock { $0 } == [], "somebody was refused meanwhile")
            stage.stop()

            try await stage.call.patch(
                stage.configuration, .json,
                [["op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"]])
            try await stage.wait("the policy is put right") {
                try await stage.call.get(stage.configuration)["webhooks"]?.elements?.first?[
                    "failurePolicy"] == "Fail"
            }
            try await stage.call.delete(stage.configuration)
            try await stage.wait("the configuration is there again") {
                try await !stage.bundle().isEmpty
            }
            try await stage.everybodyConnects()
            group.cancelAll()
        }
        try await stage.call.delete(stage.configuration)
    }
}

/// The real clocks, and what the test adds.
private final class MovedClock: AsyncTimeSource {
    private let clock = AsyncClock()
    private let added = Mutex(Duration.zero)

    func advance(by duration: Duration) { added.withLock { $0 += duration } }

    func monotonic() -> MonotonicTime { clock.monotonic().advanced(by: added.withLock { $0 }) }

    func secondsSince1970() -> Int64 {
        clock.secondsSince1970() + added.withLock { $0.components.seconds }
    }

    func sleep(until time: MonotonicTime) async {
        while monotonic() < time, !Task.isCancelled {
            let rest = monotonic().duration(to: time)
            await clock.sleep(for: min(rest, .milliseconds(20)))
        }
    }
}

private final class TrustStage: Sendable {
    struct Replica: Sendable {
        let server: ScriptedServer
        let trust: WebhookTrust
        let leaf: Mutexed<CertificateIdentity?>
        var served: CertificateIdentity? { leaf.value.withLock { $0 } }
    }

    final class Mutexed<Value: Sendable>: Sendable {
        let value: Mutex<Value>
        init(_ value: Value) { self.value = Mutex(value) }
    }

    /// Everything is longer than the test, but for what the test moves.
    static let times: CertificateTimes =
        CertificateTimes(
            checked: 365 * 86_400, leafLife: 30 * 86_400, backdate: 2 * 86_400, settle: 7200,
            overlap: 86_400) ?? .usual

    let clock = MovedClock()
    let call: ClusterCaller
    let secret: ObjectReference
    let configuration: ObjectReference
    let replicas: [Replica]
    let failed = Mutex<[String]>([])
    private let pods: ResourceCollection
    private let rounds = Mutex(0)
    private let isStopped = Mutex(false)

    init() async throws {
        let bench = try KubernetesBench.shared.get()
        call = ClusterCaller(try bench.api(.administrator))
        let own = try await bench.namespace()
        let workload = try await bench.namespace()
        pods = ResourceCollection(group: "", version: "v1", resource: "pods", namespace: workload)
        var accounts = pods
        accounts.resource = "serviceaccounts"
        try await call.create(
            ["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "default"]],
            accounts)
        var secrets = pods
        secrets.resource = "secrets"
        secrets.namespace = own
        secret = secrets.object("webhook-certificates")
        configuration = ResourceCollection(
            group: "admissionregistration.k8s.io", version: "v1",
            resource: "mutatingwebhookconfigurations"
        ).object(own)
        var servers: [ScriptedServer] = []
        for _ in 0..<2 {
            servers.append(
                try await ScriptedServer(pki: LoopbackPKI()) { request, _ in
                    ScriptedAnswer(
                        200, Self.answer(request.body),
                        headers: [("Content-Type", "application/json")])
                })
        }
        let address = servers[0].address
        let webhook = WebhookSettings(
            name: own, namespace: own, address: .url(address + "/mutate"), selector: .label)
        var settings = WebhookTrustSettings(
            namespace: own, secretName: secret.name, names: ["127.0.0.1"], webhook: webhook)
        settings.times = Self.times
        settings.quietTime = .milliseconds(20)
        var replicas: [Replica] = []
        for server in servers {
            let leaf = Mutexed<CertificateIdentity?>(nil)
            let trust = WebhookTrust(
                api: call.api, clock: clock, issuer: X509Issuer(), settings: settings
            ) { identity in
                try? server.use(
                    Identity(
                        certificatePEM: String(decoding: identity.certificate, as: UTF8.self),
                        keyPEM: String(decoding: identity.privateKey.pem, as: UTF8.self)))
                leaf.value.withLock { $0 = identity }
            }
            replicas.append(Replica(server: server, trust: trust, leaf: leaf))
        }
        self.replicas = replicas
    }

    /// Allows everything; what is no review is answered with an object.
    private static func answer(_ body: [UInt8]) -> String {
        guard let uid = (try? JSONTree(body))?.value(at: "request", "uid")?.text else {
            return "{}"
        }
        return #"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","#
            + #""response":{"uid":"\#(uid)","allowed":true}}"#
    }

    /// No bound but the suite's own: the machine may be busy.
    func wait(_ what: String, _ holds: () async throws -> Bool) async throws {
        for _ in 0..<6000 {
            do { if try await holds() { return } } catch KubernetesFailure.notFound {}
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("never: \(what)")
        throw CancellationError()
    }

    /// What the API server is told to believe.
    func bundle() async throws -> [UInt8] {
        let webhooks = try await call.get(configuration)["webhooks"]?.elements
        return Base64.decoded(webhooks?.first?.value(at: "clientConfig", "caBundle")?.text ?? "")
            ?? []
    }

    /// How each replica's TLS looks to somebody who believes this only.
    func failures(trusting bundle: [UInt8]) async -> [KubernetesFailure?] {
        var failures: [KubernetesFailure?] = []
        for replica in replicas {
            var settings = KubernetesHTTPSettings.patient
            settings.isRetrying = false
            do throws(KubernetesFailure) {
                let client = try KubernetesHTTP(
                    ClusterEndpoint(server: replica.server.address, authorities: bundle),
                    credentials: FixedCredentials(ClusterCredential()), settings: settings)
                _ = try await client.get(pods.object("a"))
                failures.append(nil)
                await client.shutDown()
            } catch { failures.append(error) }
        }
        return failures
    }

    /// Somebody who reads what is believed, and connects: again and again.
    func callOnAndOn() async {
        while !Task.isCancelled, !isStopped.withLock({ $0 }) {
            if let bundle = try? await bundle(), !bundle.isEmpty,
                replicas.allSatisfy(\.trust.isReady)
            {
                for failure in await failures(trusting: bundle) {
                    if let failure { failed.withLock { $0.append("\(failure)") } }
                }
                rounds.withLock { $0 += 1 }
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    func stop() { isStopped.withLock { $0 = true } }

    /// The API server has seen everything up to now, its pods are admitted by the webhook, and so
    /// are the clients that connect all the time.
    func everybodyConnects() async throws {
        try await KubernetesBench.untilSeen(call, pods)
        let asked = replicas[0].server.requests.filter { $0.target.hasPrefix("/mutate") }.count
        try await call.create(
            [
                "apiVersion": "v1", "kind": "Pod",
                "metadata": ["generateName": "a-", "labels": ["cloudtaser.io/inject": "true"]],
                "spec": ["containers": [["name": "a", "image": "a"]]],
            ], pods, isDryRun: true)
        let now = replicas[0].server.requests.filter { $0.target.hasPrefix("/mutate") }.count
        #expect(now == asked + 1, "the API server asked")
        guard !isStopped.withLock({ $0 }) else { return }
        let round = rounds.withLock { $0 }
        try await wait("clients connect") { self.rounds.withLock { $0 } >= round + 2 }
    }
}

extension KubernetesBench {
    /// The server tells its own changes of webhooks in their order: when it follows one that is
    /// newer, it has seen those before.
    fileprivate static func untilSeen(
        _ call: ClusterCaller, _ pods: ResourceCollection
    ) async throws {
        let collection = ResourceCollection(
            group: "admissionregistration.k8s.io", version: "v1",
            resource: "mutatingwebhookconfigurations")
        let name = "marker-" + UUID().uuidString.lowercased()
        try await call.create(
            [
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingWebhookConfiguration", "metadata": ["name": .string(name)],
                "webhooks": [
                    [
                        "name": "marked.example.com", "sideEffects": "None",
                        "clientConfig": ["url": "https://127.0.0.1:1/"],
                        "admissionReviewVersions": ["v1"], "timeoutSeconds": 30,
                        "rules": [
                            [
                                "apiGroups": [""], "apiVersions": ["v1"],
                                "operations": ["CREATE"], "resources": ["configmaps"],
                            ]
                        ],
                        "objectSelector": ["matchLabels": ["marked": .string(name)]],
                    ]
                ],
            ], collection)
        var maps = pods
        maps.resource = "configmaps"
        try await waitUntilAsked(call, maps, marked: name)
        try await call.delete(collection.object(name))
    }
}
