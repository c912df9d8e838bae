// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A point on the monotonic clock by which an exchange must be over, and what may end it before.
struct Deadline {
    /// What a wait came to.
    enum Outcome {
        case ready, timedOut, interrupted
    }

    /// The time allowed, for messages.
    let seconds: Int
    private let end: Int
    private let interruptDescriptor: Int32

    /// - Parameter interruptDescriptor: every wait ends as soon as this is readable, or can never
    ///   be again; -1: nothing interrupts. It is not read from.
    init(secondsFromNow seconds: Int, interruptDescriptor: Int32 = -1) {
        self.seconds = seconds
        self.interruptDescriptor = interruptDescriptor
        end = Self.now() + seconds * 1_000_000_000
    }

    /// Waits until `descriptor` is ready.
    /// - Parameters:
    ///   - events: poll(2) events.
    ///   - milliseconds: a shorter limit than the deadline, if any.
    func wait(
        for descriptor: Int32, events: Int32, atMost milliseconds: Int? = nil
    ) -> Outcome {
        var until = end
        if let milliseconds { until = min(until, Self.now() + milliseconds * 1_000_000) }
        while true {
            let left = max(0, (until - Self.now() + 999_999) / 1_000_000)
            // poll(2) passes over an entry whose descriptor is negative.
            var entries = (
                pollfd(fd: descriptor, events: Int16(events), revents: 0),
                pollfd(fd: interruptDescriptor, events: Int16(POLLIN), revents: 0)
            )
            let ready = withUnsafeMutablePointer(to: &entries) { pointer in
                pointer.withMemoryRebound(to: pollfd.self, capacity: 2) {
                    poll($0, 2, Int32(clamping: left))
                }
            }
            if ready > 0 { return entries.1.revents != 0 ? .interrupted : .ready }
            if ready == 0 || errno != EINTR { return .timedOut }
        }
    }

    var hasPassed: Bool { Self.now() >= end }

    var isInterrupted: Bool {
        wait(for: -1, events: 0, atMost: 0) == .interrupted
    }

    /// Nanoseconds.
    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
