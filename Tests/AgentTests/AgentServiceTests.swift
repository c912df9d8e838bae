// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import AgentProtocol
import Enforcement
import Ports
import Testing

@Suite struct `The agent's registration` {
    @Test func `is accepted: enrolled as a wrapper under the workloads' policy, and told`() {
        let bench = Bench()
        var agent = bench.agent()
        Bench.register(&agent, 10)
        #expect(bench.host.answers[10] == "enrolled 2 16 lsm blind\n")
        #expect(bench.recorder.told == ["enrolled 16 10"])
        #expect(bench.kernel.enrolled.count == 1)
        #expect(bench.kernel.enrolled.first?.group == 10)
        #expect(bench.kernel.enrolled.first?.role == .wrapper)
        #expect(bench.kernel.enrolled.first?.policy == 2)
    }

    @Test(arguments: ["", "register", "register 1", "GET / HTTP/1.1"])
    func `is refused with another line, without asking the kernel`(_ line: String) {
        let bench = Bench()
        var agent = bench.agent()
        Bench.register(&agent, 10, line: line)
        let reason = line == "register 1" ? "version" : "malformed"
        #expect(bench.host.answers[10] == "refused 2 \(reason)\n")
        #expect(bench.kernel.enrolled.isEmpty)
        // Nobody's words may fill the log.
        #expect(bench.recorder.told.isEmpty)
    }

    private static func refused(
        _ reason: Registration.Refusal, _ change: (Bench) -> Void
    ) -> Bench {
        let bench = Bench()
        change(bench)
        var agent = bench.agent()
        Bench.register(&agent, 10)
        #expect(bench.host.answers[10] == "refused 2 \(reason.rawValue)\n")
        #expect(bench.recorder.told.contains("refused \(reason.rawValue) 10"))
        #expect(!bench.recorder.told.contains { $0.hasPrefix("enrolled") })
        return bench
    }

    @Test func `is refused to whom somebody traces`() {
        _ = Self.refused(.traced) { bench in
            bench.kernel.answer = { group, id throws(EnforcementFailure) in
                [.fake(group, id, tracer: 99)]
            }
        }
    }

    private static let holds: [(EnrolledHold, Registration.Refusal)] = [
        (.listener, .listened), (.ring, .ring), (.userfault, .userfault),
        ([.ring, .userfault], .userfault), ([.listener, .ring, .userfault], .listened),
    ]

    @Test(arguments: holds.indices)
    func `is refused to whom somebody has in hand, or reported if the operator says so`(
        _ number: Int
    ) {
        let (hold, refusal) = Self.holds[number]
        let answer: (Bench) -> Void = { bench in
            bench.kernel.answer = { group, id throws(EnforcementFailure) in
                [.fake(group, id), .fake(group, id, hold: hold)]
            }
        }
        _ = Self.refused(refusal, answer)
        for change in [
            { $0.settings.badStart = .report }, { $0.settings.policy.mode = .detect },
        ] as [(Bench) -> Void] {
            let bench = Bench()
            answer(bench)
            change(bench)
            var agent = bench.agent()
            Bench.register(&agent, 10)
            #expect(bench.host.answers[10] == "enrolled 2 16 lsm blind\n")
            #expect(bench.recorder.told == ["suspected \(refusal.rawValue) 10", "enrolled 16 10"])
        }
        // Who is traced is refused whatever the operator says.
        _ = Self.refused(.traced) { bench in
            bench.settings.badStart = .report
            bench.kernel.answer = { group, id throws(EnforcementFailure) in
                [.fake(group, id, tracer: 99, hold: hold)]
            }
        }
    }

    private static let given: EnrolmentID = 0x8000_0000 | 10

    /// Process 10 has its number since it executed a wrapper's file; others have none.
    private static func sinceExec(_ bench: Bench) {
        bench.kernel.answer = { group, id throws(EnforcementFailure) in
            [.fake(group, group == 10 ? given : id)]
        }
    }

    @Test func `keeps the number that the process has since it executed a wrapper's file`() {
        let bench = Bench()
        Self.sinceExec(bench)
        var agent = bench.agent()
        Bench.register(&agent, 10)
        #expect(bench.host.answers[10] == "enrolled 2 \(Self.given) lsm blind\n")
        #expect(bench.recorder.told == ["enrolled \(Self.given) 10"])
        #expect(bench.kernel.entries == [], "the reserved number is nobody's")
        // Once; and others go on with numbers of their own.
        Bench.register(&agent, 10)
        #expect(bench.host.answers[10] == "refused 2 enrolled\n")
        Bench.register(&agent, 11)
        #expect(bench.host.answers[11] == "enrolled 2 18 lsm blind\n")
    }

    /// A number of an exec is the process's own, or it is another workload's: of a wrapper that has
    /// ended, whose process number was given anew, or of a parent.
    @Test func `is refused to who has the number of another's exec`() {
        _ = Self.refused(.enrolled) { bench in
            bench.kernel.answer = { group, _ throws(EnforcementFailure) in
                [.fake(group, 0x8000_0000 | 9)]
            }
        }
        _ = Self.refused(.enrolled) { bench in
            bench.kernel.answer = { group, id throws(EnforcementFailure) in
                [.fake(group, Self.given), .fake(group, id)]
            }
        }
        // Unmarked although the number is in use: a number of its own.
        let bench = Bench()
        bench.kernel.earlier = [EnrolledWorkload(id: Self.given, wrapper: 10)]
        var agent = bench.agent(isAdopted: true)
        Bench.register(&agent, 10)
        #expect(bench.host.answers[10] == "enrolled 2 16 lsm blind\n")
    }

    @Test func `keeps it over a restart of the agent, before and after it registered`() throws {
        let bench = Bench()
        Self.sinceExec(bench)
        bench.kernel.earlier = [
            EnrolledWorkload(id: Self.given, wrapper: 10), EnrolledWorkload(id: 20, wrapper: 9),
        ]
        bench.kernel.living = [Self.given: 1, 20: 1]
        bench.host.inputs = [10, 11].map {
            .registration(
                AgentConnection($0), AgentPeer(process: $0, user: 0),
                request: Array("register 2\n".utf8))
        }
        var agent = bench.agent(isAdopted: true)
        _ = try agent.run()
        #expect(bench.host.answers[10] == "enrolled 2 \(Self.given) lsm blind\n")
        #expect(bench.host.answers[11] == "enrolled 2 22 lsm blind\n")
    }

    @Test func `is refused to who is enrolled already, itself or by its parent`() {
        _ = Self.refused(.enrolled) { bench in
            bench.kernel.answer = { group, _ throws(EnforcementFailure) in [.fake(group, 3)] }
        }
    }

    @Test func `is refused to who has gone, before, while and after it was marked`() {
        _ = Self.refused(.gone) { bench in
            bench.kernel.answer = { _, _ throws(EnforcementFailure) in throw .noSuchProcess }
        }
        _ = Self.refused(.gone) { bench in
            bench.kernel.answer = { _, id throws(EnforcementFailure) in [.fake(11, id)] }
        }
        _ = Self.refused(.gone) { $0.host.gone = [10] }
    }

    @Test func `is refused when the kernel's tables are full`() {
        let bench = Self.refused(.full) { bench in
            bench.kernel.answer = { _, _ throws(EnforcementFailure) in throw .full(table: "tasks") }
        }
        #expect(!bench.recorder.told.contains { $0.hasPrefix("failed") })
    }

    @Test func `is refused when the kernel fails, and the failure is told`() {
        let failure = EnforcementFailure.systemCall("bpf_iter", errorNumber: 12)
        let bench = Self.refused(.failed) { bench in
            bench.kernel.answer = { _, _ throws(EnforcementFailure) in throw failure }
        }
        #expect(bench.recorder.told.first == "failed \(failure)")
    }

    @Test func `is refused where the self-test saw nothing denied`() {
        for findings in [[], [VectorFinding.open("AV-008"), .untested("AV-020")]] {
            let bench = Self.refused(.unguarded) { $0.findings = findings }
            #expect(bench.kernel.enrolled.isEmpty)
        }
    }

    @Test func `is refused where attackers are only killed, unless the operator wants that`() {
        let findings = [VectorFinding.killed("AV-008"), .open("AV-013")]
        let bench = Self.refused(.unguarded) { bench in
            bench.tier = .signal
            bench.findings = findings
        }
        #expect(bench.kernel.enrolled.isEmpty)
        bench.settings.acceptedTier = .signal
        var agent = bench.agent()
        Bench.register(&agent, 10)
        #expect(bench.host.answers[10] == "enrolled 2 16 signal blind\n")
        // Wanting it is not having it.
        bench.findings = [.open("AV-008")]
        var other = bench.agent()
        Bench.register(&other, 11)
        #expect(bench.host.answers[11] == "refused 2 unguarded\n")
    }

    @Test func `is refused to a process that the agent cannot see`() {
        let bench = Bench()
        var agent = bench.agent()
        Bench.register(&agent, 0)
        #expect(bench.host.answers[0] == "refused 2 invisible\n")
        #expect(bench.kernel.enrolled.isEmpty)
    }

    @Test func `leaves no entry in the kernel when it is refused, however often`() throws {
        let bench = Bench()
        bench.kernel.answer = { group, _ throws(EnforcementFailure) in [.fake(group, 3)] }
        var agent = bench.agent()
        for process in 1...(ProcessID(Enrolments.entriesMax) + 1) {
            Bench.register(&agent, process)
            try #require(bench.host.answers[AgentConnection(process)] == "refused 2 enrolled\n")
        }
        #expect(bench.kernel.entries.isEmpty)
    }

    @Test func `keeps the number of a refused process that was marked, until it ends`() throws {
        let bench = Bench()
        bench.host.gone = [10]
        bench.host.inputs = [
            .registration(10, AgentPeer(process: 10, user: 0), request: Array("register 2\n".utf8)),
            .deadline,
        ]
        bench.host.beforeNext = { bench.time.advance(.seconds(1)) }
        var agent = bench.agent()
        _ = try agent.run()
        #expect(bench.kernel.entries == [16])
        let page = try bench.page("/status", of: &agent)
        #expect(page.body.contains("\"enrolments\":0,"))
        bench.kernel.living[16] = 0
        bench.host.inputs = [.deadline]
        _ = try agent.run()
        #expect(bench.kernel.entries.isEmpty)
    }

    @Test func `ends with its last thread, and the number is free again`() throws {
        let bench = Bench()
        bench.host.inputs = [
            .registration(10, AgentPeer(process: 10, user: 0), request: Array("register 2\n".utf8)),
            .deadline,
            .deadline,
        ]
        bench.host.beforeNext = { bench.time.advance(.milliseconds(600)) }
        var agent = bench.agent()
        #expect(try agent.run() == 15)
        #expect(bench.kernel.entries == [16])
        #expect(bench.recorder.told.contains("tick 1"))
        bench.kernel.living[16] = 0
        bench.host.inputs = [.deadline, .deadline, .deadline]
        _ = try agent.run()
        #expect(bench.kernel.entries.isEmpty)
        #expect(bench.recorder.told.last == "stopped 15")
    }
}

@Suite struct `The agent's service` {
    @Test func `begins with the policy in force and says so, and ends with its signal`() throws {
        let bench = Bench()
        bench.findings = [.denied("AV-008"), .open("AV-044"), .untested("AV-020")]
        bench.settings.policy.mode = .detect
        var agent = bench.agent()
        #expect(try agent.run() == 15)
        #expect(bench.kernel.policies == [0: .detecting, 2: .detecting])
        #expect(bench.kernel.rates.count == 1 && bench.kernel.rates[0].generation == 1)
        #expect(bench.kernel.rates[0].rate == AgentSettings.rateUsual)
        #expect(bench.recorder.told == ["started lsm 1 [AV-044] 1", "stopped 15"])
    }

    @Test func `does not begin with a policy or kernel that fails`() {
        let bench = Bench()
        bench.kernel.policyFailures = [.notPermitted]
        var agent = bench.agent()
        #expect(throws: AgentFailure.enforcement(.notPermitted)) { try agent.run() }
        #expect(bench.recorder.told.isEmpty)
        bench.settings.policy.exceptions = [(.named("AV-002"), .deny)]
        var other = bench.agent()
        #expect(throws: AgentFailure.self) { try other.run() }
    }

    @Test func `ends when its host fails`() {
        let bench = Bench()
        bench.host.failure = .systemCall("poll", errorNumber: 12)
        var agent = bench.agent()
        #expect(throws: AgentFailure.host(.systemCall("poll", errorNumber: 12))) {
            try agent.run()
        }
    }

    @Test func `takes every record once, with the gap before it`() throws {
        let bench = Bench()
        bench.kernel.records = (1...700).map { .fake($0) } + [.fake(703)]
        bench.host.inputs = [.records]
        var agent = bench.agent()
        _ = try agent.run()
        #expect(bench.recorder.records.count == 701)
        #expect(bench.recorder.records.map(\.record.sequence) == Array(1...700) + [703])
        #expect(bench.recorder.records.last?.missing == 701...702)
        #expect(bench.recorder.records.dropLast().allSatisfy { $0.missing == nil })
    }

    @Test func `takes what waits at its end`() throws {
        let bench = Bench()
        bench.kernel.records = [.fake(1)]
        var agent = bench.agent()
        _ = try agent.run()
        #expect(bench.recorder.records.count == 1)
        #expect(bench.recorder.told.last == "stopped 15")
    }

    @Test func `serves others between the records of a flood`() throws {
        let bench = Bench()
        let most = 64 * 256
        bench.kernel.records = (1...UInt64(most + 10)).map { .fake($0) }
        var agent = bench.agent()
        agent.handle(.records)
        #expect(bench.recorder.records.count == most)
        agent.handle(.records)
        #expect(bench.recorder.records.count == most + 10)
    }

    @Test func `tells a failure to take records and goes on`() {
        let bench = Bench()
        bench.kernel.recordFailure = .systemCall("epoll_wait", errorNumber: 9)
        var agent = bench.agent()
        agent.handle(.records)
        #expect(bench.recorder.told.count == 1)
        Bench.register(&agent, 10)
        #expect(bench.host.answers[10] == "enrolled 2 16 lsm blind\n")
    }

    @Test func `tells a failure to forget and tries again`() throws {
        let bench = Bench()
        bench.kernel.forgetFailure = .notPermitted
        bench.host.inputs = [
            .registration(10, AgentPeer(process: 10, user: 0), request: Array("register 2\n".utf8)),
            .deadline,
        ]
        bench.host.beforeNext = { bench.time.advance(.seconds(2)) }
        var agent = bench.agent()
        _ = try agent.run()
        #expect(bench.recorder.told.contains("failed notPermitted"))
        bench.kernel.forgetFailure = nil
        bench.kernel.living = [:]
        bench.host.inputs = [.deadline]
        _ = try agent.run()
        #expect(bench.kernel.entries.isEmpty)
    }
}

@Suite struct `A reload` {
    private static func reload(
        _ bench: Bench, _ settings: (inout PolicySettings) -> Void
    ) throws {
        var changed = PolicySettings()
        settings(&changed)
        bench.source.answer = .success(changed)
        bench.host.inputs = [.reload]
        var agent = bench.agent()
        _ = try agent.run()
    }

    @Test func `puts the new policy in force, and its generation rises`() throws {
        let bench = Bench()
        try Self.reload(bench) { $0.mode = .detect }
        #expect(bench.kernel.policies == [0: .detecting, 2: .detecting])
        #expect(bench.kernel.rates.map(\.generation) == [1, 2])
        #expect(
            bench.recorder.told == [
                "started lsm 2 [] 1", "policy 2 detect", "tick 0", "stopped 15",
            ])
    }

    @Test func `comes after the records of the policy before it`() throws {
        let bench = Bench()
        bench.kernel.records = [.fake(1)]
        var agent = bench.agent()
        agent.handle(.reload)
        #expect(bench.recorder.records.count == 1)
    }

    @Test func `of the same policy changes nothing`() throws {
        let bench = Bench()
        try Self.reload(bench) { _ in }
        #expect(bench.kernel.rates.map(\.generation) == [1])
        #expect(bench.recorder.told == ["started lsm 2 [] 1", "tick 0", "stopped 15"])
    }

    @Test func `that cannot be read leaves the policy, and says why`() throws {
        let bench = Bench()
        bench.source.answer = .failure(PolicySourceFailure(text: "line 3: unknown flag"))
        bench.host.inputs = [.reload]
        var agent = bench.agent()
        _ = try agent.run()
        #expect(bench.kernel.policies == [0: .enforcing, 2: .enforcing])
        #expect(bench.recorder.told.contains("not reloaded: line 3: unknown flag"))
    }

    @Test func `that names a vector without a hook leaves the policy`() throws {
        let bench = Bench()
        try Self.reload(bench) {
            $0.mode = .detect
            $0.exceptions = [(.named("AV-002"), .deny)]
        }
        #expect(bench.kernel.policies == [0: .enforcing, 2: .enforcing])
        #expect(bench.recorder.told.contains { $0.hasPrefix("not reloaded: AV-002") })
    }

    @Test func `that the kernel takes in half is taken back`() throws {
        let bench = Bench()
        var agent = bench.agent()
        _ = try agent.run()
        var changed = PolicySettings()
        changed.mode = .detect
        bench.source.answer = .success(changed)
        bench.kernel.policyFailures = [.full(table: "policies")]
        agent.handle(.reload)
        #expect(bench.kernel.policies == [0: .enforcing, 2: .enforcing])
        #expect(bench.kernel.rates.map(\.generation) == [1, 2, 1])
        #expect(bench.recorder.told.last == "failed full(table: \"policies\")")
        // The next try is of the whole.
        agent.handle(.reload)
        #expect(bench.kernel.policies == [0: .detecting, 2: .detecting])
        #expect(bench.recorder.told.last == "policy 2 detect")
        #expect(try bench.page("/status", of: &agent).body.contains("\"policyGeneration\":2,"))
    }
}
