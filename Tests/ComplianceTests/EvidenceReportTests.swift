// SPDX-License-Identifier: Apache-2.0
import Compliance
import Foundation
import TestKit
import Testing

@Suite("A run's records")
struct EvidenceReportTests {
    private static func record(
        _ id: String = "T-1", result: EvidenceRecord.Result = .pass,
        control: EvidenceRecord.Result = .pass, kernel: String = "6.12", commit: String = "abc",
        dirty: Bool = false, started: String? = "2026-11-27T12:00:00Z",
        controlled: String = "a control"
    ) -> EvidenceRecord {
        EvidenceRecord(
            id: id, result: result, kernel: kernel,
            positiveControl: .init(description: controlled, result: control),
            observation: "seen", commit: commit, dirty: dirty, started: started)
    }

    private static func report(
        _ records: [EvidenceRecord], commit: String? = nil, freshness: Freshness? = nil
    ) -> EvidenceReport {
        EvidenceReport(
            catalogue: SmallCatalogue().catalogue, records: records, commit: commit,
            freshness: freshness)
    }

    private static func freshness(_ days: Int, now: String? = nil) throws -> Freshness {
        try #require(
            Freshness(maxAgeDays: days, now: now.flatMap(EvidenceTime.init(rfc3339:))))
    }

    @Test("a passing record with a passing control backs its test")
    func backed() {
        let report = Self.report([Self.record(), Self.record(kernel: "6.1")])
        #expect(report.isComplete)
        #expect(report.table.contains("| T-1 | pass | 6.1, 6.12 | a control: pass | abc |"))
        #expect(report.table.contains("1 backed, 0 not backed"))
    }

    @Test("no record, a failure, a failed control and an unknown id are findings")
    func notBacked() {
        #expect(Self.report([]).rows.first?.findings == ["no record"])
        let failed = Self.report([Self.record(), Self.record(result: .fail, kernel: "6.1")])
        #expect(failed.rows.first?.findings == ["failed on 6.1"])
        let uncontrolled = Self.report([Self.record(control: .fail)])
        #expect(uncontrolled.rows.first?.findings == ["control failed on 6.12"])
        let silent = Self.report([Self.record(controlled: " \t")])
        #expect(silent.rows.first?.findings == ["no control on 6.12"])
        let unknown = Self.report([Self.record(), Self.record("T-2")])
        #expect(unknown.unknownIDs == ["T-2"] && !unknown.isComplete)
    }

    @Test("records of another commit or of a changed tree back nothing when a commit is asked for")
    func stale() {
        #expect(Self.report([Self.record(dirty: true)]).isComplete)
        #expect(!Self.report([Self.record(dirty: true)], commit: "abc").isComplete)
        #expect(!Self.report([Self.record(commit: "def")], commit: "abc").isComplete)
        #expect(Self.report([Self.record()], commit: "abc").isComplete)
        let mixed = [Self.record(commit: "def"), Self.record(kernel: "6.1")]
        #expect(!Self.report(mixed).isComplete)
    }

    @Test("a record reads what it writes, byte for byte, and names what is wrong")
    func roundTrip() throws {
        let record = Self.record()
        let json = try record.json()
        #expect(try EvidenceRecord(json: json, file: record.fileName) == record)
        #expect(try record.json() == json)
        #expect(record.fileName == "T-1@6.12.json")
        let unknown = Data(#"{"id": "T-1", "result": "maybe"}"#.utf8)
        let failure = #expect(throws: CatalogueFailure.self) {
            try EvidenceRecord(json: unknown, file: "a.json")
        }
        #expect(failure?.description.hasPrefix("a.json: .result: ") == true)
    }

    @Test("a record older than asked for backs nothing; one exactly as old still does")
    func old() throws {
        let day = try Self.freshness(1, now: "2026-11-28T12:00:00Z")
        #expect(Self.report([Self.record()], freshness: day).isComplete, "positive control")
        let late = Self.report([Self.record(started: "2026-11-27T11:59:59Z")], freshness: day)
        #expect(late.rows.first?.findings == ["6.12 is older than 1 day"])
        let future = Self.report([Self.record(started: "2026-11-28T12:00:01Z")], freshness: day)
        #expect(future.rows.first?.findings == ["6.12 started later than now"])
        #expect(Self.report([Self.record(started: "2020-01-01T00:00:00Z")]).isComplete)
    }

    @Test("without a time to count to, ages are counted to the newest record")
    func newest() throws {
        let day = try Self.freshness(1)
        let old = Self.record(kernel: "6.1", started: "2026-11-20T00:00:00Z")
        #expect(Self.report([old], freshness: day).isComplete, "it is the newest itself")
        let both = Self.report([old, Self.record()], freshness: day)
        #expect(both.rows.first?.findings == ["6.1 is older than 1 day"])
    }

    @Test("a record that does not say when backs nothing once an age is asked for")
    func timeless() throws {
        let day = try Self.freshness(1)
        #expect(Self.report([Self.record(started: nil)]).isComplete, "positive control")
        let none = Self.report([Self.record(started: nil)], freshness: day)
        #expect(none.rows.first?.findings == ["6.12 does not say when"])
        let wrong = Self.report([Self.record(started: "yesterday")], freshness: day)
        #expect(wrong.rows.first?.findings.first?.contains("no RFC 3339 time") == true)
        let json = Data(
            #"""
            {"id": "T-1", "result": "pass", "kernel": "6.1", "observation": "seen",
             "positiveControl": {"description": "a", "result": "pass"}, "commit": "abc",
             "dirty": false}
            """#.utf8)
        #expect(try EvidenceRecord(json: json, file: "a.json").started == nil)
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("1970-12-31T23:59:60Z", 31_536_000),
        ("2000-02-29T00:00:00Z", 951_782_400), ("2026-11-27T21:40:00Z", 1_795_815_600),
        ("2026-11-27T22:40:00.5+01:00", 1_795_815_600),
        ("2026-11-27T16:10:00-05:30", 1_795_815_600), ("9999-12-31T23:59:59Z", 253_402_300_799),
    ])
    func `a time is counted in seconds since 1970`(text: String, seconds: Int64) {
        #expect(EvidenceTime(rfc3339: text)?.seconds == seconds)
    }

    @Test(arguments: [
        "", "2026-11-27", "2026-11-27T21:40:00", "2026-11-27 21:40:00Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-11-27T24:00:00Z", "2026-11-27T21:60:00Z",
        "2026-11-27T21:40:61Z", "1969-12-31T23:59:59Z", "2026-11-27T21:40:00.Z",
        "2026-11-27T21:40:00+0100", "2026-11-27T21:40:00+24:00", "2026-11-27T21:40:00ZZ",
        "-026-11-27T21:40:00Z",
    ])
    func `what is no time is none`(text: String) {
        #expect(EvidenceTime(rfc3339: text) == nil)
    }

    @Test("what a record says cannot move a terminal, end its row or add one")
    func hostileRecords() {
        func record(_ id: String) -> EvidenceRecord {
            EvidenceRecord(
                id: id, result: .pass, kernel: "6.12\u{1B}[31m",
                positiveControl: .init(description: "seen\n| T-2 | pass |", result: .pass),
                observation: "seen", commit: "abc\u{9B}", dirty: false,
                started: "2026-11-27T12:00:00Z")
        }
        let table = Self.report([record("T-1"), record("T-\u{1B}]0;x\n| T-3")]).table
        #expect(
            table.unicodeScalars.allSatisfy {
                $0 == "\n" || $0.properties.generalCategory != .control
            })
        // Control: head, rule, the catalogue's one test, an empty line, the sum, the unknown id.
        #expect(table.split(separator: "\n", omittingEmptySubsequences: false).count == 6)
        #expect(table.contains("seen\u{FFFD}\\| T-2 \\| pass \\|"))
    }

    @Test("an age is of a day to ten years")
    func range() {
        #expect(Freshness(maxAgeDays: 1) != nil && Freshness(maxAgeDays: 3650) != nil)
        #expect(Freshness(maxAgeDays: 0) == nil && Freshness(maxAgeDays: 3651) == nil)
    }

    @Test(
        .evidence(
            "SIM-EVID-03",
            control: "a fresh record of the commit whose control passed backs its test, and the "
                + "catalogue without the fault is not refused"))
    func `what does not back a claim is told, and what claims too much is refused`() throws {
        let day = try Self.freshness(1, now: "2026-11-28T12:00:00Z")
        func isBacked(_ record: EvidenceRecord) -> Bool {
            Self.report([record], commit: "abc", freshness: day).isComplete
        }
        let faults = [
            Self.record(commit: "def"), Self.record(dirty: true), Self.record(started: nil),
            Self.record(started: "2026-11-01T00:00:00Z"), Self.record(result: .fail),
            Self.record(control: .fail), Self.record("T-2"),
        ]
        for record in faults { #expect(!isBacked(record), "\(record)") }
        var small = SmallCatalogue()
        let isTaken = small.catalogue.refusals().isEmpty
        small.requirement = SmallCatalogue.requirement(status: .direct)
        #expect(!small.catalogue.refusals().isEmpty)
        small = SmallCatalogue()
        small.claim = SmallCatalogue.claim(limitations: [])
        #expect(!small.catalogue.refusals().isEmpty)
        Evidence.control(passed: isTaken && isBacked(Self.record()))
        Evidence.observe("Each of \(faults.count) faulty records backed nothing.")
    }
}
