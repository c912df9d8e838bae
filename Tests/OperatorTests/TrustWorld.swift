// SPDX-License-Identifier: Apache-2.0
import AdmissionTrust
import KubernetesFormat
import KubernetesPorts
import Operator
import Ports
import SimulatedCluster
import SimulationEngine
import SimulationScenarios
import Testing

/// Replicas of the operator on one fake API server, in virtual time, and a client that calls those
/// that are ready each second as an API server would: believing what the configuration said some
/// time ago.
final class TrustWorld: @unchecked Sendable {
    static let namespace = "security"
    static let secret = ResourceCollection(
        group: "", version: "v1", resource: "secrets", namespace: namespace
    ).object("certificates")
    static let configuration = ResourceCollection(
        group: "admissionregistration.k8s.io", version: "v1",
        resource: "mutatingwebhookconfigurations"
    ).object("cloudtaser")
    static let clusterRoles = ResourceCollection(
        group: "rbac.authorization.k8s.io", version: "v1", resource: "clusterroles")
    static let names = ["webhook.security.svc"]
    /// How far behind API servers are.
    static let lag = 20
    /// Of a look at the history.
    static let watchPause = Duration.seconds(1)

    /// 6,000 s for an authority, 900 s for a leaf.
    static func times(settle: Int64 = 30) -> CertificateTimes? {
        CertificateTimes(
            checked: 6000, leafLife: 900, backdate: 60, settle: settle, overlap: 200)
    }

    let run: SimulationRun
    let cluster = SimulatedCluster()
    let issuer = SimulatedCertificateIssuer()
    /// What each replica serves, and what it said.
    private(set) var served: [String: CertificateIdentity] = [:]
    private(set) var reports: [WebhookTrust.Report] = []
    private(set) var trusts: [String: WebhookTrust] = [:]
    /// Seconds at which a replica was ready and the client did not believe it.
    private(set) var refusedAt: [Int] = []
    private(set) var acceptedCount = 0
    /// Authorities that the configuration believed, each second; the last is now.
    private var history: [Set<[UInt8]>] = []
    private var last: (version: JSONTree?, authorities: Set<[UInt8]>)?
    /// What becomes of a call, with its number.
    var fault: @Sendable (KubernetesCall, Int) -> SimulatedKubernetesFault? = { _, _ in nil }
    private var callCount = 0
    var times = times()
    var clusterRole: String?
    var wrap: @Sendable (any KubernetesAPI) -> any KubernetesAPI = { $0 }

    init(_ run: SimulationRun) {
        self.run = run
        cluster.withServer { server in
            server.addUser(.administrator, token: "token")
            let namespace: JSONTree = [
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": ["name": .string(Self.namespace)],
            ]
            let collection = ResourceCollection(group: "", version: "v1", resource: "namespaces")
            let made = try? server.prepareCreate(
                namespace.rendered(), in: collection, WriteOptions(), token: "token")
            if let made { _ = try? server.commit(made) }
        }
        look()
    }

    // MARK: - Replicas

    func spawn(_ name: String, after delay: Duration = .zero) {
        run.after(delay) { [self] in
            run.spawn(name) { [self] context in await work(name, context.clock) }
        }
    }

    private func work(_ name: String, _ clock: SimulatedClock) async {
        let api = SimulatedKubernetesAPI(
            cluster, token: "token", clock: clock, watchPause: Self.watchPause
        ) { [self] call in
            await clock.sleep(for: .milliseconds(10))
            callCount += 1
            return fault(call, callCount)
        }
        guard let times else { return }
        var settings = WebhookTrustSettings(
            namespace: Self.namespace, secretName: Self.secret.name, names: Self.names,
            webhook: Self.webhook)
        settings.times = times
        settings.clusterRole = clusterRole
        let trust = WebhookTrust(
            api: wrap(api), clock: clock, issuer: issuer, settings: settings,
            report: { [self] in reports.append($0) }, serve: { [self] in served[name] = $0 })
        trusts[name] = trust
        await trust.run()
    }

    static let webhook = WebhookSettings(
        name: configuration.name, namespace: namespace,
        address: .service(namespace: namespace, name: "webhook", port: 443, path: "/mutate"))

    // MARK: - The client

    private func look() {
        history.append(believed)
        let trusted = history[max(0, history.count - 1 - Self.lag)]
        for (name, leaf) in served.sorted(by: { $0.key < $1.key }) {
            guard trusts[name]?.isReady == true else { continue }
            let isGood = trusted.contains { issuer.isSigned(leaf.certificate, by: $0) }
            let facts = try? issuer.facts(of: leaf.certificate)
            let now = SimulatedClock.startSecondsSince1970 + Int64(history.count - 1)
            if isGood, let facts, now < facts.validUntil, facts.names == Self.names {
                acceptedCount += 1
            } else {
                refusedAt.append(history.count - 1)
            }
        }
        run.after(.seconds(1)) { [self] in look() }
    }

    /// Whom the configuration believes now.
    private var believed: Set<[UInt8]> {
        guard let object = stored(Self.configuration) else { return [] }
        let version = object.value(at: "metadata", "resourceVersion")
        if let last, last.version == version { return last.authorities }
        let authorities = (try? WebhookConfiguration(object.rendered()))?.authorities ?? []
        last = (version, authorities)
        return authorities
    }

    // MARK: - The cluster

    func stored(_ object: ObjectReference) -> JSONTree? {
        cluster.withServer { try? $0.get(object, token: "token") }
    }

    var holdings: CertificateHoldings? {
        stored(Self.secret).flatMap { try? CertificateSecret($0.rendered()).holdings }
    }

    /// Somebody else writes.
    func change(_ object: ObjectReference, _ change: (inout JSONTree) -> Void) {
        guard var tree = stored(object) else { return }
        change(&tree)
        let body = tree.rendered()
        cluster.withServer { server in
            let made = try? server.prepareReplace(object, body, WriteOptions(), token: "token")
            if let made { _ = try? server.commit(made) }
        }
    }

    func create(_ object: JSONTree, in collection: ResourceCollection) {
        let body = object.rendered()
        cluster.withServer { server in
            let made = try? server.prepareCreate(
                body, in: collection, WriteOptions(), token: "token")
            if let made { _ = try? server.commit(made) }
        }
    }

    func createClusterRole(_ name: String) {
        create(
            [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                "metadata": ["name": .string(name)],
            ], in: Self.clusterRoles)
    }

    func delete(_ object: ObjectReference) {
        cluster.withServer { try? $0.delete(object) }
    }

    var events: [JSONTree] {
        cluster.withServer { server in
            server.objects.filter { $0.key.resource == "events" }.map(\.value)
        }
    }

    /// Whether everything is as it should be now.
    var isSettled: Bool {
        guard let holdings,
            let body = stored(Self.configuration),
            let found = try? WebhookConfiguration(body.rendered())
        else { return false }
        return found.matches(found.wanted(Self.webhook, bundle: holdings.bundle))
            && served.values.allSatisfy { $0 == holdings.leaf }
            && trusts.values.allSatisfy(\.isReady)
    }
}

/// Runs so many seconds of virtual time.
func world(
    seconds: Int, _ build: @escaping (TrustWorld) -> Void
) throws -> TrustWorld {
    var made: TrustWorld?
    var settled = false
    let limits = RunLimits(duration: .seconds(seconds), stepsMax: 5_000_000)
    let result = SimulationRunner().run(named: "trust", limits: limits, seed: 1) { run in
        let world = TrustWorld(run)
        build(world)
        run.after(.seconds(seconds)) { settled = world.isSettled }
        made = world
    }
    #expect(result.findings.isEmpty, "\(result.findings)")
    let world = try #require(made)
    #expect(settled, "at the end, everything is as it should be")
    return world
}

extension [WebhookTrust.Report] {
    func count(of report: WebhookTrust.Report) -> Int { filter { $0 == report }.count }
}

extension JSONTree {
    mutating func setMetadata(_ name: String, _ value: JSONTree) {
        var metadata = self["metadata"] ?? [:]
        metadata[name] = value
        self["metadata"] = metadata
    }
}
