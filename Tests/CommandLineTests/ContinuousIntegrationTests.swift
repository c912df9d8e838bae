// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

/// `.ci/run` beside a Makefile of the test's own: what it counts, and what it takes for a failure.
@Suite("Continuous integration")
struct ContinuousIntegrationTests {
    private static let makefile = """
        good: ; @echo "2 passed, 0 failed"
        bad: ; @echo "1 passed, 3 failed"; exit 1
        silent: ; @:
        broken: ; @echo "demo: the application is gone"; exit 1
        demo: ; @echo "0 passed, 0 failed"
        simulation:
        \t@echo "seeds         2 from 1"; echo "failures      0"
        \t@echo "canaries      2 red of 2"; exit 0
        test: ; @:
        vm-test: ; @echo "no kernel"
        seeds:
        \t@echo "seeds         5 from 1"; echo "failures      2"
        \t@echo "canaries      5 red of 6"; exit 1
        swift: ; @echo "Test run with 7 tests in 2 suites passed after 1.5 seconds."

        """

    private func run(_ stages: [String]) throws -> ProgramRun {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-ci-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let tools = folder.appending(path: ".ci")
        try FileManager.default.createDirectory(at: tools, withIntermediateDirectories: true)
        let script = tools.appending(path: "run").path()
        try FileManager.default.copyItem(atPath: Checkout.root + ".ci/run", toPath: script)
        try Self.makefile.write(
            to: folder.appending(path: "Makefile"), atomically: true, encoding: .utf8)
        return try ProgramRun(
            path: script, stages, environment: ["PATH": "/usr/bin:/bin", "TMPDIR": "/tmp"])
    }

    @Test(
        "Stages are counted; a failing stage that counts none counts as one",
        arguments: [
            (["good"], "2 passed, 0 failed", 0), (["silent"], "0 passed, 0 failed", 0),
            (["swift", "good"], "9 passed, 0 failed", 0), (["bad"], "1 passed, 3 failed", 1),
            (["broken"], "0 passed, 1 failed", 1), (["good", "broken"], "2 passed, 1 failed", 1),
            (["nowhere"], "0 passed, 1 failed", 1), (["seeds"], "8 passed, 3 failed", 1),
        ])
    func counts(stages: [String], last: String, status: Int32) throws {
        let run = try run(stages)
        #expect(run.output.hasSuffix("\n\(last)\n"), "\(run)")
        #expect(run.status == status)
    }

    @Test(
        "A stage that tests and counts nothing fails; control: one that counts, and others",
        arguments: [
            (["test"], "0 passed, 1 failed", 1), (["vm-test"], "0 passed, 1 failed", 1),
            (["demo"], "0 passed, 1 failed", 1), (["simulation"], "4 passed, 0 failed", 0),
            (["simulation", "silent"], "4 passed, 0 failed", 0),
            (["simulation", "test", "silent", "demo"], "4 passed, 2 failed", 1),
        ])
    func countsNothing(stages: [String], last: String, status: Int32) throws {
        let run = try run(stages)
        #expect(run.output.hasSuffix("\n\(last)\n"), "\(run)")
        #expect(run.output.contains("counted no test") == (status != 0), "\(run)")
        #expect(run.status == status)
    }

    @Test("Unless told otherwise it runs all stages, the demonstration among them")
    func stages() throws {
        let run = try run([])
        let ran = run.output.split(separator: "\n").filter { $0.hasPrefix("=== ") }
        #expect(
            ran.dropLast() == [
                "=== check", "=== test", "=== test-ct1", "=== test-manifests",
                "=== test-release", "=== evidence", "=== simulation",
                "=== simulation-of-commit", "=== demo", "=== e2e-kubernetes", "=== e2e-s3",
                "=== vm-test", "=== evidence-report",
            ])
        // Six that are not in this Makefile, five that count nothing, and one that counts four.
        #expect(run.status == 1 && run.output.hasSuffix("\n4 passed, 11 failed\n"), "\(run)")
    }
}
