// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Ports

/// The kernel's clocks (clock_gettime(2)).
package struct LinuxTimeSource: TimeSource {
    package init() {}

    /// CLOCK_MONOTONIC.
    package func monotonic() -> MonotonicTime {
        let time = Self.read(CLOCK_MONOTONIC)
        return MonotonicTime(
            nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// CLOCK_REALTIME.
    package func secondsSince1970() -> Int64 { Int64(Self.read(CLOCK_REALTIME).tv_sec) }

    package func nanosecondsSince1970() -> UInt64 {
        let time = Self.read(CLOCK_REALTIME)
        return UInt64(max(0, time.tv_sec)) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Fails for a clock that does not exist or an address that is not there, so not here.
    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        let result = clock_gettime(clock, &time)
        precondition(result == 0, "clock_gettime(2) knows both clocks")
        return time
    }
}
