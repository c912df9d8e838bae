// SPDX-License-Identifier: Apache-2.0
import Ports
import Simulation
import SimulationEngine
import SimulationScenarios
import Wrapper

/// Copies of the wrapper with one mistake each, which the oracles have to find.
enum BrokenWrapper: String, CaseIterable, Sendable {
    case logsToken = "logs the token it got"
    case ignoresLease = "ignores the lease of a dynamic secret"
    case startsAnyway = "starts the program after a failed fetch"

    /// The oracle that has to go red.
    var oracle: String {
        switch self {
        case .logsToken: "taint"
        case .ignoresLease: "lease-safety"
        case .startsAnyway: "fail-closed"
        }
    }

    func make(_ parts: WrapperParts) throws -> any DrivenWrapper {
        let whole = try ProductionWrapper(parts)
        return switch self {
        case .logsToken: TokenLoggingWrapper(whole, parts)
        case .ignoresLease: LeaseIgnoringWrapper(whole)
        case .startsAnyway: RashWrapper(whole)
        }
    }
}

/// Tells which token it logged in with.
final class TokenLoggingWrapper: DrivenWrapper {
    private let whole: ProductionWrapper
    private let parts: WrapperParts

    init(_ whole: ProductionWrapper, _ parts: WrapperParts) {
        self.whole = whole
        self.parts = parts
    }

    func begin() -> WrapperStateMachine.Action { whole.begin() }

    func perform(_ action: WrapperStateMachine.Action) -> WrapperStateMachine.Event {
        let event = whole.perform(action)
        if case .loggedIn = event {
            let token = parts.server.vault.issued.last { $0.kind == .token }?.text
            let text = "logged in with \(token ?? parts.credential ?? "nothing")"
            try? parts.telemetry.record(TelemetryRecord(.debug, "logged_in", text))
        }
        return event
    }

    func handle(_ event: WrapperStateMachine.Event) -> WrapperStateMachine.Action {
        whole.handle(event)
    }
}

/// Takes values and forgets that they end.
final class LeaseIgnoringWrapper: DrivenWrapper {
    private let whole: ProductionWrapper

    init(_ whole: ProductionWrapper) { self.whole = whole }

    func begin() -> WrapperStateMachine.Action { whole.begin() }

    func perform(_ action: WrapperStateMachine.Action) -> WrapperStateMachine.Event {
        let event = whole.perform(action)
        guard case .read(var facts) = event else { return event }
        facts.lease = nil
        return .read(facts)
    }

    func handle(_ event: WrapperStateMachine.Event) -> WrapperStateMachine.Action {
        whole.handle(event)
    }
}

/// Does not let a failed fetch keep it from starting the program.
final class RashWrapper: DrivenWrapper {
    private let whole: ProductionWrapper
    private var hasGivenUp = false
    private var hasStarted = false

    init(_ whole: ProductionWrapper) { self.whole = whole }

    func begin() -> WrapperStateMachine.Action { whole.begin() }

    func perform(_ action: WrapperStateMachine.Action) -> WrapperStateMachine.Event {
        whole.perform(action)
    }

    func handle(_ event: WrapperStateMachine.Event) -> WrapperStateMachine.Action {
        switch event {
        case .readFailed where !hasStarted, .storeFailed where !hasStarted:
            (hasGivenUp, hasStarted) = (true, true)
            return .startProgram
        case .host(.programEnded(let exit)) where hasGivenUp:
            return .finish(.programEnded(exit))
        case .hostFailed(let failure) where hasGivenUp:
            return .finish(WrapperStop(failure))
        case .started where hasGivenUp, .host where hasGivenUp: return .wait(until: nil)
        case .started:
            hasStarted = true
            return whole.handle(event)
        default: return whole.handle(event)
        }
    }
}
