// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
internal import AgentProtocol
internal import Enforcement
internal import EnforcementEvents
package import Ports

/// The agent's work: enrols workloads, takes the programs' records, tells how it stands.
package struct Agent<
    Kernel: Enforcement & ~Copyable, Host: AgentHost & ~Copyable, Time: TimeSource,
    Recorder: EnforcementRecorder & ~Copyable
>: ~Copyable {
    private var settings: AgentSettings
    private var kernel: Kernel
    private var host: Host
    private let time: Time
    private var recorder: Recorder
    private let findings: [VectorFinding]
    private let tier: EnforcementTier
    /// The programs ran before this agent did.
    private let isAdopted: Bool
    private var policySource: any PolicySource
    private var tierMemory: (any TierMemory)?
    private var places: (any PlaceDirectory)?
    private let observer: (any WorkloadObserver)?
    private let node: NodeObservation?
    /// The last enrolment whose programs were looked at.
    private var lastLook: EnrolmentID = 0
    private var enrolments = Enrolments()
    private var totals: RecordTotals
    /// Vectors that were told to be enforced in a weaker way than in the last run.
    private var downgrades: [VectorNumber: UInt64] = [:]
    private var nextTick: MonotonicTime
    private var generation: UInt32 = 1
    /// In force since generation `generation`.
    private var policy = EnforcementPolicy.silent
    /// The programs are there, and nothing came through them in the self-test.
    private let canScan: Bool

    /// Records taken at once.
    private static var recordsMax: Int { 256 }
    /// ... and so often before somebody else is served: a flood must not keep workloads waiting.
    private static var batchesMax: Int { 64 }
    /// Between two looks at what has ended.
    private static var tickInterval: Duration { .seconds(1) }
    /// Enrolments that are looked at in one tick: all of them in about a minute.
    package static var looksPerTick: Int { 64 }

    package init(
        settings: AgentSettings, kernel: consuming Kernel, tier: EnforcementTier,
        findings: [VectorFinding], isAdopted: Bool = false, host: consuming Host, time: Time,
        recorder: consuming Recorder, policySource: any PolicySource,
        tierMemory: (any TierMemory)? = nil, places: (any PlaceDirectory)? = nil,
        observer: (any WorkloadObserver)? = nil
    ) {
        self.isAdopted = isAdopted
        totals = RecordTotals(continuing: isAdopted)
        self.settings = settings
        canScan = Self.canScan(kernel.canScan, findings)
        // What `arm` puts in force, or refuses.
        if let policy = try? settings.policy.policy() { self.policy = policy }
        self.kernel = kernel
        self.tier = tier
        self.findings = findings
        self.host = host
        self.time = time
        self.recorder = recorder
        self.policySource = policySource
        self.tierMemory = tierMemory
        self.places = places
        self.observer = observer
        node = observer?.node()
        nextTick = time.monotonic()
    }

    /// Puts the policy in force and serves until somebody asks for the end.
    package mutating func run() throws(AgentFailure) -> Int32 {
        try arm()
        if isAdopted { takeOver() }
        recorder.started(
            tier: tier, denied: findings.count { $0.result == .denied },
            open: findings.filter(\.result.isOpen).map(\.vector),
            generation: generation)
        compareTiers()
        while true {
            let input: AgentInput
            do throws(AgentHostFailure) { input = try host.next(until: nextTick) } catch {
                throw .host(error)
            }
            if case .end(let signal) = input {
                takeRecords()
                recorder.stopped(signal: signal)
                do throws(EnforcementFailure) { try kernel.leaveToSuccessor() } catch {
                    recorder.failed(error)
                }
                return signal
            }
            handle(input)
            if time.monotonic() >= nextTick { tick() }
        }
    }

    /// What happened while no agent ran: who is enrolled, and what nobody could be told.
    private mutating func takeOver() {
        do throws(EnforcementFailure) {
            let workloads = try kernel.workloads()
            var found: [EnrolmentID: ContainerPlace] = [:]
            var starts: [EnrolmentID: UInt64] = [:]
            for workload in workloads {
                found[workload.id] = places?.place(ofGroup: workload.wrapper)
                starts[workload.id] = observer?.start(of: workload.wrapper)
            }
            enrolments.adopt(workloads, at: time.monotonic(), in: found, since: starts)
            let lost = try kernel.takeUntoldLoss()
            guard lost > 0 else { return }
            recorder.lost(whileAway: lost)
            totals.tell(lost)
        } catch { recorder.failed(error) }
    }

    /// Tells what is enforced in another way than in the last run, and keeps this run's.
    private mutating func compareTiers() {
        guard tierMemory != nil else { return }
        let measured = TierHistory.measured(tier, findings)
        do throws(TierMemoryFailure) {
            let before = try tierMemory?.read() ?? [:]
            for change in TierHistory.changes(from: before, to: measured) {
                recorder.tierChanged(change.vector, from: change.from, to: change.to)
                if change.isDowngrade { downgrades[change.vector, default: 0] += 1 }
            }
            try tierMemory?.write(before.merging(measured) { $1 })
        } catch {
            recorder.failed(reloading: "the tiers of the last run: \(error.text)")
        }
    }

    private mutating func arm() throws(AgentFailure) {
        do throws(EnforcementPolicyFailure) { policy = try settings.policy.policy() } catch {
            throw .policy(error.description)
        }
        do throws(EnforcementFailure) { try enforce(policy, generation: generation) } catch {
            throw .enforcement(error)
        }
    }

    package mutating func handle(_ input: AgentInput) {
        switch input {
        case .registration(let connection, let peer, let request):
            host.answer(connection, answer(request, connection, peer))
        case .request(let connection, let method, let path):
            host.answer(connection, ObservationPage.answer(method, path, status()))
        case .records: takeRecords()
        case .reload: reload()
        case .deadline, .end: break
        }
    }

    // MARK: Policy

    /// All of the new policy or nothing of it.
    private mutating func reload() {
        // What the old policy judged is told before the new one.
        takeRecords()
        let settings: PolicySettings
        let policy: EnforcementPolicy
        do throws(PolicySourceFailure) { settings = try policySource.read() } catch {
            return recorder.failed(reloading: error.text)
        }
        do throws(EnforcementPolicyFailure) { policy = try settings.policy() } catch {
            return recorder.failed(reloading: error.description)
        }
        guard settings != self.settings.policy else { return }
        do throws(EnforcementFailure) {
            try enforce(policy, generation: generation + 1)
        } catch {
            recorder.failed(error)
            return restore()
        }
        generation += 1
        self.settings.policy = settings
        self.policy = policy
        recorder.policyChanged(generation: generation, mode: settings.mode)
    }

    private mutating func restore() {
        do throws(EnforcementFailure) { try enforce(policy, generation: generation) } catch {
            recorder.failed(error)
        }
    }

    private mutating func enforce(
        _ policy: EnforcementPolicy, generation: UInt32
    ) throws(EnforcementFailure) {
        try kernel.setRate(settings.rate, generation: generation)
        try kernel.setPolicy(policy, at: 0)
        try kernel.setPolicy(policy, at: AgentSettings.workloadPolicy)
    }

    // MARK: Enrolment

    private mutating func answer(
        _ request: [UInt8], _ connection: AgentConnection, _ peer: AgentPeer
    ) -> String {
        switch AgentRequest.read(request) {
        case .complete(.register): return Registration.line(register(connection, peer))
        case .complete(.scan(let request)):
            return Registration.line(scanning: scan(request, peer))
        case .refused(let refusal): return Registration.line(.failure(refusal))
        case .incomplete: return Registration.line(.failure(.malformed))
        }
    }

    private mutating func register(
        _ connection: AgentConnection, _ peer: AgentPeer
    ) -> Result<Registration.Answer, Registration.Refusal> {
        do throws(Registration.Refusal) {
            // Saying yes would be a promise that nothing keeps.
            guard guards else { throw .unguarded }
            var id = try enrolments.reserve(peer, at: time.monotonic())
            if let refusal = enrol(connection, peer, as: &id) {
                enrolments.refuse(id)
                forget(id)
                throw refusal
            }
            recorder.enrolled(id, peer)
            return .success(
                Registration.Answer(enrolment: id, tier: tier.word, canScan: canScan))
        } catch {
            recorder.refused(error.rawValue, peer)
            return .failure(error)
        }
    }

    private var guards: Bool {
        findings.contains { $0.result == .denied }
            || findings.contains { finding in
                finding.result == .killed && settings.acceptedTier == .signal
                    || finding.result == .interrupted && settings.acceptedTier == .modifyReturn
            }
    }

    private mutating func enrol(
        _ connection: AgentConnection, _ peer: AgentPeer, as id: inout EnrolmentID
    ) -> Registration.Refusal? {
        do throws(EnforcementFailure) {
            let tasks = try kernel.enrol(
                peer.process, as: id, role: .wrapper, policy: AgentSettings.workloadPolicy)
            if let own = Enrolments.numberSinceExec(tasks, peer),
                enrolments.exchange(id, for: own)
            {
                _ = try kernel.forget(id)
                id = own
            }
            if tasks.contains(where: { $0.enrolment != id }) { return .enrolled }
            // A mark that a refused process keeps protects nobody's secret and ends with it; until
            // then its number is taken.
            if let refusal = Enrolments.refusal(of: tasks, peer) { return refusal }
            if let hold = Enrolments.hold(on: tasks) {
                guard settings.policy.mode == .detect || settings.badStart == .report else {
                    return hold
                }
                recorder.suspected(hold.rawValue, peer)
            }
            let place = places?.place(ofGroup: peer.process)
            let started = observer?.start(of: peer.process)
            // Behind the look at its place: until then its number was its own.
            guard host.isConnected(connection) else { return .gone }
            enrolments.settle(id, in: place, since: started)
            return nil
        } catch {
            switch error {
            case .noSuchProcess: return .gone
            case .full: return .full
            default:
                recorder.failed(error)
                return .failed
            }
        }
    }

    // MARK: Scan

    private static func canScan(_ hasPrograms: Bool, _ findings: [VectorFinding]) -> Bool {
        let denied = findings.filter { $0.result == .denied }.map(\.vector)
        return hasPrograms && VectorNumber.victimsLeaks.allSatisfy(denied.contains)
    }

    private mutating func scan(
        _ request: ScanRequest, _ peer: AgentPeer
    ) -> Result<EnrolmentID, Registration.Refusal> {
        do throws(Registration.Refusal) {
            guard let id = enrolments.id(ofWrapper: peer) else { throw .unregistered }
            guard canScan else { throw .blind }
            do throws(EnforcementFailure) { try kernel.scan(request, for: id) } catch {
                recorder.failed(error)
                if case .full = error { throw .full }
                throw .failed
            }
            enrolments.scan(id)
            return .success(id)
        } catch {
            recorder.refused(error.rawValue, peer)
            return .failure(error)
        }
    }

    // MARK: Records

    private mutating func takeRecords() {
        do throws(EnforcementFailure) {
            for _ in 0..<Self.batchesMax {
                let records = try kernel.takeRecords(atMost: Self.recordsMax, waiting: 0)
                for record in records.numbersInOrder() {
                    recorder.record(record, missing: totals.add(record))
                }
                if records.count < Self.recordsMax { return }
            }
        } catch { recorder.failed(error) }
    }

    private mutating func tick() {
        nextTick = time.monotonic().advanced(by: Self.tickInterval)
        takeRecords()
        for id in enrolments.entries.keys { forget(id) }
        look()
        recorder.tick(protectedTasks: UInt32(clamping: protectedTasks))
    }

    /// At the programs of some enrolments, the next ones in the next tick.
    private mutating func look() {
        guard let observer else { return }
        for id in enrolments.next(behind: lastLook, atMost: Self.looksPerTick) {
            lastLook = id
            guard let entry = enrolments.entries[id], let started = entry.started else { continue }
            enrolments.see(observer.programs(of: entry.wrapper, started: started), of: id)
        }
    }

    /// Frees the number if nobody has it any more; the next tick tries again.
    private mutating func forget(_ id: EnrolmentID) {
        do throws(EnforcementFailure) {
            if try kernel.forget(id) { enrolments.release(id) }
        } catch { recorder.failed(error) }
    }

    private var protectedTasks: Int { livingTasks.values.reduce(0, +) }

    /// By enrolment; those without any are left out.
    private var livingTasks: [EnrolmentID: Int] {
        var living: [EnrolmentID: Int] = [:]
        for id in enrolments.entries.keys {
            let count = try? kernel.tasks(of: id)
            if let count, count > 0 { living[id] = count }
        }
        return living
    }

    private func status() -> AgentStatus {
        var counts: [VectorNumber: EnforcementCounts] = [:]
        var scan: ScanCounts?
        do throws(EnforcementFailure) {
            counts = try kernel.counts()
            if canScan { scan = try kernel.scanCounts() }
        } catch {}
        let living = livingTasks
        let workloads = enrolments.entries.values.filter {
            !$0.isRefused && living[$0.id] != nil
        }.compactMap(EnrolledContainer.init).sorted { $0.enrolment < $1.enrolment }
        return AgentStatus(
            tier: tier, mode: settings.policy.mode, policy: policy, generation: generation,
            hooks: kernel.hooks, findings: findings, enrolments: enrolments.count,
            protectedTasks: living.values.reduce(0, +), workloads: workloads, node: node,
            counts: counts, totals: totals,
            downgrades: downgrades, sinks: recorder.sinks, scan: scan,
            unsignedCheckpoints: recorder.unsignedCheckpoints, toldLosses: recorder.toldLosses,
            lastLine: recorder.lastLine)
    }
}

package enum AgentFailure: Error, Sendable, Equatable {
    case host(AgentHostFailure)
    case enforcement(EnforcementFailure)
    case policy(String)
}
