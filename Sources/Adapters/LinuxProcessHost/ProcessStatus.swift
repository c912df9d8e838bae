// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Facts from /proc/PID/status.
enum ProcessStatus {
    /// The parent's process id, nil when the process is gone.
    static func parent(of process: pid_t) -> pid_t? {
        field("PPid:", in: read(process)).flatMap { pid_t($0) }
    }

    /// The thread group of a task.
    static func group(of task: pid_t) -> pid_t? {
        field("Tgid:", in: read(task)).flatMap { pid_t($0) }
    }

    /// Whether the signal waits for the task or for its process.
    static func isPending(_ signal: Int32, of task: pid_t) -> Bool {
        let text = read(task)
        let sets = ["SigPnd:", "ShdPnd:"].compactMap { field($0, in: text) }
        return sets.contains { UInt64($0, radix: 16).map { $0 >> (signal - 1) & 1 == 1 } ?? false }
    }

    static func field(_ name: String, in text: String) -> Substring? {
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.split(separator: "\t").last
    }

    private static func read(_ task: pid_t) -> String {
        let descriptor = open("/proc/\(task)/status", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let got = Glibc.read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(got, 0)), as: UTF8.self)
    }
}
