// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc

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

    /// - Parameter meanwhile: gets the harness's process id once the script wrote its first line.
    func run(_ script: String, meanwhile: (pid_t) -> Void = { _ in }) throws -> Outcome {
        let secrets = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-run-\(UUID().uuidString)")
        try Data("CT_CANARY=\(Self.value)\n".utf8).write(to: secrets)
        defer { try? FileManager.default.removeItem(at: secrets) }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            below + [Self.path] + options + ["--secrets", secrets.path(), "--"]
            + ["/bin/sh", "-c", script]
        process.environment = ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        var output = pipe.fileHandleForReading.availableData
        meanwhile(process.processIdentifier)
        output += pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let status =
            process.terminationReason == .exit
            ? process.terminationStatus : 128 + process.terminationStatus
        return Outcome(status: status, output: String(decoding: output, as: UTF8.self))
    }

    /// Products lie beside the test runner.
    private static let path: String = {
        let runner = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        return runner.deletingLastPathComponent().appending(path: "delivery-harness").path()
    }()
}
