// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

/// The whole path with other people's tools is `make evidence`; here are exits and messages.
@Suite("Evidence packages, made and verified by the program")
struct EvidencePackageCommandTests {
    private struct Run {
        let status: Int32
        let output: String
        let errors: String
    }

    /// The program lies next to the test program that is running.
    private static let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "cloudtaser")

    private static func run(_ arguments: [String]) throws -> Run {
        let process = Process()
        process.executableURL = program
        process.arguments = ["evidence"] + arguments
        process.currentDirectoryURL = URL(filePath: Checkout.root)
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

    /// A folder with a record of one test, and keys.
    private static func inFolder(
        result: String = "pass", _ body: (String, [String]) throws -> Void
    ) throws {
        let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        let records = url.appending(path: "records")
        try FileManager.default.createDirectory(at: records, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: url) }
        let record = """
            {"id": "VM-MEM-01", "result": "\(result)", "kernel": "6.1", "observation": "EFAULT",
             "positiveControl": {"description": "locked page", "result": "pass"},
             "commit": "abc", "dirty": false, "started": "2026-11-20T08:00:00Z"}
            """
        try Data(record.utf8).write(to: records.appending(path: "a.json"))
        let folder = url.path(percentEncoded: false)
        let words = [
            "package", "--for", "dora", "--from", "2026-11-01", "--to", "2026-11-30",
            "--records", "\(folder)/records",
        ]
        try body(folder, words)
    }

    @Test("a signed package verifies with the public key alone; one changed byte ends with 3")
    func path() throws {
        try Self.inFolder { folder, words in
            let made = try Self.run(["keygen", "--out", "\(folder)/keys"])
            #expect(made.status == 0 && made.output.contains("evidence-key.pub.pem"))
            let out = "\(folder)/out"
            let keys = "\(folder)/keys/evidence-key"
            let package = try Self.run(words + ["--out", out, "--sign", "--key", "\(keys).pem"])
            #expect(package.status == 4, "tests without a record, and open slots")
            #expect(package.output.contains("signed with the key "))
            #expect(package.errors.contains("open: the deployment scenario is undeclared"))
            try FileManager.default.removeItem(atPath: "\(keys).pem")
            let verify = ["verify", out, "--public-key", "\(keys).pub.pem"]
            #expect(try Self.run(verify).status == 0)
            let sheet = URL(filePath: "\(out)/sheet.md")
            try (Data(contentsOf: sheet) + Data(" ".utf8)).write(to: sheet)
            let changed = try Self.run(verify)
            #expect(changed.status == 3 && changed.output.isEmpty)
            #expect(changed.errors.contains("\(out): sheet.md: changed, "))
        }
    }

    @Test("a failed test ends with 3, and the package is there")
    func failed() throws {
        try Self.inFolder(result: "fail") { folder, words in
            let package = try Self.run(words + ["--out", "\(folder)/out"])
            #expect(package.status == 3)
            #expect(package.output.contains("result FAILED"))
            #expect(package.errors.contains("VM-MEM-01: fail: on 6.1"))
            let sheet = try String(contentsOfFile: "\(folder)/out/sheet.md", encoding: .utf8)
            #expect(sheet.contains("fail: on 6.1"))
        }
    }

    @Test(
        "wrong usage ends with 2, says what is wrong and writes nothing",
        arguments: [
            (["--sign"], "--sign needs --key FILE"),
            (["--key", "k.pem"], "add --sign"),
            (["--sign", "--sign-with", "true"], "--public-key goes together with --sign-with"),
            (["--sign", "--vault-transit-key", "a"], "--public-key goes together with"),
            (["--sign", "--public-key", "k.pem"], "--public-key goes together with"),
            (["--sign", "--key", "k.pem", "--sign-with", "true"], "exclude each other"),
            (["--scenario", "SC-3"], "--scenario and --declared-by go together"),
            (["--scenario", "SC-9", "--declared-by", "me"], "SC-9"),
            (["--scenario", "SC-3", "--declared-by", " "], "--declared-by is empty"),
            (["--max-age-days", "0"], "--max-age-days is 1 to 3660"),
            (["--max-age-days", "3661"], "--max-age-days is 1 to 3660"),
            (["--from", "2026-12-01"], "the period ends on 2026-11-30, before 2026-12-01"),
            (["--from", "2026-02-30"], "2026-02-30"),
        ])
    func usage(extra: [String], text: String) throws {
        try Self.inFolder { folder, words in
            let run = try Self.run(words + ["--out", "\(folder)/out"] + extra)
            #expect(run.status == 2, "\(run.errors)")
            #expect(run.errors.contains(text), "\(run.errors)")
            #expect(!FileManager.default.fileExists(atPath: "\(folder)/out"))
        }
    }

    @Test("what cannot be read ends with 1 and is named; nothing is written")
    func unreadable() throws {
        try Self.inFolder { folder, words in
            try Data("{}".utf8).write(to: URL(filePath: "\(folder)/manual.json"))
            try Data("no key".utf8).write(to: URL(filePath: "\(folder)/key.pem"))
            for (extra, text) in [
                (["--manual", "\(folder)/manual.json"], "kind ManualEvidence"),
                (["--audits", "\(folder)/none"], "the folder cannot be read"),
                (["--sign", "--key", "\(folder)/none.pem"], "the key cannot be read"),
                (["--sign", "--key", "\(folder)/key.pem"], "the key; chmod 600"),
                (["--catalogue", "\(folder)/records"], "frameworks.json: not there"),
            ] {
                let run = try Self.run(words + ["--out", "\(folder)/out"] + extra)
                #expect(run.status == 1, "\(extra): \(run.errors)")
                #expect(run.errors.contains(text), "\(extra): \(run.errors)")
                #expect(!FileManager.default.fileExists(atPath: "\(folder)/out"))
            }
        }
    }

    @Test("a folder with files of others stays as it is, also with --force")
    func occupied() throws {
        try Self.inFolder { folder, words in
            let out = "\(folder)/records"
            for extra in [[], ["--force"]] {
                let run = try Self.run(words + ["--out", out] + extra)
                #expect(run.status == 1 && run.errors.contains("not empty (a.json)"))
                #expect(try FileManager.default.contentsOfDirectory(atPath: out) == ["a.json"])
            }
        }
    }

    @Test("each command has examples and exit codes in its help")
    func help() throws {
        for command in ["package", "verify", "keygen"] {
            let help = try Self.run([command, "--help"])
            #expect(help.status == 0 && help.output.contains("Example"))
            #expect(help.output.contains("Exit codes:"))
        }
    }
}
