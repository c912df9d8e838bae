// SPDX-License-Identifier: Apache-2.0

/// Dates of HTTP headers (RFC 9110, section 5.6.7), in whole seconds since 1970.
package enum HTTPDate {
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let longWeekdays = [
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    ]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    private static let charactersMax = 40

    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    package static func text(_ secondsSince1970: Int64) -> String {
        let date = CivilDate(secondsSince1970: secondsSince1970)
        return weekdays[date.weekday] + ", " + CivilDate.padded(date.day, 2) + " "
            + months[date.month - 1] + " " + CivilDate.padded(date.year, 4) + " "
            + CivilDate.padded(date.hour, 2) + ":" + CivilDate.padded(date.minute, 2) + ":"
            + CivilDate.padded(date.second, 2) + " GMT"
    }

    /// Any of the three forms. nil: none of them. Whether the day of the week is right does not
    /// matter.
    ///
    /// - Parameter now: seconds since 1970. A year of two digits that would be more than 50 years
    ///   after it is of the century before.
    package static func seconds(_ text: String, now: Int64) -> Int64? {
        guard text.utf8.count <= charactersMax, text.utf8.allSatisfy({ $0 < 0x80 }) else {
            return nil
        }
        let words = text.split(separator: " ", omittingEmptySubsequences: true)
        guard let first = words.first else { return nil }
        if first.hasSuffix(",") {
            let weekday = String(first.dropLast())
            if weekdays.contains(weekday) { return fixed(words) }
            return longWeekdays.contains(weekday) ? obsolete(words, now: now) : nil
        }
        return weekdays.contains(String(first)) ? asctime(words) : nil
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    private static func fixed(_ words: [Substring]) -> Int64? {
        guard words.count == 6, words[5] == "GMT", words[1].utf8.count == 2,
            words[3].utf8.count == 4, let day = number(words[1]), let year = number(words[3])
        else { return nil }
        return seconds(year: year, month: words[2], day: day, time: words[4])
    }

    /// `Sunday, 06-Nov-94 08:49:37 GMT` (RFC 850)
    private static func obsolete(_ words: [Substring], now: Int64) -> Int64? {
        guard words.count == 4, words[3] == "GMT" else { return nil }
        let parts = words[1].split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].utf8.count == 2, parts[2].utf8.count == 2,
            let day = number(parts[0]), let short = number(parts[2])
        else { return nil }
        let thisYear = CivilDate(secondsSince1970: now).year
        var year = thisYear - thisYear % 100 + short
        // The nearest year with these digits that is no more than 50 years ahead.
        if year > thisYear + 50 { year -= 100 } else if year <= thisYear - 50 { year += 100 }
        return seconds(year: year, month: parts[1], day: day, time: words[2])
    }

    /// `Sun Nov  6 08:49:37 1994`
    private static func asctime(_ words: [Substring]) -> Int64? {
        guard words.count == 5, (1...2).contains(words[2].utf8.count), words[4].utf8.count == 4,
            let day = number(words[2]), let year = number(words[4])
        else { return nil }
        return seconds(year: year, month: words[1], day: day, time: words[3])
    }

    private static func seconds(
        year: Int, month: Substring, day: Int, time: Substring
    ) -> Int64? {
        let parts = time.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ $0.utf8.count == 2 }),
            let month = months.firstIndex(of: String(month)), let hour = number(parts[0]),
            let minute = number(parts[1]), let second = number(parts[2])
        else { return nil }
        return CivilDate(
            year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second
        )?.secondsSince1970
    }

    private static func number(_ text: Substring) -> Int? { Decimal.number(text.utf8, Int.self) }
}
