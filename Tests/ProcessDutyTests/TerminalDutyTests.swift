// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import TestKit
import Testing

/// A job on a terminal below a small shell. Each case compares with a plain exec.
@Suite("Process duties: the terminal", .serialized)
struct TerminalDutyTests {
    private func expectAsPlain(
        _ action: String, _ job: [String], control: (String) -> Bool
    ) throws {
        let plain = try run(.nothing, action, job)
        #expect(control(plain.output), "\(plain)")
        for above in Above.wrapped {
            let end = try run(above, action, job)
            if end.output.contains("refused") { continue }
            #expect(end == plain, "\(above)")
        }
    }

    /// The driver is what is started; the harness stands between it and the job.
    private func run(_ above: Above, _ action: String, _ job: [String]) throws -> DutyRun.End {
        let secrets = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-terminal-\(UUID().uuidString)")
        try Data("CT_DUTY=canary-of-the-terminal\n".utf8).write(to: secrets)
        defer { try? FileManager.default.removeItem(at: secrets) }
        let wrapper =
            above == .nothing
            ? [] : [DutyRun.harness] + above.options + ["--secrets", secrets.path(), "--"]
        let driver = [DutyRun.probe, "terminal", action]
        return try DutyRun(.nothing, driver + wrapper + job).finish()
    }

    @Test("Ctrl-C ends the job")
    func interrupt() throws {
        try expectAsPlain("interrupt", [DutyRun.probe, "linger"]) { $0.contains("job ended 130") }
    }

    @Test("Ctrl-C reaches a program that handles it once")
    func interruptOnce() throws {
        let script = "trap 'echo trapped' INT; echo ready; sleep 1; sleep 1; exit 6"
        try expectAsPlain("interrupt", ["/bin/sh", "-c", script]) {
            $0.components(separatedBy: "trapped").count == 2 && $0.contains("job ended 6")
        }
    }

    @Test("Ctrl-\\ ends the job")
    func quit() throws {
        let script = "ulimit -c 0; exec \(DutyRun.probe) linger"
        try expectAsPlain("quit", ["/bin/sh", "-c", script]) { $0.contains("job ended 131") }
    }

    @Test("Ctrl-Z stops the job, which is the foreground group, and it can be continued")
    func suspend() throws {
        try expectAsPlain("suspend", [DutyRun.probe, "linger"]) {
            $0.contains("job stopped by \(SIGTSTP), foreground 1") && $0.contains("job ended 143")
        }
    }

    @Test("A change of the window's size is told once, and the size is the new one")
    func resize() throws {
        let script = """
            trap 'echo changed; stty size; exit 5' WINCH; echo ready
            while :; do sleep 0.1; done
            """
        try expectAsPlain("resize", ["/bin/sh", "-c", script]) {
            $0.contains("changed\r\n33 111") && $0.contains("job ended 5")
        }
    }

    @Test("What is typed is read")
    func type() throws {
        try expectAsPlain("type", ["/bin/sh", "-c", "echo ready; read w; echo \"[$w]\"; exit 4"]) {
            $0.contains("[typed]") && $0.contains("job ended 4")
        }
    }

    @Test("When the terminal is closed the job is told")
    func hangUp() throws {
        for above in Above.allCases {
            let folder = FileManager.default.temporaryDirectory
                .appending(path: "cloudtaser-hang-up-\(UUID().uuidString)")
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: false)
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appending(path: "told").path()
            let script = """
                trap 'echo told > \(file); exit' HUP; echo ready
                while :; do sleep 0.1; done
                """
            let end = try run(above, "hang-up", ["/bin/sh", "-c", script])
            if end.output.contains("refused") { continue }
            #expect(Self.appears(file), "\(above): \(end)")
        }
    }

    private static func appears(_ file: String) -> Bool {
        for _ in 0..<6_000 {
            if FileManager.default.fileExists(atPath: file) { return true }
            usleep(10_000)
        }
        return false
    }
}
