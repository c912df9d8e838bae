// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat
package import KubernetesPorts
package import Ports
internal import Synchronization

/// The time during which one candidate leads.
package final class Leadership: Sendable {
    private let until: Mutex<MonotonicTime?>
    private let clock: any AsyncTimeSource

    init(until: MonotonicTime, clock: any AsyncTimeSource) {
        self.until = Mutex(until)
        self.clock = clock
    }

    /// To be asked before each write: a process that slept may have lost it meanwhile.
    package var isCurrent: Bool {
        let end = until.withLock { $0 }
        return end.map { clock.monotonic() < $0 } ?? false
    }

    /// When it ends unless it is renewed; nil: it has ended.
    package var deadline: MonotonicTime? { until.withLock { $0 } }

    func extend(to time: MonotonicTime) {
        // One that was over does not begin again.
        until.withLock { if $0 != nil { $0 = time } }
    }

    func end() { until.withLock { $0 = nil } }
}

/// Takes part in the election by a `coordination.k8s.io/v1` Lease, again and again, and does the
/// leader's work while it leads.
package struct LeaderElection: Sendable {
    package static let collection = ResourceCollection(
        group: "coordination.k8s.io", version: "v1", resource: "leases")
    /// What happened, for logs and metrics.
    package enum Report: Sendable, Equatable {
        case began(identity: String)
        case ended(identity: String)
        case failed(KubernetesFailure)
    }

    private let api: any KubernetesAPI
    private let clock: any AsyncTimeSource
    private let lease: ObjectReference
    private let identity: String
    private let times: LeaderElectionTimes
    private let report: @Sendable (Report) -> Void

    /// - Parameters:
    ///   - api: its calls should not take longer than `times.retryAfter`, or renewals are missed.
    ///   - identity: of this process, never used before: a pod's name and something random.
    package init(
        api: any KubernetesAPI, clock: any AsyncTimeSource, name: String, namespace: String,
        identity: String, times: LeaderElectionTimes = .usual,
        report: @escaping @Sendable (Report) -> Void = { _ in }
    ) {
        self.api = api
        self.clock = clock
        self.identity = identity
        self.times = times
        self.report = report
        var collection = Self.collection
        collection.namespace = namespace
        lease = collection.object(name)
    }

    /// - Parameters:
    ///   - stop: returns when this candidate is to retire. The work is then cancelled, and when it
    ///     has ended the lock is given back, so that nobody has to wait for it to run out.
    ///   - work: is cancelled when the leadership ends, and must then end soon. It may end
    ///     earlier: the lock is kept all the same.
    package func run(
        until stop: @escaping @Sendable () async -> Void,
        _ work: @escaping @Sendable (Leadership) async -> Void
    ) async {
        let machine = LeaderElectionStateMachine(
            identity: identity, name: lease.name,
            namespace: lease.collection.namespace ?? "", times: times)
        var last = await withTaskGroup(of: LeaderElectionStateMachine?.self) { group in
            group.addTask {
                await stop()
                return nil
            }
            group.addTask { await compete(machine, work) }
            var last = machine
            while let ended = await group.next() {
                if let ended { last = ended }
                group.cancelAll()
            }
            return last
        }
        await release(&last)
    }

    /// Until the task is cancelled.
    private func compete(
        _ machine: LeaderElectionStateMachine,
        _ work: @escaping @Sendable (Leadership) async -> Void
    ) async -> LeaderElectionStateMachine {
        var machine = machine
        while !Task.isCancelled {
            let next = await attempt(&machine)
            guard let deadline = machine.deadline, machine.leads(at: now) else {
                await clock.sleep(until: next)
                continue
            }
            let leadership = Leadership(until: time(deadline), clock: clock)
            report(.began(identity: identity))
            machine = await lead(machine, leadership, renewingAt: next, work)
            report(.ended(identity: identity))
        }
        return machine
    }

    private enum Ended: Sendable {
        case work, deadline
        case renewals(LeaderElectionStateMachine)
    }

    /// The work and the renewals, until the leadership ends.
    private func lead(
        _ machine: LeaderElectionStateMachine, _ leadership: Leadership,
        renewingAt first: MonotonicTime, _ work: @escaping @Sendable (Leadership) async -> Void
    ) async -> LeaderElectionStateMachine {
        await withTaskGroup(of: Ended.self) { group in
            group.addTask {
                await work(leadership)
                return .work
            }
            // A call that hangs must not hold the end of the leadership up.
            group.addTask {
                while let deadline = leadership.deadline, leadership.isCurrent, !Task.isCancelled {
                    await clock.sleep(until: deadline)
                }
                leadership.end()
                return .deadline
            }
            group.addTask { .renewals(await renew(machine, leadership, from: first)) }
            var last = machine
            while let ended = await group.next() {
                switch ended {
                // It may end before the leadership does.
                case .work: continue
                case .deadline: break
                case .renewals(let machine): last = machine
                }
                group.cancelAll()
            }
            return last
        }
    }

    private func renew(
        _ machine: LeaderElectionStateMachine, _ leadership: Leadership, from first: MonotonicTime
    ) async -> LeaderElectionStateMachine {
        var machine = machine
        var next = first
        while true {
            await clock.sleep(until: next)
            guard leadership.isCurrent, !Task.isCancelled else { break }
            next = await attempt(&machine)
            guard let deadline = machine.deadline, machine.leads(at: now) else { break }
            leadership.extend(to: time(deadline))
        }
        leadership.end()
        return machine
    }

    /// One try to get or to keep the lock.
    ///
    /// - Returns: when to try again.
    private func attempt(_ machine: inout LeaderElectionStateMachine) async -> MonotonicTime {
        var action = machine.begin(at: now)
        while true {
            switch action {
            case .get: action = await read(&machine)
            case .create(let record): action = await write(record, isNew: true, &machine)
            case .replace(let record): action = await write(record, isNew: false, &machine)
            case .wait(let until): return time(until)
            }
        }
    }

    private func read(
        _ machine: inout LeaderElectionStateMachine
    ) async -> LeaderElectionStateMachine.Action {
        do throws(KubernetesFailure) {
            let record = try Self.record(try await api.get(lease), lease)
            return machine.read(record, at: now, wallClock: clock.nanosecondsSince1970())
        } catch {
            if case .notFound = error {
                return machine.isMissing(at: now, wallClock: clock.nanosecondsSince1970())
            }
            report(.failed(error))
            return machine.didNotWrite(at: now)
        }
    }

    private func write(
        _ record: LeaseRecord, isNew: Bool, _ machine: inout LeaderElectionStateMachine
    ) async -> LeaderElectionStateMachine.Action {
        do throws(KubernetesFailure) {
            let body = record.rendered()
            let answer =
                isNew
                ? try await api.create(body, in: lease.collection, WriteOptions())
                : try await api.replace(lease, with: body, WriteOptions())
            return machine.wrote(try Self.record(answer, lease), at: now)
        } catch {
            report(.failed(error))
            return machine.didNotWrite(at: now)
        }
    }

    private func release(_ machine: inout LeaderElectionStateMachine) async {
        let record = machine.release(at: now, wallClock: clock.nanosecondsSince1970())
        guard let record else { return }
        do throws(KubernetesFailure) {
            _ = try await api.replace(lease, with: record.rendered(), WriteOptions())
        } catch { report(.failed(error)) }
    }

    private static func record(
        _ document: [UInt8], _ lease: ObjectReference
    ) throws(KubernetesFailure) -> LeaseRecord {
        do throws(AnswerFailure) {
            return try LeaseRecord(document)
        } catch {
            switch error {
            case .malformed(let detail):
                throw .responseMalformed(path: lease.path, detail: detail)
            }
        }
    }

    // MARK: - The machine's time

    private var now: Duration { .nanoseconds(Int64(clamping: clock.monotonic().nanoseconds)) }

    private func time(_ time: Duration) -> MonotonicTime {
        MonotonicTime(nanoseconds: 0).advanced(by: time)
    }
}
