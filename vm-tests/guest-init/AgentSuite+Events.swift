// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// What root does on the node and which event tells it.
extension AgentSuite {
    /// One call of root's: 0 or the error number.
    private struct Call: Sendable {
        let name: String
        let vector: String
        let type: String
        let run: @Sendable (pid_t, UInt64) -> Int32
    }

    /// Heartbeats that may come before an event on a machine that is busy.
    private static let beatsMax = 12

    private static let reads = [
        Call(name: "/proc/PID/mem", vector: "AV-004", type: "PROCMEM_READ") { pid, _ in
            SelfTest.opens("/proc/\(pid)/mem")
        },
        Call(name: "process_vm_readv", vector: "AV-008", type: "PROCMEM_READ") { pid, address in
            var word: UInt64 = 0
            let got = clinux_process_vm_readv(pid, address, &word, 8)
            return got < 0 ? Int32(-got) : 0
        },
    ]

    private static let traces = [
        Call(name: "PTRACE_ATTACH", vector: "AV-001", type: "PTRACE_DENIED") { pid, _ in
            let answer = -clinux_ptrace_attach(pid)
            if answer == 0 {
                _ = clinux_wait_stop(pid)
                _ = clinux_ptrace_detach(pid)
            }
            return answer
        },
        Call(name: "PTRACE_SEIZE", vector: "AV-001", type: "PTRACE_DENIED") { pid, _ in
            let answer = -clinux_ptrace_seize(pid)
            if answer == 0 {
                _ = clinux_wait_stop(pid)
                _ = clinux_ptrace_detach(pid)
            }
            return answer
        },
    ]

    /// VM-EBPF-02, 04, 05 and 06.
    func events(_ agent: RunningAgent) {
        guard let child = registrant() else {
            return report("VM-EBPF-02", "events", "no registrant", false, "", true)
        }
        defer {
            kill(child.pid, SIGKILL)
            child.reap()
        }
        guard case .success(let mappings) = TargetProcess.mappings(of: child.pid),
            let address = mappings.first(where: \.readable)?.range.lowerBound
        else { return report("VM-EBPF-02", "events", "no mapping", false, "", true) }
        let calls = Self.reads.map { ("VM-EBPF-02", $0) } + Self.traces.map { ("VM-EBPF-04", $0) }
        let quiet = AgentCounts()
        let controls = calls.map { $0.1.run(child.pid, address) }
        let told = AgentCounts().increase(of: "attempts_total", since: quiet)
        report(
            "VM-EBPF-04", "no event where nothing is denied", AgentCounts.text(told),
            told.isEmpty, "the calls themselves: \(controls)", controls.allSatisfy { $0 == 0 })
        child.send("register")
        _ = child.readLine()
        for ((id, call), control) in zip(calls, controls) {
            let seen = call.run(child.pid, address)
            let isTold = agent.tells(beats: Self.beatsMax) {
                Self.is($0, call.type, call.vector, "denied")
            }
            // open(2) turns the programs' EPERM into EACCES on some kernels.
            report(
                id, call.name,
                "\(SystemError.name(of: seen)); \(call.type) \(isTold ? "" : "not ")told",
                (seen == EPERM || seen == EACCES) && isTold,
                "before the registration: \(control)", control == 0)
        }
        loads(agent)
    }

    private static func `is`(
        _ line: String, _ type: String, _ vector: String, _ verdict: String
    ) -> Bool {
        line.contains("\"type\":\"\(type)\"") && line.contains("\"vector\":\"\(vector)\"")
            && line.contains("\"verdict\":\"\(verdict)\"")
    }

    /// Loads of modules and of BPF programs. No hash: the hook is asked before the file is read.
    private func loads(_ agent: RunningAgent) {
        let module = -clinux_probe_module_file()
        let isModuleTold = agent.tells(beats: Self.beatsMax) {
            Self.is($0, "MODULE_LOAD", "AV-064", "observed")
        }
        let parsed = [ENOEXEC, EINVAL, EBADMSG].contains(module)
        report(
            "VM-EBPF-05", "module load",
            "MODULE_LOAD \(isModuleTold ? "" : "not ")told; the kernel went on to the content: "
                + SystemError.name(of: module),
            isModuleTold && parsed, "without another load no other is told",
            !agent.tells { Self.is($0, "MODULE_LOAD", "AV-064", "observed") })
        // Raw tracepoints see every process; socket filters see packets.
        let reading = -clinux_probe_program_load(17)
        let isDenialTold = agent.tells(beats: Self.beatsMax) {
            Self.is($0, "BPF_LOAD", "AV-031", "denied")
        }
        let harmless = -clinux_probe_program_load(1)
        let isLoadTold = agent.tells(beats: Self.beatsMax) {
            Self.is($0, "BPF_LOAD", "AV-150", "observed")
        }
        report(
            "VM-EBPF-06", "BPF load",
            "a raw tracepoint: \(SystemError.name(of: reading)), BPF_LOAD "
                + "\(isDenialTold ? "" : "not ")told; a socket filter: "
                + (harmless == 0 ? "loaded" : SystemError.name(of: harmless))
                + ", \(isLoadTold ? "" : "not ")told",
            reading == EPERM && isDenialTold && isLoadTold, "the socket filter is let through",
            harmless == 0)
    }
}
