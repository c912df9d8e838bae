// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import Foundation
import Glibc
import Testing

/// The wrapper is an authority while it lives: who may trace it, takes what it holds. Nothing but
/// the agent can keep root from that.
@Suite("Limits of the wrapper without the agent", .serialized)
struct WrapperAuthorityTests {
    /// Letters only, so that no tool escapes it.
    private static func canary() -> String {
        String((0..<40).compactMap { _ in "abcdefghijklmnopqrstuvwxyz".randomElement() })
    }

    /// Every descriptor of the process taken, mapped and searched for the value.
    private static func stealMemory(of process: pid_t, value: String) throws -> AttackReport {
        let needle = try #require(Array(value.utf8).withUnsafeBytes { Needle(masking: $0) })
        return Attack(pid: process, needle: needle).run(.descriptorTheft)
    }

    private static let printsLength = "echo ${#\(RunningHarness.name)}"

    /// The harness stopped where it holds the descriptor of the region it is about to hand over.
    private static func stealMidDelivery(
        follow: String, options: [String]
    ) throws -> AttackReport? {
        let value = canary()
        let stop = ["--stop-at", "send-descriptor"]
        let harness = try RunningHarness(
            printsLength, value: value, follow: follow, options: options + stop)
        guard harness.waitForStop() else {
            #expect(try harness.finish().status == RunningHarness.refused)
            return nil
        }
        let report = try stealMemory(of: harness.identifier, value: value)
        harness.thaw()
        // The theft goes unnoticed: the program gets its value all the same.
        let end = try harness.finish()
        #expect(end.status == 0 && end.output == "40\n", "\(end)")
        return report
    }

    @Test(
        "a wrapper frozen mid-delivery: its tracer takes the region's descriptor and the value",
        arguments: ["attached", "notified"])
    func frozenMidDelivery(follow: String) throws {
        guard let hardened = try Self.stealMidDelivery(follow: follow, options: ["--harden"])
        else { return }
        if Attacker.isPrivileged {
            #expect(hardened.outcome == .leaked, "\(hardened)")
        } else {
            #expect(hardened.outcome == .refused && hardened.errorNumber == EPERM, "\(hardened)")
            // Control: the same user reaches a wrapper that has not made itself undumpable.
            let open = try Self.stealMidDelivery(follow: follow, options: [])
            let expected: AttackOutcome = Attacker.mayStealFromItself ? .leaked : .refused
            #expect(open?.outcome == expected, "\(String(describing: open))")
        }
    }

    @Test(
        "control: once the delivery is over the wrapper has no descriptor of a value left",
        arguments: ["attached", "notified"])
    func afterDelivery(follow: String) throws {
        let value = Self.canary()
        let script = "\(Self.printsLength); read -r line"
        let harness = try RunningHarness(script, value: value, follow: follow)
        guard harness.readLine() == "40" else {
            #expect(try harness.finish().status == RunningHarness.refused)
            return
        }
        let report = try Self.stealMemory(of: harness.identifier, value: value)
        let number = Attacker.isPrivileged ? EBADF : EPERM
        #expect(report.outcome == .refused && report.errorNumber == number, "\(report)")
        try harness.sendLine()
        #expect(try harness.finish().status == 0)
    }

    /// Says its process id, waits, and becomes a program that prints its environment.
    private static let executesLater = "echo $$; read -r line; exec cat /proc/self/environ"

    @Test("a stolen listener lets an exec pass, which puts the value on the ordinary stack")
    func stolenListener() throws {
        let value = Self.canary()
        let entry = "\(RunningHarness.name)=\(value)"
        let harness = try RunningHarness(
            Self.executesLater, value: value, follow: "notified")
        guard let program = pid_t(harness.readLine()) else {
            #expect(try harness.finish().status == RunningHarness.refused)
            return
        }
        guard Attacker.isPrivileged else {
            #expect(throws: StolenListener.Refusal(errorNumber: EPERM)) {
                try StolenListener(from: harness.identifier)
            }
            return try Self.expectDelivered(harness, value: value)
        }
        let listener = try StolenListener(from: harness.identifier)
        defer { listener.giveBack() }
        // Else the wrapper would be asked as well, and win or lose the race.
        #expect(harness.freeze())
        try harness.sendLine()
        #expect(listener.letNextCallPass() == program)
        // Its end tells that the image ran while the wrapper was frozen.
        #expect(Self.waitForState("ZX", of: program))
        harness.thaw()
        let end = try harness.finish()
        #expect(end.status == 0)
        #expect(end.output.split(separator: "\0").contains { $0 == entry }, "\(end)")
    }

    @Test(
        "control: without the theft the same exec shows the name without the value",
        arguments: ["attached", "notified"])
    func untouchedListener(follow: String) throws {
        let value = Self.canary()
        let harness = try RunningHarness(Self.executesLater, value: value, follow: follow)
        guard pid_t(harness.readLine()) != nil else {
            #expect(try harness.finish().status == RunningHarness.refused)
            return
        }
        try Self.expectDelivered(harness, value: value)
    }

    @Test("under attached a stolen listener is not asked: the exec waits for the frozen wrapper")
    func stolenListenerAttached() throws {
        let value = Self.canary()
        let harness = try RunningHarness(
            Self.executesLater, value: value, follow: "attached")
        guard let program = pid_t(harness.readLine()) else {
            #expect(try harness.finish().status == RunningHarness.refused)
            return
        }
        guard Attacker.isPrivileged else {
            #expect(throws: StolenListener.Refusal(errorNumber: EPERM)) {
                try StolenListener(from: harness.identifier)
            }
            return try Self.expectDelivered(harness, value: value)
        }
        let listener = try StolenListener(from: harness.identifier)
        defer { listener.giveBack() }
        #expect(harness.freeze())
        try harness.sendLine()
        #expect(Self.waitForState("t", of: program), "the exec stops for its tracer")
        #expect(!listener.isReadable)
        harness.thaw()
        try Self.expectDelivered(harness, value: value, sending: false)
    }

    /// Lets the script go on to its exec, whose environment must hold the name only.
    private static func expectDelivered(
        _ harness: RunningHarness, value: String, sending: Bool = true
    ) throws {
        if sending { try harness.sendLine() }
        let end = try harness.finish()
        let entries = end.output.split(separator: "\0")
        #expect(end.status == 0 && entries.contains { $0 == "\(RunningHarness.name)=" }, "\(end)")
        #expect(!end.output.contains(value))
    }

    /// Waits until the process is in one of the states of proc_pid_stat(5), or gone for `X`.
    /// False after a minute.
    private static func waitForState(_ states: String, of process: pid_t) -> Bool {
        for _ in 0..<60_000 {
            let text = TargetProcess.text("/proc/\(process)/stat")
            // The name in parentheses may hold anything.
            let state = text?.split(separator: ")").last?.dropFirst().first ?? "X"
            if states.contains(state) { return true }
            usleep(1000)
        }
        return false
    }
}
