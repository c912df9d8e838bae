// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import SimulationEngine

/// What a process that simulates is set up with.
enum SimulationProcess {
    private static let deterministicHashing = "SWIFT_DETERMINISTIC_HASHING"

    /// Hash tables order their contents by a number that each process draws: this one starts
    /// itself again with the drawing switched off, and its workers inherit that.
    static func becomeRepeatable() throws {
        guard getenv(deterministicHashing) == nil else { return }
        setenv(deterministicHashing, "1", 1)
        var arguments = CommandLine.arguments.map { strdup($0) }
        arguments.append(nil)
        execv("/proc/self/exe", arguments)
        throw OperationalError(
            description:
                "/proc/self/exe: cannot be started again: \(String(cString: strerror(errno)))"
        )
    }

    /// Largest resident memory of this process so far (kB), 0 when /proc does not say.
    static var peakResidentKilobytes: Int {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let number = line.split(whereSeparator: \.isWhitespace).dropFirst().first
        else { return 0 }
        return Int(number) ?? 0
    }
}

enum TapeFile {
    /// A tape from a text that begins as one, or from the file of that path.
    static func read(_ argument: String) throws -> Tape {
        let isText = argument.hasPrefix("tape/")
        let text =
            isText ? argument : String(decoding: try Folder.data(at: argument), as: UTF8.self)
        do {
            return try Tape(text: text)
        } catch {
            let origin = isText ? "--tape" : argument
            throw OperationalError(
                description: "\(origin): not a tape (\(error)); it begins with 'tape/1 seed=N'")
        }
    }
}

/// `simulate --seed N` or `--tape`.
struct SingleRun {
    let scenario: any SimulatedScenario.Type
    let seed: UInt64?
    let tape: Tape?
    let showsTrace: Bool
    let output: SimulateOutput

    func run() throws {
        if let seed, let tape, seed != tape.seed {
            throw OperationalError(
                description: "--seed \(seed) is not the tape's seed \(tape.seed); leave --seed out")
        }
        var runner = SimulationRunner()
        runner.keepsTrace = showsTrace && output == .json
        if showsTrace, output == .table {
            runner.onTraceLine = { try? Terminal.print($0) }
        }
        SimulationEngineProcess.own()
        let result = runner.run(scenario, seed: seed ?? 0, replaying: tape)
        try Terminal.print(output == .json ? try json(result) : table(result))
        guard result.findings.isEmpty else {
            throw OperationalError(
                description: "seed \(result.seed): \(result.findingCount) findings, the first of "
                    + "\(result.findings[0].oracle)")
        }
    }

    private func table(_ result: RunResult) -> String {
        let facts = [
            "scenario  \(result.scenario)", "seed      \(result.seed)", "hash      \(result.hash)",
            "steps     \(result.steps), events \(result.events)",
            "time      \(result.duration) virtual",
            "faults    " + counts(result.faults), "marks     " + counts(result.marks),
            "findings  \(result.findingCount)",
        ]
        return (facts + result.findings.map { "  \($0)" })
            .joined(separator: "\n")
    }

    private func counts(_ counts: [String: Int]) -> String {
        let texts = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return texts.isEmpty ? "none" : texts.joined(separator: ", ")
    }

    private func json(_ result: RunResult) throws -> String {
        struct Shape: Encodable {
            let scenario: String
            let seed: UInt64
            let hash: String
            let steps: Int
            let events: Int
            let faults: [String: Int]
            let marks: [String: Int]
            let findings: [String]
            let tape: String
            let trace: [String]
        }
        return try JSONText.of(
            Shape(
                scenario: result.scenario, seed: result.seed, hash: result.hash,
                steps: result.steps, events: result.events, faults: result.faults,
                marks: result.marks, findings: result.findings.map(\.description),
                tape: result.tape.text, trace: result.trace))
    }
}

enum JSONText {
    static func of(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
