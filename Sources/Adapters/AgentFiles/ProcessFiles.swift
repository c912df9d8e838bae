// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
import Glibc
package import Ports

/// Observations by files of `/proc` that the kernel shows to everybody. `maps`, `smaps`, `fd` are
/// not read: they need CAP_SYS_PTRACE, which the agent has given up, and its programs guard them.
package struct ProcessFiles: WorkloadObserver {
    /// Children of one wrapper that are looked at; of one with more nothing is said.
    package static let childrenMax = 64
    /// Of a wrapper; each may have started programs.
    package static let threadsMax = 16
    /// For the numbers of that many children.
    private static let listBytesMax = 1024
    private static let statusBytesMax = 8192
    private static let statBytesMax = 4096

    private let proc: String
    let sys: String

    /// - Parameters:
    ///   - proc: where the process file system is mounted.
    ///   - sys: where sysfs is.
    package init(proc: String = "/proc", sys: String = "/sys") {
        self.proc = proc
        self.sys = sys
    }

    package func node() -> NodeObservation {
        NodeObservation(
            kernel: kernel(under: proc), secretMemory: secretMemory,
            openWeaknesses: openWeaknesses, confidential: confidential)
    }

    package func start(of process: ProcessID) -> UInt64? {
        withFolder(of: process) { Self.started($0) }
    }

    package func programs(of wrapper: ProcessID, started: UInt64) -> ProcessObservation? {
        withFolder(of: wrapper) { folder in
            guard Self.started(folder) == started, let children = Self.children(folder) else {
                return nil
            }
            var found: ProcessObservation?
            for child in children {
                guard let one = program(child, of: wrapper) else { continue }
                found = found.map { $0.weakest(one) } ?? one
            }
            return found
        }
    }

    /// The descriptor stands for this process, whoever gets its number later.
    private func withFolder<Result>(
        of process: ProcessID, _ body: (Int32) -> Result?
    ) -> Result? {
        guard process > 0 else { return nil }
        let folder = open("\(proc)/\(process)", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return nil }
        defer { close(folder) }
        return body(folder)
    }

    /// Field 22 of stat; the name in field 2 may hold anything, closing brackets too.
    private static func started(_ folder: Int32) -> UInt64? {
        guard let (text, _) = text("stat", in: folder, bytesMax: statBytesMax),
            let bracket = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: bracket)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }

    /// Of all its threads (proc_tid_children(5)); nil: they cannot be read, or there are more than
    /// are looked at.
    private static func children(_ folder: Int32) -> [ProcessID]? {
        let tasks = openat(folder, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard tasks >= 0 else { return nil }
        guard let threads = names(closing: tasks, atMost: threadsMax) else { return nil }
        var children: [ProcessID] = []
        for thread in threads {
            guard
                let (text, _) = text(
                    "task/\(thread)/children", in: folder, bytesMax: listBytesMax),
                text.utf8.count < listBytesMax
            else { return nil }
            children += text.split { $0 == " " || $0 == "\n" }.compactMap { ProcessID($0) }
        }
        return children.count <= childrenMax ? children : nil
    }

    /// nil: there are more.
    static func names(closing folder: Int32, atMost count: Int) -> [String]? {
        guard let stream = fdopendir(folder) else {
            close(folder)
            return nil
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            guard names.count < count else { return nil }
            names.append(name)
        }
        return names
    }

    /// nil: it is no child of the wrapper any more, or has no memory.
    private func program(_ child: ProcessID, of wrapper: ProcessID) -> ProcessObservation? {
        withFolder(of: child) { folder in
            guard
                let (text, owner) = Self.text(
                    "status", in: folder, bytesMax: Self.statusBytesMax)
            else { return nil }
            let status = ProcessStatus(text)
            guard status.number("PPid") == UInt64(wrapper),
                let locked = status.number("VmLck"),
                let privileges = status.number("NoNewPrivs"),
                let mode = status.number("Seccomp").flatMap(UInt8.init(exactly:)),
                let user = status.number("Uid", at: 1)
            else { return nil }
            let map = Self.text("uid_map", in: folder, bytesMax: Self.statBytesMax)?.text
            return ProcessObservation(
                lockedKiB: locked,
                isDumpable: Self.isDumpable(owner: UInt64(owner), user: user, map: map),
                hasNoNewPrivileges: privileges == 1, seccompMode: mode)
        }
    }

    /// The files of a process that is not dumpable belong to root (proc(5)): of its user namespace,
    /// so that of root's own processes, and in another namespace, this tells nothing.
    private static func isDumpable(owner: UInt64, user: UInt64, map: String?) -> Bool? {
        if owner != user { return false }
        let isOrdinary = map?.split { $0 == " " || $0 == "\n" } == ["0", "0", "4294967295"]
        return user == 0 || !isOrdinary ? nil : true
    }

    private static func text(
        _ name: String, in folder: Int32, bytesMax: Int
    ) -> (text: String, owner: UInt32)? {
        let descriptor = openat(folder, name, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0,
            let bytes = SmallFile.contents(of: descriptor, bytesMax: bytesMax)
        else { return nil }
        return (String(decoding: bytes, as: UTF8.self), facts.st_uid)
    }
}

extension ProcessObservation {
    fileprivate func weakest(_ other: ProcessObservation) -> ProcessObservation {
        let dumpable: Bool? =
            isDumpable == true || other.isDumpable == true
            ? true : isDumpable == false && other.isDumpable == false ? false : nil
        return ProcessObservation(
            lockedKiB: min(lockedKiB, other.lockedKiB), isDumpable: dumpable,
            hasNoNewPrivileges: hasNoNewPrivileges && other.hasNoNewPrivileges,
            seccompMode: min(seccompMode, other.seccompMode))
    }
}

/// `/proc/PID/status`. Its first line is a name that the process chose; the kernel escapes a line
/// feed in it.
private struct ProcessStatus {
    private let lines: [Substring]

    init(_ text: String) { lines = Array(text.split(separator: "\n").dropFirst()) }

    func number(_ name: String, at index: Int = 0) -> UInt64? {
        guard let line = lines.first(where: { $0.hasPrefix(name + ":") }) else { return nil }
        let fields = line.dropFirst(name.count + 1).split { $0 == "\t" || $0 == " " }
        return index < fields.count ? UInt64(fields[index]) : nil
    }
}
