// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@Suite("The command-line tool, run as a program")
struct CommandLineTests {
    private struct Run {
        let status: Int32
        let output: String
        let errors: String
    }

    /// The checkout; this file is Tests/CommandLineTests/CommandLineTests.swift.
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The program lies next to the test program that is running.
    private static let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "cloudtaser")

    private static func run(_ arguments: String...) throws -> Run { try run(arguments) }

    private static func run(_ arguments: [String]) throws -> Run {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = root
        let output = Pipe()
        let errors = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try Data().write(to: errors)
        defer { try? FileManager.default.removeItem(at: errors) }
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Run(
            status: process.terminationStatus, output: String(decoding: data, as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
    }

    private static func inTemporaryFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path(percentEncoded: false))
    }

    @Test("version, and help with examples and exit codes, end with 0")
    func help() throws {
        let version = try Self.run("version")
        #expect(version.status == 0 && version.output.hasPrefix("cloudtaser "))
        #expect(try Self.run("--help").status == 0)
        let help = try Self.run("evidence", "report", "--help")
        #expect(help.output.contains("Example:") && help.output.contains("Exit codes:"))
    }

    @Test("wrong usage ends with 2 and names the argument", arguments: ["--bogus", "bogus"])
    func usage(argument: String) throws {
        let run = try Self.run("evidence", "build", argument)
        #expect(run.status == 2)
        #expect(run.errors.contains(argument) && run.output.isEmpty)
    }

    @Test("a folder that is not there ends with 1 and says what to do")
    func operational() throws {
        let run = try Self.run("evidence", "check", "--catalogue", "no-such-folder")
        #expect(run.status == 1)
        #expect(run.errors.contains("no-such-folder: the folder cannot be read"))
    }

    @Test("build writes what check accepts; a page edited by hand ends with 3 and is named")
    func buildAndCheck() throws {
        try Self.inTemporaryFolder { folder in
            #expect(try Self.run("evidence", "build", "--out", folder).status == 0)
            #expect(try Self.run("evidence", "check", "--pages", folder).status == 0)
            let page = URL(filePath: folder).appending(path: "gdpr.md")
            try (Data(contentsOf: page) + Data("edited\n".utf8)).write(to: page)
            let document = URL(filePath: folder).appending(path: "oscal/claims-catalog.json")
            try (Data(contentsOf: document) + Data("\n".utf8)).write(to: document)
            let check = try Self.run("evidence", "check", "--pages", folder)
            #expect(check.status == 3)
            #expect(check.errors.contains("gdpr.md: differs"))
            #expect(check.errors.contains("oscal/claims-catalog.json: differs"))
            let whole = URL(filePath: folder).appending(path: "index.html")
            try (Data(contentsOf: whole) + Data("edited\n".utf8)).write(to: whole)
            let again = try Self.run("evidence", "check", "--pages", folder)
            #expect(again.status == 3 && again.errors.contains("index.html: differs"))
            try Data("old\n".utf8).write(to: URL(filePath: "\(folder)/old.html"))
            let old = try Self.run("evidence", "check", "--pages", folder)
            #expect(old.errors.contains("old.html: not a page any more"))
        }
    }

    @Test("the committed pages are as their sources say")
    func committedPages() throws {
        let evidence = try Self.run("evidence", "check")
        #expect(evidence.status == 0, "\(evidence.errors)")
        let codes = try Self.run("reference", "exit-codes", "--check")
        #expect(codes.status == 0, "\(codes.errors)")
        let score = try Self.run("reference", "score", "--check")
        #expect(score.status == 0, "\(score.errors)")
    }

    @Test("a catalogue that claims too much ends with 3, one line for each refusal")
    func refusal() throws {
        try Self.inTemporaryFolder { folder in
            let source = Self.root.appending(path: "Fixtures/compliance")
            let target = URL(filePath: folder).appending(path: "catalogue")
            try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
            // Read and written, not copied: a copy keeps the owner, which only root may give.
            for name in try FileManager.default.contentsOfDirectory(
                atPath: source.path(percentEncoded: false))
            {
                let data = try Data(contentsOf: source.appending(path: name))
                let text = String(decoding: data, as: UTF8.self)
                let raised = text.replacing(
                    "\"status\": \"partial\"", with: "\"status\": \"direct\"")
                try Data(raised.utf8).write(to: target.appending(path: name))
            }
            let path = target.path(percentEncoded: false)
            let run = try Self.run("evidence", "build", "--catalogue", path, "--out", folder)
            #expect(run.status == 3)
            #expect(run.errors.contains("GDPR-32-1-b: status 'direct' is above its weakest test"))
        }
    }

    @Test("a report without records ends with 3 and shows each test; a record is shown")
    func report() throws {
        try Self.inTemporaryFolder { folder in
            let empty = try Self.run("evidence", "report", "--records", folder)
            #expect(empty.status == 3)
            #expect(empty.output.contains("| VM-MEM-01 | no record | - | - | - |"))
            let record = """
                {"id": "VM-MEM-01", "result": "pass", "kernel": "6.1", "observation": "EFAULT",
                 "positiveControl": {"description": "locked page", "result": "pass"},
                 "commit": "abc", "dirty": false}
                """
            try Data(record.utf8).write(to: URL(filePath: "\(folder)/a.json"))
            let one = try Self.run("evidence", "report", "--records", folder)
            #expect(one.status == 3, "the other tests still have none")
            #expect(one.output.contains("| VM-MEM-01 | pass | 6.1 | locked page: pass | abc |"))
            try Data("{}".utf8).write(to: URL(filePath: "\(folder)/b.json"))
            let broken = try Self.run("evidence", "report", "--records", folder)
            #expect(broken.status == 1 && broken.errors.contains("b.json: top level: the key"))
        }
    }

    @Test("a report can ask for an age; records without a time then back nothing")
    func ages() throws {
        try Self.inTemporaryFolder { folder in
            func write(_ started: String) throws {
                let record = """
                    {"id": "VM-MEM-01", "result": "pass", "kernel": "6.1", "observation": "EFAULT",
                     "positiveControl": {"description": "locked page", "result": "pass"},
                     "commit": "abc", "dirty": false\(started)}
                    """
                try Data(record.utf8).write(to: URL(filePath: "\(folder)/a.json"))
            }
            func line(_ arguments: String...) throws -> Substring? {
                let run = try Self.run(["evidence", "report", "--records", folder] + arguments)
                return run.output.split(separator: "\n").first { $0.hasPrefix("| VM-MEM-01 ") }
            }
            try write("")
            #expect(try line()?.contains("| pass |") == true, "positive control")
            let timeless = try line("--max-age-days", "1")
            #expect(timeless?.contains("6.1 does not say when") == true)
            try write(#", "started": "2026-11-26T00:00:00Z""#)
            #expect(try line("--max-age-days", "1")?.contains("| pass |") == true)
            let old = try line("--max-age-days", "1", "--now", "2026-11-27T00:00:01Z")
            #expect(old?.contains("6.1 is older than 1 day") == true)
        }
    }

    @Test(
        "an age or a time that is none is wrong usage",
        arguments: [
            (["--max-age-days", "0"], "is from 1 to 3650"),
            (["--max-age-days", "3651"], "is from 1 to 3650"),
            (["--max-age-days", "1", "--now", "today"], "is no RFC 3339 time"),
            (["--now", "2026-11-27T00:00:00Z"], "needs --max-age-days"),
        ])
    func wrongAges(arguments: [String], message: String) throws {
        let run = try Self.run(["evidence", "report"] + arguments)
        #expect(run.status == 2 && run.errors.contains(message), "\(run)")
    }
}
