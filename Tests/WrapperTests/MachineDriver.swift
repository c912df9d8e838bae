// SPDX-License-Identifier: Apache-2.0
import Ports
import Testing
import Wrapper
import WrapperConfiguration

/// Drives the state machine by hand: the next event, at a time that the test moves.
struct MachineDriver {
    var machine: WrapperStateMachine
    var now = MonotonicTime(nanoseconds: 0)
    var chance: UInt64 = 0
    /// Names of everything that was told.
    var told: [String] = []
    /// Their texts.
    var messages: [String] = []

    typealias Event = WrapperStateMachine.Event
    typealias Action = WrapperStateMachine.Action

    init(
        requests: Int = 1, _ change: (inout WrapperPlan) -> Void = { _ in }
    ) {
        var plan = WrapperPlan(requestCount: requests)
        change(&plan)
        machine = WrapperStateMachine(plan: plan)
    }

    /// - Parameter seconds: pass before the event.
    @discardableResult
    mutating func handle(_ event: Event, after seconds: Double = 0) -> Action {
        now = now.advanced(by: .milliseconds(Int(seconds * 1000)))
        let step = machine.handle(event, at: now, chance: chance)
        told += step.records.map(\.name)
        messages += step.records.map(\.message)
        return step.action
    }

    /// Through login and reads to the running program.
    @discardableResult
    mutating func start(
        _ grant: Grant = .forever, reading facts: [SecretFacts] = [SecretFacts()]
    ) -> Action {
        handle(.begin)
        var action = handle(.loggedIn(grant))
        for facts in facts { action = handle(.read(facts)) }
        if action == .revokeToken { action = handle(.revoked) }
        if action == .forgetLogin { action = handle(.forgotten) }
        #expect(action == .startProgram)
        return handle(.started)
    }

    /// In seconds from the driver's start; nil: no wait, or for ever.
    static func end(of action: Action) -> Double? {
        guard case .wait(let until?) = action else { return nil }
        return Double(until.nanoseconds) / 1e9
    }

    /// Lets the wait pass, and says what comes then.
    mutating func waitOut(_ action: Action) -> Action {
        guard case .wait(let until?) = action else {
            Issue.record("\(action) is no wait with an end")
            return action
        }
        now = max(now, until)
        return handle(.host(.deadline))
    }
}

extension Grant {
    static let forever = Grant(lifetime: nil, isRenewable: false)

    static func seconds(_ seconds: Int, renewable: Bool = true) -> Grant {
        Grant(lifetime: .seconds(seconds), isRenewable: renewable)
    }
}

extension SecretFacts {
    static func leased(_ name: String, _ grant: Grant) -> SecretFacts {
        SecretFacts(lease: Lease(id: LeaseID(name), grant: grant))
    }

    static func version(_ number: Int) -> SecretFacts { SecretFacts(version: number) }
}
