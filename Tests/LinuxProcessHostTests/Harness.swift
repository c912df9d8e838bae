// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import TestKit

/// Runs a shell script under delivery-harness.
struct Harness {
    struct Outcome {
        let status: Int32
        let output: String

        /// The host refuses ptrace, seccomp or memfd_secret; then nothing may have run.
        var isRefused: Bool { status == 104 }
    }

    static let value = "canary-of-the-run-tests"

    /// Words before the harness, such as `unshare -pf --mount-proc`.
    var below: [String] = []
    var options: [String] = []
    /// Lines of `NAME=value` besides the canary.
    var moreSecrets: [String] = []

    /// - Parameter meanwhile: gets the harness's process id and the script's first output.
    func run(
        _ script: String, meanwhile: (pid_t, _ output: String) -> Void = { _, _ in }
    ) throws -> Outcome {
        let secrets = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-run-\(UUID().uuidString)")
        try Data((["CT_CANARY=\(Self.value)"] + moreSecrets).joined(separator: "\n").utf8).write(
            to: secrets)
        defer { try? FileManager.default.removeItem(at: secrets) }
        let words =
            ["/usr/bin/env"] + below + [Self.path] + options + ["--secrets", secrets.path(), "--"]
            + ["/bin/sh", "-c", script]
        let program = try SpawnedProgram(
            words, entries: ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"])
        var output = program.reader.availableData
        meanwhile(program.process, String(decoding: output, as: UTF8.self))
        output += program.reader.readDataToEndOfFile()
        return Outcome(
            status: program.wait(), output: String(decoding: output, as: UTF8.self))
    }

    private static let path = ProgramRun.path(of: "delivery-harness")
}
