// SPDX-License-Identifier: Apache-2.0
import Glibc
internal import Ports

/// CLOCK_MONOTONIC (clock_gettime(2)).
enum MonotonicClock {
    static func now() -> MonotonicTime {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return MonotonicTime(
            nanoseconds: UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec))
    }

    /// For poll(2): milliseconds until then, rounded up so that nobody wakes too early; -1 (for
    /// ever) without a time.
    static func pollMilliseconds(until deadline: MonotonicTime?) -> Int32 {
        guard let deadline else { return -1 }
        let now = now()
        guard deadline > now else { return 0 }
        let milliseconds = (deadline.nanoseconds - now.nanoseconds - 1) / 1_000_000 + 1
        return Int32(clamping: milliseconds)
    }
}
