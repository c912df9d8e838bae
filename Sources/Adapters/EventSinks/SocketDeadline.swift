// SPDX-License-Identifier: Apache-2.0
import Glibc
internal import Ports

/// The time by which a sink's call must be over (CLOCK_MONOTONIC).
struct SocketDeadline {
    private let end: UInt64

    init(after duration: Duration) {
        end = MonotonicTime(nanoseconds: Self.now()).advanced(by: duration).nanoseconds
    }

    /// Waits until the descriptor is ready for `events` (poll(2)), or has failed; false when the
    /// time is over first.
    func wait(for descriptor: Int32, events: Int32) -> Bool {
        while true {
            let now = Self.now()
            let left = end > now ? (end - now + 999_999) / 1_000_000 : 0
            var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            let ready = poll(&entry, 1, Int32(clamping: left))
            if ready > 0 { return true }
            if ready == 0 || errno != EINTR { return false }
        }
    }

    /// Nanoseconds.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
