// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesFormat
import ManifestFiles
import TestKit
import Testing

@Suite("cloudtaser discover and audit") struct DiscoverTests {
    private static let manifest = """
        apiVersion: v1
        kind: Pod
        metadata: {name: web, namespace: shop, annotations: {cloudtaser.io/inject: "true"}}
        spec:
          containers:
          - name: app
            image: app
            command: [/app]
            env: [{name: DB_PASSWORD, value: hunter2}]
        """

    private func run(
        _ words: String..., manifest: String = Self.manifest
    ) throws -> ProgramRun {
        let file = FileManager.default.temporaryDirectory
            .appending(path: "d-\(UUID().uuidString).yaml")
        try Data(manifest.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let path = file.path(percentEncoded: false)
        return try ProgramRun(
            "cloudtaser", words.map { $0 == "FILE" ? path : $0 },
            environment: [:])
    }

    @Test func `discover prints a table and a summary, and never the value`() throws {
        let run = try run("discover", "FILE")
        #expect(run.status == 0, "\(run)")
        #expect(run.output.contains("CT1006  critical  Pod shop/web  app"))
        #expect(run.output.contains("1 uses in 1 workloads of 1 objects; 0 convert as they are"))
        #expect(!run.output.contains("hunter2"))
    }

    @Test func `audit prints the population and JSON that a program reads`() throws {
        let run = try run("audit", "-o", "json", "FILE")
        #expect(run.status == 0, "\(run)")
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        let ids = (object["findings"] as? [[String: Any]])?.compactMap { $0["id"] as? String }
        let containers = try #require(object["containers"] as? [String: Int])
        #expect(containers["unprotected"] == 1 && containers["total"] == 1)
        #expect(ids == ["CT2001", "CT1006", "CT2008"])
    }

    @Test(arguments: ["audit", "discover"])
    func `YAML reads back as what JSON says`(_ command: String) throws {
        let (yaml, json) = (
            try run(command, "-o", "yaml", "FILE"), try run(command, "-o", "json", "FILE")
        )
        #expect(yaml.status == 0 && yaml.output.contains("\nfindings:"), "\(yaml)")
        let file = FileManager.default.temporaryDirectory
            .appending(path: "y-\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(yaml.output.utf8).write(to: file)
        let read = try Manifests.document(at: file.path(percentEncoded: false))
        // Of two runs only the time, the command and the file's name differ.
        #expect(try plain(read) == plain(try JSONTree(Array(json.output.utf8))))
        // Control: a document that is otherwise is not the same.
        #expect(try plain(read) != plain([:]))
    }

    private func plain(_ tree: JSONTree) throws -> String {
        var tree = tree
        tree["run"] = nil
        return String(decoding: tree.rendered(), as: UTF8.self)
            .replacing(/d-[-0-9A-F]+\.yaml/, with: "FILE")
    }

    @Test func `discover has no OSCAL, and audit has`() throws {
        let refused = try run("discover", "-o", "oscal", "FILE")
        #expect(refused.status == 2 && refused.errors.contains("cloudtaser audit"), "\(refused)")
        #expect(try run("validate", "-o", "oscal", "FILE").status == 2)
        let audit = try run("audit", "-o", "oscal", "FILE")
        #expect(audit.status == 0 && audit.output.contains("\"assessment-results\": {"))
        #expect(!audit.output.contains("hunter2"))
    }

    @Test(arguments: [("low", 3), ("critical", 3)])
    func `fails on what weighs as much`(_ severity: String, _ status: Int) throws {
        #expect(try Int(run("discover", "--fail-on", severity, "FILE").status) == status)
        // Control: nothing is found in what is harmless.
        let harmless = Self.manifest.replacing("DB_PASSWORD", with: "COLOUR")
        #expect(try run("discover", "--fail-on", "info", "FILE", manifest: harmless).status == 0)
    }

    @Test func `an unknown severity and no file are wrong usage`() throws {
        let severity = try run("audit", "--fail-on", "sever", "FILE")
        #expect(severity.status == 2 && severity.errors.contains("sever"), "\(severity)")
        let nothing = try run("discover")
        #expect(nothing.status == 2 && nothing.errors.contains("name a FILE"), "\(nothing)")
    }

    @Test func `what could not be read ends with 4, after the answer`() throws {
        let run = try run("discover", "FILE", manifest: Self.manifest + "\n---\njust: text\n")
        #expect(run.status == 4, "\(run)")
        #expect(
            run.output.contains("CT1006")
                && run.output.contains("document 2, line 10  has no apiVersion"))
        let missing = try ProgramRun("cloudtaser", ["audit", "/no/such/file"], environment: [:])
        #expect(missing.status == 1 && missing.errors.contains("no such file"), "\(missing)")
    }

    @Test func `the committed pages of findings are as the sources say`() throws {
        let root = URL(filePath: #filePath).appending(path: "../../..").standardizedFileURL
        let page = root.appending(path: "docs/reference/findings").path(percentEncoded: false)
        let words = ["reference", "findings", "--check", "--out", page]
        let run = try ProgramRun("cloudtaser", words, environment: [:])
        #expect(run.status == 0, "\(run)")
    }

    @Test func `audit keeps a signed series, and a report that is taken away is missed`() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "s-\(UUID().uuidString)").path(percentEncoded: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func tool(_ words: String...) throws -> ProgramRun {
            try ProgramRun("cloudtaser", words, environment: [:])
        }
        #expect(try tool("evidence", "keygen", "--out", "\(folder)/keys").status == 0)
        let (key, known) = (
            "\(folder)/keys/evidence-key.pem", "\(folder)/keys/evidence-key.pub.pem"
        )
        let series = "\(folder)/series"
        for _ in 0..<3 {
            let run = try run(
                "audit", "FILE", "--series", series, "--signing-key", key, "--metrics-file",
                "\(folder)/m.prom")
            #expect(run.status == 0, "\(run)")
            // Reports are named by the second.
            Thread.sleep(forTimeInterval: 1.1)
        }
        let metrics = try String(contentsOfFile: "\(folder)/m.prom", encoding: .utf8)
        #expect(metrics.contains("cloudtaser_audit_containers{standing=\"unprotected\"} 1\n"))
        let whole = try tool("evidence", "series", series, "--public-key", known)
        #expect(whole.status == 0 && whole.output.contains("3 reports"), "\(whole)")
        let reports = try FileManager.default.contentsOfDirectory(atPath: series)
            .filter { $0.hasSuffix(".json") }.sorted()
        try FileManager.default.removeItem(atPath: "\(series)/\(reports[1])")
        let broken = try tool("evidence", "series", series, "--public-key", known)
        #expect(broken.status == 3 && broken.errors.contains("which is missing"), "\(broken)")
    }

    @Test func `what is worse than the baseline ends with 3`() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "b-\(UUID().uuidString)").path(percentEncoded: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let baseline = "\(folder)/baseline.json"
        #expect(try run("audit", "FILE", "-o", "json", "--out", baseline).status == 0)
        #expect(try run("audit", "FILE", "--baseline", baseline).status == 0)
        let other = Self.manifest.replacing("name: web", with: "name: other")
        let run = try run("audit", "FILE", "--baseline", baseline, manifest: other)
        #expect(run.status == 3 && run.errors.contains("new: CT1006 Pod shop/other"), "\(run)")
        let none = try self.run("audit", "FILE", "--baseline", "/no/such")
        #expect(none.status == 1, "\(none)")
    }

    @Test func `a finding is explained, and an unknown one is wrong usage`() throws {
        let run = try ProgramRun("cloudtaser", ["explain", "ct1001"], environment: [:])
        #expect(run.status == 0 && run.output.contains("Fix:"), "\(run)")
        let none = try ProgramRun("cloudtaser", ["explain", "CT0000"], environment: [:])
        #expect(none.status == 2, "\(none)")
    }
}
