// SPDX-License-Identifier: Apache-2.0
import Compliance
import EvidencePackage
import Testing

@Suite("Days and times of evidence")
struct EvidenceTimeTests {
    @Test(
        "a day is counted from 1970 and written as it was read",
        arguments: [
            ("1970-01-01", 0), ("1999-12-31", 10_956), ("2000-02-29", 11_016),
            ("2024-03-01", 19_783), ("2026-11-27", 20_784), ("2100-03-01", 47_541),
        ])
    func days(text: String, number: Int) {
        #expect(EvidenceDay(text)?.number == number)
        #expect(EvidenceDay(number: number).description == text)
    }

    @Test(
        "what is no day of the calendar is refused",
        arguments: [
            "", "2026-11-31", "2026-02-29", "2100-02-29", "2026-13-01", "2026-00-01", "2026-1-01",
            "1969-12-31", "2026-11-2x", "+026-11-27", "2026/11/27", "2026-11-27 ", "2026-11",
        ])
    func noDays(text: String) {
        #expect(EvidenceDay(text) == nil)
    }

    @Test("days through four centuries are read as they are written")
    func successive() {
        for number in stride(from: 0, to: 146_097, by: 101) {
            let day = EvidenceDay(number: number)
            #expect(EvidenceDay(day.description)?.number == number)
        }
    }

    @Test("a time is read in both shapes, without its parts of a second")
    func times() {
        let time = EvidenceTime(seconds: 1_795_766_400)
        #expect(time.text == "2026-11-27T08:00:00Z")
        #expect(EvidenceTime("2026-11-27T08:00:00Z") == time)
        #expect(EvidenceTime("2026-11-27T080000Z") == time)
        #expect(EvidenceTime("2026-11-27T08:00:00.999Z") == time)
        #expect(EvidenceTime("2026-11-27T09:00:00+01:00") == time)
        #expect(EvidenceTime("2026-11-27T07:59:60Z") == time)
        #expect(time.day == EvidenceDay("2026-11-27"))
        #expect(EvidenceDay("2026-11-27")?.end.text == "2026-11-27T23:59:59Z")
    }

    @Test(
        "other shapes are refused",
        arguments: [
            "2026-11-27T080000+01:00", "2026-11-27T080000.5Z", "2026-11-27T08:00:00",
            "2026-11-27T24:00:00Z",
            "2026-11-27T08:60:00Z", "2026-11-27T08:00:61Z", "2026-11-27T8:00:00Z",
            "2026-11-27T08:00Z", "2026-11-27T08:00:00.Z", "2026-11-27 08:00:00Z",
            "2026-11-31T08:00:00Z", "2026-11-27T0800:00Z", "2026-11-27T08:000:0Z",
            "2026-11-27T08000\u{e9}Z", "2026-11-27T080000ZT",
        ])
    func noTimes(text: String) {
        #expect(EvidenceTime(text) == nil)
    }
}
