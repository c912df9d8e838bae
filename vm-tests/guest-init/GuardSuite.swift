// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// Root against the agent itself: its process, its maps, its pins, its cgroup; then its death.
struct GuardSuite {
    static let fileSystem = "/sys/fs/bpf"
    private static let cgroups = "/sys/fs/cgroup"
    private static let cgroup = "/sys/fs/cgroup/agent"
    private static let elsewhere = "/sys/fs/cgroup/elsewhere"

    /// In steps of 50 ms.
    private static let triesMax = 200

    private static let secretVariable = "CANARY"
    private static let needleIndex: UInt64 = 103

    let host: Host
    let seed: UInt64

    private var needle: Needle { Needle(seed: seed, index: Self.needleIndex) }

    func run() {
        mkdir(Self.cgroups, 0o755)
        _ = clinux_mount("cgroup2", Self.cgroups, "cgroup2")
        for path in [Self.cgroup, Self.elsewhere] { mkdir(path, 0o755) }
        guard let agent = RunningAgent([], in: Self.cgroup) else {
            return report("VM-EBPF-10", "start", "the agent did not start", false, "", true)
        }
        attacks(agent)
        death(agent)
    }

    private func report(
        _ id: String, _ name: String, _ seen: String, _ expected: Bool, _ control: String,
        _ controlPassed: Bool
    ) {
        host.report(
            CaseResult(
                id: id, name: "guard: \(name)", observation: seen, expected: expected,
                control: control, controlPassed: controlPassed))
    }

    /// 0 or the error number.
    private static func put(_ text: String, into path: String) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        return write(descriptor, bytes, bytes.count) == bytes.count ? 0 : errno
    }

    private static func failure(_ result: Int32) -> Int32 { result < 0 ? errno : 0 }

    // MARK: Attacks

    private func attacks(_ agent: RunningAgent) {
        let plain = ChildProcess(["probe-wait"])
        _ = plain?.readLine()
        let victim = plain?.pid ?? 0
        let onProcess: [(String, String, (pid_t) -> Int32)] = [
            ("AV-121", "SIGKILL", { Self.failure(kill($0, SIGKILL)) }),
            ("AV-121", "SIGSTOP", { Self.failure(kill($0, SIGSTOP)) }),
            ("AV-124", "prlimit", { -clinux_set_file_limit($0, 64) }),
            ("AV-125", "ptrace", { -clinux_ptrace_attach($0) }),
            ("AV-125", "/proc/PID/mem", { SelfTest.opens("/proc/\($0)/mem") }),
        ]
        for (vector, name, attack) in onProcess {
            let seen = attack(agent.pid)
            // A process that is nobody's, the hardest attack last.
            let control = name == "SIGKILL" ? 0 : attack(victim)
            if name == "ptrace", control == 0 {
                _ = clinux_wait_stop(victim)
                _ = clinux_ptrace_detach(victim)
            }
            judge(agent, vector, name, seen, control)
        }
        plain.map {
            kill($0.pid, SIGKILL)
            $0.reap()
        }
        pins(agent)
        identities(agent)
        cgroupFiles(agent)
        inputSignal(agent)
    }

    private func judge(
        _ agent: RunningAgent, _ vector: String, _ name: String, _ seen: Int32, _ control: Int32
    ) {
        let isTold = agent.tells { line in
            line.contains("GUARD_DENIED") && line.contains("\"vector\":\"\(vector)\"")
        }
        report(
            "VM-EBPF-10", "\(vector) \(name)",
            "\(SystemError.name(of: seen))\(isTold ? ", told" : ", not told")",
            seen == EPERM && isTold, "on something else: \(control)", control == 0)
    }

    private func pins(_ agent: RunningAgent) {
        guard case .success(let builds) = TargetProcess.entries("\(Self.fileSystem)/cloudtaser"),
            let build = builds.first
        else { return report("VM-EBPF-10", "pins", "no pins", false, "", true) }
        let folder = "\(Self.fileSystem)/cloudtaser/\(build)"
        let pin = "\(folder)/tasks"
        mkdir("\(Self.fileSystem)/other", 0o700)
        let control = Self.failure(rmdir("\(Self.fileSystem)/other"))
        judge(agent, "AV-129", "unlink", Self.failure(unlink(pin)), control)
        judge(agent, "AV-129", "rename", Self.failure(rename(pin, "\(folder)/t")), control)
        replacements(agent, folder)
        judge(agent, "AV-130", "umount", Self.failure(umount2(Self.fileSystem, 0)), 0)
        judge(
            agent, "AV-130", "lazy umount",
            Self.failure(umount2(Self.fileSystem, Int32(MNT_DETACH))), 0)
        mkdir("/tmp/moved", 0o700)
        judge(
            agent, "AV-131", "mount --move", -clinux_mount_move(Self.fileSystem, "/tmp/moved"), 0)
        judge(agent, "AV-130", "mount over", -clinux_mount_bind("/tmp/moved", folder), 0)
        above(agent)
    }

    /// What takes a pin's name takes the pin out.
    private func replacements(_ agent: RunningAgent, _ folder: String) {
        let other = "\(Self.fileSystem)/other"
        let (own, pin) = ("\(other)/own", "\(folder)/tasks")
        mkdir(other, 0o700)
        symlink("nothing", own)
        symlink("nothing", "\(other)/second")
        let over = Self.failure(rename(own, pin))
        let control = Self.failure(rename(own, "\(other)/second"))
        judge(agent, "AV-129", "rename over a pin", over, control)
        symlink("nothing", own)
        let swapped = -clinux_exchange(own, "\(other)/second")
        // Linux 5.10 exchanges nothing in a BPF file system.
        if swapped == 0 {
            judge(agent, "AV-129", "exchange with a pin", -clinux_exchange(own, pin), swapped)
        }
        unlink(own)
        unlink("\(other)/second")
        rmdir(other)
    }

    /// A lazy umount takes along what is mounted below.
    private func above(_ agent: RunningAgent) {
        let tree = "/tmp/tree"
        mkdir(tree, 0o700)
        _ = clinux_mount("tmpfs", tree, "tmpfs")
        mkdir("\(tree)/below", 0o700)
        _ = clinux_mount("tmpfs", "\(tree)/below", "tmpfs")
        let control = Self.failure(umount2(tree, Int32(MNT_DETACH)))
        judge(
            agent, "AV-130", "lazy umount of what is above",
            Self.failure(umount2("/sys", Int32(MNT_DETACH))), control)
    }

    /// A signal by what is written somewhere: nobody asks task_kill.
    private func inputSignal(_ agent: RunningAgent) {
        guard let plain = ChildProcess(["probe-wait"]) else { return }
        _ = plain.readLine()
        let control = -clinux_signal_by_input(plain.pid, SIGKILL)
        let status = plain.reap()
        _ = clinux_signal_by_input(agent.pid, SIGKILL)
        let isTold = agent.tells {
            $0.contains("GUARD_DENIED") && $0.contains("\"file_send_sigiotask\"")
        }
        report(
            "VM-EBPF-10", "AV-121 SIGKILL by F_SETSIG",
            isTold ? "the agent lives and tells" : "not told", isTold,
            "on something else: \(control), ended by signal \(status & 0x7F)",
            control == 0 && status & 0x7F == SIGKILL)
    }

    /// Each number that bpf(2) gives out is tried. Other programs' are the control: none here, so a
    /// refusal other than EPERM is what may not be.
    private func identities(_ agent: RunningAgent) {
        let kinds: [(clinux_bpf_kind, String, String)] = [
            (CLINUX_BPF_MAP, "AV-126", "map by number"),
            (CLINUX_BPF_PROGRAM, "AV-134", "program by number"),
            (CLINUX_BPF_LINK, "AV-127", "link by number"),
        ]
        for (kind, vector, name) in kinds {
            var id: UInt32 = 0
            var denied = 0
            var others: [Int32] = []
            while case let next = clinux_bpf_next(kind, id), next != 0 {
                id = next
                let answer = -clinux_bpf_open(kind, next)
                if answer == EPERM { denied += 1 } else { others.append(answer) }
            }
            let isTold = agent.tells { $0.contains(vector) }
            report(
                "VM-EBPF-10", "\(vector) \(name)",
                "\(denied) refused with EPERM, others: \(others.prefix(4))",
                denied >= 10 && isTold,
                "\(others.filter { $0 == 0 }.count) of others opened", true)
        }
    }

    private func cgroupFiles(_ agent: RunningAgent) {
        let freeze = Self.put("1", into: "\(Self.cgroup)/cgroup.freeze")
        judge(
            agent, "AV-123", "cgroup.freeze", freeze,
            Self.put("0", into: "\(Self.elsewhere)/cgroup.freeze"))
        guard access("\(Self.cgroup)/cgroup.kill", F_OK) == 0 else { return }
        judge(
            agent, "AV-122", "cgroup.kill", Self.put("1", into: "\(Self.cgroup)/cgroup.kill"),
            Self.put("1", into: "\(Self.elsewhere)/cgroup.kill"))
    }

    // MARK: Death

    /// What no hook sees: the agent is moved to another cgroup and killed there. Then nothing is
    /// told, and everything is denied; the next agent goes on where it was.
    private func death(_ agent: RunningAgent) {
        guard
            let registrant = ChildProcess(
                ["registrant", AgentSuite.socketPath],
                secretVariable: (Self.secretVariable, needle)),
            registrant.readLine() == "ready"
        else { return report("VM-EBPF-10", "death", "no registrant", false, "", true) }
        registrant.send("register")
        let enrolled = registrant.readLine() ?? ""
        let isKilled = killElsewhere(agent)
        let still = SelfTest.reads(registrant.pid)
        report(
            "VM-EBPF-10", "agent killed in another cgroup",
            "\(isKilled ? "killed" : "no cgroup.kill, ended in order"); the protected process's "
                + "environ: \(SystemError.name(of: still))",
            still == EPERM && enrolled.hasPrefix("enrolled"),
            "an unprotected one: \(SelfTest.reads(getpid()))", SelfTest.reads(getpid()) == 0)
        afterDeath(registrant, wasKilled: isKilled)
    }

    private func afterDeath(_ registrant: ChildProcess, wasKilled: Bool) {
        // Where it could only be ended in order, the maps are open to a successor.
        let map = Self.firstMap(wanting: wasKilled ? EPERM : 0)
        report(
            "VM-EBPF-10", "maps while no agent runs", SystemError.name(of: map),
            map == (wasKilled ? EPERM : 0), "", true)
        unlink(AgentSuite.socketPath)
        guard let next = RunningAgent([]) else {
            return report("VM-EBPF-10", "next agent", "did not start", false, "", true)
        }
        let isTold = next.tells { $0.contains("ENVIRON_READ") }
        let status = HTTPProbe.get("/status")
        report(
            "VM-EBPF-10", "next agent",
            "the read while it was away is \(isTold ? "" : "not ")"
                + "told; " + (status.contains("\"enrolments\":1") ? "one workload" : status),
            isTold && status.contains("\"enrolments\":1"),
            "", true)
        kill(next.pid, SIGTERM)
        _ = next.reap()
        successors(registrant)
        limit(registrant)
    }

    /// An agent that ended in order leaves everything to the next one; one that was killed leaves
    /// maps, and those only with `--successor any`. The workloads stay protected.
    private func successors(_ registrant: ChildProcess) {
        let ordered = (Self.firstMap(wanting: 0), -clinux_probe_program_load(17))
        let still = SelfTest.reads(registrant.pid)
        guard let heir = RunningAgent(["--successor", "any"], in: Self.cgroup) else {
            return report("VM-EBPF-10", "--successor any", "did not start", false, "", true)
        }
        let alive = Self.firstMap()
        guard killElsewhere(heir) else { return }
        let killed = (Self.firstMap(wanting: 0), -clinux_probe_program_load(17))
        report(
            "VM-EBPF-10", "what is left to a successor",
            "after an orderly end: map \(ordered.0), load \(ordered.1), environ "
                + "\(SystemError.name(of: still)); killed with any: map \(killed.0), load "
                + "\(SystemError.name(of: killed.1))",
            ordered == (0, 0) && still == EPERM && killed == (0, EPERM)
                && SelfTest.reads(registrant.pid) == EPERM,
            "while the agent lives: map \(SystemError.name(of: alive))", alive == EPERM)
        unlink(AgentSuite.socketPath)
    }

    /// - Parameter answer: is waited for: the kernel forgets the agent when it finds time.
    private static func firstMap(wanting answer: Int32 = EPERM) -> Int32 {
        var seen: Int32 = -1
        for _ in 0..<triesMax {
            seen = -clinux_bpf_open(CLINUX_BPF_MAP, clinux_bpf_next(CLINUX_BPF_MAP, 0))
            if seen == answer { break }
            usleep(50_000)
        }
        return seen
    }

    /// False where the kernel has no cgroup.kill; then it is ended in order.
    private func killElsewhere(_ agent: RunningAgent) -> Bool {
        let killer = "\(Self.elsewhere)/cgroup.kill"
        _ = Self.put(String(agent.pid), into: "\(Self.elsewhere)/cgroup.procs")
        let isKilled = access(killer, F_OK) == 0 && Self.put("1", into: killer) == 0
        if !isKilled { kill(agent.pid, SIGTERM) }
        _ = agent.reap()
        return isKilled
    }

    /// LIM-ROOT-01: root may end the enforcement, with the command that is there for it.
    private func limit(_ registrant: ChildProcess) {
        let attack = Attack(pid: registrant.pid, needle: needle)
        let before = attack.run(.ptraceInject)
        guard let removal = ChildProcess(["uninstall"], path: AgentSuite.agentPath) else { return }
        let line = removal.readLine() ?? ""
        let status = removal.reap()
        // The kernel frees what a link held when it finds time.
        var after = before
        for _ in 0..<Self.triesMax where after.outcome == .refused {
            after = attack.run(.ptraceInject)
            usleep(50_000)
        }
        report(
            "LIM-ROOT-01", "uninstalled by root",
            "\(line.prefix(60)) (status \(status >> 8)); then a write that ptrace makes the "
                + "process issue: \(MemorySuite.describe(after))",
            status == 0 && after.outcome == .leaked, "before: \(MemorySuite.describe(before))",
            before.outcome == .refused && before.errorNumber == EPERM)
        kill(registrant.pid, SIGKILL)
        registrant.reap()
    }
}
