// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// A day of the Gregorian calendar, UTC.
package struct EvidenceDay: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Counted from 1970-01-01.
    package let number: Int

    package init(number: Int) { self.number = number }

    /// - Parameter text: `2026-11-27`; nil for anything else, or a day that no month has.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard text.utf8.count == 10, parts.count == 3,
            parts.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]),
            year >= 1970, (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        number = Self.number(year: year, month: month, day: day)
        // 31 April would be another day.
        guard description == text else { return nil }
    }

    package static func < (left: EvidenceDay, right: EvidenceDay) -> Bool {
        left.number < right.number
    }

    package var description: String { String(start.text.prefix(10)) }
    /// Its first second.
    package var start: EvidenceTime { EvidenceTime(seconds: Int64(number) * 86_400) }
    /// Its last second.
    package var end: EvidenceTime { EvidenceTime(seconds: Int64(number) * 86_400 + 86_399) }

    package func adding(days: Int) -> EvidenceDay { EvidenceDay(number: number + days) }

    /// By eras of 400 years that begin in March.
    private static func number(year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let ofEra = shifted % 400
        let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return shifted / 400 * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }
}

/// A second, UTC.
package struct EvidenceTime: Sendable, Hashable, Comparable {
    /// Since 1970-01-01T00:00:00Z.
    package let seconds: Int64

    package init(seconds: Int64) { self.seconds = seconds }

    /// - Parameter text: `2026-11-27T08:00:00Z`, or `2026-11-27T080000Z` as files are named.
    ///   Parts of a second are left out; other zones are nil.
    package init?(_ text: String) {
        guard text.hasSuffix("Z"), let split = text.firstIndex(of: "T"),
            let day = EvidenceDay(String(text[..<split]))
        else { return nil }
        let clock = text[text.index(after: split)...].dropLast()
        let parts = clock.split(separator: ".", omittingEmptySubsequences: false)
        guard let whole = parts.first, parts.count <= 2,
            parts.dropFirst().allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(Self.isDigit) })
        else { return nil }
        let fields = whole.split(separator: ":", omittingEmptySubsequences: false)
        let digits = fields.count == 3 || fields.count == 1 ? fields.joined() : ""
        guard digits.utf8.count == 6, digits.utf8.allSatisfy(Self.isDigit),
            fields.count == 1 || fields.allSatisfy({ $0.utf8.count == 2 }),
            let value = Int(digits), value / 10_000 < 24, value % 10_000 / 100 < 60,
            value % 100 < 60
        else { return nil }
        let ofDay = value / 10_000 * 3600 + value % 10_000 / 100 * 60 + value % 100
        seconds = Int64(day.number) * 86_400 + Int64(ofDay)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    package static func < (left: EvidenceTime, right: EvidenceTime) -> Bool {
        left.seconds < right.seconds
    }

    /// `2026-11-27T08:00:00Z`.
    package var text: String { WallClockText.seconds(seconds) }
    package var day: EvidenceDay { EvidenceDay(number: Int(seconds / 86_400)) }
}
