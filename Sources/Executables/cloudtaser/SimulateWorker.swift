// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import SimulationEngine

/// Runs a batch of seeds in a process of its own: what frozen tasks hold goes away with it, and a
/// trap takes one batch with it, not the campaign. The lines on standard output are
/// `WorkerLine`s.
struct SimulateWorker: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a batch of seeds for simulate.", shouldDisplay: false)

    @OptionGroup var scenario: ScenarioOption
    @Option var first: UInt64
    @Option var count: Int = 1
    @Flag(help: "Write the traces instead.")
    var trace = false
    @Flag(help: "Shrink the first seed's failure instead.")
    var shrink = false

    /// For the shrinking of one failure.
    private static let shrinkingMax = Duration.seconds(60)

    func run() throws {
        let scenario = try scenario.type
        SimulationEngineProcess.own()
        if shrink { return shrinkFailure(of: scenario) }
        if trace { return try writeTraces(of: scenario) }
        var marks: [String: Int] = [:]
        for seed in first..<first + UInt64(count) {
            write(.begin(seed))
            let result = SimulationRunner().run(scenario, seed: seed)
            for finding in result.findings.prefix(1) { write(.finding(seed, finding)) }
            marks.merge(result.marks, uniquingKeysWith: +)
            write(.end(seed, hash: result.hash))
        }
        for (name, count) in marks.sorted(by: { $0.key < $1.key }) { write(.mark(name, count)) }
        write(.done(peakKilobytes: SimulationProcess.peakResidentKilobytes))
    }

    /// Without deterministic hashing: two processes show that no trace depends on it.
    private func writeTraces(of scenario: any SimulatedScenario.Type) throws {
        var runner = SimulationRunner()
        runner.keepsTrace = true
        for seed in first..<first + UInt64(count) {
            let result = runner.run(scenario, seed: seed)
            try Terminal.print(result.trace.joined(separator: "\n"))
            try Terminal.print("seed \(seed) \(result.hash) \(result.tape.text)")
        }
    }

    private func shrinkFailure(of scenario: any SimulatedScenario.Type) {
        let runner = SimulationRunner()
        let failing = runner.run(scenario, seed: first)
        guard let oracle = failing.findings.first?.oracle else { return }
        var shrinker = TapeShrinker()
        let end = ContinuousClock.now + Self.shrinkingMax
        shrinker.mayGoOn = { ContinuousClock.now < end }
        let outcome = shrinker.shrink(failing.tape) { tape in
            let result = runner.run(scenario, seed: first, replaying: tape)
            return result.findings.first?.oracle == oracle
        }
        write(.tape(outcome.tape.text))
        write(.done(peakKilobytes: SimulationProcess.peakResidentKilobytes))
    }

    /// At once: the supervisor has to know the seed that a trap ends.
    private func write(_ line: WorkerLine) {
        do { try Terminal.print(line.text) } catch {
            // The supervisor has gone, and would not hear the end either.
            Foundation.exit(Exit.operational.rawValue)
        }
    }
}

/// What a worker tells its supervisor; one line each, fields separated by tabs.
enum WorkerLine: Equatable {
    case begin(UInt64)
    case finding(UInt64, oracle: String, message: String)
    case end(UInt64, hash: String)
    case mark(String, Int)
    case tape(String)
    case done(peakKilobytes: Int)

    static func finding(_ seed: UInt64, _ finding: OracleFinding) -> WorkerLine {
        let message = "\(finding.time.seconds) \(finding.component): \(finding.message)"
        return .finding(
            seed, oracle: finding.oracle,
            message: message.split(whereSeparator: { $0.isNewline || $0 == "\t" })
                .joined(separator: " "))
    }

    var text: String {
        switch self {
        case .begin(let seed): "begin\t\(seed)"
        case .finding(let seed, let oracle, let message): "finding\t\(seed)\t\(oracle)\t\(message)"
        case .end(let seed, let hash): "end\t\(seed)\t\(hash)"
        case .mark(let name, let count): "mark\t\(name)\t\(count)"
        case .tape(let text): "tape\t\(text)"
        case .done(let peak): "done\t\(peak)"
        }
    }

    /// nil for a line that is none: what a dying process says on standard error.
    init?(_ line: Substring) {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
        switch (fields.first, fields.count) {
        case ("begin", 2):
            guard let seed = UInt64(fields[1]) else { return nil }
            self = .begin(seed)
        case ("finding", 4):
            guard let seed = UInt64(fields[1]) else { return nil }
            self = .finding(seed, oracle: String(fields[2]), message: String(fields[3]))
        case ("end", 3):
            guard let seed = UInt64(fields[1]) else { return nil }
            self = .end(seed, hash: String(fields[2]))
        case ("mark", 3):
            guard let count = Int(fields[2]) else { return nil }
            self = .mark(String(fields[1]), count)
        case ("tape", 2): self = .tape(String(fields[1]))
        case ("done", 2):
            guard let peak = Int(fields[1]) else { return nil }
            self = .done(peakKilobytes: peak)
        default: return nil
        }
    }
}
