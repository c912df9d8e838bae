// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

/// What delivery does not protect from, shown on the machine that runs the tests.
@Suite("Limits of delivery", .serialized)
struct DeliveryLimitTests {
    /// Exit code of delivery-harness where the host refuses what splice needs.
    private static let refused: Int32 = 104
    private static let name = "LIMIT_CANARY"

    /// The program lies next to the test program that is running.
    private static let harness = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "delivery-harness")

    private struct Run {
        let status: Int32
        let output: String
    }

    /// Runs `script` in a shell that was handed `value`; the shell's children do the reading.
    private static func run(mode: String, value: String, script: String) throws -> Run {
        let secrets = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try Data("\(name)=\(value)".utf8).write(to: secrets)
        defer { try? FileManager.default.removeItem(at: secrets) }
        let process = Process()
        process.executableURL = harness
        process.arguments = [
            "--mode", mode, "--secrets", secrets.path(percentEncoded: false), "--", "/bin/sh", "-c",
            script,
        ]
        process.environment = ["PATH": "/usr/bin:/bin"]
        process.standardError = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        try process.runUnblocked()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Run(
            status: process.terminationStatus, output: String(decoding: data, as: UTF8.self))
    }

    /// Letters only, so that no tool escapes it.
    private static func canary() -> String {
        String((0..<40).compactMap { _ in "abcdefghijklmnopqrstuvwxyz".randomElement() })
    }

    private static let readsEnvironment = "tr '\\0' '\\n' < /proc/$$/environ"

    @Test(
        "environ delivery is readable in /proc/PID/environ",
        .evidence(
            "LIM-ENV-01",
            control: "the same read under splice delivery, or of a process without the value, "
                + "does not find it"))
    func environ() throws {
        let value = Self.canary()
        let classic = try Self.run(mode: "environ", value: value, script: Self.readsEnvironment)
        #expect(classic.status == 0)
        #expect(classic.output.contains("\(Self.name)=\(value)"))
        Evidence.observe("another process of the same user reads the value")

        let splice = try Self.run(mode: "splice", value: value, script: Self.readsEnvironment)
        if splice.status == Self.refused {
            // No splice here: the read must then not find what was never put there.
            let other = try Self.run(
                mode: "environ", value: Self.canary(), script: Self.readsEnvironment)
            Evidence.control(passed: other.status == 0 && !other.output.contains(value))
        } else {
            let hasName = splice.output.split(separator: "\n").contains("\(Self.name)=")
            Evidence.control(
                passed: splice.status == 0 && hasName && !splice.output.contains(value))
        }
    }

    @Test("a value that the program puts into a child's arguments is readable in /proc/PID/cmdline")
    func arguments() throws {
        // The inner shell gets the value as its argument and looks at its own command line.
        let inArguments =
            "sh -c 'tr \"\\0\" \"\\n\" < /proc/$$/cmdline; :' \"$\(Self.name)\" \"$\(Self.name)\""
        let inEnvironment = "sh -c 'tr \"\\0\" \"\\n\" < /proc/$$/cmdline; :'"
        for mode in ["splice", "environ"] {
            let value = Self.canary()
            let leak = try Self.run(mode: mode, value: value, script: inArguments)
            if leak.status == Self.refused { continue }
            #expect(leak.status == 0 && leak.output.contains(value), "\(mode)")
            let control = try Self.run(mode: mode, value: value, script: inEnvironment)
            #expect(control.status == 0 && !control.output.contains(value), "\(mode)")
            #expect(control.output.contains("cmdline"), "the command line was read")
        }
    }
}
