// SPDX-License-Identifier: Apache-2.0
import Compliance
import EvidencePackage
import Testing

@Suite("Which records count")
struct RecordBookTests {
    private static func book(
        _ records: [RecordFile], _ request: PackageRequest? = nil
    ) throws -> RecordBook {
        RecordBook(
            records, request: try request ?? SmallEvidence.request(),
            catalogue: SmallEvidence.catalogue())
    }

    private static func state(
        _ records: [RecordFile], on day: String = "2026-11-30", ageDaysMax: Int = 30
    ) throws -> TestState {
        try book(records, SmallEvidence.request(ageDaysMax: ageDaysMax))
            .state(of: "T-1", on: SmallEvidence.day(day))
    }

    @Test("a clean record of the period counts, and passes")
    func control() throws {
        let book = try Self.book([SmallEvidence.record()])
        #expect(book.counted.count == 1 && book.notCounted.isEmpty)
        #expect(try Self.state([SmallEvidence.record()]) == .passed)
    }

    @Test("what does not count is listed with the reason")
    func notCounted() throws {
        let asked = try SmallEvidence.request(commits: [SmallEvidence.commit])
        let cases: [(RecordFile, NotCounted)] = [
            (SmallEvidence.record(dirty: true), .treeChanged),
            (SmallEvidence.record(commit: "abc"), .commitNotAsked("abc")),
            (SmallEvidence.record(at: nil), .timeMissing),
            (SmallEvidence.record(at: "yesterday"), .timeMissing),
            (
                SmallEvidence.record(at: "2026-12-01T00:00:00Z"),
                .afterPeriod(SmallEvidence.time("2026-12-01T00:00:00Z"))
            ),
            (
                SmallEvidence.record(at: "2026-10-01T23:59:59Z"),
                .tooOldForPeriod(SmallEvidence.time("2026-10-01T23:59:59Z"))
            ),
            (SmallEvidence.record("T-3"), .testUnknown),
        ]
        for (record, reason) in cases {
            let book = try Self.book([record], asked)
            #expect(book.counted.isEmpty, "\(reason)")
            #expect(book.notCounted.map(\.reason) == [reason])
        }
        for time in ["2026-10-02T00:00:00Z", "2026-11-30T23:59:59Z"] {
            #expect(try Self.book([SmallEvidence.record(at: time)], asked).counted.count == 1)
        }
        #expect(try Self.book([SmallEvidence.record(commit: "abc")]).counted.count == 1)
    }

    @Test("a record says something for its age, to the second, and is stale then")
    func age() throws {
        let record = SmallEvidence.record(at: "2026-11-01T00:00:00Z")
        #expect(try Self.state([record], on: "2026-11-30", ageDaysMax: 30) == .passed)
        #expect(try Self.state([record], on: "2026-11-29", ageDaysMax: 29) == .passed)
        #expect(try Self.state([record], on: "2026-11-30", ageDaysMax: 29) == .stale)
        #expect(try Self.state([record], on: "2026-10-31", ageDaysMax: 29) == .notAssessed)
    }

    @Test("the last record of each kernel decides; one kernel that failed fails the test")
    func kernels() throws {
        let early = "2026-11-10T08:00:00Z"
        let repaired = [SmallEvidence.record(at: early, result: .fail), SmallEvidence.record()]
        #expect(try Self.state(repaired) == .passed)
        let broken = [SmallEvidence.record(at: early), SmallEvidence.record(result: .fail)]
        #expect(try Self.state(broken) == .failed("on 6.12"))
        #expect(try Self.state(broken, on: "2026-11-15") == .passed)
        let other = [SmallEvidence.record(), SmallEvidence.record(result: .fail, kernel: "6.1")]
        #expect(try Self.state(other) == .failed("on 6.1"))
    }

    @Test("a control that failed fails the test")
    func controls() throws {
        let record = SmallEvidence.record(control: .fail)
        #expect(try Self.state([record]) == .failed("control on 6.12"))
    }

    @Test("a row fails before anything else, and is not assessed before it is stale")
    func rollUp() {
        #expect(RowState(of: []) == .noTest)
        #expect(RowState(of: [.passed, .passed]) == .passed)
        #expect(RowState(of: [.passed, .stale]) == .stale)
        #expect(RowState(of: [.stale, .notAssessed, .passed]) == .notAssessed)
        #expect(RowState(of: [.stale, .notAssessed, .failed("x"), .passed]) == .failed)
    }

    @Test("a period has a day, and no more than its limit")
    func period() throws {
        #expect(throws: PackageFailure.self) {
            try SmallEvidence.request(from: "2026-12-01", to: "2026-11-30")
        }
        #expect(throws: Never.self) {
            try SmallEvidence.request(from: "2026-11-30", to: "2026-11-30")
        }
        let first = SmallEvidence.day("2024-01-01")
        let last = first.adding(days: PackageRequest.daysMax - 1)
        #expect(throws: Never.self) { try PackageRequest(use: .soc2, from: first, to: last) }
        #expect(throws: PackageFailure.periodTooLong(days: PackageRequest.daysMax + 1)) {
            try PackageRequest(use: .soc2, from: first, to: last.adding(days: 1))
        }
    }
}
