// SPDX-License-Identifier: Apache-2.0

/// A time as S3's documents have it (ISO 8601, UTC).
package struct S3Timestamp: Sendable, Hashable, Comparable {
    package let millisecondsSince1970: Int64

    package init(millisecondsSince1970: Int64) {
        self.millisecondsSince1970 = millisecondsSince1970
    }

    package init(secondsSince1970: Int64) { millisecondsSince1970 = secondsSince1970 * 1000 }

    /// As headers have it: whole seconds.
    package var secondsSince1970: Int64 {
        let seconds = millisecondsSince1970 / 1000
        return millisecondsSince1970 % 1000 < 0 ? seconds - 1 : seconds
    }

    package static func < (left: S3Timestamp, right: S3Timestamp) -> Bool {
        left.millisecondsSince1970 < right.millisecondsSince1970
    }

    /// `2009-10-12T17:50:30.000Z`
    package var text: String {
        let date = CivilDate(secondsSince1970: secondsSince1970)
        let part = Int(millisecondsSince1970 - secondsSince1970 * 1000)
        return CivilDate.padded(date.year, 4) + "-" + CivilDate.padded(date.month, 2) + "-"
            + CivilDate.padded(date.day, 2) + "T" + CivilDate.padded(date.hour, 2) + ":"
            + CivilDate.padded(date.minute, 2) + ":" + CivilDate.padded(date.second, 2) + "."
            + CivilDate.padded(part, 3) + "Z"
    }

    /// With up to nine decimals of a second, cut to three, or none. nil: of another form.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard (20...30).contains(bytes.count), bytes.last == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int? { Decimal.number(bytes[range], Int.self) }
        let separators = zip([4, 7, 10, 13, 16], "--T::".utf8)
        guard separators.allSatisfy({ bytes[$0.0] == $0.1 }), let year = number(0..<4),
            let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19),
            let date = CivilDate(
                year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        else { return nil }
        var milliseconds = 0
        if bytes.count > 20 {
            let decimals = bytes[20..<(bytes.count - 1)]
            guard bytes[19] == UInt8(ascii: "."), Decimal.number(decimals, Int.self) != nil else {
                return nil
            }
            let three = Array(decimals.prefix(3)) + [0x30, 0x30]
            milliseconds = Decimal.number(three.prefix(3), Int.self) ?? 0
        }
        millisecondsSince1970 = date.secondsSince1970 * 1000 + Int64(milliseconds)
    }
}
