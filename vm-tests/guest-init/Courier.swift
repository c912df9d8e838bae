// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// An attack whose gain outlives the attacker: it puts what it gets into a page that others have
/// too.
enum Errand: String, CaseIterable {
    case readCall = "process_vm_readv"
    case memoryFile = "/proc/PID/mem"
    case environmentFile = "/proc/PID/environ"
    case attach = "PTRACE_ATTACH, PEEKDATA"
    /// The attach by the 32-bit entry, which numbers its calls otherwise.
    case compatibleAttach = "PTRACE_ATTACH by int 0x80, PEEKDATA"
    case descriptor = "pidfd_getfd, pread"
    /// Writes into the target; what arrives there is the gain.
    case writeCall = "process_vm_writev"
    /// Another process has the same table of descriptors, and reads from what the attacker opened.
    case sharedTable = "/proc/PID/mem, table shared"

    /// What the events name.
    var reportedID: String {
        switch self {
        case .readCall: "AV-008"
        case .memoryFile, .sharedTable: "AV-004"
        case .environmentFile: "AV-044"
        case .attach, .compatibleAttach: "AV-001"
        case .descriptor: "AV-011"
        case .writeCall: "AV-009"
        }
    }
}

/// The page that a courier, its confederate and the test have together: a file in memory.
struct CourierPage {
    static let path = "/tmp/courier"
    private static let byteCount = 8192
    private static let contentOffset = 64
    static let contentBytes = byteCount - contentOffset

    private let base: UnsafeMutableRawPointer

    init?(creating: Bool) {
        let descriptor = open(Self.path, creating ? O_RDWR | O_CREAT | O_TRUNC : O_RDWR, 0o600)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard ftruncate(descriptor, off_t(Self.byteCount)) == 0,
            let page = mmap(
                nil, Self.byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
            page != MAP_FAILED
        else { return nil }
        base = page
    }

    func unmap() { munmap(base, Self.byteCount) }

    /// CLOCK_MONOTONIC just before the attack (ns), 0 before that.
    var started: UInt64 {
        get { base.load(as: UInt64.self) }
        nonmutating set { base.storeBytes(of: newValue, as: UInt64.self) }
    }

    /// 0 for none.
    var confederate: pid_t {
        get { base.load(fromByteOffset: 8, as: pid_t.self) }
        nonmutating set { base.storeBytes(of: newValue, toByteOffset: 8, as: pid_t.self) }
    }

    /// What the attack brought.
    var content: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: base + Self.contentOffset, count: Self.contentBytes)
    }

    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// `/init courier ERRAND PID ADDRESS COUNT`: waits for a word, then runs the errand. Ends with 0
/// when every call went through.
enum CourierProgram {
    /// Descriptors that a confederate looks at.
    private static let descriptors: Range<Int32> = 3..<32
    /// In steps of a millisecond.
    private static let waitsMax = 500

    static func run(_ words: [String]) -> Never {
        guard words.count == 4, let errand = Errand(rawValue: words[0]), let pid = pid_t(words[1]),
            let address = UInt64(words[2]), let count = Int(words[3]),
            count <= CourierPage.contentBytes, let page = CourierPage(creating: false)
        else { exit(64) }
        print("ready")
        fflush(stdout)
        guard readLine() == "go" else { exit(65) }
        if errand == .sharedTable { page.confederate = confederate(page, address, count) }
        page.started = CourierPage.now()
        exit(attack(errand, pid, address, count, page) ? 0 : 1)
    }

    private static func attack(
        _ errand: Errand, _ pid: pid_t, _ address: UInt64, _ count: Int, _ page: CourierPage
    ) -> Bool {
        let target = page.content.baseAddress
        switch errand {
        case .readCall:
            return clinux_process_vm_readv(pid, address, target, count) == Int64(count)
        case .writeCall:
            // Zeroes, as they are in the page.
            return clinux_process_vm_writev(pid, address, target, count) == Int64(count)
        case .memoryFile, .sharedTable:
            let file = open("/proc/\(pid)/mem", O_RDONLY)
            return file >= 0 && clinux_read_at(file, address, target, count) == Int64(count)
        case .environmentFile:
            let file = open("/proc/\(pid)/environ", O_RDONLY)
            return file >= 0 && read(file, target, CourierPage.contentBytes) > 0
        case .attach, .compatibleAttach:
            let attached =
                errand == .attach
                ? clinux_ptrace_attach(pid) : clinux_compatibility_ptrace_attach(pid)
            guard attached == 0, clinux_wait_stop(pid) >= 0 else { return false }
            for offset in stride(from: 0, to: count, by: 8) {
                var word: UInt64 = 0
                guard clinux_ptrace_peek(pid, address + UInt64(offset), &word) == 0 else {
                    return false
                }
                page.content.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
            }
            return clinux_ptrace_detach(pid) == 0
        case .descriptor:
            let handle = clinux_pidfd_open(pid)
            for number in descriptors {
                let taken = clinux_pidfd_getfd(handle, number)
                if taken >= 0, clinux_read_at(taken, 0, target, count) == Int64(count) {
                    return true
                }
            }
            return false
        }
    }

    /// Reads from each descriptor that comes, until one gives something.
    private static func confederate(
        _ page: CourierPage, _ address: UInt64, _ count: Int
    ) -> pid_t {
        let child = clinux_fork_sharing_descriptors()
        guard child == 0 else { return child }
        for _ in 0..<waitsMax {
            for number in descriptors
            where clinux_read_at(number, address, page.content.baseAddress, count)
                == Int64(count)
            {
                _exit(0)
            }
            usleep(1000)
        }
        _exit(1)
    }
}
