// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import TestKit

/// delivery-harness with a shell script below it that gets one value; alive until `finish`.
///
/// Hardened as the wrapper is before it fetches a secret, unless told otherwise.
struct RunningHarness {
    /// Exit code where the host refuses what splice needs.
    static let refused: Int32 = 104
    static let name = "LIMIT_CANARY"

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    init(
        _ script: String, value: String, follow: String, options: [String] = ["--harden"]
    ) throws {
        let secrets = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-limit-\(UUID().uuidString)")
        try Data("\(Self.name)=\(value)".utf8).write(to: secrets)
        process.executableURL = URL(filePath: ProgramRun.path(of: "delivery-harness"))
        process.arguments =
            ["--follow", follow, "--unlink"] + options
            + ["--secrets", secrets.path(percentEncoded: false), "--", "/bin/sh", "-c", script]
        process.environment = ["PATH": "/usr/bin:/bin"]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.runUnblocked()
    }

    var identifier: pid_t { process.processIdentifier }

    /// Waits until the harness is stopped by a signal; false when it ended instead.
    func waitForStop() -> Bool {
        var information = siginfo_t()
        let events = WSTOPPED | WEXITED | WNOWAIT
        while waitid(P_PID, id_t(identifier), &information, events) < 0, errno == EINTR {}
        return information.si_code == Int32(CLD_STOPPED)
    }

    /// Stops the harness as a frozen cgroup would, and waits until it is.
    func freeze() -> Bool {
        kill(identifier, SIGSTOP) == 0 && waitForStop()
    }

    func thaw() { kill(identifier, SIGCONT) }

    /// The script's next line; empty at its end.
    func readLine() -> String {
        var line = Data()
        while let byte = try? output.fileHandleForReading.read(upToCount: 1), byte.count == 1,
            byte[byte.startIndex] != UInt8(ascii: "\n")
        {
            line += byte
        }
        return String(decoding: line, as: UTF8.self)
    }

    /// Lets the script's `read` return.
    func sendLine() throws {
        try input.fileHandleForWriting.write(contentsOf: Data("\n".utf8))
    }

    /// The rest of the output and the exit code, once the harness has ended.
    func finish() throws -> (status: Int32, output: String) {
        try input.fileHandleForWriting.close()
        let rest = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: rest, as: UTF8.self))
    }
}
