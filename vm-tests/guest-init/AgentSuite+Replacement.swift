// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// An agent of another build takes the place of one that has ended: its programs stay in force
/// until the others are, and nobody who registered has to do so again.
extension AgentSuite {
    private static let otherBuild = "/tmp/cloudtaser-agent-other"
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

    func replaced() {
        guard Self.makeOtherBuild(), let first = RunningAgent(["--policy", "AV-018=detect"]),
            let child = registrant()
        else { return report("VM-EBPF-10", "another build", "did not start", false, "", true) }
        child.send("register")
        let enrolled = child.readLine() ?? "nothing"
        let builds = Self.pinned
        kill(first.pid, SIGTERM)
        _ = first.reap()
        // Nobody takes the record of this one.
        let alone = SelfTest.reads(child.pid)
        guard let watcher = ChildProcess(["reader", String(child.pid)]),
            watcher.readLine() == "ready"
        else { return report("VM-EBPF-10", "another build", "no watcher", false, "", true) }
        guard let second = RunningAgent(["--policy", "AV-018=detect"], path: Self.otherBuild) else {
            return report("VM-EBPF-10", "another build", "it did not start", false, "", true)
        }
        let isTold = second.tells { $0.contains("ENVIRON_READ") && $0.contains("\"denied\"") }
        let missing = HTTPProbe.get("/metrics").split(separator: "\n").first {
            $0.hasPrefix("cloudtaser_agent_ringbuf_missing_total ")
        }
        watcher.send("stop")
        let reads = (watcher.readLine() ?? "none").split(separator: " ").compactMap { Int($0) }
        watcher.reap()
        let status = HTTPProbe.get("/status")
        let after = Self.pinned
        report(
            "VM-EBPF-10", "another build takes over",
            "\(enrolled.prefix(10)); alone: \(SystemError.name(of: alone)); during the change "
                + "\(reads) reads denied, came through; pins \(builds) -> \(after); "
                + (status.contains("\"enrolments\":1") ? "one workload" : status)
                + "; the read while nobody ran is \(isTold ? "" : "not ")told; \(missing ?? "")",
            alone == EPERM && reads.count == 2 && reads[0] > 10 && reads[1] == 0
                && builds.count == 1 && after.count == 1 && builds != after
                && status.contains("\"enrolments\":1") && isTold
                && missing?.hasSuffix(" 0") == true,
            "an unprotected process: \(SelfTest.reads(getpid()))", SelfTest.reads(getpid()) == 0)
        kill(second.pid, SIGTERM)
        _ = second.reap()
        if let removal = ChildProcess(["uninstall"], path: Self.otherBuild) {
            _ = removal.readLine()
            removal.reap()
        }
        kill(child.pid, SIGKILL)
        child.reap()
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
