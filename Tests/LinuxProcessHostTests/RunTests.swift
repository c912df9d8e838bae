// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Testing

/// The duties of the process above the program, in both strategies and the classic mode.
@Suite("Running a program", .serialized)
struct RunTests {
    static let modes = [
        ["--follow", "attached"], ["--follow", "notified"], ["--mode", "environ"],
    ]
    static let spliced = [["--follow", "attached"], ["--follow", "notified"]]

    /// Whether the run happened; a refusing host must have said so and run nothing.
    private func ran(_ outcome: Harness.Outcome) -> Bool {
        guard outcome.isRefused else { return true }
        #expect(outcome.output.contains("refused"))
        #expect(!outcome.output.contains(Harness.value))
        return false
    }

    @Test("A signal to the wrapper reaches the program, which decides", arguments: modes)
    func forwarding(options: [String]) throws {
        let script = """
            trap 'echo got it; exit 9' USR1; echo ready
            while :; do sleep 0.05; done
            """
        let outcome = try Harness(options: options).run(script) { process, _ in
            kill(process, SIGUSR1)
        }
        guard ran(outcome) else { return }
        #expect(outcome.status == 9, "\(outcome)")
        #expect(outcome.output.contains("got it"))
    }

    @Test(
        "SIGTERM that the program does not catch ends it, and the status says so",
        arguments: modes)
    func termination(options: [String]) throws {
        let outcome = try Harness(options: options).run("echo ready; exec sleep 20") {
            process, _ in
            kill(process, SIGTERM)
        }
        guard ran(outcome) else { return }
        #expect(outcome.status == 128 + SIGTERM, "\(outcome)")
    }

    @Test("A program killed while its exec waits for us has ended by that signal")
    func killedInExec() throws {
        let options = ["--follow", "notified", "--stop-at", "seize-caller"]
        let outcome = try Harness(options: options).run("echo $$; exec sleep 20") {
            process, output in
            guard let program = Int32(output.prefix { $0 != "\n" }) else { return }
            #expect(Self.reaches("T", process))
            // Nobody reaps it yet: a zombie's seizure is refused otherwise than a stranger's.
            let keeper = Self.parent(of: program)
            guard keeper > 1 else {
                Issue.record("the keeper of \(program) is gone")
                return
            }
            kill(keeper, SIGSTOP)
            #expect(Self.reaches("T", keeper))
            kill(program, SIGKILL)
            #expect(Self.reaches("Z", program))
            kill(process, SIGCONT)
            #expect(Self.reaches("S", process))
            kill(keeper, SIGCONT)
        }
        guard ran(outcome) else { return }
        #expect(outcome.status == 128 + SIGKILL, "\(outcome)")
        #expect(!outcome.output.contains("failed"), "\(outcome)")
    }

    /// State and parent of /proc/PID/stat, after the name in brackets.
    private static func fields(of process: pid_t) -> [Substring] {
        let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return stat?.split(separator: ")").last?.split(separator: " ") ?? []
    }

    private static func parent(of process: pid_t) -> pid_t {
        let fields = fields(of: process)
        return fields.count > 1 ? pid_t(fields[1]) ?? 0 : 0
    }

    /// Waits for the process to be in that state.
    private static func reaches(_ state: Character, _ process: pid_t) -> Bool {
        for _ in 0..<2_000 {
            if fields(of: process).first?.first == state { return true }
            usleep(10_000)
        }
        return false
    }

    @Test("A stopped child stays stopped and can be continued", arguments: modes)
    func jobControl(options: [String]) throws {
        let script = """
            sleep 20 & kill -STOP $!
            until grep -Eqi '^State:.(t)' /proc/$!/status; do sleep 0.01; done
            sleep 0.2; grep -Eqi '^State:.(t)' /proc/$!/status && echo stopped
            kill -CONT $!; until grep -q '^State:.S' /proc/$!/status; do sleep 0.01; done
            kill $!; wait $! 2>/dev/null; echo ended $?
            """
        let outcome = try Harness(options: options).run(script)
        guard ran(outcome) else { return }
        // Some shells say "Terminated" between the two.
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.first == "stopped" && lines.last == "ended 143", "\(outcome)")
    }

    @Test("The waiting wrapper has one filter more than its caller, and no bounding set left")
    func ownPrivileges() throws {
        let script = "grep -E '^(Seccomp_filters|CapBnd):' /proc/$PPID/status | tr -d ' \\t'"
        let outcome = try Harness(options: ["--follow", "attached"]).run(script)
        guard ran(outcome) else { return }
        let own = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = own.split(separator: "\n").first { $0.hasPrefix("Seccomp_filters:") }
        let filters = line.flatMap { Int($0.filter(\.isNumber)) }
        #expect(outcome.output.contains("Seccomp_filters:\((filters ?? -1) + 1)\n"), "\(outcome)")
        // Only root may empty the bounding set; without it nothing can be gained from it.
        #expect(geteuid() != 0 || outcome.output.contains("CapBnd:0000000000000000"), "\(outcome)")
    }

    @Test("Orphans are reaped: no zombie stays", arguments: modes)
    func orphans(options: [String]) throws {
        let script = """
            orphan=$(sh -c 'sleep 300 > /dev/null 2>&1 & echo $!')
            kill $orphan && echo orphan
            turns=0
            while [ -e /proc/$orphan ] && [ $turns -lt 600 ]; do
                sleep 0.05; turns=$((turns + 1))
            done
            [ -e /proc/$orphan ] && echo zombie
            echo done
            """
        let outcome = try Harness(options: options).run(script)
        guard ran(outcome) else { return }
        #expect(outcome.output.contains("orphan"), "\(outcome)")
        #expect(outcome.output.contains("done"), "\(outcome)")
        #expect(!outcome.output.contains("zombie"), "\(outcome)")
    }

    @Test("As the first process of a PID namespace: the same duties", arguments: modes)
    func firstProcess(options: [String]) throws {
        let below = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
        let probe = try Harness(below: below, options: ["--mode", "environ"]).run("echo $PPID")
        guard probe.output.contains("1\n") else {
            // No user namespaces here: the host says why, and that is the assertion.
            #expect(probe.status != 0 && probe.output.contains("unshare"), "\(probe)")
            return
        }
        let script = """
            echo parent $PPID value $CT_CANARY
            orphan=$(sh -c 'sleep 0.1 > /dev/null 2>&1 & echo $!')
            turns=0
            while [ -e /proc/$orphan ] && [ $turns -lt 600 ]; do
                sleep 0.05; turns=$((turns + 1))
            done
            ps -e -o stat= | grep -c Z
            exit 6
            """
        let outcome = try Harness(below: below, options: options).run(script)
        guard ran(outcome) else { return }
        #expect(outcome.status == 6, "\(outcome)")
        #expect(outcome.output.contains("parent 1 value \(Harness.value)\n0\n"), "\(outcome)")
    }

    @Test(
        "What the program set itself is passed on; what it unset stays unset",
        arguments: spliced)
    func ownValues(options: [String]) throws {
        let script = """
            CT_CANARY=mine printenv CT_CANARY; printenv CT_CANARY
            CT_CANARY= sh -c 'echo "[$CT_CANARY]"'
            (unset CT_CANARY; printenv CT_CANARY; echo unset $?)
            """
        let outcome = try Harness(options: options).run(script)
        guard ran(outcome) else { return }
        #expect(
            outcome.output == "mine\n\(Harness.value)\n[]\nunset 1\n", "\(outcome)")
    }

    @Test(
        "No later stack shows a value that the shell copied; control: the classic mode does",
        arguments: modes)
    func stacks(options: [String]) throws {
        let script = "sh -c 'cat /proc/$$/environ; :' | tr '\\0' '\\n' | grep ^CT_"
        let outcome = try Harness(options: options).run(script)
        guard ran(outcome) else { return }
        let isClassic = options.contains("environ")
        let expected = isClassic ? "CT_CANARY=\(Harness.value)\n" : "CT_CANARY=\n"
        #expect(outcome.output == expected, "\(outcome)")
    }

    @Test("What the program leaves behind ends with it", arguments: spliced)
    func leftovers(options: [String]) throws {
        // The pipe reaches its end only when the background process has gone too.
        let start = ContinuousClock.now
        let outcome = try Harness(options: options).run("setsid sleep 300 & echo bye; exit 3")
        guard ran(outcome) else { return }
        #expect(outcome.status == 3, "\(outcome)")
        #expect(ContinuousClock.now - start < .seconds(200))
    }

    @Test("Not found is 127, not executable is 126", arguments: modes)
    func missing(options: [String]) throws {
        let script = "echo never"
        let absent = try Harness(options: options).run("exec /nonexistent/program")
        guard ran(absent) else { return }
        #expect(absent.status == 127)
        let refused = try Harness(options: options).run("exec /etc/passwd; \(script)")
        #expect(refused.status == 126)
    }
}
