// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// A mapping of a process (proc_pid_maps(5)).
package struct TargetMapping: Sendable {
    package let range: Range<UInt64>
    package let readable: Bool
    package let executable: Bool
    /// Path or pseudo-path; empty for anonymous memory.
    package let path: String
    /// The range as `maps` prints it: the entry's name in `/proc/PID/map_files`.
    package let name: String

    /// Pages of memfd_secret(2).
    package var isSecret: Bool { path.contains("/secretmem") }
    /// Pages without a file; shared ones are named after the device that they come from.
    package var isAnonymous: Bool { path.isEmpty || path.hasPrefix("/dev/zero") }
    /// Pages behind a descriptor that stands for memory only.
    package var isMemoryFile: Bool { isSecret || path.hasPrefix("/memfd:") }
}

/// What an attacker can find out about a process from /proc.
package enum TargetProcess {
    /// Largest file read whole (bytes).
    static let fileBytesMax = 4 << 20

    /// The whole file, or the error number that refused.
    package static func read(_ path: String) -> Result<[UInt8], SystemError> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .failure(SystemError(errno)) }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while content.count < fileBytesMax {
            let got = Glibc.read(descriptor, &block, block.count)
            if got < 0 { return .failure(SystemError(errno)) }
            if got == 0 { break }
            content += block[0..<got]
        }
        return .success(content)
    }

    /// The file as text with its final line break removed, or nil.
    package static func text(_ path: String) -> String? {
        guard case .success(let bytes) = read(path) else { return nil }
        var text = String(decoding: bytes, as: UTF8.self)
        while text.hasSuffix("\n") { text.removeLast() }
        return text
    }

    /// Names in a directory except `.` and `..`, or the error number that refused.
    package static func entries(_ path: String) -> Result<[String], SystemError> {
        guard let directory = opendir(path) else { return .failure(SystemError(errno)) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return .success(names)
    }

    /// Target of a symbolic link, or nil.
    package static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        guard count >= 0 else { return nil }
        return String(decoding: buffer[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The process's mappings, or the error number that refused.
    package static func mappings(of pid: pid_t) -> Result<[TargetMapping], SystemError> {
        read("/proc/\(pid)/maps").map { content in
            content.split(separator: UInt8(ascii: "\n")).compactMap { line in
                mapping(String(decoding: line, as: UTF8.self))
            }
        }
    }

    static func mapping(_ line: String) -> TargetMapping? {
        let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        guard fields.count >= 5 else { return nil }
        let bounds = fields[0].split(separator: "-")
        guard bounds.count == 2, let low = UInt64(bounds[0], radix: 16),
            let high = UInt64(bounds[1], radix: 16), low < high
        else { return nil }
        let path = fields.count == 6 ? String(fields[5].drop { $0 == " " }) : ""
        return TargetMapping(
            range: low..<high, readable: fields[1].hasPrefix("r"),
            executable: fields[1].contains("x"), path: path, name: String(fields[0]))
    }
}

/// An error number of a system call.
package struct SystemError: Error, Equatable {
    package let number: Int32

    package init(_ number: Int32) { self.number = number }

    /// The symbolic name for the numbers attacks meet, else `errno N`.
    package var name: String { Self.name(of: number) }

    /// See `name`.
    package static func name(of number: Int32) -> String {
        switch number {
        case 0: "none"
        case EPERM: "EPERM"
        case ENOENT: "ENOENT"
        case ESRCH: "ESRCH"
        case EIO: "EIO"
        case ENXIO: "ENXIO"
        case EBADF: "EBADF"
        case EAGAIN: "EAGAIN"
        case EACCES: "EACCES"
        case EFAULT: "EFAULT"
        case EBUSY: "EBUSY"
        case ENODEV: "ENODEV"
        case EINVAL: "EINVAL"
        case ENOSPC: "ENOSPC"
        case ENOSYS: "ENOSYS"
        case EOPNOTSUPP: "EOPNOTSUPP"
        default: "errno \(number)"
        }
    }
}
