// SPDX-License-Identifier: Apache-2.0
internal import Ports

// MARK: - The end

extension WrapperStateMachine {
    /// No program runs any more, or none ever will: clean up, then finish so.
    mutating func begin(ending stop: WrapperStop, _ moment: Moment) -> Action {
        endDeadline = moment.now.advanced(by: WrapperPlan.revocationLimit)
        // The end of an own token is the end of its leases; a former token's are not its.
        discarded = (retired + (fresh + upkeep.readings).compactMap(Retired.init)).filter {
            !plan.ownsToken || $0.login != upkeep.logins
        }
        state = .ending(stop)
        return cleanUp(stop, moment)
    }

    private mutating func cleanUp(_ stop: WrapperStop, _ moment: Moment) -> Action {
        guard !isReleased else {
            state = .finished
            return .finish(stop)
        }
        discarded.removeAll { $0.isOver(at: moment.now) }
        guard isLoggedIn, plan.ownsToken || !discarded.isEmpty else { return .forgetLogin }
        guard max(moment.now, vaultNotBefore) < endDeadline else {
            tell(
                .warning, "revocation_failed",
                "the time for it is over; what was not revoked ends by itself")
            return .forgetLogin
        }
        guard vaultNotBefore <= moment.now else { return .wait(until: vaultNotBefore) }
        lastRevoked = discarded.popLast()?.id
        return lastRevoked.map { .revoke($0) } ?? .revokeToken
    }

    mutating func end(_ stop: WrapperStop, _ event: Event, _ moment: Moment) -> Action {
        switch event {
        case .revoked:
            if lastRevoked == nil { isLoggedIn = false }
            return cleanUp(stop, moment)
        case .storeFailed(let failure):
            heed(failure, moment)
            tellUnrevoked(failure)
            // A policy may forbid the one and allow the other.
            guard lastRevoked != nil, plan.ownsToken, !failure.isTransient else {
                return .forgetLogin
            }
            discarded = []
            return cleanUp(stop, moment)
        // The wait for the vault is over, or somebody is in a hurry.
        case .host: return cleanUp(stop, moment)
        case .hostFailed: return .forgetLogin
        case .forgotten:
            released()
            return cleanUp(stop, moment)
        default: misreported(event)
        }
    }
}
