// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AgentSelfTest
import AttackPrograms
import CLinux
import Enforcement
@preconcurrency import Glibc
import LibbpfKernel

/// Attackers on one processor who interrupt each other while they are judged. A kernel that
/// preempts itself passes over tracing programs then (`__bpf_prog_enter_recur`), and over no LSM
/// program.
struct InterruptionSuite {
    let host: Host
    let hasBPFLSM: Bool

    func run() {
        let traced = Race(.modifyReturn)
        if hasBPFLSM {
            let asked = Race(.lsm)
            report(
                "VM-EBPF-01", "lsm",
                "a read of environ: \(asked.read), a program that reads: "
                    + "\(asked.load)", asked.read == .denied && asked.load == .denied,
                "fmod_ret in the same guest: \(traced.read), \(traced.load)",
                traced.read == .through && traced.load == .through)
        } else {
            report(
                "LIM-PREEMPT-01", "fmod_ret",
                "a read of environ: \(traced.read), a program that "
                    + "reads: \(traced.load)", traced.read == .through && traced.load == .through,
                "without others: \(traced.alone)", traced.alone == .denied)
            agentSays()
            registering([], wanted: "refused 2 unguarded")
            registering(["--tier", "fmod_ret"], wanted: "enrolled 2 ")
        }
    }

    /// The agent's own self-test sees it.
    private func agentSays() {
        guard
            let child = ChildProcess(
                ["self-test"], path: AgentSuite.agentPath, joiningErrors: true)
        else { return report("LIM-PREEMPT-01", "self-test", "not executed", false, "", true) }
        var lines: [String] = []
        while let line = child.readLine() { lines.append(line) }
        let status = child.reap() >> 8
        let interrupted = lines.filter { $0.hasSuffix("  denied unless interrupted") }
        let denied = lines.filter { $0.hasSuffix("  denied") }
        report(
            "LIM-PREEMPT-01", "self-test",
            "\(lines.first ?? ""), \(lines.last ?? ""); exit status \(status)",
            interrupted.count > 15 && denied.isEmpty && status == 1, "", true)
    }

    /// Nobody is promised what does not hold, unless the operator named the tier.
    private func registering(_ flags: [String], wanted: String) {
        guard let agent = RunningAgent(["--pins", "none"] + flags) else {
            return report("LIM-PREEMPT-01", "agent", "said nothing", false, "", true)
        }
        defer {
            kill(agent.pid, SIGTERM)
            _ = agent.reap()
        }
        guard let child = ChildProcess(["registrant", AgentSuite.socketPath]),
            child.readLine() == "ready"
        else { return report("LIM-PREEMPT-01", "agent", "no registrant", false, "", true) }
        child.send("register")
        let answer = child.readLine() ?? "nothing"
        kill(child.pid, SIGKILL)
        child.reap()
        report(
            "LIM-PREEMPT-01", "registration with \(flags.isEmpty ? "no tier named" : flags[1])",
            answer, answer.hasPrefix(wanted), "", true)
    }

    private func report(
        _ id: String, _ name: String, _ seen: String, _ expected: Bool, _ control: String,
        _ controlPassed: Bool
    ) {
        host.report(
            CaseResult(
                id: id, name: "interruption: \(name)", observation: seen, expected: expected,
                control: control, controlPassed: controlPassed))
    }
}

/// What several attackers at once, and one alone, get from one form of the programs.
private struct Race {
    private static let cgroup = "/sys/fs/cgroup"
    /// Loads are few, and each has to be interrupted at the right place.
    private static let seconds: Int = 60
    /// Where there is no way past, less has to do.
    private static let secondsInVain: Int = 8
    /// One who came through is enough.
    private static let mark = "/tmp/came-through"

    var alone = ProbeOutcome.failed(errorNumber: ENOSYS)
    var read = ProbeOutcome.failed(errorNumber: ENOSYS)
    var load = ProbeOutcome.failed(errorNumber: ENOSYS)

    init(_ tier: EnforcementTier) {
        mkdir(Self.cgroup, 0o755)
        // It may be there already.
        _ = clinux_mount("cgroup2", Self.cgroup, "cgroup2")
        var probe = LinuxAttackProbe()
        do {
            var guarded = try GuardedKernel(tier: tier)
            try guarded.set(.denyingAll)
            guard !guarded.enrol(try probe.begin()).isEmpty else { return }
            alone = VectorNumber(44 as UInt16).map { probe.attempt($0) } ?? alone
            read = probe.race()
            unlink(Self.mark)
            let time = Int32(tier == .lsm ? Self.secondsInVain : Self.seconds)
            let answer = clinux_in_attackers({ time, _ in Race.loads(for: time) }, time, 0)
            load = answer == 0 ? .through : answer == EPERM ? .denied : .failed(errorNumber: answer)
        } catch { return }
    }

    /// In an attacker: 0 as soon as a program that copies from whoever makes a socket is attached,
    /// what the last try gave otherwise.
    private static func loads(for seconds: Int32) -> Int32 {
        let folder = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        let end = time(nil) + Int(seconds)
        var answer: Int32 = 0
        repeat {
            var reader = clinux_socket_reader()
            var copied: UInt64 = 0
            answer = -clinux_place_socket_reader(
                &reader, folder, getpid(), 4096, MemoryLayout.size(ofValue: copied))
            if answer == 0 {
                _ = clinux_remove_socket_reader(&reader, &copied)
                close(open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
                return 0
            }
        } while time(nil) < end && access(mark, F_OK) != 0
        return answer
    }
}
