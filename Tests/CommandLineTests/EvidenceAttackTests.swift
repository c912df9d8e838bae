// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

/// Inputs that somebody prepared, and runs that do not come to their end.
@Suite("Evidence packages under attack") struct EvidenceAttackTests {
    private let folder: ScratchFolder
    private static let words = [
        "evidence", "package", "--for", "dora", "--from", "2026-11-01", "--to", "2026-11-20",
        "--catalogue", catalogue,
    ]
    private static let catalogue = "\(Checkout.root)/Fixtures/compliance"
    private static let record = """
        {"id": "VM-MEM-01", "result": "pass", "kernel": "6.1", "observation": "EFAULT",
         "positiveControl": {"description": "locked page", "result": "pass"},
         "commit": "abc", "dirty": false, "started": "2026-11-20T08:00:00Z"}
        """

    init() throws {
        folder = try ScratchFolder()
        try FileManager.default.createDirectory(
            atPath: "\(folder.path)/records", withIntermediateDirectories: true)
        _ = try folder.write("records/a.json", Self.record)
    }

    private var out: String { "\(folder.path)/out" }

    private func package(_ more: String...) throws -> ProgramRun {
        try cloudtaser(Self.words + ["--records", "\(folder.path)/records", "--out", out] + more)
    }

    private func cloudtaser(_ words: [String]) throws -> ProgramRun {
        try ProgramRun("cloudtaser", words, environment: [:])
    }

    private var isThere: Bool { FileManager.default.fileExists(atPath: out) }

    @Test func `a run that is killed while it writes leaves the package that was there`() throws {
        let key = try cloudtaser(["evidence", "keygen", "--out", "\(folder.path)/keys"])
        #expect(key.status == 0)
        let keys = "\(folder.path)/keys/evidence-key"
        #expect(try package("--sign", "--key", "\(keys).pem").status == 4)
        let verify = ["evidence", "verify", out, "--public-key", "\(keys).pub.pem"]
        #expect(try cloudtaser(verify).status == 0)
        // Files above the limit end the program by a signal.
        let command =
            (Self.words + ["--records", "\(folder.path)/records", "--out", out, "--force"])
            .joined(separator: " ")
        let program = ProgramRun.path(of: "cloudtaser")
        let killed = try ProgramRun(
            path: "/bin/sh", ["-c", "ulimit -f 16; exec \(program) \(command)"], environment: [:])
        #expect(killed.status != 4, "\(killed)")
        let left = "\(out)/.cloudtaser-partial"
        try? FileManager.default.removeItem(atPath: left)
        #expect(try cloudtaser(verify).status == 0)
        // What such a run left is no obstacle to the next one, and does not stay.
        try FileManager.default.createDirectory(
            atPath: left, withIntermediateDirectories: true)
        _ = try folder.write("out/.cloudtaser-partial/sheet.md", "half")
        #expect(try package().status == 1)
        #expect(try package("--force", "--sign", "--key", "\(keys).pem").status == 4)
        #expect(!FileManager.default.fileExists(atPath: left))
        #expect(try cloudtaser(verify).status == 0)
    }

    @Test func `a link in the place of an attachment is not followed`() throws {
        _ = try folder.write("secret", "a private key")
        let manual = try folder.write(
            "manual.json",
            """
            {"apiVersion": "cloudtaser.io/v1alpha1", "kind": "ManualEvidence", "items": [
             {"slot": "dora-register", "owner": "o", "date": "2026-11-20", "statement": "s",
              "file": "sheet.txt"}]}
            """)
        let link = "\(folder.path)/sheet.txt"
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: "\(folder.path)/secret")
        let refused = try package("--manual", manual)
        #expect(refused.status == 1 && refused.errors.contains("not a regular file"), "\(refused)")
        #expect(!isThere)
        try FileManager.default.removeItem(atPath: link)
        _ = try folder.write("sheet.txt", "sheet 3")
        #expect(try package("--manual", manual).status == 4, "control")
    }

    @Test(arguments: [
        (#""file": 1"#, "'file' is no text"), (#""flie": "a.pdf""#, "'flie' is none of"),
        (#""file": "../secret""#, "cannot be a file's name"),
        (#""slot": "../../etc""#, "there twice|cannot be read|no JSON"),
    ])
    func `what the organisation adds is taken as it is written, or not at all`(
        _ member: String, _ reason: String
    ) throws {
        let manual = try folder.write(
            "manual.json",
            """
            {"apiVersion": "cloudtaser.io/v1alpha1", "kind": "ManualEvidence", "items": [
             {"slot": "dora-register", "owner": "o", "date": "2026-11-20", "statement": "s",
              \(member)}]}
            """)
        let run = try package("--manual", manual)
        #expect(run.status == 1 && !isThere, "\(run)")
        #expect(reason.split(separator: "|").contains { run.errors.contains($0) }, "\(run)")
    }

    @Test func `a slot cannot lead out of the folder`() throws {
        let manual = try folder.write(
            "manual.json",
            """
            {"apiVersion": "cloudtaser.io/v1alpha1", "kind": "ManualEvidence", "items": [
             {"slot": "../..", "owner": "o", "date": "2026-11-20", "statement": "s",
              "file": "records"}]}
            """)
        let run = try package("--manual", manual)
        #expect(run.status == 1 && run.errors.contains("'../..' cannot be a file's name"), "\(run)")
    }

    @Test func `a record in which a member stands twice is refused, by the report too`() throws {
        let twice = Self.record.replacing(
            #""result": "pass", "kernel""#, with: #""result": "fail", "result": "pass", "kernel""#)
        _ = try folder.write("records/a.json", twice)
        let run = try package()
        #expect(run.status == 1 && run.errors.contains("'result' is there twice"), "\(run)")
        let report = try cloudtaser([
            "evidence", "report", "--catalogue", Self.catalogue, "--records",
            "\(folder.path)/records",
        ])
        #expect(report.status == 1 && report.errors.contains("'result' is there twice"))
    }

    @Test func `a commit is whole, and a period that is not over is told`() throws {
        for text in ["abc", "HEAD", String(repeating: "A", count: 40)] {
            let run = try package("--commit", text)
            #expect(run.status == 2 && run.errors.contains("no whole commit"), "\(run)")
        }
        #expect(!isThere)
        let whole = try package("--commit", String(repeating: "a", count: 40))
        #expect(whole.status == 4 && !whole.errors.contains("not over"), "\(whole)")
        let future = try cloudtaser([
            "evidence", "package", "--for", "dora", "--from", "2999-12-01", "--to", "2999-12-31",
            "--records", "\(folder.path)/records", "--out", "\(folder.path)/future",
            "--catalogue", Self.catalogue,
        ])
        #expect(future.errors.contains("note: the period is not over"), "\(future)")
    }

    @Test func `what holds one package together does not hold another`() throws {
        _ = try cloudtaser(["evidence", "keygen", "--out", "\(folder.path)/keys"])
        let keys = "\(folder.path)/keys/evidence-key"
        #expect(try package("--sign", "--key", "\(keys).pem").status == 4)
        let other = "\(folder.path)/other"
        let words = [
            "evidence", "package", "--for", "soa", "--from", "2026-11-01", "--to", "2026-11-20",
            "--catalogue", Self.catalogue, "--records", "\(folder.path)/records", "--out", other,
            "--sign", "--key", "\(keys).pem",
        ]
        #expect(try cloudtaser(words).status == 4)
        let own = ["manifest.json", "statement.json", "statement.dsse.json"]
        for names in own.map({ [$0] }) + [[own[1], own[2]], own] {
            let mixed = "\(folder.path)/mixed"
            try FileManager.default.copyItem(atPath: out, toPath: mixed)
            for name in names {
                try FileManager.default.removeItem(atPath: "\(mixed)/\(name)")
                try FileManager.default.copyItem(
                    atPath: "\(other)/\(name)", toPath: "\(mixed)/\(name)")
            }
            let words = ["evidence", "verify", mixed, "--public-key", "\(keys).pub.pem"]
            #expect(try cloudtaser(words).status == 3, "\(names)")
            try FileManager.default.removeItem(atPath: mixed)
        }
        for folder in [out, other] {
            let words = ["evidence", "verify", folder, "--public-key", "\(keys).pub.pem"]
            #expect(try cloudtaser(words).status == 0, "control")
        }
    }

    @Test func `a file that became too large to read is a changed file`() throws {
        _ = try cloudtaser(["evidence", "keygen", "--out", "\(folder.path)/keys"])
        let keys = "\(folder.path)/keys/evidence-key"
        #expect(try package("--sign", "--key", "\(keys).pem").status == 4)
        let handle = try #require(FileHandle(forWritingAtPath: "\(out)/sheet.md"))
        try handle.truncate(atOffset: (256 << 20) + 1)
        try handle.close()
        let run = try cloudtaser(["evidence", "verify", out, "--public-key", "\(keys).pub.pem"])
        #expect(run.status == 3 && run.errors.contains("sheet.md: changed, 268435457"), "\(run)")
    }

    @Test func `audits that run at once do not break their series`() async throws {
        let manifest = try folder.write("m.yaml", "{apiVersion: v1, kind: List, items: []}")
        let series = "\(folder.path)/series"
        let words = ["audit", manifest, "--series", series, "-o", "json"]
        let written = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let run = try ProgramRun("cloudtaser", words, environment: [:])
                    if run.status == 1 { #expect(run.errors.contains("has a report"), "\(run)") }
                    return run.status == 1 ? 0 : 1
                }
            }
            return try await group.reduce(0, +)
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: series)
        #expect(files.count == written && written > 0, "\(files)")
        let check = try cloudtaser(["evidence", "series", series])
        #expect(check.status == 0, "\(check)")
        #expect(check.output.contains("later ones would not be missed"))
    }
}
