// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import Enforcement
import EnforcementEvents
import Synchronization
import Testing

@Suite struct `What is enforced from one run to the next` {
    private static func told(_ bench: Bench) throws -> [String] {
        var agent = bench.agent()
        _ = try agent.run()
        return bench.recorder.told.filter { $0.hasPrefix("tier") || $0.hasPrefix("not reloaded") }
    }

    @Test func `is told where it changed, in either direction, after the start`() throws {
        let bench = Bench()
        bench.findings = [
            .denied("AV-001"), .denied("AV-004"), .open("AV-008"), .untested("AV-020"),
            .denied("AV-044"), .open("AV-046"),
        ]
        let memory = FakeTierMemory([
            .named("AV-001"): .lsm, .named("AV-004"): .modifyReturn, .named("AV-008"): .lsm,
            .named("AV-020"): .lsm, .named("AV-046"): EventTier.none,
        ])
        bench.tierMemory = memory
        #expect(
            try Self.told(bench) == ["tier AV-004 fmod_ret lsm", "tier AV-008 lsm none"])
        let order = bench.recorder.told.map { $0.prefix(7) }
        #expect(order.first == "started")
        // What could not be tested is as it was.
        #expect(
            memory.kept.withLock { $0 } == [
                .named("AV-001"): .lsm, .named("AV-004"): .lsm, .named("AV-008"): EventTier.none,
                .named("AV-020"): .lsm, .named("AV-044"): .lsm, .named("AV-046"): EventTier.none,
            ])
        // Control: the next run finds nothing new.
        let next = Bench()
        next.findings = bench.findings
        next.tierMemory = memory
        #expect(try Self.told(next) == [])
    }

    @Test func `counts what became weaker, and nothing else`() throws {
        let bench = Bench()
        bench.findings = [
            .denied("AV-001"), .denied("AV-004"), .open("AV-008"), .killed("AV-044"),
            .denied("AV-046"),
        ]
        bench.tierMemory = FakeTierMemory([
            .named("AV-001"): .lsm, .named("AV-004"): EventTier.none, .named("AV-008"): .lsm,
            .named("AV-044"): .modifyReturn,
        ])
        var agent = bench.agent()
        func downgrades() throws -> [String] {
            try bench.page("/metrics", of: &agent).body.split(separator: "\n").map(String.init)
                .filter { $0.hasPrefix("cloudtaser_agent_tier_downgrades_total") }
        }
        #expect(try downgrades() == [])
        _ = try agent.run()
        #expect(
            try downgrades()
                == ["AV-008", "AV-044"].map {
                    "cloudtaser_agent_tier_downgrades_total{vector=\"\($0)\"} 1"
                })
        // Control: all changes are told.
        #expect(bench.recorder.told.count { $0.hasPrefix("tier") } == 3)
    }

    @Test func `is weaker with each tier that follows`() {
        let tiers: [EventTier] = [.lsm, .modifyReturn, .systemCall, .signal, .none]
        #expect(EventTier.allCases == tiers)
        for (index, tier) in tiers.enumerated() {
            for (other, stronger) in tiers.enumerated() {
                #expect(tier.isWeaker(than: stronger) == (index > other))
            }
        }
    }

    @Test func `is not told in a first run, nor without a memory`() throws {
        let bench = Bench()
        #expect(try Self.told(bench) == [])
        let memory = FakeTierMemory([:])
        bench.tierMemory = memory
        #expect(try Self.told(bench) == [] && memory.kept.withLock { $0.count } == 2)
    }

    @Test func `is not known when the memory fails, which is told`() throws {
        let bench = Bench()
        let memory = FakeTierMemory([:], failure: TierMemoryFailure(text: "/a is no file of tiers"))
        bench.tierMemory = memory
        #expect(
            try Self.told(bench)
                == ["not reloaded: the tiers of the last run: /a is no file of tiers"])
    }
}
