// SPDX-License-Identifier: Apache-2.0

/// A moment by the wall clock: nanoseconds since 1970-01-01 00:00 UTC (POSIX, no leap seconds).
package struct EventTime: Sendable, Hashable {
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package var milliseconds: UInt64 { nanoseconds / 1_000_000 }

    /// RFC 3339 in UTC with nine decimals: `2026-11-26T08:45:10.123456789Z`. 64 bits end in 2554,
    /// so the year has four digits.
    package var text: String { text(decimals: 9) }

    /// - Parameter decimals: 1…9 digits of the second, cut, not rounded.
    package func text(decimals: Int) -> String {
        let seconds = nanoseconds / 1_000_000_000
        let date = Self.date(daysSince1970: Int(seconds / 86_400))
        let rest = Int(seconds % 86_400)
        let fraction = Self.padded(Int(nanoseconds % 1_000_000_000), 9).prefix(decimals)
        return "\(Self.padded(date.year, 4))-\(Self.padded(date.month, 2))-"
            + "\(Self.padded(date.day, 2))T\(Self.padded(rest / 3600, 2)):"
            + "\(Self.padded(rest / 60 % 60, 2)):\(Self.padded(rest % 60, 2)).\(fraction)Z"
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// The Gregorian date. Years are counted from March, so that the leap day is a year's last.
    private static func date(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
        let daysOf400Years = 146_097
        // From 0000-03-01, the first day of a cycle of 400 years.
        let shifted = days + 719_468
        let cycle = shifted / daysOf400Years
        let dayOfCycle = shifted % daysOf400Years
        let yearOfCycle =
            (dayOfCycle - dayOfCycle / 1_460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfCycle + 400 * cycle + (month <= 2 ? 1 : 0)
        return (year, month, day)
    }
}
