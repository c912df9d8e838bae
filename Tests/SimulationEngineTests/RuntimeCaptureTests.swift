// SPDX-License-Identifier: Apache-2.0
import Ports
import SimulationEngine
import Testing

/// What the toolchain's concurrency runtime does under the engine. A red test here after a new
/// toolchain says that the runtime changed, before the simulations say so in riddles.
@Suite("Runtime capture")
struct RuntimeCaptureTests {
    /// Runs `body` as the one component and gives the tripwire's messages.
    private func tripwire(
        _ body: @escaping (ComponentContext) async -> Void
    ) -> [OracleFinding] {
        SimulationRunner().run(named: "capture", seed: 1) { run in
            run.spawn("subject", body: body)
        }.findings
    }

    private func isCaptured(_ body: @escaping (ComponentContext) async -> Void) -> Bool {
        var order: [Int] = []
        let findings = tripwire { context in
            await body(context)
            order.append(1)
        }
        return findings.isEmpty && order == [1]
    }

    @Test("nonisolated async functions, async let and task groups stay in the component's queue")
    func structured() {
        #expect(isCaptured { _ in _ = await double(2) })
        #expect(
            isCaptured { _ in
                async let left = double(1)
                async let right = double(2)
                _ = await left + right
            })
        #expect(
            isCaptured { context in
                await withTaskGroup(of: Int.self) { group in
                    for number in 0..<8 {
                        group.addTask {
                            await context.clock.sleep(for: .seconds(number))
                            return number
                        }
                    }
                    for await _ in group {}
                }
            })
    }

    @Test("default actors stay in the component's queue")
    func actors() {
        #expect(
            isCaptured { _ in
                let counter = Counter()
                await counter.raise()
                _ = await counter.value
            })
    }

    @Test("Task.yield stays in the component's queue")
    func yield() {
        #expect(isCaptured { _ in for _ in 0..<10 { await Task.yield() } })
    }

    @Test("a timeout made of a group and virtual sleeps ends, and cancels the sleep that lost")
    func timeout() {
        var end = MonotonicTime(nanoseconds: 0)
        #expect(
            isCaptured { context in
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await context.clock.sleep(for: .seconds(7200)) }
                    group.addTask { await context.clock.sleep(for: .seconds(1)) }
                    await group.next()
                    group.cancelAll()
                }
                end = context.clock.monotonic()
            })
        #expect(end == MonotonicTime(nanoseconds: 1_000_000_000))
    }

    @Test("Task { } escapes, is caught and named")
    func unstructured() {
        let findings = tripwire { _ in
            let task = Task { await double(2) }
            _ = await task.value
        }
        #expect(findings.map(\.component).allSatisfy { $0 == "subject#1" })
        #expect(findings.first?.message.contains("escaped to the global executor") == true)
    }

    @Test("Task.detached escapes, is caught and named")
    func detached() {
        let findings = tripwire { _ in
            let task = Task.detached { await double(2) }
            _ = await task.value
        }
        #expect(findings.first?.component == "subject#1")
        #expect(findings.first?.message.contains("escaped to the global executor") == true)
    }

    @Test("Task.sleep is no engine wait: the component is caught and named")
    func realSleep() {
        let findings = tripwire { _ in
            do { try await Task.sleep(for: .seconds(30)) } catch {}
        }
        #expect(findings.contains { $0.component == "subject#1" && $0.oracle == "tripwire" })
    }

    @Test("Task.sleep behind a sibling's engine wait is caught and named", arguments: [0, 1])
    func hiddenRealSleep(kind: Int) {
        let findings = tripwire { context in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await context.clock.sleep(for: .seconds(3000)) }
                group.addTask {
                    do {
                        if kind == 0 {
                            try await Task.sleep(for: .seconds(30))
                        } else {
                            try await Task.sleep(nanoseconds: 30_000_000_000)
                        }
                    } catch {}
                }
            }
        }
        #expect(findings.first?.component == "subject#1")
        #expect(findings.first?.message.contains("real clock") == true)
    }

    @Test("the real clock is caught and named", arguments: [0, 1])
    func realClock(kind: Int) {
        let findings = tripwire { _ in
            if kind == 0 { _ = ContinuousClock.now } else { _ = SuspendingClock.now }
        }
        #expect(findings.first?.message.contains("clock_gettime") == true)
        #expect(findings.first?.component == "subject#1")
    }

    @Test("real randomness is caught and named")
    func realRandomness() {
        let findings = tripwire { _ in
            _ = Int.random(in: 0...1_000_000)
        }
        #expect(findings.first?.message.contains("real randomness") == true)
        #expect(findings.first?.component == "subject#1")
    }

    @Test("control: the engine's own clock and randomness are not caught")
    func allowedSources() {
        #expect(
            isCaptured { context in
                _ = context.clock.secondsSince1970()
                _ = context.clock.monotonic()
                _ = try? context.entropy.draw(below: 10)
                await context.clock.sleep(for: .seconds(3600))
            })
    }

    @Test("a crash runs no defer and no cancellation handler; others go on")
    func crash() {
        var events: [String] = []
        let result = SimulationRunner().run(named: "crash", seed: 1) { run in
            run.spawn("victim") { context in
                defer { events.append("defer") }
                await withTaskCancellationHandler {
                    await context.clock.sleep(for: .seconds(10))
                } onCancel: {
                    fatalError("cancelled")
                }
                events.append("went on")
            }
            run.spawn("other") { context in
                await context.clock.sleep(for: .seconds(20))
                events.append("other")
            }
            run.after(.seconds(5)) { run.crash("victim") }
        }
        #expect(events == ["other"])
        #expect(result.findings == [])
    }
}

private func double(_ number: Int) async -> Int { number * 2 }

private actor Counter {
    var value = 0
    func raise() { value += 1 }
}
