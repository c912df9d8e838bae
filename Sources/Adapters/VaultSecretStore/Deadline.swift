// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A point on the monotonic clock by which an exchange must be over.
struct Deadline {
    /// The time allowed, for messages.
    let seconds: Int
    private let end: Int

    init(secondsFromNow seconds: Int) {
        self.seconds = seconds
        end = Self.now() + seconds * 1_000_000_000
    }

    /// Waits until `descriptor` is ready.
    /// - Parameters:
    ///   - events: poll(2) events.
    ///   - milliseconds: a shorter limit than the deadline, if any.
    /// - Returns: whether it became ready in time.
    func wait(for descriptor: Int32, events: Int32, atMost milliseconds: Int? = nil) -> Bool {
        var until = end
        if let milliseconds { until = min(until, Self.now() + milliseconds * 1_000_000) }
        while true {
            let left = max(0, (until - Self.now() + 999_999) / 1_000_000)
            var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            let ready = poll(&entry, 1, Int32(clamping: left))
            if ready > 0 { return true }
            if ready == 0 || errno != EINTR { return false }
        }
    }

    var hasPassed: Bool { Self.now() >= end }

    /// Nanoseconds.
    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
