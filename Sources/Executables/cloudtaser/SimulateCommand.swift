// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import SimulationEngine
import SimulationScenarios

enum SimulateOutput: String, ExpressibleByArgument, CaseIterable {
    case table, json, html
}

struct ScenarioOption: ParsableArguments {
    @Option(
        help: """
            Which world to run: \(ScenarioCatalogue.all.map { $0.name }.joined(separator: ", ")).
            """)
    var scenario = ScenarioCatalogue.all[0].name

    var type: any SimulatedScenario.Type {
        get throws {
            if let found = ScenarioCatalogue.scenario(named: scenario) { return found }
            let known = ScenarioCatalogue.all.map { $0.name }.joined(separator: ", ")
            throw ValidationError("there is no scenario '\(scenario)'; there are: \(known)")
        }
    }
}

struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the product's components in a simulated world, seed after seed.",
        discussion: """
            Examples:
              cloudtaser simulate --seeds 10000 --jobs 2
              cloudtaser simulate --commit $(git rev-parse HEAD) -o json
              cloudtaser simulate --seed 42 --trace
              cloudtaser simulate --tape failing.tape --trace
              cloudtaser simulate --matrix -o html > matrix.html

            A campaign runs the canaries first, then the seeds in worker processes. A failing seed
            is shrunk to a tape, and a command that repeats it is printed. The same seed of the
            same commit gives the same run.

            Exit codes: 0 all is well · 1 a seed, a canary or the campaign failed, or something \
            could not be read · 2 wrong usage.
            """)

    @OptionGroup var scenario: ScenarioOption
    @Option(help: "How many seeds to run.")
    var seeds: Int = 200
    @Option(help: "How many worker processes; as many as processors when not given.")
    var jobs: Int?
    @Option(help: "The campaign's first seed.")
    var firstSeed: UInt64?
    @Option(help: "Derive the first seed from a commit's hexadecimal name.")
    var commit: String?
    @Option(help: "Run this seed only.")
    var seed: UInt64?
    @Option(help: "Replay a tape: a file's path, or the text itself ('tape/1 …').")
    var tape: String?
    @Flag(help: "With --seed or --tape: print what happens, one line for each event.")
    var trace = false
    @Flag(help: "Judge every attack on every kernel profile instead of running seeds.")
    var matrix = false
    @Option(name: .shortAndLong, help: "table, json, or with --matrix html.")
    var output = SimulateOutput.table
    @Option(help: "With --matrix: the folder of the catalogue and the kernel profiles.")
    var fixtures = "Fixtures"
    @Option(help: "How many failures to shrink.")
    var shrink = 3

    /// Seeds of one campaign at most: the last one must stay a number.
    static let seedsMax = 100_000_000
    static let jobsMax = 256

    func validate() throws {
        _ = try scenario.type
        guard (1...Self.seedsMax).contains(seeds) else {
            throw ValidationError("--seeds must be 1 to \(Self.seedsMax), not \(seeds)")
        }
        if let jobs, !(1...Self.jobsMax).contains(jobs) {
            throw ValidationError("--jobs must be 1 to \(Self.jobsMax), not \(jobs)")
        }
        guard shrink >= 0 else { throw ValidationError("--shrink must not be negative") }
        let isSingle = seed != nil || tape != nil
        guard !trace || isSingle else {
            throw ValidationError("--trace needs --seed N or --tape FILE: which run to show")
        }
        guard firstSeed == nil || commit == nil else {
            throw ValidationError("--first-seed and --commit both say where to begin; use one")
        }
        guard !matrix || !isSingle else {
            throw ValidationError("--matrix runs no seeds; leave --seed and --tape out")
        }
        guard matrix || output != .html else {
            throw ValidationError("-o html is for --matrix; use table or json")
        }
        if let first = try? begin, first > UInt64.max - UInt64(seeds) {
            throw ValidationError("--first-seed \(first) leaves no room for \(seeds) seeds")
        }
        _ = try begin
    }

    /// The first seed: given, from 12 digits of a commit, or 1.
    private var begin: UInt64 {
        get throws {
            guard let commit else { return firstSeed ?? 1 }
            guard commit.utf8.count >= 12, let seed = UInt64(commit.prefix(12), radix: 16) else {
                throw ValidationError("--commit needs at least 12 hexadecimal digits")
            }
            return seed
        }
    }

    func run() throws {
        try SimulationProcess.becomeRepeatable()
        if matrix { return try SimulateMatrix.run(output, fixtures: fixtures) }
        if seed != nil || tape != nil {
            return try SingleRun(
                scenario: scenario.type, seed: seed, tape: tape.map(TapeFile.read),
                showsTrace: trace, output: output
            ).run()
        }
        let canaries = CanaryReport.run(of: try scenario.type)
        var campaign = Campaign(
            scenario: try scenario.type, firstSeed: try begin, seedCount: seeds,
            jobs: jobs ?? ProcessInfo.processInfo.activeProcessorCount)
        try campaign.run()
        let failures = try FailureReport.all(of: campaign, shrinking: shrink)
        let report = CampaignReport(campaign: campaign, failures: failures, canaries: canaries)
        try Terminal.print(output == .json ? try report.json : report.table)
        guard report.isClean else { throw OperationalError(description: report.verdict) }
    }
}
