// SPDX-License-Identifier: Apache-2.0
import Ports
import SecretMemory
import SimulationEngine
import Testing

@Suite("Faults, network, randomness, telemetry")
struct WorldTests {
    private func run(
        seed: UInt64 = 1, replaying tape: Tape? = nil, _ build: (SimulationRun) -> Void
    ) -> RunResult {
        SimulationRunner().run(named: "world", seed: seed, replaying: tape, build: build)
    }

    @Test("each seed has another subset of fault classes on, some none, and they fire rarely")
    func swarm() {
        let classes = (0..<16).map { "store.case-\($0)" }
        var subsets: Set<Set<String>> = []
        var fired = 0
        for seed in UInt64(1)...100 {
            let result = run(seed: seed) { run in
                for name in classes { for _ in 0..<100 { _ = run.faults.fires(name) } }
            }
            subsets.insert(Set(result.faults.keys))
            fired += result.faults.values.reduce(0, +)
        }
        #expect(subsets.count > 50 && subsets.contains([]))
        #expect(subsets.allSatisfy { $0.count < classes.count })
        #expect(Set(classes) == subsets.reduce([]) { $0.union($1) }, "every class fires somewhere")
        // 160,000 occasions.
        #expect((500...16_000).contains(fired), "\(fired)")
    }

    @Test("nothing fires after healing except what is planted; a tape of zeros has no faults")
    func heal() {
        let always = Tape(
            seed: 1,
            parts: [
                .init(label: "swarm", values: [4]),
                .init(label: "swarm/a", values: [7, 24, 1]),
                .init(label: "fault/a", values: [99, 99, 99]),
            ])
        var seen: [Bool] = []
        let result = run(replaying: always) { run in
            seen.append(run.faults.fires("a"))
            run.heal()
            seen.append(run.faults.fires("a"))
            run.faults.plant("a", times: 2)
            for _ in 0..<3 { seen.append(run.faults.fires("a")) }
        }
        #expect(seen == [true, false, true, true, false])
        #expect(result.faults == ["a": 3])
        let simplest = run(replaying: Tape(seed: 1)) { run in
            for _ in 0..<100 { seen.append(run.faults.fires("a")) }
        }
        #expect(simplest.faults == [:] && seen.count == 105)
    }

    @Test("partitions lose, nobody refuses, and an impostor shows its own identity")
    func network() {
        var routes: [NetworkRoute] = []
        _ = run(replaying: Tape(seed: 1)) { run in
            func call() { routes.append(run.network.route(from: "client", to: "vault")) }
            call()
            run.network.listen(at: "vault", as: "vault")
            call()
            run.network.partition("vault", "client")
            call()
            #expect(run.network.route(from: "other", to: "vault") != .lost)
            run.network.heal("client", "vault")
            run.network.listen(at: "vault", as: "mallory")
            call()
            run.network.partition("vault", "client")
            run.heal()
            call()
        }
        let millisecond = Duration.milliseconds(1)
        #expect(
            routes == [
                .refused, .reached(identity: "vault", latency: millisecond), .lost,
                .reached(identity: "mallory", latency: millisecond),
                .reached(identity: "mallory", latency: millisecond),
            ])
    }

    @Test("randomness comes from the seed: what may be seen and what may not are apart")
    func entropy() throws {
        func draws(_ seed: UInt64) -> ([UInt64], [UInt8]) {
            var numbers: [UInt64] = []
            var secret: [UInt8] = []
            _ = run(seed: seed) { run in
                run.faults.switchOff()
                run.spawn("a") { context in
                    do {
                        for _ in 0..<5 { numbers.append(try context.entropy.draw(below: 1000)) }
                        var buffer = try SecretBuffer(capacity: 64)
                        try context.entropy.appendSecret(16, to: &buffer)
                        try context.entropy.appendSecret(16, to: &buffer)
                        buffer.withBytes { bytes in
                            secret = (0..<bytes.byteCount).map {
                                bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
                            }
                        }
                    } catch { Issue.record("\(error)") }
                }
            }
            return (numbers, secret)
        }
        let (numbers, secret) = draws(1)
        #expect(numbers.count == 5 && numbers == draws(1).0 && numbers != draws(2).0)
        #expect(secret.count == 32 && secret == draws(1).1 && secret != draws(2).1)
        #expect(Array(secret.prefix(16)) != Array(secret.suffix(16)))
    }

    @Test("every failure of the engine's own ports can be injected")
    func portFailures() {
        var failures: [String] = []
        _ = run { run in
            for name in ["entropy.unavailable", "telemetry.unavailable", "telemetry.unwritable"] {
                run.faults.plant(name)
            }
            run.spawn("a") { context in
                do { _ = try context.entropy.draw(below: 2) } catch { failures.append("\(error)") }
                do { try context.telemetry.record(.init(.notice, "a", "b")) } catch {
                    failures.append("\(error)")
                }
                do { try context.telemetry.terminate("a") } catch { failures.append("\(error)") }
            }
        }
        #expect(
            failures == [
                "unavailable(errorNumber: 38)", "unavailable",
                "unwritable(path: \"/dev/termination-log\", errorNumber: 30)",
            ])
    }

    @Test("what a component tells is kept, cut at the limit, and watched for secrets")
    func telemetry() {
        var kept: [TelemetryRecord] = []
        var message: String?
        let result = run(replaying: Tape(seed: 1)) { run in
            run.report(SecretRegistered("token", bytes: Array("s.0123456789".utf8)))
            run.spawn("wrapper") { context in
                let record = TelemetryRecord(
                    .warning, "login_failed", "no", fields: [.init("token", "s.0123456789")])
                do {
                    try context.telemetry.record(record)
                    try context.telemetry.terminate(
                        String(repeating: "x", count: terminationMessageBytesMax + 1))
                } catch { Issue.record("\(error)") }
                kept = context.telemetry.records
                message = context.telemetry.terminationMessage
            }
        }
        #expect(kept.map(\.name) == ["login_failed"])
        #expect(message?.utf8.count == terminationMessageBytesMax)
        #expect(result.findings.map(\.message) == ["8 bytes of token as raw in log of wrapper"])
    }
}
