// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
import EnforcementEvents
import EventIntegrity
@preconcurrency import Glibc

/// An agent of another build takes the place of one that has ended: its programs stay in force
/// until the others are, and nobody who registered has to do so again.
extension AgentSuite {
    private static let otherBuild = "/tmp/cloudtaser-agent-other"
    private static let log = "/tmp/events.jsonl"
    private static let flags = [
        "--policy", "AV-018=detect", "--events", "stdout", "--events", "file:\(log)",
        "--bad-start", "report",
        // The reader attacks hundreds of times a second; what counts there is what is denied.
        "--events-per-second", "20",
    ]
    private static let folder = "\(GuardSuite.fileSystem)/cloudtaser"

    /// The agent with one byte of its BPF object changed that no loader reads: another fingerprint.
    /// The object is an ELF file for the machine 247 (EM_BPF); the last byte of its identification
    /// is padding.
    private static func makeOtherBuild() -> Bool {
        var isChanged = false
        FileCopy.make(of: agentPath, at: otherBuild) { bytes in
            let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]
            for start in stride(from: 16, to: bytes.count - 64, by: 1)
            where bytes[start] == magic[0] && bytes[start + 1] == magic[1]
                && bytes[start + 2] == magic[2] && bytes[start + 3] == magic[3]
                && bytes[start + 18] == 247 && bytes[start + 19] == 0
            {
                bytes[start + 15] ^= 1
                isChanged = true
            }
        }
        return isChanged
    }

    func replaced(seed: UInt64) {
        guard Self.makeOtherBuild(), let vault = GuestVault(seed: seed, needle: 97) else {
            return report("VM-EBPF-10", "another build", "no vault", false, "", true)
        }
        defer { vault.kill() }
        let (more, environment) = Self.signing(by: vault)
        let flags = Self.flags + more
        guard let first = RunningAgent(flags, environment: environment),
            let child = registrant()
        else { return report("VM-EBPF-10", "another build", "did not start", false, "", true) }
        reportedStarts(first)
        child.send("register")
        let enrolled = child.readLine() ?? "nothing"
        let builds = Self.pinned
        _ = SelfTest.reads(child.pid)
        first.end()
        // Nobody takes the record of this one.
        let alone = SelfTest.reads(child.pid)
        guard let watcher = ChildProcess(["reader", String(child.pid)]),
            watcher.readLine() == "ready"
        else { return report("VM-EBPF-10", "another build", "no watcher", false, "", true) }
        guard let second = RunningAgent(flags, environment: environment, path: Self.otherBuild)
        else {
            return report("VM-EBPF-10", "another build", "it did not start", false, "", true)
        }
        let isTold = second.tells { $0.contains("ENVIRON_READ") && $0.contains("\"denied\"") }
        watcher.send("stop")
        let reads = (watcher.readLine() ?? "none").split(separator: " ").compactMap { Int($0) }
        watcher.reap()
        let status = HTTPProbe.get("/status")
        let after = Self.pinned
        let counts = Self.counts(of: "AV-044", in: status)
        report(
            "VM-EBPF-10", "another build takes over",
            "\(enrolled.prefix(10)); alone: \(SystemError.name(of: alone)); during the change "
                + "\(reads) reads denied, came through; pins \(builds) -> \(after); "
                + (status.contains("\"enrolments\":1") ? "one workload" : status)
                + "; the read while nobody ran is \(isTold ? "" : "not ")told; attempts, denied, "
                + "events, suppressed, dropped: \(counts)",
            alone == EPERM && reads.count == 2 && reads[0] > 10 && reads[1] == 0
                && builds.count == 1 && after.count == 1 && builds != after
                && status.contains("\"enrolments\":1") && isTold
                && counts.count == 5 && counts[1] > reads[0]
                && counts[0] == counts[2] + counts[3] + counts[4],
            "an unprotected process: \(SelfTest.reads(getpid()))", SelfTest.reads(getpid()) == 0)
        sealed(second.pid, child.pid, vault, log: Self.log)
        second.end()
        chained()
        verified(vault, log: Self.log)
        if let removal = ChildProcess(["uninstall"], path: Self.otherBuild) {
            _ = removal.readLine()
            removal.reap()
        }
        kill(child.pid, SIGKILL)
        child.reap()
    }

    /// The numbers that `/status` has of a vector, in their order.
    private static func counts(of vector: String, in status: String) -> [Int] {
        let mark = "{\"vector\":\"\(vector)\",\"attempts\":"
        guard let start = status.ranges(of: mark).last?.lowerBound else { return [] }
        return status[start...].prefix { $0 != "}" }.split(separator: ",").dropFirst()
            .compactMap { Int($0.split(separator: ":").last ?? "") }
    }

    /// The file of both agents holds one chain: one segment, every index once, in order.
    private func chained() {
        let log = EventLog(Self.log)
        let chain = log.verified(UncheckedSignatures())
        let starts = log.lines.count { EventLog.has("\"type\":\"AGENT_START\"", in: $0) }
        report(
            "VM-EBPF-10", "the chain of events over a restart",
            "\(chain.lines) lines, from \(chain.first?.index ?? 0) to \(chain.last?.index ?? 0) in "
                + (chain.first?.segment == chain.last?.segment ? "one segment" : "segments")
                + ", findings: \(EventLog.kinds(chain))",
            chain.findings.isEmpty && chain.declaredLosses == 0
                && chain.first?.segment == chain.last?.segment && chain.first?.index == 0
                && chain.last.map { $0.index + 1 } == chain.lines,
            "\(starts) starts in one file", starts == 2)
    }

    private static var pinned: [String] {
        guard case .success(let names) = TargetProcess.entries(folder) else { return [] }
        return names
    }
}

/// `/init reader PID`: reads the environment of PID over and over until a word comes; prints how
/// often that was denied and how often it was not.
enum ReaderProgram {
    static func run(_ arguments: [String]) -> Never {
        guard let pid = arguments.first.flatMap({ pid_t($0) }) else { exit(64) }
        print("ready")
        fflush(stdout)
        var denied = 0
        var through = 0
        var input = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        while poll(&input, 1, 1) == 0 {
            if SelfTest.reads(pid) == EPERM { denied += 1 } else { through += 1 }
        }
        print("\(denied) \(through)")
        fflush(stdout)
        exit(0)
    }
}
