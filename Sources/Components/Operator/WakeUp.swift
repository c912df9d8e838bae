// SPDX-License-Identifier: Apache-2.0
internal import KubernetesPorts
internal import Ports
internal import Synchronization

/// Wakes one task, by as many as like to. What comes while nobody waits, ends the next wait.
final class WakeUp: Sendable {
    private struct State {
        var isRung = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func ring() {
        let waiting = state.withLock { state in
            state.isRung = state.waiting == nil
            return state.waiting.take()
        }
        waiting?.resume()
    }

    /// Until somebody rings, the time comes, or the task is cancelled.
    func wait(until time: MonotonicTime, clock: any AsyncTimeSource) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await clock.sleep(until: time) }
            group.addTask { await self.rung() }
            await group.next()
            group.cancelAll()
        }
    }

    private func rung() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    let isOver = state.isRung || Task.isCancelled
                    state.isRung = false
                    state.waiting = isOver ? nil : continuation
                    return isOver
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.take() }?.resume()
        }
    }
}
