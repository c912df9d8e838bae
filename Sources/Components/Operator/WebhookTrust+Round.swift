// SPDX-License-Identifier: Apache-2.0
internal import AdmissionTrust
internal import KubernetesFormat
internal import KubernetesPorts
internal import Ports
internal import Synchronization

extension WebhookTrust {
    /// Changes of one round: three steps of a rotation and what two replicas may lose to each
    /// other meanwhile.
    private static let attemptsMax = 8

    /// One look at everything, and what is to be done about it.
    ///
    /// - Returns: seconds until there is something to do again.
    func round() async throws(RoundFailure) -> Int64 {
        try await checkConditions()
        for _ in 0..<Self.attemptsMax {
            let stored = try await readConfiguration()
            let found = stored?.authorities ?? []
            guard let held = try await certificates(found) else { continue }
            guard let believed = try await believed(stored, held.holdings.bundle) else { continue }
            let servedAt = accept(held, found: found, believed: believed)
            guard case .keep(let until) = plan(held) else { continue }
            let seconds = max(1, until - clock.secondsSince1970())
            guard let servedAt else { return seconds }
            // Rounded up: it is not to be looked for too early.
            let wait = clock.monotonic().duration(to: servedAt).components.seconds + 1
            return min(seconds, wait)
        }
        // Others write all the time; it goes on after a pause.
        throw .api(.conflict(path: configuration.path, fields: []))
    }

    private func plan(_ held: HeldCertificates) -> CertificatePlan {
        let now = clock.monotonic()
        let trustedFor = state.withLock { $0.belief.seconds(held.newest, at: now) }
        return CertificatePlan(
            held.view, at: clock.secondsSince1970(), trustedFor: trustedFor, names: works.names,
            times: works.times)
    }

    // MARK: - The Secret

    /// The Secret's certificates after what had to be done about them; nil: look again.
    ///
    /// - Parameter found: whom the configuration believes.
    private func certificates(
        _ found: Set<[UInt8]>
    ) async throws(RoundFailure) -> HeldCertificates? {
        guard let stored = try await readSecret() else {
            let new = CertificateSecret(name: secret.name, namespace: settings.namespace)
            return try await replace(new, isNew: true, because: nil, found)
        }
        let held: HeldCertificates
        do throws(CertificateFault) {
            held = try works.check(stored.holdings)
        } catch { return try await replace(stored, isNew: false, because: error, found) }
        guard let (next, done) = try changed(held) else {
            if case .startAnew = plan(held) {
                return try await replace(stored, isNew: false, because: .expired, found)
            }
            return held
        }
        return try await write(next, to: stored, isNew: false, done)
    }

    /// What the plan makes of them; nil: it does not go on from them.
    private func changed(
        _ held: HeldCertificates
    ) throws(RoundFailure) -> (CertificateHoldings, Report)? {
        let now = clock.secondsSince1970()
        do throws(CertificateFailure) {
            switch plan(held) {
            case .keep, .startAnew: return nil
            case .renewLeaf: return (try works.withNewLeaf(held, at: now), .leafRenewed)
            case .addAuthority: return (try works.withNewAuthority(held, at: now), .authorityAdded)
            case .keepAuthorities(let count):
                var fewer = held.holdings
                fewer.authorities = Array(fewer.authorities.prefix(count))
                return (fewer, .authoritiesDropped)
            }
        } catch { throw .certificates(error) }
    }

    /// Puts something of use where nothing is, or nothing of use. What this replica holds lives on
    /// beside a new authority: what it serves is believed until the new one is. So deleting the
    /// Secret rotates everything, and fails no admission.
    private func replace(
        _ stored: CertificateSecret, isNew: Bool, because fault: CertificateFault?,
        _ found: Set<[UInt8]>
    ) async throws(RoundFailure) -> HeldCertificates? {
        guard isNew || stored.isReplaceable else {
            try await delete(stored)
            return nil
        }
        let now = clock.secondsSince1970()
        let held = state.withLock { $0.held }
        let next: CertificateHoldings
        do throws(CertificateFailure) {
            if let held, isAlive(held, at: now) {
                next = try works.withNewAuthority(held, beside: found, at: now)
            } else {
                next = try works.fresh(at: now, beside: found)
            }
        } catch { throw .certificates(error) }
        let written = try await write(next, to: stored, isNew: isNew, .secretReplaced(fault))
        if written != nil, let fault { await tell(of: fault, in: stored) }
        return written
    }

    private func isAlive(_ held: HeldCertificates, at now: Int64) -> Bool {
        now < held.view.leaf.validUntil && now < held.view.authorities[held.view.signer].validUntil
    }

    private func delete(_ stored: CertificateSecret) async throws(RoundFailure) {
        do throws(KubernetesFailure) {
            try await api.delete(
                secret,
                DeletePreconditions(uid: stored.uid, resourceVersion: stored.resourceVersion),
                WriteOptions())
        } catch {
            guard Self.isLostRace(error) else { throw .api(error) }
        }
    }

    /// - Returns: nil when another was faster.
    private func write(
        _ next: CertificateHoldings, to stored: CertificateSecret, isNew: Bool, _ done: Report
    ) async throws(RoundFailure) -> HeldCertificates? {
        let body = stored.rendered(next)
        let answer: [UInt8]
        do throws(KubernetesFailure) {
            answer =
                isNew
                ? try await api.create(body, in: secret.collection, WriteOptions())
                : try await api.replace(secret, with: body, WriteOptions())
        } catch {
            guard Self.isLostRace(error) else { throw .api(error) }
            return nil
        }
        report(done)
        do throws(CertificateFault) {
            return try works.check(try? CertificateSecret(answer).holdings)
        } catch { throw .api(Self.malformed(secret, "holds what nobody wrote")) }
    }

    private func readSecret() async throws(RoundFailure) -> CertificateSecret? {
        guard let body = try await read(secret) else { return nil }
        do throws(AnswerFailure) {
            return try CertificateSecret(body)
        } catch { throw .api(Self.malformed(secret, "\(error)")) }
    }

    // MARK: - The configuration

    private func readConfiguration() async throws(RoundFailure) -> WebhookConfiguration? {
        guard let body = try await read(configuration) else { return nil }
        return try parsed(body)
    }

    /// Whom the configuration believes after it was made what is wanted; nil: look again.
    private func believed(
        _ stored: WebhookConfiguration?, _ bundle: [UInt8]
    ) async throws(RoundFailure) -> Set<[UInt8]>? {
        let old = stored ?? WebhookConfiguration(name: configuration.name)
        let wanted = old.wanted(settings.webhook, bundle: bundle, owner: await readOwner())
        let body = wanted.rendered()
        let webhooks = wanted.webhooks.rendered()
        if let stored {
            let usual = state.withLock { $0.normalized?.wanted == webhooks ? $0.normalized : nil }
            if stored.matches(usual?.stored ?? wanted) { return stored.authorities }
        }
        let answer: [UInt8]
        do throws(KubernetesFailure) {
            answer =
                stored == nil
                ? try await api.create(body, in: configuration.collection, WriteOptions())
                : try await api.replace(configuration, with: body, WriteOptions())
        } catch {
            guard Self.isLostRace(error) else { throw .api(error) }
            return nil
        }
        report(.configurationWritten(wasMissing: stored == nil))
        let written = try parsed(answer)
        state.withLock { $0.normalized = (webhooks, written) }
        return written.authorities
    }

    /// Asks with a dry run whether the server keeps conditions, until it has said yes: what it does
    /// not know it drops in silence. Its version would not tell what it is told to switch off.
    private func checkConditions() async throws(RoundFailure) {
        let isKnown = state.withLock { $0.keepsConditions == true }
        guard settings.webhook.needsMatchConditions, !isKnown else { return }
        let trial = WebhookConfiguration(name: configuration.name + "-dry-run")
            .wanted(settings.webhook, bundle: [])
        let answer: [UInt8]
        do throws(KubernetesFailure) {
            answer = try await api.create(
                trial.rendered(), in: configuration.collection, WriteOptions(isDryRun: true))
        } catch { throw .api(error) }
        let keeps = try parsed(answer).hasMatchConditions
        state.withLock { $0.keepsConditions = keeps }
        guard keeps else { throw .conditionsDropped }
    }

    /// nil: there is none to be had, and it goes on without.
    private func readOwner() async -> ConfigurationOwner? {
        guard let clusterRole else { return nil }
        do throws(KubernetesFailure) {
            let role = try await api.get(clusterRole)
            do throws(AnswerFailure) {
                return try ConfigurationOwner(role)
            } catch { throw Self.malformed(clusterRole, "\(error)") }
        } catch {
            let isNew = state.withLock { state in
                defer { state.hasToldOfOwner = true }
                return !state.hasToldOfOwner
            }
            if isNew { report(.ownerUnknown(error)) }
            return nil
        }
    }

    private func parsed(_ body: [UInt8]) throws(RoundFailure) -> WebhookConfiguration {
        do throws(AnswerFailure) {
            return try WebhookConfiguration(body)
        } catch { throw .api(Self.malformed(configuration, "\(error)")) }
    }

    // MARK: - Calls

    /// nil: it is not there.
    private func read(_ object: ObjectReference) async throws(RoundFailure) -> [UInt8]? {
        do throws(KubernetesFailure) {
            return try await api.get(object)
        } catch {
            guard case .notFound = error else { throw .api(error) }
            return nil
        }
    }

    /// Somebody wrote, made or deleted it since it was read.
    private static func isLostRace(_ failure: KubernetesFailure) -> Bool {
        switch failure {
        case .conflict, .alreadyExists, .notFound: true
        default: false
        }
    }

    private static func malformed(
        _ object: ObjectReference, _ detail: String
    ) -> KubernetesFailure {
        .responseMalformed(path: object.path, detail: detail)
    }

    /// An Event at the Secret, for whoever looks for the reason. That it cannot be written is told
    /// and stops nothing.
    private func tell(of fault: CertificateFault, in stored: CertificateSecret) async {
        let time = clock.nanosecondsSince1970()
        let event = WarningEvent(
            name: secret.name + "." + String(time, radix: 16), kind: "Secret",
            namespace: settings.namespace, objectName: secret.name, uid: stored.uid,
            reason: "CertificatesReplaced",
            message: "The webhook's certificates were of no use and are new: \(fault)")
        do throws(KubernetesFailure) {
            _ = try await api.create(
                event.rendered(at: Int64(time / 1_000_000_000)),
                in: WarningEvent.collection(in: settings.namespace), WriteOptions())
        } catch { report(.callFailed(error)) }
    }
}
