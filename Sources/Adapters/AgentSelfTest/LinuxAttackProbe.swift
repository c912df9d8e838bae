// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
package import AgentProtocol
import CLinux
package import Enforcement
import Glibc
package import Ports

/// Real attempts on a forked process. Only for a program that has one thread still: it forks.
package struct LinuxAttackProbe: AttackProbe, ~Copyable {
    private var victim: ProcessID = 0
    /// To ask the victim; -1 for none.
    private var channel: Int32 = -1
    private let leak = PlantedLeak()

    package init() {}

    package var scan: ScanRequest? { leak?.request }

    package var vectors: [VectorNumber] {
        let attempts = Self.attempts.keys.compactMap { VectorNumber($0) }
        return (attempts + (leak == nil ? [] : VectorNumber.victimsLeaks)).sorted()
    }

    package mutating func begin() throws(AttackProbeFailure) -> ProcessID {
        end()
        let started = clinux_start_victim(
            leak?.needle, leak == nil ? 0 : PlantedLeak.needleBytes, &channel)
        guard started > 0 else { throw .noVictim(errorNumber: -started) }
        victim = started
        return started
    }

    package mutating func attempt(_ vector: VectorNumber) -> ProbeOutcome {
        let number = Int32(vector.rawValue)
        let answer =
            VectorNumber.victimsLeaks.contains(vector)
            ? -clinux_ask_victim(victim, channel, number)
            : clinux_in_attacker(
                { number, target in LinuxAttackProbe.make(number, target) }, number, victim)
        return Self.outcome(answer)
    }

    /// Of a race. A scheduler's tick is 1 to 10 ms, and each may interrupt an attacker.
    package static let raceMilliseconds: Int64 = 500
    /// The read of environ.
    private static let raced: Int32 = 44
    /// Between two looks at the clock.
    private static let raceStep = 64

    package mutating func race() -> ProbeOutcome {
        Self.outcome(
            clinux_in_attackers(
                { number, target in LinuxAttackProbe.makeOften(number, target) },
                Self.raced, victim))
    }

    /// In an attacker: 0 as soon as an attempt gives it, what the last one gave otherwise.
    private static func makeOften(_ number: Int32, _ target: ProcessID) -> Int32 {
        let end = milliseconds() + raceMilliseconds
        var answer: Int32 = 0
        repeat {
            for _ in 0..<raceStep {
                answer = make(number, target)
                if answer == 0 { return 0 }
            }
        } while milliseconds() < end
        return answer
    }

    private static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    private static func outcome(_ answer: Int32) -> ProbeOutcome {
        switch answer {
        case 0: .through
        case -1: .killed
        case EPERM, EACCES: .denied
        default: .failed(errorNumber: abs(answer))
        }
    }

    package mutating func end() {
        if victim > 0 { clinux_end_victim(victim) }
        if channel >= 0 { close(channel) }
        victim = 0
        channel = -1
    }

    deinit {
        if victim > 0 { clinux_end_victim(victim) }
        if channel >= 0 { close(channel) }
    }

    /// In the attacker: 0 or the error number.
    private static func make(_ number: Int32, _ target: ProcessID) -> Int32 {
        guard let attempt = attempts[UInt16(number)] else { return ENOSYS }
        return attempt(target)
    }

    /// BPF_PROG_TYPE_RAW_TRACEPOINT (linux/bpf.h): it runs in every program's context.
    private static let rawTracepoint: UInt32 = 17

    private typealias Attempt = @Sendable (ProcessID) -> Int32

    /// By number of the vector.
    private static let attempts: [UInt16: Attempt] = [
        1: { target in
            let attached = clinux_ptrace_attach(target)
            if attached == 0 {
                _ = clinux_wait_stop(target)
                _ = clinux_ptrace_detach(target)
            }
            return -attached
        },
        4: { open($0, "mem", O_RDONLY) },
        5: { open($0, "mem", O_RDWR) },
        6: { open($0, "task/\($0)/environ", O_RDONLY) },
        8: { target in
            var word: UInt64 = 0
            // Nothing is mapped there: who may read gets EFAULT.
            let got = clinux_process_vm_readv(target, 8, &word, 8)
            return got == -Int64(EFAULT) ? 0 : Int32(max(0, -got))
        },
        9: { target in
            var word: UInt64 = 0
            let put = clinux_process_vm_writev(target, 8, &word, 8)
            return put == -Int64(EFAULT) ? 0 : Int32(max(0, -put))
        },
        11: { target in
            let handle = clinux_pidfd_open(target)
            guard handle >= 0 else { return -handle }
            let taken = clinux_pidfd_getfd(handle, 0)
            // A closed descriptor is an answer to who may ask.
            return taken >= 0 || taken == -EBADF ? 0 : -taken
        },
        13: { target in
            let answer = open(target, "fd/0", O_RDONLY | O_NONBLOCK)
            return answer == ENXIO || answer == ENOENT ? 0 : answer
        },
        17: { target in
            let order = clinux_kcmp(target, getpid())
            return order >= 0 || order == -EBADF ? 0 : -order
        },
        // Who is let through although a hook denied it got through: an event is no protection.
        18: { -clinux_probe_page_out($0) },
        20: { -clinux_probe_move_pages($0) },
        25: { -clinux_probe_perf($0, 0) },
        26: { _ in -clinux_probe_perf(-1, 0) },
        27: { -clinux_probe_perf($0, 1) },
        31: { _ in -clinux_probe_program_load(rawTracepoint) },
        44: { open($0, "environ", O_RDONLY) },
        46: { open($0, "maps", O_RDONLY) },
        47: { open($0, "syscall", O_RDONLY) },
        54: { _ in open("/proc/sys/kernel/core_pattern", O_WRONLY) },
        56: { -clinux_probe_core_limit($0) },
        58: { _ in
            // A container's run-time puts /dev/null there (masked paths of the OCI runtime spec).
            var found = stat()
            guard stat("/proc/kcore", &found) == 0 else { return errno }
            guard found.st_mode & S_IFMT == S_IFREG else { return ENODEV }
            return open("/proc/kcore", O_RDONLY)
        },
        // Neither is a module or a kernel: the hooks are asked first.
        64: { _ in
            let answer = -clinux_probe_module_file()
            return answer == ENOEXEC || answer == EINVAL ? 0 : answer
        },
        68: { _ in -clinux_probe_kexec_load() },
    ]

    private static func open(_ target: ProcessID, _ file: String, _ flags: Int32) -> Int32 {
        open("/proc/\(target)/\(file)", flags)
    }

    private static func open(_ path: String, _ flags: Int32) -> Int32 {
        let descriptor = Glibc.open(path, flags | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        close(descriptor)
        return 0
    }
}
