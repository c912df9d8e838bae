// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Callers that want the same at the same time: the first works, the others wait for what comes of
/// it. When the first gives up, one of the others works.
package final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private typealias Waiting = CheckedContinuation<Value?, Never>

    private struct State {
        /// Who waits, by number, for each key that somebody works on.
        var flights: [Key: [Int: Waiting]] = [:]
        var next = 0
        /// Numbers of those that were cancelled before they waited.
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    package init() {}

    /// - Parameter work: nil: it gave up.
    /// - Returns: nil: this caller was cancelled, or its own work gave up.
    package func value(_ key: Key, _ work: () async -> Value?) async -> Value? {
        while !Task.isCancelled {
            let isFirst = state.withLock { state in
                guard state.flights[key] == nil else { return false }
                state.flights[key] = [:]
                return true
            }
            guard !isFirst else {
                let value = await work()
                let waiting = state.withLock { $0.flights.removeValue(forKey: key) ?? [:] }
                for (_, continuation) in waiting.sorted(by: { $0.key < $1.key }) {
                    continuation.resume(returning: value)
                }
                return value
            }
            if let value = await wait(key) { return value }
        }
        return nil
    }

    private func wait(_ key: Key) async -> Value? {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        defer { state.withLock { _ = $0.cancelled.remove(number) } }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Waiting) in
                let isOver = state.withLock { state in
                    let isCancelled = state.cancelled.remove(number) != nil
                    guard !isCancelled, state.flights[key] != nil else { return true }
                    state.flights[key]?[number] = continuation
                    return false
                }
                if isOver { continuation.resume(returning: nil) }
            }
        } onCancel: {
            let waiting = state.withLock { state -> Waiting? in
                guard let waiting = state.flights[key]?.removeValue(forKey: number) else {
                    // Not there yet, or answered already.
                    state.cancelled.insert(number)
                    return nil
                }
                return waiting
            }
            waiting?.resume(returning: nil)
        }
    }
}
