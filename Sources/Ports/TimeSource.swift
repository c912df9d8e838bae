// SPDX-License-Identifier: Apache-2.0

/// A point on a clock that never goes back: time since an arbitrary start.
package struct MonotonicTime: Sendable, Hashable, Comparable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Later by `duration`; a negative one counts as zero, and the end of time is the latest.
    package func advanced(by duration: Duration) -> MonotonicTime {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else { return self }
        let whole = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let sum = nanoseconds.addingReportingOverflow(whole.partialValue)
        let total = sum.partialValue.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        let overflows = whole.overflow || sum.overflow || total.overflow
        return MonotonicTime(nanoseconds: overflows ? .max : total.partialValue)
    }

    /// How much later `other` is; zero when it is not.
    package func duration(to other: MonotonicTime) -> Duration {
        .nanoseconds(
            Int64(clamping: other.nanoseconds > nanoseconds ? other.nanoseconds - nanoseconds : 0))
    }
}

/// Reads clocks. Nothing above the adapters reads one otherwise.
///
/// Contract:
/// - `monotonic` never goes back and does not stop while the machine is awake; it decides about
///   deadlines, renewals and pauses.
/// - `secondsSince1970` may jump either way (clock_settime(2), a suspended machine) and is only
///   for people and records.
/// - Reading a clock cannot fail.
package protocol TimeSource {
    func monotonic() -> MonotonicTime
    /// Wall-clock time, whole seconds (POSIX).
    func secondsSince1970() -> Int64
    /// Wall-clock time in nanoseconds (POSIX); as fine as the source can.
    func nanosecondsSince1970() -> UInt64
}

extension TimeSource {
    package func nanosecondsSince1970() -> UInt64 {
        UInt64(max(0, secondsSince1970())) * 1_000_000_000
    }
}
