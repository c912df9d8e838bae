// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// Paths through the machine.
extension PathAttack {
    /// X.25, which these kernels have as a module or not at all.
    private static let foreignFamily: Int32 = 9

    func machine(_ vector: PathVector) -> PathResult {
        switch vector {
        case .ioPorts: PathResult(clinux_raise_io_level(), .controlled, "iopl")
        case .machineRegisters: PathResult(opened("/dev/cpu/0/msr", O_RDWR), .controlled, "msr")
        case .deviceConfiguration: deviceConfiguration()
        case .moduleLoad: parsed(clinux_probe_module_file(), "finit_module")
        case .moduleAutoload: autoload()
        case .kernelImageLoad: PathResult(clinux_probe_kexec_load(), .passed, "kexec_load")
        case .kernelImageFileLoad: parsed(clinux_probe_kexec_file(), "kexec_file_load")
        case .systemRequest:
            PathResult(opened("/proc/sysrq-trigger", O_WRONLY), .passed, "sysrq-trigger")
        case .hibernation: hibernation()
        case .debugFiles: debugFiles()
        case .tracingSwitch:
            PathResult(
                opened("/proc/sys/kernel/ftrace_enabled", O_WRONLY), .passed, "ftrace_enabled")
        default: PathResult(.unavailable, ENOSYS, "no such path")
        }
    }

    /// The kernel read the file and found it to be none of its kind.
    private func parsed(_ answer: Int32, _ what: String) -> PathResult {
        [ENOEXEC, EINVAL, EBADMSG].contains(-answer)
            ? PathResult(.passed, 0, "\(what): the content was looked at")
            : PathResult(answer, .passed, what)
    }

    private func deviceConfiguration() -> PathResult {
        let folder = "/sys/bus/pci/devices"
        guard case .success(let names) = TargetProcess.entries(folder), let name = names.first
        else { return PathResult(.unavailable, ENOENT, "no PCI device") }
        let descriptor = open("\(folder)/\(name)/config", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return PathResult(-errno, .controlled, "config") }
        defer { close(descriptor) }
        // The interrupt line (PCI specification): a note for the driver.
        var line: UInt8 = 0
        guard pread(descriptor, &line, 1, 0x3c) == 1 else {
            return PathResult(.unavailable, errno, "config")
        }
        return PathResult(
            pwrite(descriptor, &line, 1, 0x3c) == 1 ? 0 : -errno, .controlled, "config")
    }

    /// The kernel runs its modprobe, which here tries to load a file that is none.
    private func autoload() -> PathResult {
        unlink(ModprobeProgram.resultPath)
        mkdir("/sbin", 0o755)
        symlink("/init", ModprobeProgram.path)
        guard written(ModprobeProgram.path, to: "/proc/sys/kernel/modprobe") == 0 else {
            return PathResult(.unavailable, errno, "no modprobe")
        }
        _ = clinux_ask_for_family(Self.foreignFamily)
        guard let text = TargetProcess.text(ModprobeProgram.resultPath), let answer = Int32(text)
        else { return PathResult(.unavailable, ENOENT, "the kernel asked for no module") }
        return parsed(answer, "modprobe")
    }

    private func hibernation() -> PathResult {
        guard let text = TargetProcess.text("/sys/power/disk") else {
            return PathResult(.unavailable, ENOENT, "no hibernation")
        }
        return text.contains("[disabled]")
            ? PathResult(.refused, EPERM, "disabled") : PathResult(.passed, 0, text)
    }

    private func debugFiles() -> PathResult {
        let place = "/tmp/debug"
        mkdir(place, 0o700)
        defer { rmdir(place) }
        let mounted = clinux_mount("debugfs", place, "debugfs")
        guard mounted == 0 else { return PathResult(mounted, .passed, "mount of debugfs") }
        defer { umount2(place, Int32(MNT_DETACH)) }
        return PathResult(opened("\(place)/clear_warn_once", O_WRONLY), .passed, "debugfs")
    }
}

/// `/sbin/modprobe` as the kernel calls it: loads a file that is no module and says what came of
/// it.
enum ModprobeProgram {
    static let path = "/sbin/modprobe"
    static let resultPath = "/tmp/modprobe-result"

    static func run() -> Never {
        _ = written(String(clinux_probe_module_file()), to: resultPath, O_CREAT)
        exit(0)
    }
}

/// tracefs(5): files that take probes.
enum TracingFiles {
    private static let place = "/sys/kernel/tracing"

    /// Places a probe, and takes it away.
    static func place(_ file: String, _ probe: String) -> PathResult {
        if access("\(place)/\(file)", F_OK) != 0 {
            let mounted = clinux_mount("tracefs", place, "tracefs")
            guard mounted == 0 else { return PathResult(mounted, .controlled, "mount of tracefs") }
        }
        let descriptor = open("\(place)/\(file)", O_WRONLY | O_APPEND | O_CLOEXEC)
        guard descriptor >= 0 else { return PathResult(-errno, .controlled, file) }
        defer { close(descriptor) }
        let placed = write(descriptor, probe)
        guard placed == 0 else { return PathResult(placed, .controlled, file) }
        let name = probe.dropFirst(2).prefix { $0 != " " }
        _ = write(descriptor, "-:\(name)")
        return PathResult(.controlled, 0, "\(file) took the probe")
    }

    private static func write(_ descriptor: Int32, _ text: String) -> Int32 {
        let bytes = Array((text + "\n").utf8)
        return Glibc.write(descriptor, bytes, bytes.count) == bytes.count ? 0 : -errno
    }
}

/// Where `/init` begins: an instruction that a probe can be placed on.
enum ProgramFile {
    static var entry: String { "0x" + String(entryOffset, radix: 16) }

    /// Offset in the file of the entry point (elf(5)), 0 when it cannot be found.
    static var entryOffset: UInt64 {
        let descriptor = open("/init", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var header = [UInt8](repeating: 0, count: 4096)
        guard read(descriptor, &header, header.count) == header.count else { return 0 }
        return header.withUnsafeBytes { bytes in
            let start = bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
            let table = Int(bytes.loadUnaligned(fromByteOffset: 32, as: UInt64.self))
            let count = Int(bytes.loadUnaligned(fromByteOffset: 56, as: UInt16.self))
            for index in 0..<count where table + index * 56 + 56 <= bytes.count {
                let base = table + index * 56
                func word(_ offset: Int) -> UInt64 {
                    bytes.loadUnaligned(fromByteOffset: base + offset, as: UInt64.self)
                }
                let isLoaded = bytes.loadUnaligned(fromByteOffset: base, as: UInt32.self) == 1
                if isLoaded, start >= word(16), start < word(16) + word(32) {
                    return start - word(16) + word(8)
                }
            }
            return 0
        }
    }
}

/// A core that the kernel pipes to a program of the attacker's.
struct CoreToPipe {
    let hostage: Hostage

    private static let pattern = "/proc/sys/kernel/core_pattern"

    func run() -> PathResult {
        unlink(CoreTakerProgram.resultPath)
        let previous = TargetProcess.text(Self.pattern) ?? ""
        let changed = written("|/init take-core", to: Self.pattern)
        guard changed == 0 else { return PathResult(changed, .leaked, "core_pattern") }
        defer { _ = written(previous, to: Self.pattern) }
        guard kill(hostage.pid, SIGSEGV) == 0 else { return PathResult(-errno, .leaked, "kill") }
        guard CoreTakerProgram.waitForResult() else {
            return PathResult(.absent, 0, "the program was not started")
        }
        defer { unlink(CoreTakerProgram.resultPath) }
        let core = open(CoreTakerProgram.resultPath, O_RDONLY | O_CLOEXEC)
        defer { close(core) }
        let found = MemoryFile.occurrences(of: hostage.needle, in: core)
        return found > 0
            ? PathResult(.leaked, 0, "\(found) blocks of it in a core")
            : PathResult(.absent, 0, "not in the core")
    }
}

/// `/init take-core`: keeps what the kernel pipes to it.
enum CoreTakerProgram {
    static let resultPath = "/tmp/core-taken"
    private static let partPath = "/tmp/core-part"
    private static let waitMicroMax: UInt32 = 20_000_000
    private static let waitMicro: UInt32 = 10_000

    static func run() -> Never {
        let file = open(partPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while case let got = read(STDIN_FILENO, &block, block.count), got > 0 {
            guard write(file, block, got) == got else { break }
        }
        close(file)
        rename(partPath, resultPath)
        exit(0)
    }

    static func waitForResult() -> Bool {
        var waited: UInt32 = 0
        while waited < waitMicroMax {
            if access(resultPath, F_OK) == 0 { return true }
            usleep(waitMicro)
            waited += waitMicro
        }
        return false
    }
}
