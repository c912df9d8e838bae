// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// LIM-KDUMP-01: a crash kernel shows all memory of the kernel that panicked, secret memory too.
/// It ends the kernel that it runs in: the crash kernel, whose init this program is as well, goes
/// on with `judgeDump` and says that the suite has come to its end.
struct CrashSuite {
    static let name = "kdump"
    private static let id = "LIM-KDUMP-01"
    private static let kernelPath = "/crash/vmlinuz"
    private static let initramfsPath = "/crash/initramfs.gz"
    private static let requestPath = "/proc/sysrq-trigger"
    private static let frameParameter = "ct.frame"
    private static let pageBytes: UInt64 = 4096
    private static let secretNeedle: UInt64 = 141
    private static let plainNeedle: UInt64 = 142
    /// Derived, and in no page of the kernel that panics.
    private static let absentNeedle: UInt64 = 143

    /// Whether this kernel was started by the panic of another.
    static var isCrashKernel: Bool { access(CrashDump.path, F_OK) == 0 }

    let host: Host
    let seed: UInt64

    // MARK: In the kernel that panics

    /// Returns only when there was no panic.
    func run() {
        guard let secret = Victim(seed: seed, [(.secret, Self.secretNeedle)]),
            let region = secret.regions[.secret],
            let plain = Victim(seed: seed, [(.plain, Self.plainNeedle)])
        else { return failed("load and panic", "no victims") }
        defer {
            secret.kill()
            plain.kill()
        }
        let page = region.address & ~(Self.pageBytes - 1)
        let range = page..<page + Self.pageBytes
        guard let frame = TargetProcess.pageFrames(of: secret.pid, in: range).first else {
            return failed("load and panic", "the secret page has no frame")
        }
        let denied = attempt(["--policy", "AV-070=deny"], frame)
        let loaded = load(frame)
        // Loaded before the agent came, as a distribution's kdump service does.
        guard let agent = RunningAgent(["--pins", "none"]) else {
            return failed("load and panic", "the agent did not start")
        }
        let answer = secret.command("register") ?? "nothing"
        let environment = SelfTest.reads(secret.pid)
        let request = -opened(Self.requestPath, O_WRONLY)
        let isTold = agent.tells { Self.names($0, "AV-070", "observed") }
        host.report(
            CaseResult(
                id: Self.id, name: "load and panic",
                observation: "the crash kernel is loaded without the agent: "
                    + "\(SystemError.name(of: loaded)); under the agent's usual policy \(answer), "
                    + "a read of its environment: \(SystemError.name(of: environment)), "
                    + "sysrq-trigger for writing: \(SystemError.name(of: request)), "
                    + "\(isTold ? "told" : "no event"); tier \(region.tier)",
                expected: loaded == 0 && answer.hasPrefix("enrolled ") && environment == EPERM
                    && request == 0 && isTold && region.tier == "memfd_secret",
                control: denied?.text ?? "the agent did not start",
                controlPassed: denied?.isComplete ?? false))
        panic()
        kill(agent.pid, SIGTERM)
        _ = agent.reap()
    }

    /// What the agent lets nobody do, and tells.
    private struct Denial {
        let load: Int32
        let isLoadTold: Bool
        let request: Int32
        let isRequestTold: Bool

        var isComplete: Bool {
            load == EPERM && isLoadTold && request == EPERM && isRequestTold
        }

        var text: String {
            "under the agent with AV-070=deny: load \(SystemError.name(of: load)), "
                + "\(isLoadTold ? "told as AV-069" : "no event"); sysrq-trigger "
                + "\(SystemError.name(of: request)), "
                + (isRequestTold ? "told as AV-070" : "no event")
        }
    }

    private func attempt(_ flags: [String], _ frame: UInt64) -> Denial? {
        guard let agent = RunningAgent(["--pins", "none"] + flags) else { return nil }
        defer {
            kill(agent.pid, SIGTERM)
            _ = agent.reap()
        }
        let load = load(frame)
        let isLoadTold = agent.tells { Self.names($0, "AV-069", "denied") }
        let request = -opened(Self.requestPath, O_WRONLY)
        return Denial(
            load: load, isLoadTold: isLoadTold, request: request,
            isRequestTold: agent.tells { Self.names($0, "AV-070", "denied") })
    }

    private static func names(_ line: String, _ vector: String, _ verdict: String) -> Bool {
        line.contains("\"vector\":\"\(vector)\"") && line.contains("\"verdict\":\"\(verdict)\"")
    }

    /// 0, or the error number. The crash kernel gets the seed of the needles, and no needle.
    private func load(_ frame: UInt64) -> Int32 {
        let kernel = open(Self.kernelPath, O_RDONLY | O_CLOEXEC)
        let initramfs = open(Self.initramfsPath, O_RDONLY | O_CLOEXEC)
        defer {
            close(kernel)
            close(initramfs)
        }
        let words = [
            "console=ttyS0", "quiet", "panic=-1", "SWIFT_ROOT=/", "reset_devices", "nr_cpus=1",
            "cryptomgr.notests",
            "ct.seed=\(String(seed, radix: 16))",
            "\(Self.frameParameter)=\(String(frame, radix: 16))",
        ]
        return -clinux_load_crash_kernel(kernel, initramfs, words.joined(separator: " "))
    }

    private func panic() {
        host.console("panic")
        host.drain()
        let refusal = written("c", to: Self.requestPath)
        failed("load and panic", "no panic: \(SystemError.name(of: -refusal))")
    }

    private func failed(_ name: String, _ why: String) {
        host.report(
            CaseResult(
                id: Self.id, name: name, observation: why, expected: false, control: "not run",
                controlPassed: false))
    }

    // MARK: In the crash kernel

    /// Looks for the needles, and ends the boot.
    func judgeDump() {
        do throws(SystemError) {
            let indices = [Self.secretNeedle, Self.plainNeedle, Self.absentNeedle]
            report(try CrashDump(searching: indices.map { Needle(seed: seed, index: $0) }))
        } catch {
            failed("vmcore", "\(CrashDump.path): \(error.name)")
        }
        host.send([("type", .text("suite")), ("name", .text(Self.name))])
        host.send([("type", .text("finished"))])
    }

    private func report(_ dump: CrashDump) {
        let (secret, plain, absent) = (dump.places[0], dump.places[1], dump.places[2])
        let frame = Guest.parameter(Self.frameParameter).flatMap { UInt64($0, radix: 16) }
        let inFrame = secret.filter { $0 & ~(Self.pageBytes - 1) == frame }
        host.report(
            CaseResult(
                id: Self.id, name: "vmcore",
                observation: "the secret page's needle: \(secret.count) times in a dump of "
                    + "\(dump.byteCount >> 20) MiB, \(inFrame.count) of them in the frame that was "
                    + "secret memory",
                expected: !inFrame.isEmpty,
                control: "an ordinary page's needle: \(plain.count) times; a needle that "
                    + "nobody held: \(absent.count)",
                controlPassed: !plain.isEmpty && absent.isEmpty))
    }
}
