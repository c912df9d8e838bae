// SPDX-License-Identifier: Apache-2.0
internal import CSimulationHooks
internal import Ports

/// Runs scenarios, each on a thread of its own.
package struct SimulationRunner: Sendable {
    /// The result has the trace's lines.
    package var keepsTrace = false
    /// Called with each line of the trace as it happens, so that a run that traps shows how far
    /// it came.
    package var onTraceLine: (@Sendable (String) -> Void)?
    /// Other oracles than the scenario's own; nil: those.
    package var makeOracles: (@Sendable () -> [any Oracle])?

    package init() {}

    /// - Parameter tape: replay it instead of drawing; its seed counts.
    package func run(
        _ scenario: any SimulatedScenario.Type, seed: UInt64, replaying tape: Tape? = nil
    ) -> RunResult {
        var own = self
        own.makeOracles = makeOracles ?? { scenario.makeOracles() }
        return own.run(
            named: scenario.name, limits: scenario.limits, seed: seed, replaying: tape
        ) { scenario.init().build(in: $0) }
    }

    /// A scenario without a type, by the standard oracles: for canaries and tests.
    package func run(
        named name: String, limits: RunLimits = RunLimits(), seed: UInt64,
        replaying tape: Tape? = nil, build: (SimulationRun) -> Void
    ) -> RunResult {
        withoutActuallyEscaping(build) { build in
            let call = ThreadCall()
            call.body = {
                call.result = perform(
                    name: name, limits: limits, seed: tape?.seed ?? seed, replaying: tape, build)
            }
            defer { call.body = {} }
            let error = csimulation_call_on_thread(
                { context in
                    guard let context else { return }
                    Unmanaged<ThreadCall>.fromOpaque(context).takeUnretainedValue().body()
                }, Unmanaged.passUnretained(call).toOpaque())
            guard let result = call.result else {
                preconditionFailure("no thread for a simulation: error number \(error)")
            }
            return result
        }
    }

    private func perform(
        name: String, limits: RunLimits, seed: UInt64, replaying tape: Tape?,
        _ build: (SimulationRun) -> Void
    ) -> RunResult {
        // The standard library seeds its hashing on first use: not while a component runs.
        _ = Set([seed])
        let run = SimulationRun(
            seed: seed, replaying: tape, limits: limits,
            trace: Trace(keepsLines: keepsTrace, onLine: onTraceLine))
        for oracle in makeOracles?() ?? StandardOracles.make() { run.oracles.add(oracle) }
        run.run(build)
        var hash = run.trace.hash
        hash.add(run.choices.hash.value)
        let result = RunResult(
            scenario: name, seed: seed, findings: run.oracles.findings,
            findingCount: run.oracles.findingCount, hash: hash.description,
            steps: run.scheduler.steps, events: run.trace.count,
            duration: .nanoseconds(Int64(clamping: run.now.nanoseconds)), marks: run.marks.hits,
            faults: run.faults.fired, tape: run.choices.tape, trace: run.trace.lines)
        run.forget()
        return result
    }
}

/// What a thread is to do, and what came of it. The caller waits for the thread's end.
private final class ThreadCall: @unchecked Sendable {
    var body: () -> Void = {}
    var result: RunResult?
}
