// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import TestKit
import Testing

/// What a host does beside a program that runs, ordered through delivery-harness's FIFO.
@Suite("Beside a running program", .serialized)
struct BesideTests {
    static let spliced = ["attached", "notified"]
    private static let newValue = "the-newer-and-longer-canary"

    /// A folder with two generations of one value, and the FIFO.
    private struct Stage {
        let folder: URL
        var control: String { folder.appending(path: "control").path() }
        func path(_ name: String) -> String { folder.appending(path: name).path() }

        init() throws {
            folder = FileManager.default.temporaryDirectory
                .appending(path: "cloudtaser-beside-\(UUID().uuidString)")
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: false)
            try Data("CT_CANARY=\(BesideTests.newValue)\n".utf8)
                .write(to: folder.appending(path: "newer"))
            try Data("CT_OTHER=value\n".utf8).write(to: folder.appending(path: "other"))
            guard mkfifo(control, 0o600) == 0 else { throw POSIXError(.EIO) }
        }

        func order(_ lines: String...) {
            guard let file = fopen(control, "w") else { return }
            for line in lines { fputs("\(line)\n", file) }
            fclose(file)
        }
    }

    private func run(
        _ options: [String], _ script: String,
        meanwhile: (Stage, pid_t) -> Void = { _, _ in }
    ) throws -> Harness.Outcome {
        let stage = try Stage()
        defer { try? FileManager.default.removeItem(at: stage.folder) }
        return try Harness(options: options + ["--control", stage.control]).run(
            "F=\(stage.folder.path()); \(script)"
        ) { process, _ in meanwhile(stage, process) }
    }

    /// Goes on once the order was carried out: a hook left its mark.
    private static let waitsForHook = """
        echo ready; until [ -e "$F/mark" ]; do sleep 0.05; done
        """

    @Test("200 execs get their values while the caller's thread is elsewhere", arguments: spliced)
    func stuckCaller(follow: String) throws {
        let script = """
            i=0; while [ $i -lt 200 ]; do sh -c '[ "$CT_CANARY" = \(Harness.value) ] && echo same'
            i=$((i + 1)); done
            """
        let outcome = try Harness(options: ["--follow", follow, "--stuck"]).run(script)
        guard !outcome.isRefused else { return }
        #expect(outcome.status == 0)
        #expect(outcome.output.components(separatedBy: "same").count == 201, "\(outcome)")
    }

    @Test(
        "Replaced: later execs get the new value, also from a shell's copy of the old one",
        arguments: spliced)
    func replaced(follow: String) throws {
        let script = """
            \(Self.waitsForHook)
            echo "keeps $CT_CANARY"; sh -c 'echo "child $CT_CANARY"'
            CT_CANARY=own sh -c 'echo "set $CT_CANARY"'
            sh -c 'cat /proc/$$/environ; :' | tr '\\0' '\\n' | grep ^CT_
            """
        let options = ["--follow", follow, "--may-start-again"]
        let outcome = try run(options, script) { stage, _ in
            stage.order("replace \(stage.path("other"))", "replace \(stage.path("newer"))")
            stage.order("hook touch \(stage.path("mark"))")
        }
        guard !outcome.isRefused else { return }
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.contains("keeps \(Harness.value)"), "\(outcome)")
        #expect(lines.contains("child \(Self.newValue)"), "\(outcome)")
        #expect(lines.contains("set own"), "\(outcome)")
        #expect(lines.contains("CT_CANARY="), "no value on the stack: \(outcome)")
        // Other names are refused.
        #expect(outcome.output.contains("other: systemCall(\"replaceValues\", errorNumber: 22)"))
    }

    @Test(
        "Control: where nothing is followed, later execs keep what the program has",
        arguments: ["environ"])
    func replacedUntraced(mode: String) throws {
        let script = "\(Self.waitsForHook); sh -c 'echo \"child $CT_CANARY\"'"
        let outcome = try run(["--mode", mode, "--may-start-again"], script) { stage, _ in
            stage.order("replace \(stage.path("newer"))", "hook touch \(stage.path("mark"))")
        }
        #expect(outcome.output.contains("child \(Harness.value)\n"), "\(outcome)")
    }

    @Test("A hook has the newest values; a second one is refused", arguments: RunTests.modes)
    func hook(options: [String]) throws {
        let script = "\(Self.waitsForHook); sleep 0.5; exit 3"
        let outcome = try run(options + ["--may-start-again"], script) { stage, _ in
            stage.order(
                "replace \(stage.path("newer"))",
                "hook echo \"hook $CT_CANARY\"; sleep 1; touch \(stage.path("mark")); exit 5",
                "hook echo never")
        }
        guard !outcome.isRefused else { return }
        #expect(outcome.status == 3, "\(outcome)")
        #expect(outcome.output.contains("hook \(Self.newValue)\n"), "\(outcome)")
        #expect(outcome.output.contains("hook ended: 5\n"), "\(outcome)")
        #expect(outcome.output.contains("systemCall(\"hook\", errorNumber: \(EBUSY))"))
        #expect(!outcome.output.contains("\nnever\n"), "\(outcome)")
    }

    @Test("A hook does not outlive the program", arguments: spliced)
    func hookEnds(follow: String) throws {
        let script = "\(Self.waitsForHook); exit 4"
        let options = ["--follow", follow, "--may-start-again"]
        let outcome = try run(options, script) { stage, _ in
            stage.order("hook touch \(stage.path("mark")); sleep 300 & sleep 300")
        }
        guard !outcome.isRefused else { return }
        #expect(outcome.status == 4 && outcome.output.contains("hook ended: 137"), "\(outcome)")
    }

    @Test("Stop: SIGTERM, and SIGKILL to who does not mind it", arguments: RunTests.modes)
    func stop(options: [String]) throws {
        let minds = try run(options, "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done")
        {
            stage, _ in stage.order("stop 60000")
        }
        guard !minds.isRefused else { return }
        #expect(minds.status == 7, "\(minds)")
        let ignores = try run(options, "trap '' TERM; echo ready; while :; do sleep 0.05; done") {
            stage, _ in stage.order("stop 200")
        }
        #expect(ignores.status == 128 + SIGKILL, "\(ignores)")
    }

    @Test("A signal that the caller sends", arguments: RunTests.modes)
    func send(options: [String]) throws {
        let script = "trap 'exit 8' USR2; echo ready; while :; do sleep 0.05; done"
        let outcome = try run(options, script) { stage, _ in stage.order("send \(SIGUSR2)") }
        #expect(outcome.isRefused || outcome.status == 8, "\(outcome)")
    }

    @Test("Started again: each run has the values and all privileges", arguments: RunTests.modes)
    func restarts(options: [String]) throws {
        let script = "echo \"$CT_CANARY $(grep CapBnd /proc/self/status)\"; exit 6"
        let outcome = try Harness(
            options: options + ["--may-start-again", "--restarts", "2"]
        ).run(script)
        guard !outcome.isRefused else { return }
        let lines = outcome.output.split(separator: "\n").filter { $0.hasPrefix(Harness.value) }
        #expect(outcome.status == 6 && lines.count == 3 && Set(lines).count == 1, "\(outcome)")
        // Control: without the option execve is given up for good.
        let once = try Harness(options: options + ["--restarts", "1"]).run(script)
        #expect(once.output.contains("systemCall(\"start\", errorNumber: \(EPERM))"), "\(once)")
    }

    @Test("A request to stop before the start is told, and nothing runs")
    func stopBeforeStart() throws {
        let outcome = try Harness(options: ["--wait-first", "60000"]).run("echo ran") {
            process, _ in
            kill(process, SIGWINCH)
            kill(process, SIGTERM)
        }
        #expect(outcome.status == 128 + SIGTERM && !outcome.output.contains("ran"), "\(outcome)")
    }

    private static let looks = """
        python3 -c '
        import mmap, os
        path = os.environ["CT_CANARY"]; number = int(path.rsplit("/", 1)[1])
        size = os.fstat(number).st_size
        print("mapped", mmap.mmap(number, size, prot=mmap.PROT_READ)[:].decode())
        try: print("read", open(path).read())
        except OSError as error: print("error", error.errno)
        '
        """

    @Test("File: a grandchild maps the value, or reads a sealed one; the environment has none")
    func file() throws {
        guard access("/usr/bin/python3", X_OK) == 0 else {
            Issue.record("python3 maps the files here")
            return
        }
        let script = "tr '\\0' '\\n' < /proc/$$/environ; \(Self.looks)"
        let secret = try Harness(options: ["--mode", "file"]).run(script)
        guard !secret.isRefused else { return }
        #expect(secret.output.contains("mapped \(Harness.value)\n"), "\(secret)")
        #expect(secret.output.contains("error \(ENXIO)\n"), "\(secret)")
        #expect(secret.output.contains("CT_CANARY=/proc/self/fd/100\n"), "\(secret)")
        let values = secret.output.components(separatedBy: Harness.value).count - 1
        #expect(values == 1, "only the mapping shows it: \(secret)")
        let sealed = try Harness(options: ["--mode", "file", "--readable-files"]).run(script)
        #expect(sealed.output.contains("read \(Harness.value)\n"), "\(sealed)")
        #expect(sealed.output.contains("ordinary memory"), "\(sealed)")
    }
}
