// SPDX-License-Identifier: Apache-2.0
internal import Ports

/// Names a timer that was set.
package struct TimerToken: Sendable, Hashable {
    let sequence: UInt64
}

/// What is to happen, ordered by time and, within one moment, by the order of insertion.
struct TimerHeap {
    private struct Entry {
        let time: MonotonicTime
        let sequence: UInt64
        let action: () -> Void

        func comesBefore(_ other: Entry) -> Bool {
            (time.nanoseconds, sequence) < (other.time.nanoseconds, other.sequence)
        }
    }

    private var entries: [Entry] = []
    private var cancelled: Set<UInt64> = []
    private var nextSequence: UInt64 = 0

    mutating func insert(at time: MonotonicTime, _ action: @escaping () -> Void) -> TimerToken {
        let token = TimerToken(sequence: nextSequence)
        entries.append(Entry(time: time, sequence: nextSequence, action: action))
        nextSequence += 1
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].comesBefore(entries[parent]) else { break }
            entries.swapAt(child, parent)
            child = parent
        }
        return token
    }

    /// A timer that has fired may be cancelled; nothing happens then.
    mutating func cancel(_ token: TimerToken) {
        guard entries.contains(where: { $0.sequence == token.sequence }) else { return }
        cancelled.insert(token.sequence)
    }

    /// When the next timer fires.
    var earliest: MonotonicTime? {
        mutating get {
            while let first = entries.first, cancelled.remove(first.sequence) != nil {
                removeFirst()
            }
            return entries.first?.time
        }
    }

    mutating func takeEarliest() -> (() -> Void)? {
        guard earliest != nil, let first = entries.first else { return nil }
        removeFirst()
        return first.action
    }

    private mutating func removeFirst() {
        guard let last = entries.popLast(), !entries.isEmpty else { return }
        entries[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && entries[child].comesBefore(entries[least]) {
                least = child
            }
            guard least != parent else { return }
            entries.swapAt(least, parent)
            parent = least
        }
    }
}
