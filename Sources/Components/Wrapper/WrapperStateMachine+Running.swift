// SPDX-License-Identifier: Apache-2.0
internal import Ports
internal import WrapperConfiguration

// MARK: - While the program runs

extension WrapperStateMachine {
    /// Does what is due, or waits for the program and the next thing that will be.
    mutating func watchOn(_ moment: Moment) -> Action {
        guard !isReleased else {
            state = .watching
            return .wait(until: nil)
        }
        while true {
            let due = upkeep.next(at: moment.now)
            switch due {
            case .nothing(let until):
                state = .watching
                return .wait(until: until)
            case .leaveToExpire(let request):
                tell(
                    .warning, "lease_ending",
                    "a secret's lease cannot be renewed any further, and no rotation strategy is"
                        + " set: the program's value will stop working",
                    request: request)
                upkeep.giveUp(request: request)
            case .loseToken:
                tell(
                    .warning, "token_ending",
                    "the token cannot be renewed any further, and logging in again is not possible")
                upkeep.giveUpToken()
            case .rotate, .logIn, .renewToken, .renew, .check:
                guard vaultNotBefore <= moment.now else {
                    tellEndings()
                    state = .watching
                    return .wait(until: vaultNotBefore)
                }
                return attend(to: due)
            }
        }
    }

    /// Until the vault may be asked again, leases can end.
    private mutating func tellEndings() {
        for request in upkeep.takeEndings(until: vaultNotBefore) {
            tell(
                .warning, "lease_ending",
                "the vault wants to be left alone until after the end of a secret's lease: the"
                    + " program's value stops working for so long",
                request: request)
        }
    }

    private mutating func attend(to due: Upkeep.Due) -> Action {
        switch due {
        case .rotate: return beginRotation()
        case .logIn: return keep(due, by: .logIn)
        case .renewToken: return keep(due, by: .renewToken)
        case .renew(_, let lease): return keep(due, by: .renew(lease))
        case .check(let request): return keep(due, by: .checkVersion(request: request))
        case .nothing, .leaveToExpire, .loseToken:
            preconditionFailure("\(due) is nothing to ask the vault for")
        }
    }

    private mutating func keep(_ due: Upkeep.Due, by action: Action) -> Action {
        state = .keeping(due)
        return action
    }

    mutating func watch(_ event: Event, _ moment: Moment) -> Action {
        switch event {
        case .host(.deadline), .host(.deliveryFailed): return watchOn(moment)
        case .host(.programEnded(let exit)): return begin(ending: .programEnded(exit), moment)
        case .host(.stopRequested(let signal)):
            // It came between two programs, and the second runs by now.
            state = .passing
            return .sendSignal(signal)
        case .host(.hookEnded(let exit)):
            let isGood = exit == .exited(code: 0)
            tell(
                isGood ? .notice : .error, "hook_ended",
                "the rotation hook ended with status \(exit.statusCode)")
            return watchOn(moment)
        case .hostFailed(let failure): return begin(ending: WrapperStop(failure), moment)
        default: misreported(event)
        }
    }

    mutating func keep(_ due: Upkeep.Due, _ event: Event, _ moment: Moment) -> Action {
        let (now, chance) = (moment.now, moment.chance)
        switch (due, event) {
        case (.logIn, .loggedIn(let grant)):
            upkeep.loggedIn(grant, at: now, chance: chance)
            tell(.notice, "token_replaced", "logged in again before the token's end")
        case (.renewToken, .renewed(let grant)):
            upkeep.tokenRenewed(grant, at: now, chance: chance)
            tell(.debug, "token_renewed", "the token was renewed")
        case (.renew(let request, _), .renewed(let grant)):
            upkeep.renewed(request: request, grant, at: now, chance: chance)
            tell(.debug, "lease_renewed", "a lease was renewed", request: request)
        case (.check(let request), .version(let version)):
            if upkeep.checked(request: request, version, at: now, chance: chance) {
                tell(.notice, "version_changed", "a secret has a new version", request: request)
            }
        case (_, .storeFailed(.interrupted)):
            if case .renew(let request, _) = due { upkeep.brokenOff(request: request) }
            state = .watching
            return .wait(until: now.advanced(by: Self.interruptionPause))
        case (_, .storeFailed(let failure)):
            heed(failure, moment)
            upkeep.failed(due, failure, at: now, chance: chance)
            tell(.warning, "upkeep_failed", WrapperStop(failure).cause, request: due.request)
        default: misreported(event)
        }
        return watchOn(moment)
    }
}

// MARK: - Rotation

/// How far a rotation has come.
enum RotationStage: Sendable, Equatable {
    case reading
    /// The new values are indexed, and the agent is told.
    case scanning
    /// Before the program is stopped: has it ended by itself?
    case looking
    case stopping
    /// Stopped, its end is awaited.
    case stopped
    /// The same, and there will be no other program.
    case stoppedForGood
    case restarting
    case replacing
    case signalling
    case hooking
}

extension WrapperStateMachine {
    private mutating func beginRotation() -> Action {
        fresh = []
        tell(.notice, "rotation_started", "reading every secret anew (\(plan.rotation.name))")
        state = .rotating(.reading)
        return .read(request: 0)
    }

    mutating func rotate(_ stage: RotationStage, _ event: Event, _ moment: Moment) -> Action {
        switch (stage, event) {
        case (.reading, .read(let facts)):
            fresh.append(reading(facts, moment))
            if fresh.count < plan.requestCount { return .read(request: fresh.count) }
            guard scans else { return apply(moment) }
            state = .rotating(.scanning)
            return .scan
        case (.scanning, .scanning): return apply(moment)
        case (.scanning, .unscanned(let stop, _)):
            guard plan.agent == .required else {
                tellUnscanned(stop)
                return apply(moment)
            }
            return abandon(stop, nil, nil, moment)
        case (.reading, .readFailed(let failure, let lease)):
            return abandon(WrapperStop(failure), failure, lease, moment)
        case (.reading, .valuesRefused(let stop, let lease)):
            return abandon(stop, nil, lease, moment)
        case (.replacing, .hostFailed(let failure)), (.hooking, .hostFailed(let failure)):
            return abandon(WrapperStop(failure), nil, nil, moment)
        case (.looking, _), (.stopping, _), (.stopped, _), (.stoppedForGood, _), (.restarting, _):
            return restart(stage, event, moment)
        case (.replacing, .done):
            switch plan.rotation {
            case .signal(let number):
                state = .rotating(.signalling)
                return .sendSignal(number)
            case .execHook:
                state = .rotating(.hooking)
                return .runHook
            case .none, .restart: misreported(event)
            }
        case (.signalling, .done), (.hooking, .done):
            // The program may use its old values a while longer: their leases run out by
            // themselves, or are revoked at the end.
            retire(upkeep.readings.compactMap(Retired.init), moment)
            return rotated(moment)
        default: misreported(event)
        }
    }

    /// Leases of former values that are revoked at the end; older ones run out by themselves.
    static let retiredMax = 256

    /// Remembers leases for the end, and forgets those that have run out.
    mutating func retire(_ leases: [Retired], _ moment: Moment) {
        retired = (retired + leases).filter { !$0.isOver(at: moment.now) }
        retired.removeFirst(max(retired.count - Self.retiredMax, 0))
    }

    /// Every new value is here: hand them over.
    private mutating func apply(_ moment: Moment) -> Action {
        switch plan.rotation {
        case .restart:
            state = .rotating(.looking)
            return .wait(until: moment.now)
        case .signal, .execHook:
            state = .rotating(.replacing)
            return .replaceValues
        case .none: preconditionFailure("the upkeep of a plan without rotation never rotates")
        }
    }

    private mutating func restart(
        _ stage: RotationStage, _ event: Event, _ moment: Moment
    ) -> Action {
        switch (stage, event) {
        case (.looking, .host(.deadline)):
            state = .rotating(.stopping)
            return .stopProgram
        case (.looking, .host(.programEnded(let exit))):
            retireFresh(moment)
            return begin(ending: .programEnded(exit), moment)
        case (.stopping, .done):
            state = .rotating(.stopped)
            return .wait(until: nil)
        case (.stopped, .host(.programEnded)):
            // The old program may have taken its time.
            let isStale = fresh.contains { $0.granted?.isExpired(at: moment.now) ?? false }
            guard !isStale else {
                retireFresh(moment)
                retire(upkeep.readings.compactMap(Retired.init), moment)
                return readAgain(moment)
            }
            state = .rotating(.restarting)
            return .startProgram
        case (.looking, .host): return .wait(until: moment.now)
        case (.stopped, .host(.stopRequested)):
            // Who wants the container to end does not want another program.
            state = .rotating(.stoppedForGood)
            return .wait(until: nil)
        case (.stoppedForGood, .host(.programEnded(let exit))):
            retireFresh(moment)
            return begin(ending: .programEnded(exit), moment)
        case (.stopped, .host), (.stoppedForGood, .host): return .wait(until: nil)
        case (.restarting, .started):
            // Nobody uses the former values any more.
            discarded = upkeep.readings.compactMap(Retired.init)
            return rotated(moment)
        case (_, .hostFailed(let failure)):
            retireFresh(moment)
            return begin(ending: WrapperStop(failure), moment)
        default: misreported(event)
        }
    }

    private mutating func rotated(_ moment: Moment) -> Action {
        upkeep.take(fresh, at: moment.now, chance: moment.chance)
        fresh = []
        tell(.notice, "rotation_done", "the new values are handed over (\(plan.rotation.name))")
        return discardNext(moment)
    }

    /// The program keeps what it has, and the rotation is tried again later.
    private mutating func abandon(
        _ stop: WrapperStop, _ failure: SecretStoreFailure?, _ lease: Lease?, _ moment: Moment
    ) -> Action {
        discarded = fresh.compactMap(Retired.init)
        if let lease { discarded.append(retired(lease, moment)) }
        fresh = []
        upkeep.rotationFailed(failure?.retryAfter, at: moment.now, chance: moment.chance)
        if failure == .tokenInvalid { upkeep.tokenLost(at: moment.now) }
        heed(failure, moment)
        guard failure != .interrupted else {
            tellBrokenOff()
            retire(discarded, moment)
            discarded = []
            state = .watching
            return .wait(until: moment.now.advanced(by: Self.interruptionPause))
        }
        tell(.error, "rotation_failed", "\(stop.cause); the program keeps its values for now")
        return discardNext(moment)
    }

    private mutating func retireFresh(_ moment: Moment) {
        retire(fresh.compactMap(Retired.init), moment)
        fresh = []
    }

    private mutating func discardNext(_ moment: Moment) -> Action {
        if moment.now < vaultNotBefore {
            retire(discarded, moment)
            discarded = []
        }
        discarded.removeAll { $0.isOver(at: moment.now) }
        guard let lease = discarded.popLast() else { return watchOn(moment) }
        state = .discarding
        return .revoke(lease.id)
    }

    mutating func discard(_ event: Event, _ moment: Moment) -> Action {
        switch event {
        case .revoked: break
        case .storeFailed(let failure):
            // What could not be revoked runs out by itself.
            heed(failure, moment)
            tellUnrevoked(failure)
            discarded = []
        default: misreported(event)
        }
        return discardNext(moment)
    }
}
