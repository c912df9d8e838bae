// SPDX-License-Identifier: Apache-2.0
internal import AdmissionTrust
internal import KubernetesFormat
internal import KubernetesPorts
internal import Operator
internal import Ports
internal import SimulatedCluster
internal import SimulationEngine

/// The cluster of `CertificateScenario`: what replicas serve, what API servers believe, and who
/// interferes.
final class CertificateWorld: @unchecked Sendable {
    private static let namespace = "default"
    private static let secret = ResourceCollection(
        group: "", version: "v1", resource: "secrets", namespace: namespace
    ).object("certificates")
    private static let configuration = ResourceCollection(
        group: "admissionregistration.k8s.io", version: "v1",
        resource: "mutatingwebhookconfigurations"
    ).object("cloudtaser")
    /// Whole seconds that each API server is behind; less than a new authority is given.
    private static let lags = [0, 5, 20]
    private static let watchPause = Duration.seconds(2)
    private static let backdate: Int64 = 20
    /// Seconds until each replica that works has looked again, whatever kept it from it: a
    /// partition of 25, the pause after it, and calls that come to nothing.
    private static let blindTime = 60

    /// What an API server can know of the configuration.
    private struct Snapshot {
        var uid: JSONTree?
        var version: JSONTree?
        var authorities: Set<[UInt8]> = []
    }

    private struct Replica {
        let trust: WebhookTrust
        var leaf: CertificateIdentity?
    }

    private let run: SimulationRun
    private let tampering: CertificateScenario.Tampering
    private let cluster = SimulatedCluster()
    private let issuer = SimulatedCertificateIssuer()
    private var replicas: [String: Replica] = [:]
    private var paused: Set<String> = []
    /// Each second; the last is now.
    private var history: [Snapshot] = []
    private var wasSettled: Bool?
    /// When somebody's certificate had run out for want of an API server.
    private var lastExpired: Int?
    /// When somebody had deleted both the Secret and the configuration. Whoever begins then cannot
    /// know what others serve.
    private var lastErased: Int?
    private var lastLook: (versions: [JSONTree?], isConsistent: Bool)?

    init(_ run: SimulationRun, _ tampering: CertificateScenario.Tampering) {
        self.run = run
        self.tampering = tampering
        cluster.withServer { $0.addUser(.administrator, token: "token") }
    }

    // MARK: - Replicas

    func work(_ name: String, _ context: ComponentContext) async {
        let clock = context.clock
        let plain = SimulatedKubernetesAPI(
            cluster, token: "token", clock: clock, watchPause: Self.watchPause
        ) { [run] call in
            await run.meet(call, of: name, clock, lost: "trust.answer-lost")
        }
        guard
            let times = CertificateTimes(
                checked: 1000, leafLife: 330, backdate: Self.backdate, settle: tampering.settle,
                overlap: tampering.overlap)
        else { return }
        var settings = WebhookTrustSettings(
            namespace: Self.namespace, secretName: Self.secret.name, names: ["webhook.default.svc"],
            webhook: Self.webhook)
        settings.times = times
        settings.lookEvery = .seconds(20)
        let trust = WebhookTrust(
            api: tampering.wrap(plain), clock: clock, issuer: issuer, settings: settings,
            report: { [self] in mark($0) }, serve: { [self] in replicas[name]?.leaf = $0 })
        replicas[name] = Replica(trust: trust)
        await trust.run()
    }

    private static let webhook = WebhookSettings(
        name: configuration.name, namespace: namespace,
        address: .service(namespace: namespace, name: "webhook", port: 443, path: "/mutate"))

    private func mark(_ report: WebhookTrust.Report) {
        switch report {
        case .authorityAdded: run.marks.hit("trust.authority-added")
        case .authoritiesDropped: run.marks.hit("trust.authority-dropped")
        case .leafRenewed: run.marks.hit("trust.leaf-renewed")
        case .secretReplaced where history.count > 5: run.marks.hit("trust.secret-replaced")
        case .configurationWritten(wasMissing: true) where history.count > 5:
            run.marks.hit("trust.configuration-healed")
        default: break
        }
    }

    // MARK: - API servers

    /// Once a second, until the end.
    func look() {
        history.append(now)
        let present = history.count - 1
        if replicas.values.contains(where: isExpired) { lastExpired = present }
        for (server, lag) in Self.lags.enumerated() {
            let known = history[max(0, present - lag)]
            // One that knows none asks nobody; nor can anybody answer for what was deleted.
            guard known.uid != nil, known.uid == history[present].uid else { continue }
            // Nor can anybody have waited who could not reach the API server until the end.
            guard present - (lastExpired ?? -lag - 1) > lag else { continue }
            for (name, replica) in replicas.sorted(by: { $0.key < $1.key }) {
                guard replica.trust.isReady, !paused.contains(name),
                    !isOfErased(replica, present - lag)
                else { continue }
                run.marks.hit("trust.called")
                let leaf = replica.leaf?.certificate ?? []
                guard !known.authorities.contains(where: { issuer.isSigned(leaf, by: $0) }) else {
                    continue
                }
                run.report(WebhookRefused(replica: name, server: server))
            }
        }
        let settled = isSettled
        if settled != wasSettled { run.report(ConditionChanged("trusted", holds: settled)) }
        wasSettled = settled
        run.after(.seconds(1)) { [self] in look() }
    }

    /// Whether it serves what was made before all was deleted, and may not have looked since.
    private func isOfErased(_ replica: Replica, _ second: Int) -> Bool {
        guard let lastErased, second - lastErased <= Self.blindTime, let leaf = replica.leaf,
            let facts = try? issuer.facts(of: leaf.certificate)
        else { return false }
        let made = facts.validFrom + Self.backdate - SimulatedClock.startSecondsSince1970
        return made <= lastErased
    }

    private func isExpired(_ replica: Replica) -> Bool {
        guard let leaf = replica.leaf, let facts = try? issuer.facts(of: leaf.certificate) else {
            return false
        }
        return SimulatedClock.startSecondsSince1970 + Int64(history.count - 1) >= facts.validUntil
    }

    private var now: Snapshot {
        guard let object = stored(Self.configuration) else { return Snapshot() }
        let version = object.value(at: "metadata", "resourceVersion")
        if let last = history.last, last.version == version { return last }
        let parsed = try? WebhookConfiguration(object.rendered())
        return Snapshot(
            uid: object.value(at: "metadata", "uid"), version: version,
            authorities: parsed?.authorities ?? [])
    }

    private var isSettled: Bool {
        replicas.values.allSatisfy { $0.trust.isReady } && isConsistent
    }

    /// Whether the configuration is what the Secret wants; looked at when one of them has changed.
    private var isConsistent: Bool {
        let (secret, configuration) = (stored(Self.secret), stored(Self.configuration))
        let versions = [secret, configuration].map { $0?.value(at: "metadata", "resourceVersion") }
        if let last = lastLook, last.versions == versions { return last.isConsistent }
        let isConsistent = Self.isConsistent(secret, configuration)
        lastLook = (versions, isConsistent)
        return isConsistent
    }

    private static func isConsistent(_ secret: JSONTree?, _ configuration: JSONTree?) -> Bool {
        guard let secret, let configuration,
            let holdings = try? CertificateSecret(secret.rendered()).holdings,
            let found = try? WebhookConfiguration(configuration.rendered())
        else { return false }
        return found.matches(found.wanted(webhook, bundle: holdings.bundle))
    }

    private func stored(_ object: ObjectReference) -> JSONTree? {
        cluster.withServer { try? $0.get(object, token: "token") }
    }

    // MARK: - Troubles

    /// Crashes, hangs and partitions of replicas, and somebody who deletes and changes; all before
    /// faults are healed.
    func upset() {
        for name in ["one", "two"] {
            run.drawUpsets(in: 5...450, secondsMax: 25, kinds: 3) { [self] in
                upset(name, kind: $0, for: $1)
            }
        }
        for _ in 0..<run.choices.draw(below: 4, label: "workload/meddling") {
            let second = run.choices.draw(in: 5...450, label: "workload/time")
            let kind = run.choices.draw(below: 4, label: "workload/kind")
            run.after(.seconds(second)) { [self] in meddle(kind) }
        }
    }

    private func upset(_ name: String, kind: Int, for length: Duration) {
        switch kind {
        case 0:
            run.crash(name)
            replicas[name] = nil
            run.after(length) { [run] in run.restart(name) }
        case 1:
            run.pause(name)
            paused.insert(name)
            run.after(length) { [self] in
                run.resume(name)
                paused.remove(name)
            }
        default:
            run.network.partition(name, "server")
            run.after(length) { [run] in run.network.heal(name, "server") }
        }
    }

    private func meddle(_ kind: Int) {
        cluster.withServer { server in
            switch kind {
            case 0: try? server.delete(Self.secret)
            case 1: try? server.delete(Self.configuration)
            case 2: server.compact()
            default:
                guard var object = try? server.get(Self.secret, token: "token") else { return }
                object["data"] = ["tls.crt": "QQ=="]
                let made = try? server.prepareReplace(
                    Self.secret, object.rendered(), WriteOptions(), token: "token")
                if let made { _ = try? server.commit(made) }
            }
        }
        if stored(Self.secret) == nil, stored(Self.configuration) == nil {
            lastErased = history.count
        }
    }
}
