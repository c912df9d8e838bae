// SPDX-License-Identifier: Apache-2.0
import SimulationEngine

/// The canaries of this run of the command.
struct CanaryReport {
    /// By the canary's name.
    let verdicts: [String: OracleCanary.Verdict]

    static func run(of scenario: any SimulatedScenario.Type) -> CanaryReport {
        var runner = SimulationRunner()
        runner.makeOracles = { scenario.makeOracles() }
        return CanaryReport(
            verdicts: Dictionary(
                uniqueKeysWithValues: scenario.canaries.map {
                    ($0.name, $0.verdict(with: runner))
                }))
    }

    /// Not red, sorted.
    var silent: [String] { verdicts.filter { $0.value != .red }.keys.sorted() }
}

/// A failure with the command that repeats it.
struct FailureReport: Encodable {
    let seed: UInt64
    let oracle: String
    let message: String
    let command: String
    /// Shrunk; nil when it was not tried or cannot be (a trap ends the process).
    let tape: String?

    /// The first `count` failures that can be are shrunk, each in a process of its own.
    static func all(of campaign: Campaign, shrinking count: Int) throws -> [FailureReport] {
        var left = count
        let sorted = campaign.failures.sorted { $0.seed < $1.seed }
        return try sorted.map { failure in
            var tape: String?
            if left > 0, failure.oracle != Campaign.trap {
                left -= 1
                tape = try shrunkTape(of: failure.seed, campaign.scenario.name)
            }
            let run = "cloudtaser simulate --scenario \(campaign.scenario.name)"
            let which = tape.map { "--tape '\($0)'" } ?? "--seed \(failure.seed)"
            return FailureReport(
                seed: failure.seed, oracle: failure.oracle, message: failure.message,
                command: "\(run) \(which) --trace", tape: tape)
        }
    }

    /// nil when the process ended before it had one.
    private static func shrunkTape(of seed: UInt64, _ scenario: String) throws -> String? {
        let worker = try WorkerProcess(
            scenario: scenario, seeds: seed..<seed + 1, extra: ["--shrink"])
        var tape: String?
        while let lines = worker.read() {
            for case .tape(let text) in lines { tape = text }
        }
        _ = worker.end()
        return tape
    }
}
