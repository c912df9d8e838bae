// SPDX-License-Identifier: Apache-2.0
package import AdmissionTrust
internal import KubernetesFormat
package import KubernetesPorts
internal import Ports
internal import Synchronization

/// What the webhook is and how its certificates live.
package struct WebhookTrustSettings: Sendable {
    package var namespace: String
    /// The Secret with the certificates, in that namespace.
    package var secretName: String
    /// DNS names and addresses by which API servers call the webhook.
    package var names: [String]
    package var webhook: WebhookSettings
    /// With which the configuration goes; nil: it stays for ever.
    package var clusterRole: String?
    package var times = CertificateTimes.usual
    /// A look at everything even when nothing has told of a change.
    package var lookEvery = Duration.seconds(60)
    /// Between a change and the look at it: many changes are one.
    package var quietTime = Duration.milliseconds(200)
    /// After a failure; doubles up to `lookEvery`.
    package var firstPause = Duration.seconds(1)

    package init(
        namespace: String, secretName: String, names: [String], webhook: WebhookSettings
    ) {
        self.namespace = namespace
        self.secretName = secretName
        self.names = names
        self.webhook = webhook
    }
}

/// Keeps the webhook's certificate and the API server's trust in it.
///
/// Replicas share one Secret, and each of them does all of this: a write says which state it
/// replaces, and who loses a race reads what the other wrote. A round reads the configuration
/// before the Secret and writes the configuration only in the state it read: so whoever read an
/// older Secret cannot take back what a newer one has brought.
///
/// A certificate is only handed out when the configuration that was read believes its authority.
package final class WebhookTrust: Sendable {
    /// What happened, for logs and metrics.
    package enum Report: Sendable, Equatable {
        /// The Secret was there and of no use, or was gone.
        case secretReplaced(CertificateFault?)
        case authorityAdded
        case authoritiesDropped
        case leafRenewed
        /// Somebody had changed or deleted it, or it was not there yet.
        case configurationWritten(wasMissing: Bool)
        case served
        /// The ClusterRole could not be read: the configuration will stay when it goes. Told once.
        case ownerUnknown(KubernetesFailure)
        /// A watch or an Event: nothing depends on it.
        case callFailed(KubernetesFailure)
        /// From here on a look at everything came to no end, and is taken again.
        case failed(KubernetesFailure)
        case notIssued(CertificateFailure)
        /// The API server drops the conditions that the selector needs.
        case conditionsDropped
    }

    /// Why API servers cannot call this replica yet.
    package enum Obstacle: Sendable, Equatable {
        case conditionsDropped
        case noCertificate
        case expired
        /// Or not for long enough.
        case notBelieved
    }

    struct State {
        /// The last that was read or written, and is of use.
        var held: HeldCertificates?
        /// What is handed out.
        var served: Served?
        /// Whom the configuration believed when it was read or written last.
        var belief = Belief()
        /// Whether it keeps conditions; nil: it has not been asked.
        var keepsConditions: Bool?
        var hasToldOfOwner = false
        /// What the server made of the configuration that was wanted: a field that a later version
        /// fills in is no reason to write for ever.
        var normalized: (wanted: [UInt8], stored: WebhookConfiguration)?
    }

    struct Served {
        let leaf: CertificateIdentity
        let signer: [UInt8]
        /// Seconds since 1970.
        let validUntil: Int64
        /// Nobody is to be told of it before.
        let readyAt: MonotonicTime
    }

    let api: any KubernetesAPI
    let clock: any AsyncTimeSource
    let works: CertificateWorks
    let settings: WebhookTrustSettings
    let report: @Sendable (Report) -> Void
    let state = Mutex(State())
    private let serve: @Sendable (CertificateIdentity) -> Void
    private let wakeUp = WakeUp()

    /// - Parameter serve: has new connections served with this certificate.
    package init(
        api: any KubernetesAPI, clock: any AsyncTimeSource, issuer: any CertificateIssuer,
        settings: WebhookTrustSettings, report: @escaping @Sendable (Report) -> Void = { _ in },
        serve: @escaping @Sendable (CertificateIdentity) -> Void
    ) {
        self.api = api
        self.clock = clock
        works = CertificateWorks(issuer: issuer, times: settings.times, names: settings.names)
        self.settings = settings
        self.report = report
        self.serve = serve
    }

    /// Whether a certificate is held and the API server's configuration believes it.
    package var isReady: Bool { obstacle == nil }

    package var obstacle: Obstacle? {
        let (now, seconds) = (clock.monotonic(), clock.secondsSince1970())
        return state.withLock { state in
            guard let served = state.served else {
                return state.keepsConditions == false ? .conditionsDropped : .noCertificate
            }
            guard seconds < served.validUntil else { return .expired }
            let isBelieved = now >= served.readyAt && state.belief.believes(served.signer)
            return isBelieved ? nil : .notBelieved
        }
    }

    /// Until the task is cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            for object in [secret, configuration] {
                // What it is now is read in a round: a watch can miss things, and shows what was.
                let watch = ObjectMirror<Never>(
                    api: api, clock: clock, collection: object.collection,
                    selection: ObjectSelection(fields: "metadata.name=" + object.name),
                    report: { self.report(.callFailed($0)) }, changed: { self.wakeUp.ring() },
                    read: { _ in nil })
                group.addTask { await watch.run() }
            }
            group.addTask { await self.rounds() }
        }
    }

    private func rounds() async {
        var pause = settings.firstPause
        while !Task.isCancelled {
            let next: MonotonicTime
            do throws(RoundFailure) {
                let due = try await round()
                next = min(
                    clock.monotonic().advanced(by: settings.lookEvery),
                    clock.monotonic().advanced(by: .seconds(due)))
                pause = settings.firstPause
            } catch {
                switch error {
                case .api(let failure): report(.failed(failure))
                case .certificates(let failure): report(.notIssued(failure))
                case .conditionsDropped: report(.conditionsDropped)
                }
                next = clock.monotonic().advanced(by: pause)
                pause = min(pause * 2, settings.lookEvery)
            }
            await wakeUp.wait(until: next, clock: clock)
            await clock.sleep(for: settings.quietTime)
        }
    }

    // MARK: - Results of a round

    /// - Parameters:
    ///   - found: whom the configuration believed before this replica wrote it.
    ///   - believed: whom it believes now.
    /// - Returns: when the certificate that is held may be served; nil: it is.
    func accept(
        _ held: HeldCertificates, found: Set<[UInt8]>, believed: Set<[UInt8]>
    ) -> MonotonicTime? {
        let (now, seconds) = (clock.monotonic(), clock.secondsSince1970())
        let settle = Duration.seconds(settings.times.settle)
        let (toServe, wait) = state.withLock { state -> (CertificateIdentity?, MonotonicTime?) in
            let isFirst = state.held == nil
            state.held = held
            state.belief.update(believed, at: now)
            if isFirst { state.belief.credit(held, found: found, at: seconds, works.times) }
            let leaf = held.holdings.leaf
            guard state.served?.leaf != leaf else { return (nil, nil) }
            guard let readyAt = state.belief.settled(held.signer, after: settle) else {
                return (nil, now.advanced(by: settle))
            }
            if let served = state.served, seconds < served.validUntil,
                state.belief.believes(served.signer), now < readyAt
            {
                return (nil, readyAt)
            }
            // One that has served already, stays ready: there is nothing better to be had.
            state.served = Served(
                leaf: leaf, signer: held.signer, validUntil: held.view.leaf.validUntil,
                readyAt: state.served == nil ? readyAt : now)
            return (leaf, nil)
        }
        if let toServe {
            serve(toServe)
            report(.served)
        }
        return wait
    }

    var secret: ObjectReference {
        ResourceCollection(
            group: "", version: "v1", resource: "secrets", namespace: settings.namespace
        ).object(settings.secretName)
    }

    var configuration: ObjectReference {
        ResourceCollection(
            group: "admissionregistration.k8s.io", version: "v1",
            resource: "mutatingwebhookconfigurations"
        ).object(settings.webhook.name)
    }

    var clusterRole: ObjectReference? {
        settings.clusterRole.map {
            ResourceCollection(
                group: "rbac.authorization.k8s.io", version: "v1", resource: "clusterroles"
            ).object($0)
        }
    }
}

/// Why a round came to no end.
enum RoundFailure: Error {
    case api(KubernetesFailure)
    case certificates(CertificateFailure)
    case conditionsDropped
}
