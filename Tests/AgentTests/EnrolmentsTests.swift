// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import AgentProtocol
import EnforcementEvents
import Ports
import Testing

@Suite struct `The enrolments` {
    private static func peer(_ process: ProcessID, user: UInt32) -> AgentPeer {
        AgentPeer(process: process, user: user)
    }

    private let now = MonotonicTime(nanoseconds: 5)

    @Test func `give each a number of its own, above the agent's`() throws {
        var enrolments = Enrolments()
        let ids = try (1...100).map { try enrolments.reserve(Self.peer($0, user: 0), at: now) }
        #expect(ids == Array(16..<116))
        let entry = try #require(enrolments.entries[16])
        #expect(entry.wrapper == 1 && entry.user == 0 && entry.since == now)
        #expect(enrolments.count == 100)
        enrolments.release(16)
        #expect(enrolments.count == 99 && enrolments.entries[16] == nil)
        // Not at once again: an old event must not name a new workload.
        #expect(try enrolments.reserve(Self.peer(1, user: 0), at: now) == 116)
    }

    @Test func `of one user are 1000, not one more, and leave room for others`() throws {
        var enrolments = Enrolments()
        for process in 1...ProcessID(Enrolments.entriesPerUserMax) {
            _ = try enrolments.reserve(Self.peer(process, user: 7), at: now)
        }
        #expect(Enrolments.entriesPerUserMax == 1000)
        #expect(throws: Registration.Refusal.full) {
            try enrolments.reserve(Self.peer(5000, user: 7), at: now)
        }
        _ = try enrolments.reserve(Self.peer(5000, user: 8), at: now)
        enrolments.release(16)
        _ = try enrolments.reserve(Self.peer(5001, user: 7), at: now)
    }

    @Test func `are 4000 at once, not one more`() throws {
        var enrolments = Enrolments()
        for process in 1...ProcessID(Enrolments.entriesMax) {
            let user = UInt32(process) % 5
            _ = try enrolments.reserve(Self.peer(process, user: user), at: now)
        }
        #expect(enrolments.count == 4000)
        #expect(throws: Registration.Refusal.full) {
            try enrolments.reserve(Self.peer(9999, user: 99), at: now)
        }
        enrolments.release(4015)
        _ = try enrolments.reserve(Self.peer(9999, user: 99), at: now)
    }

    @Test func `keep the number of a refused process until it is released`() throws {
        var enrolments = Enrolments()
        let id = try enrolments.reserve(Self.peer(1, user: 7), at: now)
        enrolments.refuse(id)
        #expect(enrolments.count == 0 && enrolments.entries[id]?.isRefused == true)
        enrolments.release(id)
        #expect(enrolments.entries.isEmpty)
        enrolments.refuse(id)
        #expect(enrolments.entries.isEmpty)
    }

    @Test(arguments: [0, -1] as [ProcessID])
    func `refuse a process that this namespace does not show`(_ process: ProcessID) {
        var enrolments = Enrolments()
        #expect(throws: Registration.Refusal.invisible) {
            try enrolments.reserve(Self.peer(process, user: 0), at: now)
        }
        #expect(enrolments.entries.isEmpty)
    }

    @Test func `refuse whom somebody else traces, and who is not there`() {
        let peer = Self.peer(10, user: 0)
        func task(_ group: ProcessID, tracer: ProcessID? = nil) -> EnrolledTask {
            .fake(group, 16, tracer: tracer)
        }
        #expect(Enrolments.refusal(of: [task(10)], peer) == nil)
        #expect(Enrolments.refusal(of: [], peer) == .gone)
        #expect(Enrolments.refusal(of: [task(11)], peer) == .gone)
        #expect(Enrolments.refusal(of: [task(10, tracer: 12)], peer) == .traced)
        // One thread is enough.
        #expect(Enrolments.refusal(of: [task(10), task(10, tracer: 12)], peer) == .traced)
        // The wrapper's own trace.
        #expect(Enrolments.refusal(of: [task(10), task(10, tracer: 10)], peer) == nil)
    }
}

@Suite struct `Totals of records` {
    private typealias Total = (added: [ClosedRange<UInt64>?], lost: UInt64)

    private static func total(_ records: [EnforcementRecord]) -> Total {
        var totals = RecordTotals()
        let added = records.map { totals.add($0) }
        return (added, totals.lost)
    }

    @Test func `have no gap while the numbers follow, from 1`() {
        let total = Self.total((1...5).map { .fake($0) })
        #expect(total.lost == 0 && total.added == [nil, nil, nil, nil, nil])
    }

    @Test func `have exact gaps, at the start and later`() {
        let total = Self.total([.fake(3), .fake(4), .fake(10), .fake(12)])
        #expect(total.added == [1...2, nil, 5...9, 11...11])
        #expect(total.lost == 2 + 5 + 1)
    }

    @Test func `have no gap before the first number of programs that ran already`() {
        var totals = RecordTotals(continuing: true)
        let added = [
            EnforcementRecord.fake(900), .fake(5, processor: 1), .fake(902), .fake(7, processor: 1),
        ].map { totals.add($0) }
        #expect(added == [nil, nil, 901...901, 6...6])
        #expect(totals.lost == 2)
    }

    @Test func `count each processor for itself`() {
        let total = Self.total([
            .fake(1), .fake(1, processor: 1), .fake(2), .fake(4, processor: 1), .fake(3),
        ])
        #expect(total.added == [nil, nil, nil, 2...3, nil] && total.lost == 2)
    }

    @Test func `know two that came the wrong way round, and still see what is missing`() {
        let taken: [EnforcementRecord] = [
            .fake(2), .fake(1), .fake(1, processor: 1), .fake(5), .fake(2, processor: 1), .fake(4),
        ]
        #expect(Self.total(taken).lost == 3, "as they came")
        let ordered = taken.numbersInOrder()
        #expect(ordered.map(\.sequence) == [1, 2, 1, 4, 2, 5])
        #expect(ordered.map(\.processor) == taken.map(\.processor))
        let total = Self.total(ordered)
        #expect(total.lost == 1 && total.added == [nil, nil, nil, 3...3, nil, nil])
    }

    @Test func `do not trap or count anew on a number that is late, twice or none`() {
        let total = Self.total([.fake(0), .fake(2), .fake(1), .fake(2), .fake(3), .fake(.max)])
        #expect(total.added == [nil, 1...1, nil, nil, nil, 4...UInt64.max - 1])
    }

    @Test func `count by the event's type and verdict`() {
        var totals = RecordTotals()
        _ = totals.add(.fake(1))
        _ = totals.add(.fake(2))
        _ = totals.add(.fake(3, verdict: .killed))
        _ = totals.add(.fake(4, vector: "AV-001"))
        _ = totals.add(.fake(5, vector: "AV-001", verdict: .observed))
        let byKind = Dictionary(
            uniqueKeysWithValues: totals.byKind.map {
                ("\($0.key.event.rawValue) \($0.key.verdict.rawValue)", $0.value)
            })
        #expect(
            byKind == [
                "PROCMEM_READ denied": 2, "PROCMEM_READ killed": 1, "PTRACE_DENIED denied": 1,
                "PTRACE_OBSERVED observed": 1,
            ])
    }
}
