// SPDX-License-Identifier: Apache-2.0
private import KubernetesFormat

/// A request's time, in whole seconds, as signatures have it: `20130524T000000Z`.
package struct SigningTime: Sendable, Equatable {
    package let secondsSince1970: Int64
    /// `yyyyMMdd'T'HHmmss'Z'`.
    let text: String

    /// - Parameter secondsSince1970: from 0000-01-01 to 9999-12-31.
    package init(secondsSince1970: Int64) {
        self.secondsSince1970 = secondsSince1970
        text = String(
            decoding: WallClockText.seconds(secondsSince1970).utf8.filter {
                $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: ":")
            }, as: UTF8.self)
    }

    /// nil: not a time as `x-amz-date` has it.
    package init?(basic text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
            let year = Self.number(bytes[0..<4]), let month = Self.number(bytes[4..<6]),
            let day = Self.number(bytes[6..<8]), let hour = Self.number(bytes[9..<11]),
            let minute = Self.number(bytes[11..<13]), let second = Self.number(bytes[13..<15])
        else { return nil }
        self.init(year, month, day, hour, minute, second)
    }

    /// Reads the header field `Date` (RFC 9110, section 5.6.7, its preferred form; also with
    /// `+0000`, `-0000` or `UTC`, and with a day of one digit, as RFC 5322 allows). nil: another
    /// form.
    package init?(dateField text: String) {
        let words = text.split(separator: " ")
        guard words.count == 6, Self.zones.contains(words[5]), words[0].last == ",",
            (1...2).contains(words[1].utf8.count), words[3].utf8.count == 4,
            let day = Self.number(words[1].utf8), let year = Self.number(words[3].utf8),
            let month = Self.months.firstIndex(of: String(words[2]))
        else { return nil }
        let clock = words[4].split(separator: ":", omittingEmptySubsequences: false)
        guard clock.count == 3, clock.allSatisfy({ $0.utf8.count == 2 }),
            let hour = Self.number(clock[0].utf8), let minute = Self.number(clock[1].utf8),
            let second = Self.number(clock[2].utf8)
        else { return nil }
        self.init(year, Int64(month + 1), day, hour, minute, second)
    }

    private init?(
        _ year: Int64, _ month: Int64, _ day: Int64, _ hour: Int64, _ minute: Int64,
        _ second: Int64
    ) {
        guard (1...12).contains(month), day >= 1, hour < 24, minute < 60, second < 60 else {
            return nil
        }
        let seconds =
            Self.days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
        self.init(secondsSince1970: seconds)
        // The 31st of a month with 30 days comes back as another day.
        guard Self.number(Array(text.utf8)[6..<8]) == day else { return nil }
    }

    /// `yyyyMMdd`.
    var date: String { String(text.prefix(8)) }

    private static let zones: Set<Substring> = ["GMT", "UTC", "+0000", "-0000"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Days since 1970-01-01 in the Gregorian calendar, years counted from March so that the
    /// leap day is a year's last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let marchYear = month <= 2 ? year - 1 : year
        let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
        let yearOfEra = marchYear - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }

    private static func number(_ digits: some Collection<UInt8>) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        return value
    }
}
