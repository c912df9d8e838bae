// SPDX-License-Identifier: Apache-2.0
internal import Ports
internal import WrapperConfiguration

/// Something that the vault granted for a time.
struct Granted: Sendable, Equatable {
    private(set) var expiresAt: MonotonicTime?
    /// When to see to it; nil: never.
    private(set) var dueAt: MonotonicTime?
    /// It cannot be renewed, or no further: what comes next is a successor, not a renewal.
    private(set) var isFinal: Bool
    /// A renewal was broken off: the vault may have granted more than is known here.
    private(set) var mayLiveOn = false
    /// An operator has been told that it ends.
    private(set) var isEndTold = false
    private let firstLifetime: Duration?
    private var backoff = Backoff()

    /// However short a life the vault grants, it is not asked more often than this.
    static let pauseMin = Duration.milliseconds(250)

    init(_ grant: Grant, at now: MonotonicTime, chance: UInt64) {
        firstLifetime = grant.lifetime
        isFinal = !grant.isRenewable
        set(grant, at: now, chance: chance)
    }

    /// A renewal that brings less than half of what there was at first runs into the vault's
    /// maximum: renewing it on and on would mean ever shorter leases.
    mutating func renewed(_ grant: Grant, at now: MonotonicTime, chance: UInt64) {
        backoff = Backoff()
        set(grant, at: now, chance: chance)
        if let first = firstLifetime, let left = grant.lifetime, left * 2 < first { isFinal = true }
        if !grant.isRenewable { isFinal = true }
    }

    /// Due at two thirds of the lifetime, up to a fifteenth of it earlier: what was granted at
    /// once must not be renewed at once.
    private mutating func set(_ grant: Grant, at now: MonotonicTime, chance: UInt64) {
        (mayLiveOn, isEndTold) = (false, false)
        guard let lifetime = grant.lifetime else {
            (expiresAt, dueAt) = (nil, nil)
            return
        }
        expiresAt = now.advanced(by: lifetime)
        let early = Jitter.share(chance, of: lifetime / 15)
        dueAt = now.advanced(by: max(lifetime * 2 / 3 - early, Self.pauseMin))
    }

    /// Nobody waited for the answer to a renewal.
    mutating func brokenOff() { mayLiveOn = true }

    mutating func endTold() { isEndTold = true }

    /// The renewal failed for now.
    mutating func postpone(_ atLeast: Duration?, at now: MonotonicTime, chance: UInt64) {
        let pause = max(backoff.next(chance: chance), atLeast ?? .zero)
        dueAt = now.advanced(by: pause)
        if let end = expiresAt, end <= now { isFinal = true }
    }

    /// The renewal is refused: a successor is wanted now.
    mutating func close(at now: MonotonicTime) {
        isFinal = true
        dueAt = now
    }

    /// Nothing more can be done about it.
    mutating func giveUp() { dueAt = nil }

    func isDue(at now: MonotonicTime) -> Bool { dueAt.map { $0 <= now } ?? false }
    func isExpired(at now: MonotonicTime) -> Bool { expiresAt.map { $0 <= now } ?? false }
}

/// What was read of one request.
struct Reading: Sendable, Equatable {
    /// Which login of the run it was read with: a lease ends with its token.
    let login: Int
    var version: Int?
    var leaseID: LeaseID?
    /// Of the lease, or of the content itself.
    var granted: Granted?

    /// What ends by a date is measured by this machine's wall clock: one that is wrong must not
    /// ask for a new certificate without a pause.
    static let contentLifetimeMin = Duration.seconds(10)

    init(_ facts: SecretFacts, login: Int, at now: MonotonicTime, chance: UInt64) {
        self.login = login
        version = facts.version
        leaseID = facts.lease?.id
        if let lease = facts.lease {
            granted = Granted(lease.grant, at: now, chance: chance)
        } else if let lifetime = facts.lifetime {
            let grant = Grant(
                lifetime: max(lifetime, Self.contentLifetimeMin), isRenewable: false)
            granted = Granted(grant, at: now, chance: chance)
        }
    }
}

/// A lease that nobody keeps alive any more.
struct Retired: Sendable, Equatable {
    let id: LeaseID
    let login: Int
    /// nil: it does not end by itself, or nobody knows when.
    let expiresAt: MonotonicTime?

    init?(_ reading: Reading) {
        guard let id = reading.leaseID else { return nil }
        self.id = id
        login = reading.login
        expiresAt = reading.granted.flatMap { $0.mayLiveOn ? nil : $0.expiresAt }
    }

    init(_ lease: Lease, login: Int, at now: MonotonicTime) {
        id = lease.id
        self.login = login
        expiresAt = lease.grant.lifetime.map { now.advanced(by: $0) }
    }

    /// It has run out, and there is nothing to revoke.
    func isOver(at now: MonotonicTime) -> Bool { expiresAt.map { $0 <= now } ?? false }
}

/// What is to be kept alive and watched while the program runs, and what is due next.
struct Upkeep: Sendable, Equatable {
    enum Due: Sendable, Equatable {
        case nothing(until: MonotonicTime?)
        case logIn
        case renewToken
        /// The lease of this request.
        case renew(request: Int, LeaseID)
        case check(request: Int)
        case rotate
        /// Ends soon, and the plan has no successor for it.
        case leaveToExpire(request: Int)
        case loseToken

        /// The request that it is about, if it is about one.
        var request: Int? {
            switch self {
            case .renew(let request, _), .check(let request), .leaveToExpire(let request): request
            case .nothing, .logIn, .renewToken, .rotate, .loseToken: nil
            }
        }
    }

    let rotates: Bool
    let canLogInAgain: Bool
    let checkInterval: Duration
    private(set) var token: Granted?
    /// Logins so far.
    private(set) var logins = 0
    private(set) var readings: [Reading] = []
    /// When to rotate; nil: not wanted.
    private(set) var rotationAt: MonotonicTime?
    private var rotationBackoff = Backoff()
    private var checkAt: MonotonicTime?
    private var checkNext = 0

    init(_ plan: WrapperPlan) {
        rotates = plan.rotation != .none
        canLogInAgain = plan.canLogInAgain
        checkInterval = plan.checkInterval
    }

    /// Whether there is any reason to keep the login after the program's start.
    var isNeeded: Bool {
        readings.contains {
            $0.leaseID != nil || rotates && ($0.version != nil || $0.granted != nil)
        }
    }

    private var hasLeases: Bool { readings.contains { $0.leaseID != nil } }

    /// Whether no login can give access any more, only a new one.
    func isTokenOver(at now: MonotonicTime) -> Bool { token?.isExpired(at: now) ?? false }

    mutating func loggedIn(_ grant: Grant, at now: MonotonicTime, chance: UInt64) {
        let isSuccessor = token != nil
        logins += 1
        token = Granted(grant, at: now, chance: chance)
        // Leases end with the token that obtained them.
        if isSuccessor, rotates, hasLeases { wantRotation(at: now) }
    }

    /// Takes what was read, all requests in order, in place of what there was.
    mutating func take(_ new: [Reading], at now: MonotonicTime, chance: UInt64) {
        readings = new
        rotationAt = nil
        rotationBackoff = Backoff()
        scheduleCheck(at: now, chance: chance)
    }

    func next(at now: MonotonicTime) -> Due {
        if let token, token.isDue(at: now) {
            guard token.isFinal || token.isExpired(at: now) else { return .renewToken }
            return canLogInAgain ? .logIn : .loseToken
        }
        if let rotationAt, rotationAt <= now { return .rotate }
        for (index, reading) in readings.enumerated() {
            guard let granted = reading.granted, granted.isDue(at: now) else { continue }
            if let id = reading.leaseID, !granted.isFinal, !granted.isExpired(at: now) {
                return .renew(request: index, id)
            }
            if !rotates { return .leaveToExpire(request: index) }
            if rotationAt == nil { return .rotate }
        }
        if let checkAt, checkAt <= now, rotationAt == nil, let request = versioned(from: checkNext)
        {
            return .check(request: request)
        }
        return .nothing(until: nextTime(after: now))
    }

    private func nextTime(after now: MonotonicTime) -> MonotonicTime? {
        var times = readings.compactMap { $0.granted?.dueAt }
        if let time = token?.dueAt { times.append(time) }
        if let rotationAt { times.append(rotationAt) }
        if rotationAt == nil, let checkAt { times.append(checkAt) }
        return times.filter { $0 > now }.min()
    }

    private func versioned(from start: Int) -> Int? {
        let candidates = readings.indices.filter { readings[$0].version != nil }
        return candidates.first { $0 >= start } ?? candidates.first
    }

    private mutating func scheduleCheck(at now: MonotonicTime, chance: UInt64) {
        guard rotates, versioned(from: 0) != nil else {
            checkAt = nil
            return
        }
        let early = Jitter.share(chance, of: checkInterval / 10)
        checkAt = now.advanced(by: checkInterval - early)
    }

    mutating func wantRotation(at now: MonotonicTime) { rotationAt = rotationAt ?? now }

    mutating func rotationFailed(_ atLeast: Duration?, at now: MonotonicTime, chance: UInt64) {
        let pause = max(rotationBackoff.next(chance: chance), atLeast ?? .zero)
        rotationAt = now.advanced(by: pause)
    }
}

extension Upkeep {
    mutating func tokenRenewed(_ grant: Grant, at now: MonotonicTime, chance: UInt64) {
        token?.renewed(grant, at: now, chance: chance)
    }

    mutating func renewed(
        request: Int, _ grant: Grant, at now: MonotonicTime, chance: UInt64
    ) {
        readings[request].granted?.renewed(grant, at: now, chance: chance)
    }

    /// Requests whose lease ends until then, each once.
    mutating func takeEndings(until time: MonotonicTime) -> [Int] {
        let endings = readings.indices.filter { index in
            guard readings[index].leaseID != nil, let granted = readings[index].granted
            else { return false }
            return granted.isExpired(at: time) && !granted.isEndTold
        }
        for index in endings { readings[index].granted?.endTold() }
        return endings
    }

    mutating func brokenOff(request: Int) { readings[request].granted?.brokenOff() }

    /// - Returns: whether the version is another than the delivered one.
    mutating func checked(
        request: Int, _ version: Int?, at now: MonotonicTime, chance: UInt64
    ) -> Bool {
        checkNext = request + 1
        scheduleCheck(at: now, chance: chance)
        guard let version, version != readings[request].version else { return false }
        wantRotation(at: now)
        return true
    }

    /// What was due could not be done.
    mutating func failed(
        _ due: Due, _ failure: SecretStoreFailure, at now: MonotonicTime, chance: UInt64
    ) {
        if failure == .tokenInvalid, due != .logIn { tokenLost(at: now) }
        let pause = failure.retryAfter
        switch due {
        case .renewToken where failure == .renewalRefused: token?.close(at: now)
        case .renewToken where failure == .tokenInvalid: break
        case .renewToken, .logIn: token?.postpone(pause, at: now, chance: chance)
        case .renew(let request, _)
        where failure == .leaseUnknown || failure == .renewalRefused:
            readings[request].granted?.close(at: now)
        case .renew(let request, _):
            readings[request].granted?.postpone(pause, at: now, chance: chance)
        case .check:
            scheduleCheck(at: now, chance: chance)
            if let pause { checkAt = max(checkAt ?? now, now.advanced(by: pause)) }
        case .nothing, .rotate, .leaveToExpire, .loseToken: break
        }
    }

    mutating func giveUp(request: Int) { readings[request].granted?.giveUp() }
    mutating func tokenLost(at now: MonotonicTime) { token?.close(at: now) }
    mutating func giveUpToken() { token?.giveUp() }
}
