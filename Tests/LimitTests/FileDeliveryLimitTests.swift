// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
import Foundation
import Glibc
import TestKit
import Testing

/// Under delivery mode `file` the program keeps a descriptor of each value open, and the
/// descriptor is the authority over the pages.
@Suite("Limits of file delivery", .serialized)
struct FileDeliveryLimitTests {
    private static let hasSecretMemory: Bool = {
        let descriptor = clinux_memfd_secret(UInt32(O_CLOEXEC))
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }()

    private static let announces = "echo $$; read -r line"

    /// Every descriptor of the program taken, mapped and searched for the value.
    private static func theft(options: [String]) throws -> AttackReport? {
        let value = String((0..<40).compactMap { _ in "abcdefghijklmnop".randomElement() })
        let harness = try RunningHarness(
            announces, value: value, follow: "attached", options: ["--harden"] + options)
        guard let program = pid_t(harness.readLine()) else {
            #expect(try harness.finish().status == RunningHarness.refused)
            return nil
        }
        let needle = try #require(Array(value.utf8).withUnsafeBytes { Needle(masking: $0) })
        let report = Attack(pid: program, needle: needle).run(.descriptorTheft)
        try harness.sendLine()
        #expect(try harness.finish().status == 0)
        return report
    }

    @Test(
        "file delivery: whoever may trace the program takes its descriptor and the value",
        .enabled(if: Attacker.isPrivileged && hasSecretMemory, "needs CAP_SYS_PTRACE here"),
        .evidence(
            "LIM-FILE-01", control: "under splice delivery the program has no such descriptor"))
    func stolenDescriptor() throws {
        let stolen = try #require(try Self.theft(options: ["--mode", "file"]))
        #expect(stolen.outcome == .leaked, "\(stolen)")
        Evidence.observe("root took the descriptor, mapped it and read the value")
        // The control of an attack that leaks is one that must not.
        let spliced = try #require(try Self.theft(options: []))
        Evidence.control(passed: spliced.outcome != .leaked)
    }

    @Test(
        "file delivery: another process of the same user takes it where the host lets it",
        .enabled(if: !Attacker.isPrivileged, "an ordinary user's attack"))
    func stolenByUser() throws {
        guard let stolen = try Self.theft(options: ["--mode", "file"]) else { return }
        let expected: AttackOutcome = Attacker.mayStealFromItself ? .leaked : .refused
        #expect(stolen.outcome == expected, "\(stolen)")
        guard let spliced = try Self.theft(options: []) else { return }
        #expect(spliced.outcome != .leaked, "\(spliced)")
    }

    @Test(
        "file delivery: another program maps the value by a descriptor inherited or handed over",
        arguments: [InsideVector.inheritedDescriptor, .descriptorPassing])
    func givenAway(vector: InsideVector) throws {
        func outcome(_ options: [String]) throws -> String? {
            let harness = try RunningHarness(
                "exec '\(ProgramRun.path(of: "attack"))' inside \(RunningHarness.name)",
                value: "canary-of-a-given-descriptor", follow: "attached",
                options: ["--harden"] + options)
            let end = try harness.finish()
            guard end.status != RunningHarness.refused else { return nil }
            let words = end.output.split(separator: "\n").map { $0.split(separator: " ") }
            return words.first { $0.first == Substring(vector.rawValue) }.map { String($0[1]) }
                ?? ""
        }
        guard let given = try outcome(["--mode", "file"]) else { return }
        #expect(given == AttackOutcome.leaked.rawValue)
        // Control: under splice there is no descriptor to give away.
        #expect(try outcome([]) == AttackOutcome.unavailable.rawValue)
    }
}
