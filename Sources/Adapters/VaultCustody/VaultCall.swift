// SPDX-License-Identifier: Apache-2.0
internal import ObjectKeyPorts
internal import Synchronization

/// One call that a task waits for. The first outcome counts: the answer, the end of its time, or
/// the task's cancellation.
final class VaultCall<Value: Sendable>: Sendable {
    typealias Outcome = Result<Value, KeyCustodyFailure>

    private enum State {
        case fresh
        case waiting(CheckedContinuation<Outcome, Never>)
        /// Over before anybody waited.
        case ready(Outcome)
        case over
    }

    private let state = Mutex(State.fresh)

    var isOver: Bool {
        state.withLock { state in
            switch state {
            case .fresh, .waiting: false
            case .ready, .over: true
            }
        }
    }

    func outcome() async -> Outcome {
        await withCheckedContinuation { continuation in
            let ready: Outcome? = state.withLock { state in
                guard case .ready(let outcome) = state else {
                    state = .waiting(continuation)
                    return nil
                }
                state = .over
                return outcome
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    func finish(_ outcome: Outcome) {
        let waiting: CheckedContinuation<Outcome, Never>? = state.withLock { state in
            switch state {
            case .fresh:
                state = .ready(outcome)
                return nil
            case .waiting(let continuation):
                state = .over
                return continuation
            case .ready, .over: return nil
            }
        }
        waiting?.resume(returning: outcome)
    }
}
