// SPDX-License-Identifier: Apache-2.0
package import Compliance
internal import KubernetesFormat

/// A day of the Gregorian calendar, UTC.
package struct EvidenceDay: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Counted from 1970-01-01.
    package let number: Int

    package init(number: Int) { self.number = number }

    /// - Parameter text: `2026-11-27`; nil for anything else, or a day that no month has.
    package init?(_ text: String) {
        guard text.utf8.count == 10, let time = EvidenceTime(rfc3339: text + "T00:00:00Z") else {
            return nil
        }
        self = time.day
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
}

extension EvidenceTime {
    /// - Parameter text: RFC 3339, or `2026-11-27T080000Z` as files are named.
    package init?(_ text: String) {
        if let time = EvidenceTime(rfc3339: text) {
            self = time
            return
        }
        let parts = text.split(separator: "T", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.count == 7, parts[1].last == "Z" else { return nil }
        let digits = Array(parts[1].unicodeScalars).map { Character($0) }
        guard digits.count == 7 else { return nil }
        let clock = [digits[0..<2], digits[2..<4], digits[4..<6]].map { String($0) }
        self.init(rfc3339: "\(parts[0])T\(clock.joined(separator: ":"))Z")
    }

    /// `2026-11-27T08:00:00Z`.
    package var text: String { WallClockText.seconds(seconds) }
    package var day: EvidenceDay { EvidenceDay(number: Int(seconds / 86_400)) }
}
