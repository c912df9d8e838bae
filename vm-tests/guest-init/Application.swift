// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// The demonstration's application holding a needle in its environment, started the classic way
/// or under the wrapper.
struct Application {
    static let programPath = "/bin/demo-application"
    static let wrapperPath = "/bin/cloudtaser-wrapper"
    static let variable = "PASSWORD"

    /// What was started: the application itself, or the wrapper.
    let process: ChildProcess
    /// The application's process.
    let pid: pid_t
    /// Whether it holds the right value.
    let holdsNeedle: Bool
    let needle: Needle

    /// The classic way: the value in the environment given to execve(2).
    init?(classic needle: Needle) {
        guard
            let child = ChildProcess(
                [Self.variable], secretVariable: (Self.variable, needle), path: Self.programPath)
        else { return nil }
        self.init(child, pid: child.pid, needle: needle)
    }

    /// Under the wrapper, from the vault.
    init?(wrapped needle: Needle, vault: GuestVault, delivery: String, more: [String] = []) {
        let variables =
            vault.controlVariables(delivering: Self.variable, delivery: delivery) + more
        guard
            let child = ChildProcess(
                ["run", "--", Self.programPath, Self.variable], environment: variables,
                path: Self.wrapperPath)
        else { return nil }
        self.init(child, pid: nil, needle: needle)
    }

    private init?(_ child: ChildProcess, pid: pid_t?, needle: Needle) {
        process = child
        self.needle = needle
        let line = child.readLine() ?? ""
        holdsNeedle = line == Self.readyLine(needle)
        guard let found = pid ?? Self.descendant(of: child.pid) else {
            kill(child.pid, SIGKILL)
            child.reap()
            return nil
        }
        self.pid = found
    }

    /// What demo-application prints when it holds the needle.
    static func readyLine(_ needle: Needle) -> String {
        "ready \(needle.count) \(String(fingerprint(needle), radix: 16))"
    }

    var wrapperPID: pid_t { process.pid }

    func attack(_ vector: AttackVector) -> AttackReport {
        Attack(pid: pid, needle: needle).run(vector)
    }

    /// The same attack on the wrapper, which keeps a copy for later execs.
    func attackWrapper(_ vector: AttackVector) -> AttackReport {
        Attack(pid: wrapperPID, needle: needle).run(vector)
    }

    /// Ends both, the application first.
    func end() {
        kill(pid, SIGKILL)
        process.reap()
    }

    /// The application among the wrapper's descendants: a watchdog may stand between them.
    private static func descendant(of ancestor: pid_t) -> pid_t? {
        guard case .success(let names) = TargetProcess.entries("/proc") else { return nil }
        return names.compactMap { pid_t($0) }.first { candidate in
            guard TargetProcess.link("/proc/\(candidate)/exe") == programPath else { return false }
            var current = candidate
            while current > 1 && current != ancestor { current = parent(of: current) }
            return current == ancestor
        }
    }

    /// The parent's process id, 0 when there is none.
    private static func parent(of pid: pid_t) -> pid_t {
        let lines = (TargetProcess.text("/proc/\(pid)/status") ?? "").split(separator: "\n")
        let line = lines.first { $0.hasPrefix("PPid:") } ?? ""
        return pid_t(line.dropFirst(5).drop { $0 == "\t" }) ?? 0
    }

    /// FNV-1a as demo-application prints it, without a plain copy left behind.
    private static func fingerprint(_ needle: Needle) -> UInt64 {
        let plain = UnsafeMutableRawBufferPointer.allocate(byteCount: needle.count, alignment: 16)
        defer {
            clinux_zero(plain.baseAddress, plain.count)
            plain.deallocate()
        }
        if let base = plain.baseAddress { needle.unmask(into: base) }
        return plain.reduce(0xcbf2_9ce4_8422_2325) { hash, byte in
            (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
        }
    }
}
