// SPDX-License-Identifier: Apache-2.0

/// A moment in seconds since 1970-01-01T00:00:00Z.
package struct EvidenceTime: Sendable, Hashable, Comparable {
    package let seconds: Int64

    package init(seconds: Int64) { self.seconds = seconds }

    /// - Parameter rfc3339: `2026-11-27T21:40:00Z`, also with a fraction, which is dropped, and
    ///   with an offset such as `+01:00`. Years 1970 to 9999; a leap second is taken for the
    ///   second after it.
    package init?(rfc3339 text: String) {
        let bytes = Array(text.utf8)
        let digits = Self.dateDigits.map { range in Self.number(bytes, range) }
        guard bytes.count >= 20,
            Self.marks.allSatisfy({ bytes[$0.key] == UInt8(ascii: $0.value) })
        else { return nil }
        guard let year = digits[0], let month = digits[1], let day = digits[2],
            let hour = digits[3], let minute = digits[4], let second = digits[5],
            year >= 1970, (1...12).contains(month), hour < 24, minute < 60, second <= 60,
            day >= 1, day <= Self.days(inMonth: month, of: year),
            let offset = Self.offset(Array(bytes[19...]))
        else { return nil }
        let days = Self.daysSince1970(year: year, month: month, day: day)
        seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset
    }

    package static func < (left: EvidenceTime, right: EvidenceTime) -> Bool {
        left.seconds < right.seconds
    }

    private static let dateDigits = [0..<4, 5..<7, 8..<10, 11..<13, 14..<16, 17..<19]
    private static let marks: KeyValuePairs<Int, Unicode.Scalar> = [
        4: "-", 7: "-", 10: "T", 13: ":", 16: ":",
    ]

    private static func number(_ bytes: [UInt8], _ range: Range<Int>) -> Int64? {
        guard range.upperBound <= bytes.count else { return nil }
        var value: Int64 = 0
        for byte in bytes[range] {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        return value
    }

    /// Seconds east of UTC, of what follows the seconds: an optional fraction, then Z or ±hh:mm.
    private static func offset(_ rest: [UInt8]) -> Int64? {
        var rest = rest[...]
        if rest.first == UInt8(ascii: ".") {
            let fraction = rest.dropFirst().prefix { $0 >= 0x30 && $0 <= 0x39 }
            guard !fraction.isEmpty else { return nil }
            rest = rest[fraction.endIndex...]
        }
        if rest.elementsEqual([UInt8(ascii: "Z")]) { return 0 }
        let zone = Array(rest)
        guard zone.count == 6, zone[3] == UInt8(ascii: ":"),
            zone[0] == UInt8(ascii: "+") || zone[0] == UInt8(ascii: "-"),
            let hours = number(zone, 1..<3), let minutes = number(zone, 4..<6), hours < 24,
            minutes < 60
        else { return nil }
        return (zone[0] == UInt8(ascii: "-") ? -1 : 1) * (hours * 60 + minutes) * 60
    }

    private static func isLeap(_ year: Int64) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func days(inMonth month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let before = year - 1
        let leaps = before / 4 - before / 100 + before / 400 - 477
        let months = (1..<month).reduce(0) { $0 + days(inMonth: $1, of: year) }
        return (year - 1970) * 365 + leaps + months + day - 1
    }
}

/// How old a record may be before it backs nothing any more.
package struct Freshness: Sendable, Equatable {
    /// Days; a record exactly as old as that still counts.
    package let maxAgeDays: Int
    /// nil: the newest record's time, so that a report is the same whenever it is made.
    package let now: EvidenceTime?

    /// What `maxAgeDays` may be.
    package static let range = 1...3650

    /// nil: `maxAgeDays` is not in `range`.
    package init?(maxAgeDays: Int, now: EvidenceTime? = nil) {
        guard Self.range.contains(maxAgeDays) else { return nil }
        self.maxAgeDays = maxAgeDays
        self.now = now
    }

    /// What is wrong with a record's age; nil: nothing.
    func finding(about record: EvidenceRecord, now: EvidenceTime?) -> String? {
        guard let text = record.started else { return "\(record.kernel) does not say when" }
        guard let started = EvidenceTime(rfc3339: text) else {
            return "\(record.kernel) started at '\(text)', which is no RFC 3339 time"
        }
        guard let now else { return nil }
        if started > now { return "\(record.kernel) started later than now" }
        let age = now.seconds - started.seconds
        guard age > Int64(maxAgeDays) * Self.secondsOfDay else { return nil }
        return "\(record.kernel) is older than \(maxAgeDays) \(maxAgeDays == 1 ? "day" : "days")"
    }

    private static let secondsOfDay: Int64 = 86_400
}
