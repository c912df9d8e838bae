// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// What one path came to.
struct PathResult {
    let outcome: AttackOutcome
    let errorNumber: Int32
    let detail: String
    /// Whom it was aimed at, if not the hostage.
    var target: pid_t?

    init(_ outcome: AttackOutcome, _ errorNumber: Int32 = 0, _ detail: String) {
        self.outcome = outcome
        self.errorNumber = errorNumber
        self.detail = detail
    }

    /// From a call's answer: `gain` when it is none of an error.
    init(_ answer: Int32, _ gain: AttackOutcome, _ what: String) {
        if answer >= 0 {
            self.init(gain, 0, what)
        } else {
            let missing = [ENOSYS, ENOENT, ENODEV, ENXIO, EOPNOTSUPP].contains(-answer)
            self.init(
                missing ? .unavailable : .refused, -answer,
                "\(what): \(SystemError.name(of: -answer))")
        }
    }
}

/// Plays one path against a hostage.
struct PathAttack {
    let hostage: Hostage
    /// A hostage that uses its secret all the time.
    let busy: Hostage

    /// How long counters and programs run (ms).
    private static let watchMilliseconds: Int32 = 60
    private static let recordBytesMax = 256 << 10

    func run(_ vector: PathVector) -> PathResult {
        switch vector {
        case .traceMe: traceMe()
        case .executableLink:
            PathResult(opened("/proc/\(hostage.pid)/exe", O_RDONLY), .informed, "its program")
        case .namespaces: namespaces()
        case .pageOut: pageOut()
        case .movePages:
            PathResult(clinux_probe_move_pages(hostage.pid), .informed, "move_pages")
        case .robustList:
            PathResult(clinux_robust_list(hostage.pid), .informed, "get_robust_list")
        case .forkedChild: related("fork")
        case .sharedMemoryTask: related("clone")
        case .samples: watch(kind: CLINUX_COUNTER_STACK, busy.pid)
        case .samplesOfAll: watch(kind: CLINUX_COUNTER_STACK, -1)
        case .breakpoint: watch(kind: CLINUX_COUNTER_BREAKPOINT, busy.pid)
        case .userProbe: userProbe()
        case .traceUserProbe:
            TracingFiles.place(
                "uprobe_events", "p:cloudtaser/av029 /init:\(ProgramFile.entry) +0(%sp):u64")
        case .traceKernelProbe:
            TracingFiles.place("kprobe_events", "p:cloudtaser/av030 do_exit +0(%sp):u64")
        case .programReadsUser: programReadsUser()
        case .programCopiesFromTask: program(CLINUX_HELPER_COPY_FROM_USER_TASK)
        case .programWritesUser: program(CLINUX_HELPER_PROBE_WRITE_USER)
        case .programReadsKernel: program(CLINUX_HELPER_PROBE_READ_KERNEL)
        case .userFault: itself("user-fault")
        case .ring: itself("ring")
        case .signalForCore: signalForCore()
        case .coreDumpFilter:
            PathResult(
                written("0xff", to: "/proc/\(hostage.pid)/coredump_filter"), .changed,
                "coredump_filter")
        case .coreToPipe: CoreToPipe(hostage: hostage).run()
        default: machine(vector)
        }
    }

    // MARK: What the process does itself

    private func traceMe() -> PathResult {
        guard let answer = hostage.obey("trace-me") else {
            return PathResult(.unavailable, ESRCH, "it has ended")
        }
        return PathResult(answer, .controlled, "PTRACE_TRACEME")
    }

    private func itself(_ word: String) -> PathResult {
        guard let answer = hostage.obey(word) else {
            return PathResult(.unavailable, ESRCH, "it has ended")
        }
        return PathResult(answer, .changed, word)
    }

    /// Traces a task that the hostage starts, and reads the secret there.
    private func related(_ word: String) -> PathResult {
        guard let other = hostage.obey(word), other > 0 else {
            return PathResult(.unavailable, ESRCH, word)
        }
        defer { kill(other, SIGKILL) }
        let report = hostage.attack(.ptracePeek, on: other)
        var result = PathResult(report.outcome, report.errorNumber, "\(word): \(report.detail)")
        result.target = other
        return result
    }

    // MARK: What root does to it

    private func namespaces() -> PathResult {
        let handle = clinux_pidfd_open(hostage.pid)
        guard handle >= 0 else { return PathResult(handle, .controlled, "pidfd_open") }
        defer { close(handle) }
        return PathResult(clinux_join_namespace(handle), .controlled, "setns")
    }

    private func pageOut() -> PathResult {
        let handle = clinux_pidfd_open(hostage.pid)
        guard handle >= 0 else { return PathResult(handle, .changed, "pidfd_open") }
        defer { close(handle) }
        let page = hostage.range.lowerBound & ~4095
        let advised = clinux_process_pageout(handle, page, 4096)
        return PathResult(Int32(clamping: advised), .changed, "process_madvise")
    }

    private func signalForCore() -> PathResult {
        guard kill(hostage.pid, SIGQUIT) == 0 else { return PathResult(-errno, .changed, "kill") }
        // RLIMIT_CORE is 0 and core_pattern names no program: it ends, and nothing is written.
        return PathResult(.absent, 0, "it ends, and leaves no core")
    }

    // MARK: Counters and programs

    private func watch(kind: Int, _ pid: pid_t) -> PathResult {
        var counter = clinux_counter()
        counter.kind = Int32(kind)
        counter.pid = pid
        counter.address = busy.range.lowerBound
        return collect(&counter, "perf_event_open")
    }

    private func userProbe() -> PathResult {
        let path = "/sys/bus/event_source/devices/uprobe/type"
        guard let type = TargetProcess.text(path).flatMap({ UInt32($0) }) else {
            return PathResult(.unavailable, ENOENT, path)
        }
        return "/init".withCString { program in
            var counter = clinux_counter()
            counter.kind = Int32(CLINUX_COUNTER_PROBE)
            counter.pid = busy.pid
            counter.type = type
            counter.path = program
            counter.offset = ProgramFile.entryOffset
            return collect(&counter, "uprobe")
        }
    }

    /// Records that hold the secret are a leak; those that do not are facts about it.
    private func collect(_ counter: inout clinux_counter, _ what: String) -> PathResult {
        let records = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.recordBytesMax, alignment: 16)
        defer {
            clinux_zero(records.baseAddress, records.count)
            records.deallocate()
        }
        let got = clinux_count(
            &counter, Self.watchMilliseconds, records.baseAddress, records.count)
        guard got >= 0 else { return PathResult(Int32(got), .informed, what) }
        let found = busy.needle.occurrences(
            in: UnsafeRawBufferPointer(rebasing: records.prefix(Int(got))))
        return found > 0
            ? PathResult(.leaked, 0, "\(what): \(found) blocks of it in \(got) bytes of records")
            : PathResult(.informed, 0, "\(what): \(got) bytes of records")
    }

    private func programReadsUser() -> PathResult {
        let count = Int(busy.range.upperBound - busy.range.lowerBound)
        let value = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        defer {
            clinux_zero(value.baseAddress, value.count)
            value.deallocate()
        }
        let got = clinux_program_reads_user(
            busy.pid, busy.range.lowerBound, Self.watchMilliseconds, value.baseAddress, count)
        guard got >= 0 else { return PathResult(Int32(got), .leaked, "bpf") }
        return busy.needle.occurrences(in: UnsafeRawBufferPointer(value)) > 0
            ? PathResult(.leaked, 0, "the program copied it from the process")
            : PathResult(.informed, 0, "the program ran, and copied something else")
    }

    private func program(_ helper: Int) -> PathResult {
        let loaded = clinux_load_program_with(Int32(helper))
        // EINVAL is the verifier: this kernel has no such helper for this type.
        return loaded == -EINVAL
            ? PathResult(.unavailable, EINVAL, "no such helper")
            : PathResult(loaded, .passed, "bpf")
    }
}

/// Opens and closes; 0 or -errno.
func opened(_ path: String, _ flags: Int32) -> Int32 {
    let descriptor = open(path, flags | O_CLOEXEC)
    guard descriptor >= 0 else { return -errno }
    close(descriptor)
    return 0
}

/// Writes a text; 0 or -errno.
func written(_ text: String, to path: String, _ flags: Int32 = 0) -> Int32 {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC | flags)
    guard descriptor >= 0 else { return -errno }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    return write(descriptor, bytes, bytes.count) == bytes.count ? 0 : -errno
}
