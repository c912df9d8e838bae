// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// A copy of this program that the agent takes for a wrapper.
enum MarkedProgram {
    static let path = "/tmp/marked"
    static let flags = ["--wrapper", path]

    static func make() { FileCopy.make(of: ChildProcess.programPath, at: path) }
}

enum FileCopy {
    /// - Parameter change: of the whole content.
    static func make(of source: String, at path: String, change: (inout [UInt8]) -> Void = { _ in })
    {
        let from = open(source, O_RDONLY | O_CLOEXEC)
        let to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o755)
        defer {
            close(from)
            close(to)
        }
        var facts = stat()
        guard fstat(from, &facts) == 0 else { return }
        var bytes = [UInt8](repeating: 0, count: Int(facts.st_size))
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                read(from, $0.baseAddress.map { $0 + count }, $0.count - count)
            }
            guard got > 0 else { return }
            count += got
        }
        change(&bytes)
        _ = bytes.withUnsafeBytes { write(to, $0.baseAddress, $0.count) }
    }
}

/// The tiers of a run that never was.
enum TierState {
    static let path = "/tmp/tiers"
    static let flags = ["--state", path]

    static func write() {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer { close(file) }
        let bytes = Array("# cloudtaser-agent tiers v1\nAV-008 syscall\nAV-999 lsm\n".utf8)
        _ = Glibc.write(file, bytes, bytes.count)
    }
}

extension AgentSuite {
    /// AV-008 was enforced otherwise in the last run; AV-044 is measured for the first time.
    func tierChange(_ surroundings: borrowing AgentReload) {
        let line = surroundings.message { $0.contains("\"type\":\"TIER_DOWNGRADE\"") } ?? "none"
        // The event comes first.
        var kept = ""
        for _ in 0..<200 where !kept.contains("AV-044 ") {
            usleep(50_000)
            kept = TargetProcess.text(TierState.path) ?? ""
        }
        report(
            "VM-EBPF-10", "another tier than in the last run",
            line.contains("\"tierChange\":{\"from\":\"syscall\",\"to\":") ? "told" : line,
            // It got better: told, and not counted as a downgrade.
            line.contains("\"vector\":\"AV-008\"")
                && !HTTPProbe.get("/metrics").contains("tier_downgrades_total{")
                && line.contains("\"tierChange\":{\"from\":\"syscall\",\"to\":"),
            "kept for the next run: \(kept.split(separator: "\n").count - 1) vectors",
            kept.contains("AV-044 ") && kept.contains("AV-999 lsm"))
    }

    /// A process that executes a wrapper's file is protected before it registers; one that executes
    /// another file with the same bytes is not.
    func marked(_ agent: RunningAgent) {
        guard let child = registrant(MarkedProgram.path), let other = registrant() else {
            return report("VM-EBPF-03", "recognised at exec", "no registrant", false, "", true)
        }
        let before = SelfTest.reads(child.pid)
        let attach = -clinux_ptrace_attach(child.pid)
        let unmarked = SelfTest.reads(other.pid)
        child.send("fork")
        let grandchild = child.readLine().flatMap { pid_t($0) } ?? 0
        let inherited = grandchild > 0 ? SelfTest.reads(grandchild) : ESRCH
        child.send("register")
        let answer = child.readLine() ?? "nothing"
        let number = 0x8000_0000 | UInt32(bitPattern: child.pid)
        report(
            "VM-EBPF-03", "recognised at exec",
            "environ before it registered: \(SystemError.name(of: before)), ptrace: "
                + "\(SystemError.name(of: attach)), of its child: "
                + "\(SystemError.name(of: inherited)); then \(answer)",
            before == EPERM && attach == EPERM && inherited == EPERM
                && answer.hasPrefix("enrolled 2 \(number) "),
            "the same program as another file: \(unmarked)", unmarked == 0)
        for process in [grandchild, child.pid, other.pid] { kill(process, SIGKILL) }
        child.reap()
        other.reap()
    }

    /// Between the check of an open and the memory that it finds, a process executes a wrapper.
    func opened(_ agent: RunningAgent) {
        let control = clinux_open_during_exec(ChildProcess.programPath, "probe-wait", 5)
        let seen = clinux_open_during_exec(MarkedProgram.path, "probe-wait", Self.raceTries)
        report(
            "VM-EBPF-03", "memory opened during the exec of a wrapper",
            "\(seen) of \(Self.raceTries)", seen == 0,
            "of another file: \(control) of 5", control > 0)
    }

    private static var raceTries: Int32 { 100 }

    /// What makes a start bad, in the registrant's words and in the agent's.
    private static let badStarts = [
        ("listen", "listened"), ("ring", "ring"), ("fault", "userfault"),
        ("fault elsewhere", "userfault"),
    ]

    /// Who registers while somebody has a hand in it is refused, and that is told.
    func starts(_ agent: RunningAgent) {
        for (word, reason) in Self.badStarts {
            start(agent, word, reason, "registers after: \(word)") { start in
                start.answer == "refused 2 \(reason)" && start.verdicts == ["denied"]
            }
        }
    }

    /// With `--bad-start report` it is taken and protected, and the reason is told before.
    func reportedStarts(_ agent: RunningAgent) {
        for (word, reason) in Self.badStarts {
            start(agent, word, reason, "--bad-start report: \(word)") { start in
                start.answer.hasPrefix("enrolled 2 \(start.enrolment ?? "none") ")
                    && start.verdicts == ["observed"] && start.read == EPERM
            }
        }
        traced("--bad-start report: a process that is traced already")
    }

    /// What became of a registration after a bad start.
    private struct BadStart {
        let answer: String
        /// Of the events with the reason, before the one of the enrolment.
        var verdicts: [String] = []
        /// Number of the event of the enrolment that follows; nil: there was none.
        var enrolment: String?
        /// Somebody else's read of its environment afterwards: 0 or the error number.
        let read: Int32

        /// Reads events up to that of the enrolment of the next process, which has nothing wrong.
        init(_ agent: RunningAgent, _ pid: pid_t, _ reason: String, next: pid_t, answer: String) {
            self.answer = answer
            read = SelfTest.reads(pid)
            while let line = agent.told({ $0.contains("\"ENROLMENT\"") }) {
                let object = EventMembers.text("object", of: line)
                if object == "process \(next)" { break }
                let verdict = EventMembers.text("verdict", of: line) ?? "none"
                if object == "process \(pid): \(reason)" { verdicts.append(verdict) }
                if object == "process \(pid)", verdict == "observed", !verdicts.isEmpty {
                    enrolment = EventMembers.text("enrolment", of: line)
                }
            }
        }
    }

    private func start(
        _ agent: RunningAgent, _ word: String, _ reason: String, _ name: String,
        _ isExpected: (BadStart) -> Bool
    ) {
        guard let child = registrant(), let plain = registrant() else {
            return report("VM-EBPF-04", name, "no registrant", false, "", true)
        }
        let before = SelfTest.reads(child.pid)
        child.send(word)
        let made = child.readLine().flatMap { Int32($0) } ?? -EIO
        child.send("register")
        let answer = child.readLine() ?? "nothing"
        plain.send("register")
        let control = plain.readLine() ?? "nothing"
        let seen = BadStart(agent, child.pid, reason, next: plain.pid, answer: answer)
        // A kernel without the call cannot be attacked by it.
        let isThere = made != -ENOSYS
        report(
            "VM-EBPF-04", name,
            isThere
                ? "\(answer) (made \(made)); \(reason) told as \(seen.verdicts), enrolled as "
                    + "\(seen.enrolment ?? "none"); environ: \(SystemError.name(of: seen.read))"
                : "the kernel has no such call",
            !isThere || (made >= 0 && isExpected(seen)),
            "environ before: \(before); without it: \(control.prefix(10))",
            before == 0 && control.hasPrefix("enrolled"))
        if word == "fault elsewhere", made > 0 { kill(made, SIGKILL) }
        for process in [child, plain] {
            kill(process.pid, SIGKILL)
            process.reap()
        }
    }
}

/// Members of an event, as they stand in its line.
enum EventMembers {
    /// The first text of this name.
    static func text(_ name: String, of line: some StringProtocol) -> String? {
        let mark = "\"\(name)\":\""
        let text = String(line)
        guard let start = text.firstRange(of: mark)?.upperBound else { return nil }
        return String(text[start...].prefix { $0 != "\"" })
    }
}
