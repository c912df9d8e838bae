// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import AgentProtocol
import Enforcement
import Ports
import Testing

/// Attacks a victim as a script says, depending on whether it was enrolled.
private struct FakeProbe: AttackProbe {
    let kernel: FakeKernel
    let script: [VectorNumber: (before: ProbeOutcome, after: ProbeOutcome)]
    var hasVictim = true
    /// Policies in force at each attempt on the first and the second victim.
    var seen: [EnforcementPolicy?] = []
    var begins = 0
    var ends = 0

    var vectors: [VectorNumber] { script.keys.sorted() }

    var scan: ScanRequest?

    mutating func begin() throws(AttackProbeFailure) -> ProcessID {
        begins += 1
        guard hasVictim else { throw .noVictim(errorNumber: 11) }
        return 4711
    }

    mutating func attempt(_ vector: VectorNumber) -> ProbeOutcome {
        seen.append(kernel.policies[SelfTest.policy])
        guard let answers = script[vector] else { return .failed(errorNumber: 38) }
        return kernel.enrolled.isEmpty ? answers.before : answers.after
    }

    var racing = ProbeOutcome.denied
    var races = 0

    mutating func race() -> ProbeOutcome {
        races += 1
        return racing
    }

    mutating func end() { ends += 1 }
}

@Suite struct `The self-test` {
    private static func find(
        _ before: ProbeOutcome, _ after: ProbeOutcome
    ) throws -> VectorFinding {
        var kernel = FakeKernel()
        var probe = FakeProbe(kernel: kernel, script: [.named("AV-008"): (before, after)])
        return try #require(try SelfTest.run(&kernel, &probe).first)
    }

    @Test func `calls denied only what worked before and is denied after`() throws {
        #expect(try Self.find(.through, .denied).result == .denied)
        #expect(try Self.find(.through, .through).result == .notDenied)
        // No denial: the attack may have had its effect.
        #expect(try Self.find(.through, .killed).result == .killed)
        #expect(try Self.find(.through, .failed(errorNumber: 3)).result == .notDenied)
        for before in [ProbeOutcome.denied, .killed, .failed(errorNumber: 38)] {
            #expect(try Self.find(before, .denied).result == .untested)
            #expect(try Self.find(before, .through).result == .untested)
        }
    }

    @Test(arguments: [true, false])
    func `calls nothing denied that comes through while another is judged`(isRunning: Bool) throws {
        func findings(_ racing: ProbeOutcome, isRacing: Bool) throws -> [VectorFinding.Result] {
            var kernel = FakeKernel()
            var probe = FakeProbe(
                kernel: kernel,
                script: [
                    .named("AV-008"): (.through, .denied), .named("AV-044"): (.through, .through),
                    // Of the machine.
                    .named("AV-031"): (.through, .denied),
                ])
            probe.racing = racing
            let found =
                isRunning
                ? try SelfTest.runOnRunning(&kernel, &probe, isRacing: isRacing)
                : try SelfTest.run(&kernel, &probe, isRacing: isRacing)
            #expect(probe.races == (isRacing ? 1 : 0), "on the enrolled victim alone")
            return found.map(\.result)
        }
        // In the order of the numbers: 8, 31, 44.
        #expect(try findings(.through, isRacing: true) == [.interrupted, .interrupted, .notDenied])
        #expect(try findings(.denied, isRacing: true) == [.denied, .denied, .notDenied])
        #expect(try findings(.through, isRacing: false) == [.denied, .denied, .notDenied])
    }

    @Test func `keeps what the attempt without protection gave`() throws {
        #expect(try Self.find(.through, .denied).control == 0)
        #expect(try Self.find(.denied, .denied).control == 1)
        #expect(try Self.find(.failed(errorNumber: 38), .denied).control == 38)
        #expect(try Self.find(.killed, .denied).control == -1)
    }

    @Test func `enrols the second victim alone, as a victim, and cleans up after itself`() throws {
        var kernel = FakeKernel()
        var probe = FakeProbe(
            kernel: kernel,
            script: [.named("AV-044"): (.through, .denied), .named("AV-008"): (.through, .denied)])
        let findings = try SelfTest.run(&kernel, &probe)
        #expect(findings == [.denied("AV-008"), .denied("AV-044")])
        #expect(kernel.enrolled.count == 1)
        #expect(kernel.enrolled.first?.id == SelfTest.enrolment)
        #expect(kernel.enrolled.first?.role == .victim)
        #expect(kernel.enrolled.first?.policy == SelfTest.policy)
        #expect(probe.seen == [.silent, .silent, .denyingAll, .denyingAll])
        #expect(probe.begins == 2 && probe.ends == 2)
        #expect(kernel.policies == [0: .silent, SelfTest.policy: .silent])
    }

    @Test func `has the victim scanned for what it lets out, where programs scan`() throws {
        for canScan in [true, false] {
            var kernel = FakeKernel()
            kernel.canScan = canScan
            var probe = FakeProbe(
                kernel: kernel, script: [.named("AV-086"): (.through, .denied)])
            probe.scan = try ScanRequest(
                address: 4096, length: ScanRequest.lengthMin, rules: [],
                bitmap: [UInt8](repeating: 0, count: ScanRequest.bitmapBytes))
            // Without programs that scan it is not even tried.
            #expect(try SelfTest.run(&kernel, &probe) == (canScan ? [.denied("AV-086")] : []))
            #expect(kernel.scanned.map(\.id) == (canScan ? [SelfTest.enrolment] : []))
            #expect(kernel.unscanned == [SelfTest.enrolment])
        }
    }

    @Test func `fails without a victim, and with a kernel that fails`() throws {
        var kernel = FakeKernel()
        var probe = FakeProbe(kernel: kernel, script: [:], hasVictim: false)
        #expect(throws: EnforcementFailure.noSuchProcess) { try SelfTest.run(&kernel, &probe) }
        probe.hasVictim = true
        kernel.policyFailures = [.notPermitted]
        #expect(throws: EnforcementFailure.notPermitted) { try SelfTest.run(&kernel, &probe) }
        kernel.answer = { _, _ throws(EnforcementFailure) in throw .full(table: "tasks") }
        #expect(throws: EnforcementFailure.full(table: "tasks")) {
            try SelfTest.run(&kernel, &probe)
        }
        #expect(probe.begins - probe.ends == 1, "only the failed begin has no end")
    }
}

@Suite struct `What the self-test saw, for the agent` {
    @Test
    func
        `refuses a registration where calls come through at times, unless the operator wants that`()
    {
        let bench = Bench()
        bench.tier = .modifyReturn
        bench.findings = [.interrupted("AV-008"), .open("AV-013")]
        var first = bench.agent()
        Bench.register(&first, 9)
        #expect(bench.host.answers[9] == "refused 2 unguarded\n")
        #expect(bench.kernel.enrolled.isEmpty)
        bench.settings.acceptedTier = .signal
        var other = bench.agent()
        Bench.register(&other, 10)
        #expect(bench.host.answers[10] == "refused 2 unguarded\n")
        bench.settings.acceptedTier = .modifyReturn
        var agent = bench.agent()
        Bench.register(&agent, 11)
        #expect(bench.host.answers[11] == "enrolled 2 16 fmod_ret blind\n")
    }
}
