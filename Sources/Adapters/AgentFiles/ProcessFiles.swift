// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
import Glibc
package import Ports

/// Observations by files of `/proc` that the kernel shows to everybody. `maps`, `smaps`, `fd` are
/// not read: they need CAP_SYS_PTRACE, which the agent has given up, and its programs guard them.
package struct ProcessFiles: WorkloadObserver {
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
            guard Self.started(folder) == started else { return nil }
            var left = WorkloadObserverLimits.childrenMax
            return (try? programs(folder, of: wrapper, behindForks: true, &left)) ?? nil
        }
    }

    /// There are more children than are looked at, or they cannot be read.
    private struct Unknown: Error {}

    /// - Parameter left: children that may still be looked at.
    private func programs(
        _ folder: Int32, of parent: ProcessID, behindForks: Bool, _ left: inout Int
    ) throws(Unknown) -> ProcessObservation? {
        guard let children = Self.children(folder), children.count <= left else {
            throw Unknown()
        }
        left -= children.count
        var found: ProcessObservation?
        for child in children {
            guard let one = try look(at: child, of: parent, behindForks, &left) else { continue }
            found = found.map { $0.weakest(one) } ?? one
        }
        return found
    }

    /// Who has executed nothing is the wrapper once more, as the keeper of a tree that is not
    /// traced: what counts is what that has started.
    private func look(
        at child: ProcessID, of parent: ProcessID, _ behindForks: Bool, _ left: inout Int
    ) throws(Unknown) -> ProcessObservation? {
        let folder = open("\(proc)/\(child)", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return nil }
        defer { close(folder) }
        guard let hasExecuted = Self.hasExecuted(folder) else { return nil }
        guard !hasExecuted else { return Self.program(folder, of: parent) }
        guard behindForks, Self.parent(folder) == UInt64(parent) else { return nil }
        return try programs(folder, of: child, behindForks: false, &left)
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

    /// Of stat, by its number in proc(5); the name in field 2 may hold anything, closing brackets
    /// too.
    private static func field(_ number: Int, _ folder: Int32) -> UInt64? {
        guard let (text, _) = text("stat", in: folder, bytesMax: statBytesMax),
            let bracket = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: bracket)...].split(separator: " ")
        return fields.count > number - 3 ? UInt64(fields[number - 3]) : nil
    }

    private static func started(_ folder: Int32) -> UInt64? { field(22, folder) }

    private static func parent(_ folder: Int32) -> UInt64? { field(4, folder) }

    /// By PF_FORKNOEXEC (include/linux/sched.h).
    private static func hasExecuted(_ folder: Int32) -> Bool? {
        field(9, folder).map { $0 & 0x40 == 0 }
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
        return children
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

    /// nil: it is no child of this parent any more, or has no memory.
    private static func program(_ folder: Int32, of parent: ProcessID) -> ProcessObservation? {
        guard let (text, owner) = text("status", in: folder, bytesMax: statusBytesMax) else {
            return nil
        }
        let status = ProcessStatus(text)
        guard status.number("PPid") == UInt64(parent), let locked = status.number("VmLck"),
            let privileges = status.number("NoNewPrivs"),
            let mode = status.number("Seccomp").flatMap(UInt8.init(exactly:)),
            let user = status.number("Uid", at: 1)
        else { return nil }
        let map = Self.text("uid_map", in: folder, bytesMax: statBytesMax)?.text
        return ProcessObservation(
            lockedKiB: locked,
            isDumpable: isDumpable(owner: UInt64(owner), user: user, map: map),
            hasNoNewPrivileges: privileges == 1, seccompMode: mode)
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
