// SPDX-License-Identifier: Apache-2.0
package import EnforcementEvents
package import EventPorts
package import Ports
import Synchronization

/// Joins the pipeline's thread, which puts lines in, with the thread of one sink, which takes them
/// out. Neither waits for the other longer than for a queue's own work.
package final class SinkChannel: Sendable {
    package enum Step: Sendable, Equatable {
        /// More may wait: call again.
        case again
        /// Nothing waits; a new line wakes.
        case idle
        /// Call again then.
        case pause(until: MonotonicTime)
    }

    package let sink: String
    private let queue: Mutex<SinkQueue>
    private let wake: @Sendable () -> Void

    /// - Parameter wake: called after a line came in; must not block.
    package init(
        sink: String, limits: SinkQueue.Limits = .init(), wake: @escaping @Sendable () -> Void
    ) {
        self.sink = sink
        self.wake = wake
        queue = Mutex(SinkQueue(sink: sink, limits: limits))
    }

    package func offer(_ line: EventLine) {
        queue.withLock { $0.offer(line) }
        wake()
    }

    package func takeLosses() -> [EventLoss] { queue.withLock { $0.takeLosses() } }

    /// For metrics: waiting lines, delivered and lost lines, the last failure.
    package var counters: SinkCounters {
        queue.withLock {
            SinkCounters(
                waiting: $0.count, delivered: $0.deliveredTotal, lost: $0.lostTotal,
                failure: $0.failure)
        }
    }

    /// Hands over one batch; on the sink's thread.
    package func step<Sink: EventSink & ~Copyable, Entropy: EntropySource & ~Copyable>(
        _ sink: inout Sink, time: some TimeSource, entropy: inout Entropy
    ) -> Step {
        let work = queue.withLock {
            $0.work(
                at: time.monotonic(), batchLinesMax: sink.batchLinesMax,
                batchBytesMax: sink.batchBytesMax)
        }
        switch work {
        case .idle: return .idle
        case .pause(let until): return .pause(until: until)
        case .deliver(let lines):
            let delivery = sink.deliver(lines)
            // Without randomness the pause is its shortest, which is still a pause.
            let chance = (try? entropy.draw(below: 1 << 32)) ?? 0
            queue.withLock { $0.settle(delivery, at: time.monotonic(), chance: chance) }
            return .again
        }
    }
}

/// What is known about a sink.
package struct SinkCounters: Sendable, Equatable {
    package let waiting: Int
    package let delivered: UInt64
    package let lost: UInt64
    package let failure: EventSinkFailure?
}
