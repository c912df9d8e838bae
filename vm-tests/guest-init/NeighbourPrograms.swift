// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// The small Debian under `/tools` and the scripts of Tests/Programs/neighbours: what they print
/// and how they end, so that it can be compared with and without the agent.
struct NeighbourPrograms {
    /// A script, and what a program of it does to the protected process: denied by a policy that
    /// denies it, and the program goes on.
    struct Script: Sendable {
        let name: String
        var aimed: Set<String> = []
        /// What it cannot do without: why these are not denied by default.
        var needs: Set<String> = []
    }

    static let scripts = [
        Script(name: "build"),
        // procps 4.0.2 opens /proc/PID/environ of every process, whatever columns are asked for.
        Script(name: "processes", aimed: ["AV-044"]),
        Script(name: "strace"),
        Script(name: "writes"),
        Script(name: "container"),
        // crun joins by a pidfd, and fails where that is refused (docs/adr/0010).
        Script(name: "exec", needs: ["AV-016"]),
        Script(name: "network"),
        Script(name: "modules"),
    ]

    /// Loads are these scripts' own work, which a policy that denies it forbids: modules, asked for
    /// and by the kernel itself, programs that read nobody, and programs that read the kernel.
    static let loads: Set<String> = ["AV-064", "AV-065", "AV-076", "AV-150"]

    struct Result: Equatable {
        let lines: [String]
        let status: Int32

        var isDone: Bool { status == 0 && !lines.isEmpty }

        /// The first line that differs, for a reader.
        func difference(from other: Result) -> String {
            for (index, line) in lines.enumerated() {
                guard index < other.lines.count else { return "more: \(line)" }
                if other.lines[index] != line { return "\(line) / \(other.lines[index])" }
            }
            return lines.count < other.lines.count
                ? "less: \(other.lines[lines.count])" : "exit status \(status)"
        }
    }

    static let root = "/tools"
    private static let busybox = root + "/usr/bin/busybox"
    private static let mounts = [
        ("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/tmp"),
        ("tmpfs", "/run"), ("cgroup2", "/sys/fs/cgroup"), ("bpf", "/sys/fs/bpf"),
    ]

    /// nil where the image has no tools.
    init?() {
        guard access(Self.busybox, X_OK) == 0 else { return nil }
        _ = clinux_mount_bind(Self.root, Self.root)
        for (type, place) in Self.mounts {
            mkdir(Self.root + place, 0o755)
            _ = clinux_mount(type, Self.root + place, type)
        }
        mkdir(Self.root + "/usr/local", 0o755)
        mkdir(Self.root + "/usr/local/bin", 0o755)
        for place in ["/guest", "/guest/tmp"] { mkdir(Self.root + place, 0o755) }
        close(open(Self.root + "/guest/init", O_WRONLY | O_CREAT | O_CLOEXEC, 0o755))
        _ = clinux_mount_bind("/init", Self.root + "/guest/init")
        _ = clinux_mount_bind("/tmp", Self.root + "/guest/tmp")
        _ = written(Self.root + "/neighbours/autoload", to: "/proc/sys/kernel/modprobe")
        _ = Self.run(["/bin/busybox", "--install", "-s", "/usr/local/bin"])
    }

    /// - Parameter protected: the process that scripts look at.
    func run(_ script: Script, _ protected: pid_t) -> Result {
        Self.run(["/bin/dash", "/neighbours/\(script.name).sh", String(protected)])
    }

    /// pivot_root(2) does not leave the root of an initramfs, so the tools are mounted over it
    /// first, in a mount namespace of the script's own.
    private static func run(_ words: [String]) -> Result {
        let enter = "cd \(root) && mount --move . / && exec chroot . \"$@\""
        guard
            let child = ChildProcess(
                ["unshare", "-m", "sh", "-c", enter, "sh"] + words,
                environment: ["PATH=/usr/bin:/usr/sbin:/usr/local/bin", "HOME=/"], path: busybox,
                joiningErrors: true)
        else { return Result(lines: ["not executed"], status: -1) }
        var lines: [String] = []
        while let line = child.readLine() { lines.append(line) }
        return Result(lines: lines, status: child.reap())
    }
}

/// The agent's own counts by vector, from its metrics.
struct AgentCounts {
    /// `AV-044` to a number.
    typealias ByVector = [String: UInt64]

    private let page: [Substring]

    init() { page = HTTPProbe.get("/metrics").split(separator: "\n") }

    func values(_ name: String) -> ByVector {
        let start = "cloudtaser_agent_\(name){vector=\""
        var found: ByVector = [:]
        for line in page where line.hasPrefix(start) {
            guard let value = line.split(separator: " ").last.flatMap({ UInt64($0) }) else {
                continue
            }
            found[String(line.dropFirst(start.utf8.count).prefix { $0 != "\"" })] = value
        }
        return found
    }

    /// Value of the metric with exactly this name and these labels, 0 where it is not.
    func total(of name: String) -> UInt64 {
        let line = page.first { $0.hasPrefix("cloudtaser_agent_\(name) ") }
        return line?.split(separator: " ").last.flatMap { UInt64($0) } ?? 0
    }

    /// What has been counted since, without what has not changed.
    func increase(of name: String, since earlier: AgentCounts) -> ByVector {
        let before = earlier.values(name)
        return values(name).reduce(into: [:]) { found, entry in
            let more = entry.value - (before[entry.key] ?? 0)
            if more > 0 { found[entry.key] = more }
        }
    }

    static func text(_ counts: ByVector) -> String {
        counts.isEmpty
            ? "none"
            : counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
                .joined(separator: ", ")
    }
}
