// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// What a node does all day goes on beside a protected process, and a flood of attacks costs
/// events and nothing else.
struct NeighbourSuite {
    let host: Host

    private static let floodSeconds = 10
    private static let flooders = 2
    /// The agent's resident memory (KiB).
    private static let residentKiBMax = 64 << 10

    func run() {
        guard let agent = RunningAgent(["--pins", "none"]) else {
            return report("start", "the agent did not start", false, "", true)
        }
        guard let registrant = ChildProcess(["registrant", AgentSuite.socketPath]),
            registrant.readLine() == "ready"
        else { return report("start", "no registrant", false, "", true) }
        registrant.send("register")
        _ = registrant.readLine()
        ordinary(registrant.pid)
        flood(registrant.pid, agent)
        kill(registrant.pid, SIGTERM)
        let status = registrant.reap()
        report(
            "SIGTERM to a wrapper, as a runtime stops a container", "wait status \(status)",
            status == SIGTERM, "", true)
        kill(agent.pid, SIGTERM)
        _ = agent.reap()
    }

    private func report(
        _ name: String, _ seen: String, _ expected: Bool, _ control: String, _ controlPassed: Bool
    ) {
        host.report(
            CaseResult(
                id: "VM-EBPF-08", name: "neighbours: \(name)", observation: seen,
                expected: expected, control: control, controlPassed: controlPassed))
    }

    // MARK: Ordinary work

    private func ordinary(_ protected: pid_t) {
        let before = Counters()
        var wrong: [String] = []
        func want(_ name: String, _ answer: Int32) {
            if answer != 0 { wrong.append("\(name): \(SystemError.name(of: answer))") }
        }
        for file in ["stat", "status", "statm", "comm", "cmdline", "cgroup", "limits"] {
            want("/proc/PID/\(file)", SelfTest.opens("/proc/\(protected)/\(file)"))
        }
        want("readlink exe", TargetProcess.link("/proc/\(protected)/exe") == nil ? errno : 0)
        want("nsenter", -clinux_probe_enter_namespaces(protected))
        // Socket filter, traffic classifier, XDP, a container's device list.
        for (type, name) in [(1, "filter"), (3, "classifier"), (6, "XDP"), (15, "devices")] {
            want("BPF load of a \(name) program", -clinux_probe_program_load(UInt32(type)))
        }
        want("strace of another", attach())
        want("400 programs", programs(400))
        want("100,000 writes", writes(100_000))
        let after = Counters()
        report(
            "ordinary work",
            wrong.isEmpty ? "unhindered" : wrong.joined(separator: "; "),
            wrong.isEmpty && after.denied == before.denied,
            "the same counter after one attack: \(denied(after: protected, after.denied))",
            denied(after: protected, after.denied) > 0)
    }

    private func denied(after protected: pid_t, _ earlier: UInt64) -> UInt64 {
        _ = SelfTest.reads(protected)
        return Counters().denied - earlier
    }

    private func attach() -> Int32 {
        guard let child = ChildProcess(["probe-wait"]), child.readLine() == "ready" else {
            return ECHILD
        }
        let attached = clinux_ptrace_attach(child.pid)
        if attached == 0 {
            _ = clinux_wait_stop(child.pid)
            _ = clinux_ptrace_detach(child.pid)
        }
        kill(child.pid, SIGKILL)
        child.reap()
        return -attached
    }

    private func programs(_ count: Int) -> Int32 {
        for _ in 0..<count {
            let child = fork()
            if child == 0 { _exit(7) }
            var status: Int32 = 0
            guard child > 0, waitpid(child, &status, 0) == child, status >> 8 == 7 else {
                return ECHILD
            }
        }
        return 0
    }

    private func writes(_ count: Int) -> Int32 {
        let file = open("/tmp/writes", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { return errno }
        defer {
            close(file)
            unlink("/tmp/writes")
        }
        var byte: UInt8 = 7
        for _ in 0..<count where clinux_write_at(file, 0, &byte, 1) != 1 { return EIO }
        return 0
    }

    // MARK: Flood

    /// Two attackers as fast as they can: each attempt is denied, and counted once.
    private func flood(_ protected: pid_t, _ agent: RunningAgent) {
        let before = Counters()
        let attackers = (0..<Self.flooders).compactMap { _ in
            ChildProcess(["flooder", String(protected), String(Self.floodSeconds)])
        }
        var attempts: UInt64 = 0
        var through: UInt64 = 0
        for attacker in attackers {
            let words = (attacker.readLine() ?? "").split(separator: " ").compactMap { UInt64($0) }
            if words.count == 2 {
                attempts += words[0]
                through += words[1]
            }
            attacker.reap()
        }
        let after = Counters()
        let counted = after.attempts - before.attempts
        let told = after.events - before.events
        let held = after.suppressed - before.suppressed
        let dropped = after.dropped - before.dropped
        let resident = Self.highWaterKiB(agent.pid)
        report(
            "flood",
            "\(attempts) attempts in \(Self.floodSeconds) s, \(through) came through; counted "
                + "\(counted) = \(told) events + \(held) held back + \(dropped) dropped; the "
                + "agent's memory at most \(resident) KiB",
            through == 0 && counted == attempts && counted == told + held + dropped
                && resident < Self.residentKiBMax,
            "\(attackers.count) attackers ran", attackers.count == Self.flooders && attempts > 0)
    }

    private static func highWaterKiB(_ pid: pid_t) -> Int {
        let lines = (TargetProcess.text("/proc/\(pid)/status") ?? "").split(separator: "\n")
        let line = lines.first { $0.hasPrefix("VmHWM:") } ?? ""
        return line.split(separator: " ").compactMap { Int($0) }.first ?? .max
    }
}

/// The agent's own counts of `/proc/PID/environ`, by its metrics.
private struct Counters {
    let denied: UInt64
    let attempts: UInt64
    let events: UInt64
    let suppressed: UInt64
    let dropped: UInt64

    init() {
        let page = HTTPProbe.get("/metrics")
        func value(_ name: String) -> UInt64 {
            let line = page.split(separator: "\n").first {
                $0.hasPrefix("cloudtaser_agent_\(name){vector=\"AV-044\"}")
            }
            return line?.split(separator: " ").last.flatMap { UInt64($0) } ?? 0
        }
        attempts = value("attempts_total")
        suppressed = value("events_suppressed_total")
        dropped = value("ringbuf_dropped_total")
        events = value("vector_events_total")
        denied = page.split(separator: "\n").filter {
            $0.hasPrefix("cloudtaser_agent_denied_total{")
        }.compactMap { $0.split(separator: " ").last.flatMap { UInt64($0) } }.reduce(0, +)
    }
}

/// `/init flooder PID SECONDS`: opens the environment again and again, and prints how often, and
/// how often it was let through.
enum FlooderProgram {
    static func run(_ arguments: [String]) -> Never {
        guard arguments.count == 2, let pid = pid_t(arguments[0]), let seconds = Int(arguments[1])
        else { exit(64) }
        let end = time(nil) + seconds
        var attempts = 0
        var through = 0
        while time(nil) < end {
            for _ in 0..<64 {
                attempts += 1
                if SelfTest.reads(pid) == 0 { through += 1 }
            }
        }
        print(attempts, through)
        fflush(stdout)
        exit(0)
    }
}
