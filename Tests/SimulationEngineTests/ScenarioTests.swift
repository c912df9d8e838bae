// SPDX-License-Identifier: Apache-2.0
import SimulationEngine
import SimulationScenarios
import TestKit
import Testing

@Suite("Scenarios")
struct ScenarioTests {
    private func run(
        _ seed: UInt64, replaying tape: Tape? = nil, trace: Bool = false
    ) -> RunResult {
        var runner = SimulationRunner()
        runner.keepsTrace = trace
        return runner.run(LeaseClientScenario.self, seed: seed, replaying: tape)
    }

    @Test("three hundred seeds are green, differ, and come to every interesting place")
    func campaign() {
        var hits: [String: Int] = [:]
        var hashes: Set<String> = []
        for seed in UInt64(1)...300 {
            let result = run(seed)
            #expect(result.findings == [], "seed \(seed)")
            hits.merge(result.marks, uniquingKeysWith: +)
            hashes.insert(result.hash)
        }
        #expect(SometimesFacts.missing(of: LeaseClientScenario.self, in: hits) == [])
        #expect(hashes.count == 300)
    }

    /// The same for every commit (docs/adr/0007-seeds-of-a-commit-warn.md); `make simulation` plays
    /// more of them.
    @Test(
        "the first seeds of each scenario are green",
        arguments: ScenarioCatalogue.all.map { $0.name }.filter { $0 != SelfTestScenario.name })
    func firstSeeds(name: String) throws {
        let scenario = try #require(ScenarioCatalogue.scenario(named: name))
        for seed in UInt64(1)...5 {
            let findings = SimulationRunner().run(scenario, seed: seed).findings
            #expect(
                findings == [], "cloudtaser simulate --scenario \(name) --seed \(seed) --trace")
        }
    }

    @Test("the same seed gives the same trace, and its tape replays it")
    func replay() throws {
        for seed in UInt64(1)...20 {
            let first = run(seed, trace: true)
            #expect(first.trace.count > 20)
            #expect(run(seed, trace: true) == first)
            let tape = try Tape(text: first.tape.text)
            #expect(run(0, replaying: tape, trace: true).trace == first.trace)
        }
        #expect(run(1, trace: true).trace != run(2, trace: true).trace)
    }

    @Test("keeping the trace changes nothing about the run")
    func traceIsPassive() {
        #expect(run(5, trace: true).hash == run(5).hash)
    }

    @Test("a tape of zeros is a run without faults")
    func simplest() {
        let result = run(0, replaying: Tape(seed: 1))
        #expect(result.faults == [:] && result.findings == [])
    }

    @Test("every line of a trace has the documented columns, in order of time")
    func columns() throws {
        let lines = run(3, trace: true).trace
        var last = ""
        for (index, line) in lines.enumerated() {
            let columns = line.split(separator: " ", maxSplits: 4)
            #expect(columns.count >= 4, "\(line)")
            #expect(columns[1] == "\(index + 1)")
            let time = String(repeating: "0", count: 16 - columns[0].count) + columns[0]
            #expect(time >= last)
            last = time
            #expect(columns[2] == "-" || columns[2].contains("#"))
            #expect(Trace.Kind(rawValue: String(columns[3])) != nil, "\(line)")
        }
    }
}

@Suite("Shrinking")
struct ShrinkingTests {
    /// Fails when the client lost a lease after a crash: needs several choices at once.
    private struct Fragile: SimulatedScenario {
        static let name = "fragile"
        static let summary = "Fails when two things come together."

        func build(in run: SimulationRun) {
            var isCrashed = false
            for step in 0..<200 {
                run.after(.seconds(step)) {
                    let noise = run.choices.draw(below: 50, label: "noise")
                    let choice = run.choices.draw(below: 40, label: "workload")
                    if choice == 7 { isCrashed = true }
                    if isCrashed, run.faults.fires("store.sealed") {
                        run.oracles.report("bounds", "lost after \(noise)")
                    }
                }
            }
        }
    }

    private func failing() -> RunResult? {
        (UInt64(1)...200).lazy.map { SimulationRunner().run(Fragile.self, seed: $0) }
            .first { !$0.findings.isEmpty }
    }

    private func fails(_ tape: Tape) -> Bool {
        SimulationRunner().run(Fragile.self, seed: tape.seed, replaying: tape)
            .findings.first?.oracle == "bounds"
    }

    @Test("a failure is shrunk to the choices that it needs, the same way each time")
    func shrinks() throws {
        let result = try #require(failing())
        var shrinker = TapeShrinker()
        shrinker.runsMax = 2000
        let outcome = shrinker.shrink(result.tape, stillFails: fails)
        #expect(outcome.isFinished)
        #expect(fails(outcome.tape))
        // The crash; the class on, its weight, its site; the occasion. Nothing of the noise.
        #expect(outcome.tape.values(of: "noise") == [])
        #expect(outcome.tape.values(of: "workload") == [7])
        #expect(outcome.tape.complexity <= 6, "\(outcome.tape.text)")
        #expect(shrinker.shrink(result.tape, stillFails: fails) == outcome)
        #expect(fails(try Tape(text: outcome.tape.text)))
    }

    @Test("runs and time are bounded, and what was reached so far is kept")
    func bounded() throws {
        let result = try #require(failing())
        var shrinker = TapeShrinker()
        shrinker.runsMax = 10
        let short = shrinker.shrink(result.tape, stillFails: fails)
        #expect(short.runs == 10 && !short.isFinished && fails(short.tape))
        shrinker.mayGoOn = { false }
        let none = shrinker.shrink(result.tape, stillFails: fails)
        #expect(none.runs == 0 && none.tape == result.tape.trimmed)
    }

    @Test("control: what fails without any choice shrinks to the empty tape in one run")
    func empty() {
        let tape = Tape(seed: 1, parts: [.init(label: "a", values: [1, 2, 3])])
        let outcome = TapeShrinker().shrink(tape) { _ in true }
        #expect(outcome.tape.parts == [] && outcome.runs == 1)
    }
}
