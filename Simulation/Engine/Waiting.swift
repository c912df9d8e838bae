// SPDX-License-Identifier: Apache-2.0
package import Ports

/// One suspended task of a component, resumed by the engine: at most once, and never after its
/// incarnation crashed.
final class Wait: @unchecked Sendable {
    private enum State {
        case before, resumedBefore
        case waiting(UnsafeContinuation<Void, Never>, ComponentExecutor?)
        case done
    }

    private var state = State.before

    /// Suspends until `resume`. `start` arranges for that and is called before the suspension.
    func suspend(in scheduler: Scheduler, _ start: () -> Void) async {
        await withUnsafeContinuation { continuation in
            let executor = scheduler.current?.executor
            executor?.openWaits += 1
            state = .waiting(continuation, executor)
            start()
        }
    }

    func resume() {
        guard case .waiting(let continuation, let executor) = state else { return }
        state = .done
        guard let executor else { return continuation.resume() }
        executor.openWaits -= 1
        guard !executor.isFrozen else { return }
        continuation.resume()
    }
}

/// A queue between components, bounded: a message to a full one is dropped and counted.
package final class SimulatedMailbox<Message>: @unchecked Sendable {
    package let capacity: Int
    /// Messages that found it full.
    package private(set) var dropped = 0
    private var messages: [Message] = []
    private var waiting: [Wait] = []
    private let scheduler: Scheduler

    package init(capacity: Int, in run: SimulationRun) {
        precondition(capacity > 0, "a mailbox needs room")
        self.capacity = capacity
        scheduler = run.scheduler
    }

    package var count: Int { messages.count }

    /// - Returns: false when it is full.
    @discardableResult
    package func send(_ message: Message) -> Bool {
        guard messages.count < capacity else {
            dropped += 1
            return false
        }
        messages.append(message)
        if !waiting.isEmpty { waiting.removeFirst().resume() }
        return true
    }

    /// The first message, if there is one already.
    package func takeFirst() -> Message? { messages.isEmpty ? nil : messages.removeFirst() }

    /// Waits for a message, at most until `deadline` (nil: for ever); nil when none came, or when
    /// the task was cancelled.
    package func receive(until deadline: MonotonicTime? = nil) async -> Message? {
        while messages.isEmpty {
            guard !Task.isCancelled else { return nil }
            if let deadline, deadline <= scheduler.now { return nil }
            let wait = Wait()
            let timer = deadline.map { scheduler.schedule(at: $0) { wait.resume() } }
            await withTaskCancellationHandler {
                await wait.suspend(in: scheduler) { waiting.append(wait) }
            } onCancel: {
                wait.resume()
            }
            if let timer { scheduler.cancel(timer) }
            waiting.removeAll { $0 === wait }
        }
        return messages.removeFirst()
    }
}
