// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// VM-MEM-08 to 11 and 13 and LIM-HV-01: what leaves the process by way of the whole machine.
/// Where the host has to look (RAM image, swap device) the guest stops at a marker and the runner
/// judges; the numbers below are repeated in run.py.
struct MachineSuite {
    private static let imageSecretNeedle: UInt64 = 11
    private static let imageEnvironmentNeedle: UInt64 = 12
    private static let imageTwiceNeedle: UInt64 = 13
    private static let swapSecretNeedle: UInt64 = 21
    private static let swapPlainNeedle: UInt64 = 22
    private static let coreSecretNeedle: UInt64 = 31
    private static let coreLockedNeedle: UInt64 = 32
    private static let hibernationNeedle: UInt64 = 41
    private static let swapDevice = "/dev/nvme0n1"

    let host: Host
    let seed: UInt64
    let profile: KernelProfile

    /// VM-MEM-11. First of all suites: any secret memory in use spoils its control.
    func hibernation() {
        let free = openSnapshot()
        guard let victim = Victim(seed: seed, [(.secret, Self.hibernationNeedle)]) else {
            return failed("VM-MEM-11")
        }
        let held = openSnapshot()
        var observation = "/dev/snapshot: \(SystemError.name(of: held))"
        var right = held == 0
        if profile.hasSecretMemory {
            // Only where refusal is certain: otherwise the guest would really go to sleep.
            let asked = held == EPERM ? write("disk", to: "/sys/power/state") : 0
            observation += ", state=disk: \(SystemError.name(of: asked))"
            right = held == EPERM && asked == EPERM
        } else {
            observation += " (tier locked: hibernation is not refused)"
        }
        victim.end()
        host.report(
            CaseResult(
                id: "VM-MEM-11", name: "hibernation", observation: observation, expected: right,
                control: "without secret memory in use: \(SystemError.name(of: free))",
                controlPassed: free == 0))
    }

    /// VM-MEM-08, 13 and LIM-HV-01: two RAM images, while held and after the end.
    func images() {
        guard
            let victim = Victim(
                seed: seed, [(.secret, Self.imageSecretNeedle)],
                environment: Self.imageEnvironmentNeedle),
            let twice = Victim(
                seed: seed,
                [(.locked, Self.imageTwiceNeedle), (.plain, Self.imageTwiceNeedle)])
        else { return failed("VM-MEM-13") }
        host.await(marker: "held")
        // The harsher end where the kernel zeroes the pages; on the fallback the product must.
        if profile.hasSecretMemory { victim.kill() } else { victim.end() }
        host.await(marker: "gone")
        twice.kill()
    }

    /// VM-MEM-09.
    func coreDump() {
        let layout: [(RegionKind, UInt64)] = [
            (.secret, Self.coreSecretNeedle), (.locked, Self.coreLockedNeedle),
        ]
        guard let first = Victim(seed: seed, layout), let second = Victim(seed: seed, layout) else {
            return failed("VM-MEM-09")
        }
        let seen = first.attack(.coreDump, on: nil, needle: Self.coreSecretNeedle)
        let control = second.attack(.coreDump, on: nil, needle: Self.coreLockedNeedle)
        first.process.reap()
        second.process.reap()
        host.report(
            CaseResult(
                id: "VM-MEM-09", name: "core after SIGSEGV",
                observation: "\(seen.outcome.rawValue): \(seen.detail)",
                expected: seen.outcome == .absent && seen.detail.hasPrefix("not in a core"),
                control: "ordinary page: \(control.outcome.rawValue): \(control.detail)",
                controlPassed: control.outcome == .leaked))
    }

    /// VM-MEM-10. Last of all suites: the machine swaps afterwards.
    func swap() {
        let prepared = prepareSwap()
        guard prepared == 0,
            let victim = Victim(
                seed: seed, [(.secret, Self.swapSecretNeedle), (.plain, Self.swapPlainNeedle)])
        else {
            host.console("swap: \(SystemError.name(of: prepared))")
            return failed("VM-MEM-10")
        }
        _ = victim.command("pageout")
        if let child = ChildProcess(["pressure"]) {
            host.console("pressure: \(child.readLine() ?? "no answer")")
            kill(child.pid, SIGKILL)
            child.reap()
        }
        sync()
        host.await(marker: "swap")
        victim.kill()
    }

    private func failed(_ id: String) {
        host.report(
            CaseResult(
                id: id, name: "set-up", observation: "could not be set up", expected: false,
                control: "not run", controlPassed: false))
    }

    private func openSnapshot() -> Int32 {
        let descriptor = open("/dev/snapshot", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        close(descriptor)
        return 0
    }

    private func write(_ text: String, to path: String) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        return Glibc.write(descriptor, bytes, bytes.count) == bytes.count ? 0 : errno
    }

    /// A swap header as mkswap(8) writes it: version 1, last page, signature at the page's end.
    private func prepareSwap() -> Int32 {
        let descriptor = open(Self.swapDevice, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        let bytes = lseek(descriptor, 0, Int32(SEEK_END))
        var header = [UInt8](repeating: 0, count: 4096)
        let lastPage = UInt32(bytes / 4096 - 1)
        withUnsafeBytes(of: UInt32(1).littleEndian) {
            header.replaceSubrange(1024..<1028, with: $0)
        }
        withUnsafeBytes(of: lastPage.littleEndian) { header.replaceSubrange(1028..<1032, with: $0) }
        header.replaceSubrange(4086..<4096, with: Array("SWAPSPACE2".utf8))
        let written = pwrite(descriptor, header, header.count, 0)
        let number = written == header.count ? fsync(descriptor) : -1
        close(descriptor)
        guard number == 0 else { return EIO }
        return -clinux_swapon(Self.swapDevice)
    }
}

/// `/init pressure`: dirties more memory than is free, prints how much, and waits.
enum PressureProgram {
    private static let blockBytes = 1 << 20
    /// Beyond what is available (bytes): this much has to go to swap.
    private static let excessBytes = 24 << 20

    static func run() -> Never {
        let wanted = available() + excessBytes
        var taken = 0
        while taken < wanted {
            guard
                let block = mmap(
                    nil, blockBytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), block != MAP_FAILED
            else { break }
            for offset in stride(from: 0, to: blockBytes, by: 4096) {
                block.storeBytes(
                    of: UInt64(taken + offset + 1), toByteOffset: offset, as: UInt64.self)
            }
            taken += blockBytes
        }
        print("\(taken >> 20) MiB dirtied")
        fflush(stdout)
        while true { pause() }
    }

    /// MemAvailable of /proc/meminfo (bytes).
    private static func available() -> Int {
        let lines = (TargetProcess.text("/proc/meminfo") ?? "").split(separator: "\n")
        let line = lines.first { $0.hasPrefix("MemAvailable:") } ?? ""
        let words = line.split(separator: " ")
        return words.count > 1 ? (Int(words[1]) ?? 0) * 1024 : 0
    }
}
