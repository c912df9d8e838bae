// SPDX-License-Identifier: Apache-2.0
import Foundation
import SimulationEngine
import SimulationScenarios
import TestKit
import Testing

@Suite("cloudtaser simulate")
struct SimulateTests {
    private func run(_ arguments: String...) throws -> ProgramRun {
        try ProgramRun(
            "cloudtaser", ["simulate"] + arguments, environment: ["PATH": "/usr/bin:/bin"])
    }

    private func json(_ text: String) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test("a campaign tells seeds, speed, failures and canaries, and ends with 0")
    func campaign() throws {
        let run = try run(
            "--scenario", "lease-client", "--seeds", "300", "--jobs", "2", "-o", "json")
        #expect(run.status == 0, "\(run.errors)")
        let report = try json(run.output)
        #expect(report["seeds"] as? Int == 300)
        #expect(report["seedsPerMinute"] as? Int ?? 0 > 0)
        #expect((report["failures"] as? [Any])?.isEmpty == true)
        let canaries = try #require(report["canaries"] as? [String: String])
        #expect(canaries.count > 100 && canaries.values.allSatisfy { $0 == "red" })
        #expect((report["neverSeen"] as? [String]) == [])
        #expect(run.errors.contains("300/300 seeds"), "progress without a terminal is lines")
    }

    @Test("how many processes share the seeds changes nothing about them")
    func jobs() throws {
        let hashes = try ["1", "3"].map { jobs in
            let run = try run(
                "--scenario", "lease-client", "--seeds", "60", "--jobs", jobs, "-o", "json")
            return try json(run.output)["hash"] as? String
        }
        #expect(hashes[0] == hashes[1] && hashes[0] != nil)
    }

    @Test(
        "as many seeds give byte-identical traces in two processes",
        arguments: ScenarioCatalogue.all.map { $0.name }.filter { $0 != SelfTestScenario.name })
    func determinism(scenario: String) throws {
        // Runs of these take a second without optimisation; `make simulation` plays 50 of each.
        let long: Set = [
            LeaderElectionScenario.name, CertificateScenario.name, AdmissionScenario.name,
            ReportScenario.name, ObjectProxyScenario.name,
        ]
        let count = long.contains(scenario) ? 6 : 50
        let runs = try (0..<2).map { _ in
            try ProgramRun(
                "cloudtaser",
                [
                    "simulate-worker", "--scenario", scenario, "--first", "1", "--count",
                    String(count), "--trace",
                ], environment: [:])
        }
        #expect(
            runs[0].status == 0 && runs[0].output.utf8.count > 2_000 * count, "\(runs[0].errors)")
        #expect(runs[0].output == runs[1].output)
        let seeds = runs[0].output.split(separator: "\n").filter { $0.hasPrefix("seed ") }
        #expect(Set(seeds).count == count)
    }

    @Test(
        "the script that plays seeds twice tells what is not the same, and what says nothing",
        arguments: [
            ("echo seed 1; echo seed 2; printf %5000s x", "the same", 0),
            ("echo seed 1; echo seed 2; printf %5000s $$", "line 3 differs", 1),
            ("echo seed 1; printf %5000s x", "1 seeds of 2", 1),
            ("echo seed 1; echo seed 2", "a trace of 14 bytes", 1),
            ("exit 3", "ended with 3", 1),
        ])
    func twice(_ script: String, message: String, status: Int32) throws {
        let folder = try ScratchFolder()
        let program = try folder.program("program", script)
        let run = try ProgramRun(
            path: "/usr/bin/env",
            [
                "python3", "-B", Checkout.root + "Tests/Determinism/twice.py", "--program",
                program, "--seeds", "2", "--scenario", "any",
            ], environment: ["PATH": "/usr/bin:/bin"])
        #expect(run.output.contains(message) && run.status == status, "\(run.output)\(run.errors)")
    }

    @Test("failures end with 1: each has its seed, a shrunk tape and a command that repeats it")
    func failures() throws {
        let run = try run("--scenario", "self-test", "--seeds", "200", "--jobs", "2", "-o", "json")
        #expect(run.status == 1)
        let report = try json(run.output)
        #expect(report["seeds"] as? Int == 200, "a trap costs one seed, not its batch")
        #expect(report["neverSeen"] as? [String] == ["self-test.never"])
        let failures = try #require(report["failures"] as? [[String: Any]])
        let oracles = Set(failures.compactMap { $0["oracle"] as? String })
        #expect(oracles == ["fail-closed", "trap"])
        let trap = try #require(failures.first { $0["oracle"] as? String == "trap" })
        #expect((trap["message"] as? String)?.contains("a trap on purpose in step") == true)
        let failure = try #require(failures.first { $0["tape"] is String })
        let tape = try #require(failure["tape"] as? String)
        #expect(tape.hasSuffix("workload=998"), "\(tape)")
        #expect((failure["command"] as? String)?.contains("--tape '\(tape)'") == true)
        let replay = try self.run("--scenario", "self-test", "--tape", tape, "--trace")
        #expect(replay.status == 1)
        #expect(replay.output.contains("finding  fail-closed: step-1 started without a decision"))
        let trapped = try self.run(
            "--scenario", "self-test", "--seed", "\(try #require(trap["seed"] as? Int))", "--trace")
        #expect(trapped.status > 128)
        #expect(trapped.output.contains("subject#1"), "the trace shows how far it came")
        let file = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-tape-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(tape.replacing(";", with: "\n").utf8).write(to: file)
        let path = file.path(percentEncoded: false)
        #expect(
            try self.run("--scenario", "self-test", "--tape", path, "--trace").output
                == replay.output)
    }

    @Test("a commit names the first seed")
    func commit() throws {
        let commit = "1dff6f7aa0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5"
        let run = try run(
            "--scenario", "lease-client", "--commit", commit, "--seeds", "2", "-o", "json")
        #expect(try json(run.output)["firstSeed"] as? Int == 0x1dff_6f7a_a0b1)
        #expect(run.output.contains("--first-seed \(0x1dff_6f7a_a0b1) --seeds 2"))
    }

    @Test(
        "wrong usage ends with 2 and says what is wrong",
        arguments: [
            (["--seeds", "0"], "--seeds must be 1"), (["--seeds", "-3"], "--seeds"),
            (["--seeds", "many"], "many"), (["--jobs", "0"], "--jobs must be 1"),
            (["--scenario", "none"], "there is no scenario 'none'; there are: "),
            (["--trace"], "--trace needs --seed N or --tape"),
            (["--commit", "xyz"], "12 hexadecimal digits"),
            (["--commit", "1dff6f7aa0b1", "--first-seed", "1"], "use one"),
            (["--first-seed", "18446744073709551615"], "leaves no room"),
            (["-o", "html"], "-o html is for --matrix"), (["-o", "yaml"], "yaml"),
            (["--matrix", "--seed", "1"], "--matrix runs no seeds"),
        ])
    func usage(arguments: [String], message: String) throws {
        let run = try ProgramRun("cloudtaser", ["simulate"] + arguments, environment: [:])
        #expect(run.status == 2, "\(run.errors)")
        #expect(run.errors.contains(message), "\(run.errors)")
        #expect(run.output.isEmpty)
    }

    @Test("a tape that is none, or of another seed, ends with 1 and says so")
    func tapes() throws {
        #expect(try run("--tape", "tape/1 seed=x").errors.contains("--tape: not a tape"))
        let missing = try run("--tape", "/nowhere/a.tape")
        #expect(missing.status == 1 && missing.errors.contains("/nowhere/a.tape: cannot be read"))
        let other = try run("--tape", "tape/1 seed=1", "--seed", "2")
        #expect(other.status == 1 && other.errors.contains("is not the tape's seed 1"))
    }

    @Test("the help shows examples and exit codes")
    func help() throws {
        let help = try run("--help")
        #expect(help.status == 0)
        #expect(help.output.contains("Examples:") && help.output.contains("Exit codes:"))
        #expect(!help.output.contains("simulate-worker"))
    }
}
