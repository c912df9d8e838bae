// SPDX-License-Identifier: Apache-2.0
import Ports
import SimulationEngine
import Testing

@Suite("Scheduler")
struct SchedulerTests {
    private func order(seed: UInt64, replaying tape: Tape? = nil) -> [String] {
        var order: [String] = []
        let result = SimulationRunner().run(named: "order", seed: seed, replaying: tape) { run in
            for name in ["a", "b", "c"] {
                run.spawn(name) { _ in
                    for number in 0..<4 {
                        order.append("\(name)\(number)")
                        await Task.yield()
                    }
                }
            }
        }
        #expect(result.findings == [])
        return order
    }

    @Test("a seed decides the order, and each component keeps its own")
    func order() {
        #expect(order(seed: 1) == order(seed: 1))
        #expect(Set((1...20).map { order(seed: $0) }).count > 10)
        for seed in 1...20 {
            #expect(
                order(seed: UInt64(seed)).filter { $0.hasPrefix("b") } == ["b0", "b1", "b2", "b3"])
        }
        #expect(order(seed: 3, replaying: Tape(seed: 3)).prefix(4) == ["a0", "a1", "a2", "a3"])
    }

    @Test("time advances to the next timer only when nothing is runnable; one moment keeps order")
    func time() {
        var seen: [String] = []
        let result = SimulationRunner().run(named: "time", seed: 1) { run in
            for name in ["first", "second"] { run.after(.seconds(2)) { seen.append(name) } }
            run.spawn("sleeper") { context in
                await context.clock.sleep(for: .seconds(1))
                seen.append(context.clock.monotonic().seconds)
                await context.clock.sleep(for: .seconds(-1))
                await context.clock.sleep(for: .seconds(7200 - 1))
                seen.append(context.clock.monotonic().seconds)
            }
        }
        #expect(seen == ["1.000000000", "first", "second"], "the run's hour ends before the sleep")
        #expect(result.duration == .seconds(3600))
    }

    @Test("a restarted component finds what the world kept, in a new incarnation")
    func restart() {
        var disk = 0
        var incarnations: [Int] = []
        let result = SimulationRunner().run(named: "restart", seed: 1) { run in
            run.spawn("writer") { context in
                incarnations.append(context.incarnation)
                while disk < 10 {
                    disk += 1
                    await context.clock.sleep(for: .seconds(1))
                }
            }
            run.after(.milliseconds(3500)) { run.crash("writer") }
            run.after(.seconds(60)) { run.restart("writer") }
        }
        #expect(disk == 10 && incarnations == [1, 2] && result.findings == [])
        #expect(result.duration == .seconds(66))
    }

    @Test("a paused component stands still and goes on where it was")
    func pause() {
        var seen: [String] = []
        _ = SimulationRunner().run(named: "pause", seed: 1) { run in
            run.spawn("a") { context in
                await context.clock.sleep(for: .seconds(2))
                seen.append(context.clock.monotonic().seconds)
            }
            run.after(.seconds(1)) { run.pause("a") }
            run.after(.seconds(9)) { run.resume("a") }
        }
        #expect(seen == ["9.000000000"])
    }

    @Test("a loop without time is stopped and named")
    func hotLoop() {
        let findings = SimulationRunner().run(named: "hot", seed: 1) { run in
            run.spawn("spinner") { _ in while true { await Task.yield() } }
        }.findings
        #expect(findings.map(\.oracle) == ["tripwire"])
        #expect(findings.first?.component == "spinner#1")
        #expect(findings.first?.message.contains("hot loop") == true)
    }

    @Test("a mailbox delivers in order, drops above its capacity and times out")
    func mailbox() {
        var received: [Int?] = []
        let result = SimulationRunner().run(named: "mailbox", seed: 1) { run in
            let box = SimulatedMailbox<Int>(capacity: 2, in: run)
            run.spawn("receiver") { context in
                for _ in 0..<4 {
                    received.append(
                        await box.receive(until: MonotonicTime(nanoseconds: 5_000_000_000)))
                }
            }
            run.after(.seconds(1)) { for number in 1...3 { box.send(number) } }
            run.after(.seconds(6)) { received.append(box.dropped) }
        }
        #expect(received == [1, 2, nil, nil, 1])
        #expect(result.findings == [])
    }

    @Test("a wall clock can be ahead, drift and jump; the monotonic one does not")
    func skew() {
        var seen: [Int64] = []
        _ = SimulationRunner().run(named: "skew", seed: 1) { run in
            var skew = ClockSkew()
            skew.offsetSeconds = 100
            skew.driftPartsPerMillion = 1000
            skew.steps = [
                .init(at: MonotonicTime(nanoseconds: 1_500_000_000_000), seconds: -3600)
            ]
            run.skews["a"] = skew
            run.spawn("a") { context in
                for _ in 0..<3 {
                    seen.append(
                        context.clock.secondsSince1970() - SimulatedClock.startSecondsSince1970)
                    await context.clock.sleep(for: .seconds(1000))
                }
            }
        }
        #expect(seen == [100, 1101, 2102 - 3600])
    }
}
