// SPDX-License-Identifier: Apache-2.0
package import Ports

/// The order of the wrapper's work: log in, read each path once, forget the login, start the
/// program, pass its end on. Pure; `WrapperRun` performs the actions.
///
/// Invariant: `start` is asked for only after every read succeeded and the login was forgotten.
package struct WrapperStateMachine {
    package enum Event: Sendable, Equatable {
        case begin
        case loggedIn
        case read
        case storeFailed(SecretStoreFailure)
        case valuesRefused(WrapperStop)
        case forgotten
        case programEnded(ChildExit)
        case hostFailed(ProcessHostFailure)
    }

    package enum Action: Sendable, Equatable {
        case logIn
        /// Read the request of this index.
        case read(request: Int)
        case forgetLogin
        case startProgram
        /// Nothing more to do; exit so.
        case finish(WrapperStop)
    }

    enum State: Equatable {
        case idle
        case loggingIn
        case reading(request: Int)
        case forgetting
        case failing(WrapperStop)
        case running
        case finished
    }

    private(set) var state = State.idle
    let requestCount: Int

    package init(requestCount: Int) {
        precondition(requestCount > 0, "the settings parser refuses an empty list")
        self.requestCount = requestCount
    }

    package mutating func handle(_ event: Event) -> Action {
        switch (state, event) {
        case (.idle, .begin):
            state = .loggingIn
            return .logIn
        case (.loggingIn, .loggedIn):
            state = .reading(request: 0)
            return .read(request: 0)
        case (.reading(let request), .read):
            return next(after: request)
        case (.loggingIn, .storeFailed(let failure)), (.reading, .storeFailed(let failure)):
            return fail(WrapperStop(failure))
        case (.reading, .valuesRefused(let stop)):
            return fail(stop)
        case (.forgetting, .forgotten):
            state = .running
            return .startProgram
        case (.failing(let stop), .forgotten):
            state = .finished
            return .finish(stop)
        case (.running, .programEnded(let exit)):
            state = .finished
            return .finish(.programEnded(exit))
        case (.running, .hostFailed(let failure)):
            state = .finished
            return .finish(WrapperStop(failure))
        default:
            preconditionFailure("the wrapper's driver reported \(event) in \(state)")
        }
    }

    private mutating func next(after request: Int) -> Action {
        guard request + 1 < requestCount else {
            state = .forgetting
            return .forgetLogin
        }
        state = .reading(request: request + 1)
        return .read(request: request + 1)
    }

    private mutating func fail(_ stop: WrapperStop) -> Action {
        state = .failing(stop)
        return .forgetLogin
    }
}
