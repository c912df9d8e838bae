// SPDX-License-Identifier: Apache-2.0
import Injection
import InspectionPorts
import KubernetesPorts
import MetricsFormat
import Operator
import Ports
import SimulatedCluster
import Synchronization
import Testing

@Suite("The vaults of a policy", .timeLimit(.minutes(5)))
struct VaultProbeTests {
    private static func policy(_ vaults: [String]) throws -> PolicyState {
        let texts = vaults.map {
            #"{"name":"\#($0)","address":"https://\#($0).test:8200","audience":"vault"}"#
        }
        let spec =
            #"{"vaults":[\#(texts.joined(separator: ","))],"grants":[],"#
            + #""wrapper":{"image":"registry.example.eu/wrapper:1"}}"#
        return .one(try CloudTaserPolicy(spec: Array(spec.utf8)))
    }

    private static func address(_ vault: String) -> String { "https://\(vault).test:8200" }

    private static func samples(_ probe: VaultProbe) -> [String] {
        var page = MetricsPage()
        probe.append(to: &page)
        return page.text.split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("#") }
            .map { String($0.dropFirst("cloudtaser_operator_vault_".count)) }
    }

    /// Metrics after each of so many looks of a leader, and what was told.
    private static func look(
        _ health: SimulatedVaultHealth, _ policies: any PolicySource,
        _ clock: any AsyncTimeSource = ImmediateClock(), times: Int = 1,
        between: @escaping @Sendable (Int) -> Void = { _ in }
    ) async -> (samples: [[String]], told: [String]) {
        let told = Mutex<[String]>([])
        let probe = VaultProbe(health: health, policies: policies, clock: clock) {
            vault, state in
            told.withLock { $0.append("\(vault) \(state.rawValue)") }
        }
        let seen = Mutex<[[String]]>([])
        // Asked before a look and behind it.
        await probe.run(while: {
            let count = seen.withLock { seen in
                seen.append(samples(probe))
                return seen.count
            }
            if count % 2 == 1 { between(count / 2) }
            return count <= 2 * times
        })
        #expect(samples(probe) == [], "who leads no more tells nothing")
        let all = seen.withLock { $0 }
        return ((1...times).map { all[2 * $0] }, told.withLock { $0 })
    }

    @Test func `are told by their names, each with its state`() async throws {
        let health = SimulatedVaultHealth()
        for (vault, status) in [("a", 200), ("b", 429), ("c", 503), ("d", 501), ("e", 404)] {
            health.serve(Self.address(vault), SimulatedVaultHealth.Answer(status: status))
        }
        health.serve(Self.address("f"), SimulatedVaultHealth.Answer(isBelieved: false))
        let policies = FakePolicies(
            policyState: try Self.policy(["a", "b", "c", "d", "e", "f", "g"]))
        let (samples, told) = await Self.look(health, policies)
        #expect(
            samples == [
                [
                    #"up{vault="a"} 1"#, #"up{vault="b"} 1"#, #"up{vault="c"} 0"#,
                    #"up{vault="d"} 0"#, #"up{vault="e"} 0"#, #"up{vault="f"} 0"#,
                    #"up{vault="g"} 0"#, #"state{state="active",vault="a"} 1"#,
                    #"state{state="not_initialized",vault="d"} 1"#,
                    #"state{state="other",vault="e"} 1"#, #"state{state="sealed",vault="c"} 1"#,
                    #"state{state="standby",vault="b"} 1"#,
                    #"state{state="unreachable",vault="g"} 1"#,
                    #"state{state="untrusted",vault="f"} 1"#,
                ]
            ])
        #expect(
            told == [
                "a active", "b standby", "c sealed", "d not_initialized", "e other",
                "f untrusted", "g unreachable",
            ])
        #expect(Set(health.asked) == Set("abcdefg".map { Self.address(String($0)) }))
    }

    @Test func `are looked at again, and told where they changed`() async throws {
        let health = SimulatedVaultHealth()
        health.serve(Self.address("a"), SimulatedVaultHealth.Answer())
        let policies = FakePolicies(policyState: try Self.policy(["a"]))
        let (samples, told) = await Self.look(health, policies, times: 4) { round in
            if round == 2 {
                health.serve(Self.address("a"), SimulatedVaultHealth.Answer(status: 503))
            }
        }
        #expect(samples.map(\.first) == [1, 1, 0, 0].map { #"up{vault="a"} \#($0)"# })
        #expect(told == ["a active", "a sealed"])
    }

    @Test func `are unknown without a policy that can be used`() async throws {
        let health = SimulatedVaultHealth()
        for state in [
            PolicyState.unknown, .absent, .several(["a", "b"]),
            .unusable(name: "a", reason: "x"),
        ] {
            let (samples, told) = await Self.look(health, FakePolicies(policyState: state))
            #expect(samples == [[]] && told == [])
        }
        #expect(health.asked == [])
    }

    @Test func `do not wait for one that is slow`() async throws {
        let health = SimulatedVaultHealth { address in
            guard address == Self.address("slow") else { return nil }
            // For ever, if nobody ends it.
            while !Task.isCancelled { await Task.yield() }
            return nil
        }
        health.serve(Self.address("slow"), SimulatedVaultHealth.Answer())
        health.serve(Self.address("a"), SimulatedVaultHealth.Answer())
        let policies = FakePolicies(policyState: try Self.policy(["slow", "a"]))
        let clock = OnlyLong()
        let (samples, _) = await Self.look(health, policies, clock)
        #expect(
            samples == [
                [
                    #"up{vault="a"} 1"#, #"up{vault="slow"} 0"#,
                    #"state{state="active",vault="a"} 1"#,
                    #"state{state="timed_out",vault="slow"} 1"#,
                ]
            ])
        #expect(clock.slept.withLock { $0 }.contains(VaultProbe.answerTime))
    }

    @Test func `are asked a few at a time, as many as a policy has`() async throws {
        let now = Mutex(0)
        let most = Mutex(0)
        let health = SimulatedVaultHealth { _ in
            let count = now.withLock { now in
                now += 1
                return now
            }
            most.withLock { $0 = max($0, count) }
            for _ in 0..<20 { await Task.yield() }
            now.withLock { $0 -= 1 }
            return nil
        }
        let names = (0..<CloudTaserPolicy.vaultCountMax).map { "v\($0)" }
        for name in names { health.serve(Self.address(name), SimulatedVaultHealth.Answer()) }
        let clock = OnlyLong()
        clock.isPatient.withLock { $0 = true }
        let policies = FakePolicies(policyState: try Self.policy(names))
        let (samples, _) = await Self.look(health, policies, clock)
        #expect(samples.first?.count { $0.hasPrefix("up{") && $0.hasSuffix(" 1") } == names.count)
        #expect(health.asked.count == names.count)
        #expect((2...VaultProbe.parallelMax).contains(most.withLock { $0 }))
    }
}

/// A clock whose sleeps end at once, or when their task does.
private final class OnlyLong: AsyncTimeSource {
    let slept = Mutex<[Duration]>([])
    let isPatient = Mutex(false)

    func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: 0) }
    func secondsSince1970() -> Int64 { 0 }

    func sleep(until time: MonotonicTime) async {
        slept.withLock { $0.append(MonotonicTime(nanoseconds: 0).duration(to: time)) }
        let isPatient = isPatient.withLock { $0 }
        for _ in 0..<1000 where !isPatient { await Task.yield() }
        while isPatient, time.nanoseconds < 10_000_000_000, !Task.isCancelled {
            await Task.yield()
        }
    }
}
