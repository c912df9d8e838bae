// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// What this kernel really offers, found by asking it, never by its version.
struct KernelProfile {
    let memfdSecretError: Int32
    let bpfLSMError: Int32
    /// mm_access(PTRACE_MODE_READ) asks nobody about holders of CAP_PERFMON.
    let perfmonReads: Bool
    private let facts: [(String, JSONLine.Value)]

    var hasSecretMemory: Bool { memfdSecretError == 0 }
    var hasBPFLSM: Bool { bpfLSMError == 0 }
    var hasBPFLoop: Bool { TypeNames().contains("BPF_FUNC_loop") }

    /// Of the running kernel (uname(2)).
    var release: (major: Int, minor: Int) {
        let text = TargetProcess.text("/proc/sys/kernel/osrelease") ?? ""
        let numbers = text.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return numbers.count == 2 ? (numbers[0], numbers[1]) : (0, 0)
    }

    /// Runs the probes. Needs root and mounted /proc, /sys and securityfs.
    init() {
        memfdSecretError = Self.error(closing: clinux_memfd_secret(UInt32(O_CLOEXEC)))
        (bpfLSMError, perfmonReads) = Self.probePrograms()
        let seccomp = Self.probeSeccomp()
        let selfHandle = clinux_pidfd_open(getpid())
        defer { close(selfHandle) }
        func name(_ number: Int32) -> JSONLine.Value {
            .text(number == 0 ? "available" : SystemError.name(of: number))
        }
        func file(_ path: String) -> JSONLine.Value {
            .text(TargetProcess.text(path) ?? "none")
        }
        func openable(_ path: String) -> JSONLine.Value {
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            return name(descriptor < 0 ? errno : Self.error(closing: descriptor))
        }
        let symbols = TypeNames()
        func kernelHas(_ type: StaticString) -> JSONLine.Value {
            .text(symbols.contains(type) ? "available" : "none")
        }
        facts = [
            ("anonymousInodeHook", kernelHas("bpf_lsm_inode_init_security_anon")),
            ("bpfLoop", kernelHas("BPF_FUNC_loop")),
            ("bpfLSM", name(bpfLSMError)),
            ("btf", openable("/sys/kernel/btf/vmlinux")),
            ("copyFromUserTask", kernelHas("BPF_FUNC_copy_from_user_task")),
            ("devMem", openable("/dev/mem")),
            ("devMemRead", name(Self.probePhysicalMemory())),
            ("forcedMemoryWrites", name(Self.probeForcedWrite())),
            ("hibernation", file("/sys/power/disk")),
            ("ioUring", name(-clinux_probe_io_uring())),
            ("kcmp", name(-clinux_probe_kcmp())),
            ("kcore", openable("/proc/kcore")),
            ("kexecFileLoad", name(-clinux_probe_kexec_file_load())),
            ("kexecLoad", name(-clinux_probe_kexec_load())),
            ("lockdown", file("/sys/kernel/security/lockdown")),
            ("lsm", file("/sys/kernel/security/lsm")),
            ("memfdSecret", name(memfdSecretError)),
            ("modules", name(-clinux_probe_modules())),
            ("perfmonReadAccess", .text(perfmonReads ? "available" : "none")),
            ("pidfdGetfd", name(Self.error(closing: clinux_pidfd_getfd(selfHandle, 0)))),
            ("processMadvise", name(-clinux_probe_process_madvise())),
            ("release", file("/proc/sys/kernel/osrelease")),
            ("seccompUserNotification", name(seccomp.userNotification)),
            ("seccompAddDescriptorSend", name(seccomp.addDescriptorSend)),
            ("spliceCallsSendmsg", kernelHas("splice_to_socket")),
            ("systemCallReplacement", name(Self.replacementError("__x64_sys_vmsplice"))),
            ("unprivilegedBPFDisabled", file("/proc/sys/kernel/unprivileged_bpf_disabled")),
            ("userfaultfd", name(-clinux_probe_userfaultfd())),
            ("yamaPtraceScope", file("/proc/sys/kernel/yama/ptrace_scope")),
        ]
    }

    func report(to host: Host) {
        host.send([("type", .text("profile")), ("facts", .raw(JSONLine.object(facts)))])
    }

    private static func error(closing result: Int32) -> Int32 {
        guard result >= 0 else { return -result }
        close(result)
        return 0
    }

    /// 0 where LSM programs run, or why not; and whether a process that they protect is advised all
    /// the same: then mm_access does not ask them.
    private static func probePrograms() -> (error: Int32, perfmonReads: Bool) {
        do throws(EnforcementFailure) {
            var guarded = try GuardedKernel.denying()
            // An LSM program attaches without error where "bpf" is not among the active modules,
            // and is then never called: the list decides.
            guard activeLSMs().contains("bpf") else { return (EOPNOTSUPP, false) }
            return (0, advises(past: &guarded))
        } catch {
            switch error {
            case .notPermitted: return (EPERM, false)
            case .systemCall(_, let number): return (number, false)
            default: return (EINVAL, false)
            }
        }
    }

    private static func advises(past guarded: inout GuardedKernel) -> Bool {
        guard let child = ChildProcess(["probe-wait"]), child.readLine() == "ready" else {
            return false
        }
        defer {
            kill(child.pid, SIGKILL)
            child.reap()
        }
        let handle = clinux_pidfd_open(child.pid)
        defer { close(handle) }
        guard case .success(let mappings) = TargetProcess.mappings(of: child.pid),
            let page = mappings.first?.range.lowerBound, !guarded.enrol(child.pid).isEmpty
        else { return false }
        return clinux_process_pageout(handle, page, 4096) >= 0
    }

    /// Reads a page of RAM above the first megabyte, which CONFIG_STRICT_DEVMEM refuses.
    private static func probePhysicalMemory() -> Int32 {
        let descriptor = open("/dev/mem", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var word: UInt64 = 0
        let got = clinux_read_at(descriptor, physicalProbeAddress, &word, 8)
        return got < 0 ? Int32(-got) : 0
    }

    /// RAM on every machine that these guests run on (bytes).
    private static let physicalProbeAddress: UInt64 = 32 << 20

    /// Writes through /proc/self/mem to a page that is mapped read-only.
    private static func probeForcedWrite() -> Int32 {
        let pageBytes = 4096
        let page = mmap(nil, pageBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let page, page != MAP_FAILED else { return ENOMEM }
        defer { munmap(page, pageBytes) }
        let descriptor = open("/proc/self/mem", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var word: UInt64 = 1
        let put = clinux_write_at(descriptor, UInt64(UInt(bitPattern: page)), &word, 8)
        return put < 0 ? Int32(-put) : 0
    }

    private static func activeLSMs() -> [Substring] {
        (TargetProcess.text("/sys/kernel/security/lsm") ?? "").split(separator: ",")
    }

    /// In a child: a filter with a listener stays on its process for ever.
    private static func probeSeccomp() -> (userNotification: Int32, addDescriptorSend: Int32) {
        guard let child = ChildProcess(["probe-seccomp"]) else { return (ECHILD, ECHILD) }
        let first = child.readLine().flatMap { Int32($0) } ?? ECHILD
        let second = child.readLine().flatMap { Int32($0) } ?? ECHILD
        child.reap()
        return (first, second)
    }
}

/// Names in the kernel's own description of its types and functions (BTF).
private struct TypeNames {
    private let content: [UInt8]

    init() {
        var bytes: [UInt8] = []
        let descriptor = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC)
        if descriptor >= 0 {
            var block = [UInt8](repeating: 0, count: 1 << 20)
            while case let got = read(descriptor, &block, block.count), got > 0 {
                bytes += block[0..<got]
            }
            close(descriptor)
        }
        content = bytes
    }

    /// Whether a type, function or enumerator of exactly this name exists.
    func contains(_ name: StaticString) -> Bool {
        var pattern: [UInt8] = [0]
        name.withUTF8Buffer { pattern += $0 }
        pattern.append(0)
        return content.withUnsafeBytes { bytes in
            clinux_contains(bytes.baseAddress, bytes.count, pattern, pattern.count) == 1
        }
    }
}

/// `/init probe-wait`: says that it runs, and waits for its end.
enum WaitProbe {
    static func run() -> Never {
        print("ready")
        fflush(stdout)
        while true { pause() }
    }
}

/// `/init probe-seccomp`: prints two error numbers, 0 where the kernel can do it.
enum SeccompProbe {
    /// SECCOMP_RET_USER_NOTIF (linux/seccomp.h).
    private static let userNotificationAction: UInt32 = 0x7FC0_0000

    static func run() -> Never {
        print(-clinux_seccomp_action_available(userNotificationAction))
        let listener = clinux_seccomp_listener()
        let answer = listener < 0 ? -listener : -clinux_seccomp_addfd_send(listener)
        // No such notification: the kernel understood the request.
        print(answer == ENOENT ? 0 : answer)
        fflush(stdout)
        exit(0)
    }
}
