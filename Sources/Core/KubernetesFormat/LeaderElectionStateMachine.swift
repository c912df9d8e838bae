// SPDX-License-Identifier: Apache-2.0

/// Times of a leader election, each told from the candidate's own clock.
package struct LeaderElectionTimes: Sendable, Equatable {
    /// How long others wait after the last renewal that they saw.
    package var leaseSeconds: Int
    /// How long the leader goes on after the last renewal that succeeded. Shorter than the lease:
    /// it has stopped before anybody else may begin.
    package var renewWithin: Duration
    /// Between two tries.
    package var retryAfter: Duration

    /// As the Kubernetes components have them.
    package static let usual = LeaderElectionTimes(
        leaseSeconds: 15, renewWithin: .seconds(10), retryAfter: .seconds(2))

    /// nil unless retries fit into the renewal, and the renewal into the lease.
    package init?(checked leaseSeconds: Int, renewWithin: Duration, retryAfter: Duration) {
        guard retryAfter > .zero, retryAfter * 2 <= renewWithin,
            renewWithin < .seconds(leaseSeconds)
        else { return nil }
        self.init(leaseSeconds: leaseSeconds, renewWithin: renewWithin, retryAfter: retryAfter)
    }

    private init(leaseSeconds: Int, renewWithin: Duration, retryAfter: Duration) {
        self.leaseSeconds = leaseSeconds
        self.renewWithin = renewWithin
        self.retryAfter = retryAfter
    }
}

/// One candidate's side of an election by a Lease.
///
/// Two never lead at once, whatever messages are lost, as long as each monotonic clock measures a
/// duration alike: the leader counts `renewWithin` from *before* it sent the renewal, the others
/// count the longer lease from *after* they saw it. Wall clocks decide nothing.
///
/// A round: `begin`, then what it says; after each answer the matching call.
package struct LeaderElectionStateMachine: Sendable {
    /// What to do next.
    package enum Action: Sendable, Equatable {
        /// Read the Lease; then `read` or `isMissing`.
        case get
        /// Then `wrote` or `didNotWrite`.
        case create(LeaseRecord)
        /// Only in the state that was read. Then `wrote` or `didNotWrite`.
        case replace(LeaseRecord)
        case wait(until: Duration)
    }

    /// Must differ between two incarnations of one program.
    package let identity: String
    package let times: LeaderElectionTimes
    private let name: String
    private let namespace: String
    /// The last state that was seen, and when it was new.
    private var seen: (record: LeaseRecord, at: Duration)?
    /// What is being written, and when it was sent.
    private var writing: (record: LeaseRecord, at: Duration)?
    /// Until when this candidate leads; nil: it does not.
    private var leadsUntil: Duration?
    /// Whoever held a Lease that was deleted may go on until then, and nobody can know of it.
    private var leadsNotBefore = Duration.zero

    /// - Parameter identity: not empty.
    package init(identity: String, name: String, namespace: String, times: LeaderElectionTimes) {
        self.identity = identity
        self.name = name
        self.namespace = namespace
        self.times = times
    }

    /// - Parameter now: on a clock that never goes back.
    package func leads(at now: Duration) -> Bool {
        now >= leadsNotBefore && leadsUntil.map { now < $0 } ?? false
    }

    /// When leading ends unless it is renewed; nil: it does not lead.
    package var deadline: Duration? { leadsUntil }

    /// Who held the lock when it was last seen; empty: nobody.
    package var holder: String { seen?.record.holder ?? "" }

    package mutating func begin(at now: Duration) -> Action {
        forgetIfOver(now)
        writing = nil
        return .get
    }

    /// There is no Lease: it is made at once, and leading begins when a leader that there may have
    /// been has stopped.
    package mutating func isMissing(at now: Duration, wallClock: UInt64) -> Action {
        seen = nil
        leadsUntil = nil
        leadsNotBefore = now + times.renewWithin
        let record = claimed(
            LeaseRecord(name: name, namespace: namespace), wallClock, isNewTerm: true)
        writing = (record, now)
        return .create(record)
    }

    /// The Lease as it is.
    package mutating func read(
        _ record: LeaseRecord, at now: Duration, wallClock: UInt64
    ) -> Action {
        forgetIfOver(now)
        if seen?.record != record { seen = (record, now) }
        if record.holder == identity {
            // Without a term of one's own the record is an answer that was lost: take it up.
            let next = claimed(record, wallClock, isNewTerm: false)
            writing = (next, now)
            return .replace(next)
        }
        leadsUntil = nil
        let isFree = record.holder.isEmpty
        let since = seen?.at ?? now
        guard isFree || now >= since + .seconds(max(record.durationSeconds, 0)) else {
            return .wait(until: now + times.retryAfter)
        }
        let next = claimed(record, wallClock, isNewTerm: true)
        writing = (next, now)
        return .replace(next)
    }

    /// The write was done; `record` is its answer.
    package mutating func wrote(_ record: LeaseRecord, at now: Duration) -> Action {
        guard let sent = writing?.at else { return .wait(until: now + times.retryAfter) }
        writing = nil
        seen = (record, now)
        leadsUntil = record.holder == identity ? sent + times.renewWithin : nil
        return .wait(until: now + times.retryAfter)
    }

    /// It failed, or nobody knows.
    package mutating func didNotWrite(at now: Duration) -> Action {
        writing = nil
        forgetIfOver(now)
        return .wait(until: now + times.retryAfter)
    }

    /// What gives the lock back; nil: it is not held, or was made so lately that others must wait
    /// as well. Whoever calls has stopped its work.
    package mutating func release(at now: Duration, wallClock: UInt64) -> LeaseRecord? {
        leadsUntil = nil
        guard now >= leadsNotBefore, var record = seen?.record, record.holder == identity
        else { return nil }
        record.holder = ""
        record.durationSeconds = 1
        record.renewTime = WallClockText.microseconds(wallClock)
        seen = nil
        return record
    }

    private mutating func forgetIfOver(_ now: Duration) {
        if let end = leadsUntil, now >= end { leadsUntil = nil }
    }

    private func claimed(
        _ record: LeaseRecord, _ wallClock: UInt64, isNewTerm: Bool
    ) -> LeaseRecord {
        var record = record
        let time = WallClockText.microseconds(wallClock)
        if isNewTerm {
            record.acquireTime = time
            if !record.resourceVersion.isEmpty { record.transitions += 1 }
        }
        record.holder = identity
        record.durationSeconds = times.leaseSeconds
        record.renewTime = time
        return record
    }
}
