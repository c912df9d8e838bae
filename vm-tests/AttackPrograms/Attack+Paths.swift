// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// The files of /proc/PID by unusual paths, and those that show no memory.
extension Attack {
    /// Environment and memory in `folder`.
    func filesByPath(_ vector: AttackVector, _ folder: String) -> AttackReport {
        if case .success(let content) = TargetProcess.read("\(folder)/environ"),
            content.withUnsafeBytes({ needle.occurrences(in: $0) }) > 0
        {
            return leaked(vector, "in the environment, by \(folder)")
        }
        return memoryFile(vector, "\(folder)/mem")
    }

    func filesBySecondMount() -> AttackReport {
        let place = "/tmp/cloudtaser-proc-\(getpid())"
        mkdir(place, 0o700)
        defer { rmdir(place) }
        let mounted = clinux_mount("proc", place, "proc")
        guard mounted == 0 else {
            return AttackReport(
                .secondProc, .unavailable, errorNumber: -mounted, detail: "mount of proc")
        }
        defer { umount2(place, Int32(MNT_DETACH)) }
        return filesByPath(.secondProc, "\(place)/\(pid)")
    }

    func commandLine() -> AttackReport {
        switch TargetProcess.read("/proc/\(pid)/cmdline") {
        case .failure(let error):
            return refused(.commandLine, error.number, "cmdline: \(error.name)")
        case .success(let content):
            let found = content.withUnsafeBytes { needle.occurrences(in: $0) }
            return found > 0
                ? leaked(.commandLine, "in the arguments")
                : AttackReport(
                    .commandLine, .absent, detail: "\(content.count) bytes of arguments read")
        }
    }

    /// A file that shows facts about the victim.
    func information(_ vector: AttackVector, _ path: String) -> AttackReport {
        switch TargetProcess.read(path) {
        case .failure(let error): refused(vector, error.number, "\(path): \(error.name)")
        case .success(let content):
            AttackReport(vector, .informed, detail: "\(content.count) bytes of \(path)")
        }
    }

    func compareDescriptors() -> AttackReport {
        let order = clinux_kcmp(pid, getpid())
        return order >= 0
            ? AttackReport(.compareDescriptors, .informed, detail: "order \(order)")
            : refused(
                .compareDescriptors, -order, "kcmp: \(SystemError.name(of: -order))")
    }
}
