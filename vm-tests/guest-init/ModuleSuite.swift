// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
@preconcurrency import Glibc

/// LIM-KMOD-01: a loaded module reads secret memory. The agent reports loads and, where it is told
/// to, denies them.
struct ModuleSuite {
    private static let busybox = "/tools/usr/bin/busybox"
    private static let module = "/tools/neighbours/page_module.ko"
    private static let value = "/sys/module/page_module/parameters/value"
    private static let needle: UInt64 = 101

    let host: Host
    let seed: UInt64

    /// What one load came to.
    private struct Load {
        /// What insmod said; empty when the module is in.
        let words: String
        /// Parts of the secret that the module showed.
        let found: Int
        let isTold: Bool

        var text: String {
            (words.isEmpty ? "loaded, \(found) parts of the secret read" : words)
                + (isTold ? ", MODULE_LOAD told" : ", no event")
        }
    }

    func run() {
        guard let victim = Victim(seed: seed, [(.secret, Self.needle)]),
            let region = victim.regions[.secret]
        else { return report(nil, nil, "no victim") }
        defer { victim.kill() }
        let locked = load(["--lock-modules"], victim.process.pid, region.address)
        let usual = load([], victim.process.pid, region.address)
        report(usual, locked, "in memory of tier \(region.tier)")
    }

    private func load(_ flags: [String], _ victim: pid_t, _ address: UInt64) -> Load? {
        guard let agent = RunningAgent(["--pins", "none"] + flags) else { return nil }
        defer {
            kill(agent.pid, SIGTERM)
            _ = agent.reap()
        }
        let words = Self.said(
            ["insmod", Self.module, "process=\(victim)", "address=\(address)"])
        let isTold = agent.tells { $0.contains("\"MODULE_LOAD\"") }
        let needle = Needle(seed: seed, index: Self.needle)
        var found = 0
        if case .success(let bytes) = TargetProcess.read(Self.value) {
            found = bytes.withUnsafeBytes { needle.occurrences(in: $0) }
        }
        if words.isEmpty { _ = Self.said(["rmmod", "page_module"]) }
        return Load(words: words, found: found, isTold: isTold)
    }

    private static func said(_ words: [String]) -> String {
        guard let child = ChildProcess(words, path: busybox, joiningErrors: true) else {
            return "not executed"
        }
        var text = ""
        while let line = child.readLine() { text += line }
        return child.reap() == 0 ? "" : "refused: \(text)"
    }

    private func report(_ usual: Load?, _ locked: Load?, _ detail: String) {
        host.report(
            CaseResult(
                id: "LIM-KMOD-01", name: "a module reads the page",
                observation: "\(usual?.text ?? "not run"); \(detail)",
                expected: usual.map { $0.words.isEmpty && $0.found > 0 && $0.isTold } ?? false,
                control: "with --lock-modules: \(locked?.text ?? "not run")",
                controlPassed: locked.map { !$0.words.isEmpty && $0.found == 0 && $0.isTold }
                    ?? false))
    }
}
