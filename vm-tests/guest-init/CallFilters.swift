// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AttackPrograms
import CLinux
import Enforcement
import EnforcementEvents
@preconcurrency import Glibc
import LibbpfKernel

/// VM-EBPF-06: a counter of write(2) that counts only where the filter's letters are in the bytes.
/// It samples nothing, and whoever places it guesses what a process writes, letter by letter.
struct CallFilters {
    private static let needle: UInt64 = 98
    private static let milliseconds: Int32 = 200
    private static let guessed = 4
    private static let idPath = "tracing/events/syscalls/sys_enter_write/id"

    let host: Host
    let seed: UInt64
    private let event: UInt64?
    private var control: Guess?

    init(host: Host, seed: UInt64) {
        self.host = host
        self.seed = seed
        mkdir("/tmp/tracing", 0o700)
        _ = clinux_mount("tracefs", "/tmp/tracing", "tracefs")
        event = TargetProcess.text("/tmp/\(Self.idPath)").flatMap {
            UInt64($0.prefix { $0 != "\n" })
        }
        umount2("/tmp/tracing", 0)
        control = writer().flatMap { hostage in
            defer { hostage.end() }
            return guess(hostage)
        }
    }

    private struct Guess {
        /// Counts of the right first letters and of wrong ones, or -errno.
        let right: Int64
        let wrong: Int64

        var isLeak: Bool { right > 0 && wrong == 0 }
        /// The kernel's filters cannot say that a text is a process's (`.ustring`).
        var isUnknown: Bool { right == -Int64(EINVAL) }
        var text: String { "right letters: \(right), wrong ones: \(wrong)" }
    }

    private func writer() -> Hostage? {
        guard let hostage = Hostage(Needle(seed: seed, index: Self.needle)) else { return nil }
        hostage.process.send("write")
        return hostage
    }

    private func guess(_ hostage: Hostage, pid: pid_t? = nil) -> Guess? {
        guard let event else { return nil }
        let count = hostage.needle.count
        let value = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        defer {
            clinux_zero(value.baseAddress, value.count)
            value.deallocate()
        }
        if let base = value.baseAddress { hostage.needle.unmask(into: base) }
        let letters = String(decoding: value.prefix(Self.guessed), as: UTF8.self)
        return Guess(
            right: ask(letters, pid ?? hostage.pid, event),
            wrong: ask(String(letters.reversed()) + "!", pid ?? hostage.pid, event))
    }

    /// With a star in front: a pattern that begins with a digit is a number for the kernel's
    /// filter_parse_regex, and matches no text.
    private func ask(_ letters: String, _ pid: pid_t, _ event: UInt64) -> Int64 {
        clinux_count_calls(pid, event, "buf.ustring ~ \"*\(letters)*\"", Self.milliseconds)
    }

    func run() {
        for tier in EnforcementTier.denying {
            do throws(EnforcementFailure) {
                var guarded = try GuardedKernel(tier: tier)
                guard guarded.works() else { continue }
                for (mode, policy) in [
                    ("detect", EnforcementPolicy.detecting), ("deny", .enforcing),
                ] {
                    try guarded.set(policy)
                    judge(&guarded, mode)
                }
                return
            } catch {
                return report(tier.word, "\(error)", false)
            }
        }
        report("any form", "no form of program denies anything", false)
    }

    /// - Parameter mode: `detect` or `deny`, which is in force.
    private func judge(_ guarded: inout GuardedKernel, _ mode: String) {
        guard let hostage = writer(), !guarded.enrol(hostage.pid).isEmpty,
            let plain = writer()
        else { return report(mode, "no hostage", false) }
        defer {
            hostage.end()
            plain.end()
        }
        let denies = mode == "deny"
        for (name, pid, vector) in [
            ("of it", hostage.pid, "AV-025"), ("of whatever runs", -1, "AV-026"),
        ] {
            guarded.openBooks()
            let seen = guess(hostage, pid: pid)
            let books = guarded.closeBooks()
            let told = books.records.filter { "\($0.vector)" == vector }
            report(
                "\(name), \(mode), \(guarded.kernel.tier.word)",
                "\(seen?.text ?? "no tracepoint"); told: \(books.eventsText)",
                seen.map { denies ? $0.right == -Int64(EPERM) : passes($0) } ?? false
                    && !told.isEmpty && books.isBalanced)
        }
        let other = guess(plain)
        report(
            "of an unprotected process, \(mode)", other?.text ?? "no tracepoint",
            other.map(passes) ?? false)
    }

    /// Whether it is as it is without the agent.
    private func passes(_ guess: Guess) -> Bool {
        control?.isUnknown ?? false ? guess.isUnknown : guess.isLeak
    }

    private func report(_ name: String, _ seen: String, _ expected: Bool) {
        host.report(
            CaseResult(
                id: "VM-EBPF-06", name: "a counter of calls with a filter, \(name)",
                observation: seen, expected: expected,
                control: "without the agent: \(control?.text ?? "no hostage, or no tracepoint")",
                controlPassed: control.map { $0.isLeak || $0.isUnknown } ?? false))
    }
}
