// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

extension Attack {
    private static let corePatternPath = "/proc/sys/kernel/core_pattern"
    /// How long the kernel may take to write the core (microseconds, in waits of `waitMicro`).
    private static let waitMicroMax: UInt32 = 60_000_000
    private static let waitMicro: UInt32 = 20_000

    /// Kills the victim with SIGSEGV, has the kernel write a core, searches and removes it.
    func coreDump() -> AttackReport {
        let directory = "/tmp/cloudtaser-core-\(getpid())"
        let limited = clinux_set_core_limit(pid, UInt64.max)
        guard limited == 0 else {
            let name = SystemError.name(of: -limited)
            return refused(.coreDump, -limited, "prlimit of RLIMIT_CORE: \(name)")
        }
        guard mkdir(directory, 0o1777) == 0 || errno == EEXIST, chmod(directory, 0o1777) == 0 else {
            return AttackReport(
                .coreDump, .unavailable, errorNumber: errno, detail: "no directory for the core")
        }
        defer { removeTree(directory) }
        let previous = TargetProcess.text(Self.corePatternPath) ?? ""
        let written = write("\(directory)/core", to: Self.corePatternPath)
        guard written == 0 else {
            return AttackReport(
                .coreDump, .unavailable, errorNumber: written,
                detail: "core_pattern not writable: \(SystemError.name(of: written))")
        }
        defer { _ = write(previous, to: Self.corePatternPath) }
        guard kill(pid, SIGSEGV) == 0 else {
            let number = errno
            return refused(.coreDump, number, "kill: \(SystemError.name(of: number))")
        }
        guard waitForEnd() else {
            return AttackReport(.coreDump, .absent, detail: "the victim did not die of SIGSEGV")
        }
        return searchCores(in: directory)
    }

    func coreLimit() -> AttackReport {
        let limited = clinux_set_core_limit(pid, UInt64.max)
        return limited == 0
            ? AttackReport(.coreLimit, .changed, detail: "RLIMIT_CORE of the victim is unlimited")
            : refused(.coreLimit, -limited, "prlimit: \(SystemError.name(of: -limited))")
    }

    func corePattern() -> AttackReport {
        let previous = TargetProcess.text(Self.corePatternPath) ?? ""
        let written = write("/tmp/cloudtaser-core-pattern", to: Self.corePatternPath)
        defer { _ = write(previous, to: Self.corePatternPath) }
        return written == 0
            ? AttackReport(.corePattern, .changed, detail: "core_pattern was written")
            : refused(.corePattern, written, "core_pattern: \(SystemError.name(of: written))")
    }

    private func searchCores(in directory: String) -> AttackReport {
        // core_uses_pid may append the process id to the name.
        guard case .success(let names) = TargetProcess.entries(directory), let name = names.first
        else {
            return AttackReport(
                .coreDump, .refused, errorNumber: EPERM, detail: "the kernel wrote no core")
        }
        let descriptor = open("\(directory)/\(name)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            return refused(.coreDump, errno, "open of the core")
        }
        defer { close(descriptor) }
        var status = stat()
        fstat(descriptor, &status)
        let found = MemoryFile.occurrences(of: needle, in: descriptor)
        return found > 0
            ? leaked(.coreDump, "\(found) blocks of it in a core of \(status.st_size) bytes")
            : AttackReport(
                .coreDump, .absent, detail: "not in a core of \(status.st_size) bytes")
    }

    private func waitForEnd() -> Bool {
        var waited: UInt32 = 0
        while waited < Self.waitMicroMax {
            guard let line = TargetProcess.text("/proc/\(pid)/stat") else { return true }
            // State follows the parenthesised name: Z is dead and not yet reaped.
            if let end = line.lastIndex(of: ")"), line[end...].dropFirst(2).hasPrefix("Z") {
                return true
            }
            usleep(Self.waitMicro)
            waited += Self.waitMicro
        }
        return false
    }

    private func removeTree(_ directory: String) {
        if case .success(let names) = TargetProcess.entries(directory) {
            for name in names { unlink("\(directory)/\(name)") }
        }
        rmdir(directory)
    }

    private func write(_ text: String, to path: String) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        return Glibc.write(descriptor, bytes, bytes.count) == bytes.count ? 0 : errno
    }
}
