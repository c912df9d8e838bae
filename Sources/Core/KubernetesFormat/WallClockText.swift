// SPDX-License-Identifier: Apache-2.0

/// Times as the Kubernetes API writes them (RFC 3339, UTC).
package enum WallClockText {
    /// `2026-01-01T00:00:00Z`, for `metav1.Time`.
    package static func seconds(_ secondsSince1970: Int64) -> String {
        date(secondsSince1970) + "Z"
    }

    /// `2026-01-01T00:00:00.000000Z`, for `metav1.MicroTime`.
    package static func microseconds(_ nanosecondsSince1970: UInt64) -> String {
        let seconds = Int64(nanosecondsSince1970 / 1_000_000_000)
        let part = Int(nanosecondsSince1970 % 1_000_000_000 / 1000)
        return date(seconds) + "." + padded(part, 6) + "Z"
    }

    private static func date(_ seconds: Int64) -> String {
        let day = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let second = Int(seconds - day * 86_400)
        let (year, month, dayOfMonth) = civil(day)
        return padded(year, 4) + "-" + padded(month, 2) + "-" + padded(dayOfMonth, 2) + "T"
            + padded(second / 3600, 2) + ":" + padded(second / 60 % 60, 2) + ":"
            + padded(second % 60, 2)
    }

    /// The proleptic Gregorian date of a day counted from 1970-01-01, by eras of 400 years.
    private static func civil(_ day: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let ofEra = shifted - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * ofYear + 2) / 153
        let dayOfMonth = ofYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (Int(year), Int(month), Int(dayOfMonth))
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}
