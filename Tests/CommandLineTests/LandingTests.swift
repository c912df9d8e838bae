// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

/// What holds a landing up and what only warns (docs/adr/0007-seeds-of-a-commit-warn.md).
@Suite(".ci/run, with a make that fails in one stage")
struct LandingTests {
    private static let repeating = "cloudtaser simulate --scenario wrapper --seed 42 --trace"

    /// - Parameter stage: the one that fails, nil: none.
    private func run(failingIn stage: String?) throws -> ProgramRun {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-make-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = """
            #!/bin/sh
            [ "$2" = "\(stage ?? "none of them")" ] || { echo "3 passed, 0 failed"; exit 0; }
            echo "seed 42: taint: a leak"
            echo "  \(Self.repeating)"
            exit 1

            """
        let make = folder.appending(path: "make")
        try Data(script.utf8).write(to: make)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: make.path(percentEncoded: false))
        return try ProgramRun(
            path: "\(Checkout.root)/.ci/run", [],
            environment: ["PATH": "\(folder.path(percentEncoded: false)):/usr/bin:/bin"])
    }

    @Test("fixed seeds hold it up; control: nothing fails, and it passes")
    func fixedSeeds() throws {
        let well = try run(failingIn: nil)
        #expect(well.status == 0 && !well.output.contains("warning:"), "\(well.output)")
        #expect(well.output.contains("=== simulation-of-commit"), "it is played")
        for stage in ["check", "test", "simulation", "vm-test", "evidence-report"] {
            let run = try run(failingIn: stage)
            #expect(run.status == 1, "\(stage)")
            #expect(!run.output.contains("warning:"), "\(stage)")
        }
    }

    @Test("seeds of the commit warn, with the command that repeats a failure")
    func seedsOfTheCommit() throws {
        let run = try run(failingIn: "simulation-of-commit")
        #expect(run.status == 0, "\(run.output) \(run.errors)")
        #expect(run.output.contains("warning: make simulation-of-commit failed at commit "))
        #expect(run.output.contains("warning:   repeat with: \(Self.repeating)"))
        #expect(run.output.contains("0 failed"))
    }
}
