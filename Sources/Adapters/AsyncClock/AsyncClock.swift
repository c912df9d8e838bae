// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KubernetesPorts
package import Ports

/// The machine's clocks for programs that have tasks.
package struct AsyncClock: AsyncTimeSource {
    package init() {}

    package func monotonic() -> MonotonicTime {
        MonotonicTime(nanoseconds: Self.read(CLOCK_MONOTONIC))
    }

    package func secondsSince1970() -> Int64 {
        Int64(Self.read(CLOCK_REALTIME) / 1_000_000_000)
    }

    package func nanosecondsSince1970() -> UInt64 { Self.read(CLOCK_REALTIME) }

    package func sleep(until time: MonotonicTime) async {
        let wait = monotonic().duration(to: time)
        guard wait > .zero else { return }
        // It throws when the task is cancelled, and then the caller looks itself.
        try? await Task.sleep(for: wait, tolerance: .zero)
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(max(0, time.tv_sec)) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
