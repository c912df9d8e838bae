// SPDX-License-Identifier: Apache-2.0
package import Ports
internal import WrapperConfiguration

/// The wrapper's work from the first login to the last revocation: log in, read each path once,
/// start the program, keep its secrets alive, rotate them, clean up. Pure: the time and chance come
/// in with each event, `WrapperRun` performs the actions.
///
/// Invariants:
/// - Nothing is asked of the vault before the agent's protection is had, where it is required.
/// - `startProgram` is asked for only after every read succeeded.
/// - Where the agent is required and scans, no value is handed over that it does not scan for.
/// - A login that nothing needs after the start is revoked and forgotten before it.
/// - One action is under way at a time; its outcome is the next event.
package struct WrapperStateMachine: Sendable {
    package enum Event: Sendable, Equatable {
        case begin
        case registered(NodeRegistration)
        case unregistered(NodeAgentFailure)
        /// What the program writes and sends is scanned for the values that were read.
        case scanning
        /// It is not; `isTransient`: the same may work a little later.
        case unscanned(WrapperStop, isTransient: Bool)
        case loggedIn(Grant)
        case read(SecretFacts)
        /// The read brought no values. A lease may have been granted all the same.
        case readFailed(SecretStoreFailure, Lease?)
        case valuesRefused(WrapperStop, Lease?)
        case renewed(Grant)
        case version(Int?)
        case revoked
        case storeFailed(SecretStoreFailure)
        case forgotten
        case started
        /// What has no outcome of its own: a signal sent, values replaced, a hook started, a stop
        /// asked for.
        case done
        case hostFailed(ProcessHostFailure)
        case host(HostEvent)
    }

    package enum Action: Sendable, Equatable {
        /// Ask the node's agent for its protection.
        case register
        /// Index the values that were read, and let the agent scan for them.
        case scan
        case logIn
        /// Read the request of this index; 0 begins a new image.
        case read(request: Int)
        case renewToken
        case renew(LeaseID)
        case checkVersion(request: Int)
        case revoke(LeaseID)
        case revokeToken
        case forgetLogin
        case startProgram
        case replaceValues
        case sendSignal(Int32)
        case runHook
        case stopProgram
        /// Wait for the host, at most until then; nil: for ever.
        case wait(until: MonotonicTime?)
        /// Nothing more to do; exit so.
        case finish(WrapperStop)
    }

    /// What to do next, and what is worth telling about what was.
    package struct Step: Sendable, Equatable {
        package var action: Action
        package var records: [TelemetryRecord]
    }

    enum State: Sendable, Equatable {
        case idle
        case registering
        case loggingIn
        case reading
        /// Before the start, until the failed action is tried again.
        case pausing(again: Action)
        case releasing
        case scanning
        case starting
        case watching
        /// A signal on its way to the program.
        case passing
        case keeping(Upkeep.Due)
        case rotating(RotationStage)
        case discarding
        case ending(WrapperStop)
        case finished
    }

    let plan: WrapperPlan
    var state = State.idle
    var upkeep: Upkeep
    /// Of the reads under way.
    var fresh: [Reading] = []
    /// To be revoked now.
    var discarded: [Retired] = []
    /// In use by programs that keep their old values; revoked at the end.
    var retired: [Retired] = []
    var backoff = Backoff()
    var fetchDeadline = MonotonicTime(nanoseconds: .max)
    var endDeadline = MonotonicTime(nanoseconds: .max)
    /// The lease that is being revoked at the end; nil: the token is.
    var lastRevoked: LeaseID?
    var isLoggedIn = false
    /// The agent scans, and the delivery puts an index where it can.
    var scans = false
    /// The vault asked to be left alone until then (Retry-After), whatever for.
    var vaultNotBefore = MonotonicTime(nanoseconds: 0)
    /// The login was forgotten: the vault is not asked any more.
    var isReleased = false
    private var records: [TelemetryRecord] = []

    package init(plan: WrapperPlan) {
        self.plan = plan
        upkeep = Upkeep(plan)
    }

    /// - Parameters:
    ///   - now: when the event was seen.
    ///   - chance: any number, drawn anew for each event.
    package mutating func handle(
        _ event: Event, at now: MonotonicTime, chance: UInt64
    ) -> Step {
        let action = next(event, Moment(now: now, chance: chance))
        defer { records = [] }
        return Step(action: action, records: records)
    }

    /// When something happens, and the chance that goes with it.
    struct Moment {
        let now: MonotonicTime
        let chance: UInt64
    }

    private mutating func next(_ event: Event, _ moment: Moment) -> Action {
        if case .host(.deliveryFailed(let failed)) = event { tell(failed) }
        switch state {
        case .idle, .registering, .loggingIn, .reading, .pausing: return fetch(event, moment)
        case .releasing, .scanning, .starting: return launch(event, moment)
        case .watching: return watch(event, moment)
        case .passing:
            guard event == .done else { misreported(event) }
            return watchOn(moment)
        case .keeping(let due): return keep(due, event, moment)
        case .rotating(let stage): return rotate(stage, event, moment)
        case .discarding: return discard(event, moment)
        case .ending(let stop): return end(stop, event, moment)
        case .finished: misreported(event)
        }
    }

    private mutating func tell(_ failed: FailedDelivery) {
        let remedy =
            failed.isMemoryExhausted
            ? "; RLIMIT_MEMLOCK is used up: raise it, or start fewer processes at once" : ""
        tell(
            .error, "delivery_failed",
            "delivery to process \(failed.process) failed at step \(failed.step) "
                + "(\(ErrorNumber.text(failed.errorNumber))); the process was killed\(remedy)")
    }

    func misreported(_ event: Event) -> Never {
        preconditionFailure("the wrapper's driver reported \(event) in \(state)")
    }

    /// - Parameter request: its index, when one request is meant; told from 1.
    mutating func tell(
        _ severity: TelemetryRecord.Severity, _ name: String, _ message: String,
        request: Int? = nil
    ) {
        let fields = request.map { [TelemetryRecord.Field("request", String($0 + 1))] } ?? []
        records.append(TelemetryRecord(severity, name, message, fields: fields))
    }
}

// MARK: - Before the start

extension WrapperStateMachine {
    private mutating func fetch(_ event: Event, _ moment: Moment) -> Action {
        switch (state, event) {
        case (.idle, .begin):
            fetchDeadline = moment.now.advanced(by: plan.fetchLimit)
            return plan.agent == .none ? logIn() : register()
        case (.registering, .registered(let registration)):
            tell(
                .debug, "agent_protects",
                "the node's agent protects this process by \(registration.tier)")
            settleScan(registration)
            backoff = Backoff()
            return logIn()
        case (.registering, .unregistered(let failure)):
            return unregistered(failure, moment)
        case (.loggingIn, .loggedIn(let grant)):
            isLoggedIn = true
            upkeep.loggedIn(grant, at: moment.now, chance: moment.chance)
            return read(0)
        case (.loggingIn, .storeFailed(let failure)):
            return retry(.logIn, after: failure, moment)
        case (.reading, .read(let facts)):
            fresh.append(reading(facts, moment))
            return fresh.count < plan.requestCount ? read(fresh.count) : fetched(moment)
        case (.reading, .readFailed(let failure, let lease)):
            retire(lease, moment)
            return retry(.read(request: fresh.count), after: failure, moment)
        case (.reading, .valuesRefused(let stop, let lease)):
            retire(lease, moment)
            return begin(ending: stop, moment)
        case (.pausing(let again), .host(.deadline)):
            switch again {
            case .register: return register()
            case .scan: return scan()
            case .logIn: return logIn()
            default: return read(fresh.count)
            }
        case (.pausing, .host(.stopRequested(let signal))):
            return begin(ending: .stopRequested(signal: signal), moment)
        case (.pausing, .hostFailed(let failure)):
            return begin(ending: WrapperStop(failure), moment)
        default: misreported(event)
        }
    }

    private mutating func register() -> Action {
        state = .registering
        return .register
    }

    /// Where the agent is required it may still be starting; otherwise one answer is enough.
    private mutating func unregistered(
        _ failure: NodeAgentFailure, _ moment: Moment
    ) -> Action {
        let stop = WrapperStop(failure)
        guard plan.agent == .required else {
            let isAbsent = if case .absent = failure { true } else { false }
            tell(
                isAbsent ? .debug : .warning, "agent_does_not_protect",
                "\(stop.cause); this process runs without it (CLOUDTASER_AGENT=preferred)")
            return logIn()
        }
        let time = moment.now.advanced(by: backoff.next(chance: moment.chance))
        guard failure.isTransient, time <= fetchDeadline else {
            return begin(ending: stop, moment)
        }
        tell(.warning, "agent_retry", "\(stop.cause); trying again")
        state = .pausing(again: .register)
        return .wait(until: time)
    }

    private mutating func logIn() -> Action {
        fresh = []
        state = .loggingIn
        return .logIn
    }

    private mutating func read(_ request: Int) -> Action {
        state = .reading
        return .read(request: request)
    }

    /// Once more from the first read, with the time of a first fetch: what was read has ended
    /// before it could be used.
    ///
    /// The old program is gone by now: one more try than the first fetch gets is worth it.
    mutating func readAgain(_ moment: Moment) -> Action {
        fresh = []
        backoff = Backoff()
        fetchDeadline = moment.now.advanced(by: max(plan.fetchLimit, Self.readAgainLimitMin))
        let needsLogin = plan.canLogInAgain && upkeep.isTokenOver(at: moment.now)
        return needsLogin ? logIn() : read(0)
    }

    private mutating func retire(_ lease: Lease?, _ moment: Moment) {
        if let lease { retire([retired(lease, moment)], moment) }
    }

    func reading(_ facts: SecretFacts, _ moment: Moment) -> Reading {
        Reading(facts, login: upkeep.logins, at: moment.now, chance: moment.chance)
    }

    func retired(_ lease: Lease, _ moment: Moment) -> Retired {
        Retired(lease, login: upkeep.logins, at: moment.now)
    }

    /// What may pass by itself is tried again until the time for the fetch is over.
    private mutating func retry(
        _ action: Action, after failure: SecretStoreFailure, _ moment: Moment
    ) -> Action {
        guard failure != .interrupted else {
            // The host tells why.
            if action != .logIn { tellBrokenOff() }
            state = .pausing(again: action)
            return .wait(until: moment.now.advanced(by: Self.interruptionPause))
        }
        heed(failure, moment)
        let pause = max(backoff.next(chance: moment.chance), failure.retryAfter ?? .zero)
        let time = moment.now.advanced(by: pause)
        // A token that ended while the vault could not be reached has a successor.
        let isTokenOver = failure == .tokenInvalid && action != .logIn && plan.canLogInAgain
        guard failure.isTransient || isTokenOver, time <= fetchDeadline else {
            return begin(ending: WrapperStop(failure), moment)
        }
        tell(
            .warning, "vault_retry", "\(WrapperStop(failure).cause); trying again",
            request: isLoggedIn ? fresh.count : nil)
        state = .pausing(again: isTokenOver ? .logIn : action)
        return .wait(until: time)
    }

    mutating func tellBrokenOff() {
        tell(
            .notice, "read_broken_off",
            "a read was broken off; what the vault may have granted for it ends by itself")
    }

    static let readAgainLimitMin = Duration.seconds(10)

    /// An interruption that no event explains must not become a busy loop.
    static let interruptionPause = Duration.milliseconds(100)

    private mutating func fetched(_ moment: Moment) -> Action {
        upkeep.take(fresh, at: moment.now, chance: moment.chance)
        fresh = []
        guard !upkeep.isNeeded else { return prepareStart() }
        if plan.rotation != .none {
            tell(
                .warning, "rotation_without_object",
                "nothing that was read has a version or an end: \(plan.rotation.name) has nothing"
                    + " to follow")
        }
        state = .releasing
        return revokesToken ? .revokeToken : .forgetLogin
    }

    mutating func start() -> Action {
        state = .starting
        return .startProgram
    }

    private mutating func launch(_ event: Event, _ moment: Moment) -> Action {
        switch (state, event) {
        case (.releasing, .revoked): return .forgetLogin
        case (.releasing, .storeFailed(let failure)):
            tellUnrevoked(failure)
            return .forgetLogin
        case (.releasing, .forgotten):
            released()
            return prepareStart()
        case (.scanning, .scanning):
            tell(.debug, "output_scanned", "the node's agent scans for the values")
            return start()
        case (.scanning, .unscanned(let stop, let isTransient)):
            return unscanned(stop, isTransient: isTransient, moment)
        case (.starting, .started):
            tell(.debug, "program_started", "the program runs")
            return watchOn(moment)
        case (.starting, .hostFailed(let failure)):
            return begin(ending: WrapperStop(failure), moment)
        default: misreported(event)
        }
    }

    /// Keeps what a failure asks for.
    mutating func heed(_ failure: SecretStoreFailure?, _ moment: Moment) {
        guard let delay = failure?.retryAfter else { return }
        vaultNotBefore = max(vaultNotBefore, moment.now.advanced(by: delay))
    }

    var revokesToken: Bool { isLoggedIn && plan.ownsToken }

    mutating func released() {
        isLoggedIn = false
        isReleased = true
    }

    mutating func tellUnrevoked(_ failure: SecretStoreFailure) {
        tell(
            .warning, "revocation_failed",
            "\(WrapperStop(failure).cause); what was not revoked ends by itself")
    }
}
