// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AttackPrograms
import CBPFPrograms
import Enforcement
import EnforcementEvents
@preconcurrency import Glibc
import LibbpfKernel
import Ports

/// System calls past every hook, made by a protected process without a seccomp filter: answered
/// where the kernel lets a program replace their result.
struct CallSuite {
    /// Ways out, and the function of the system call that each needs.
    private static let ways: [(vector: InsideVector, hook: String)] = [
        (.pipePages, "vmsplice"), (.pipeCopy, "tee"), (.pipeToPipe, "splice"),
    ]
    private static let needle: UInt64 = 98
    private static let id = "VM-EBPF-11"

    let host: Host
    let seed: UInt64

    func run() {
        do throws(EnforcementFailure) {
            guard let tier = EnforcementTier.denying.first(where: works) else {
                return failed("system calls", "no form of program denies anything")
            }
            var guarded = try GuardedKernel(tier: tier)
            try entries(guarded.kernel.hooks)
            for way in Self.ways { try play(way.vector, way.hook, &guarded) }
        } catch { failed("system calls", "\(error)") }
    }

    private func works(_ tier: EnforcementTier) -> Bool {
        do throws(EnforcementFailure) {
            var guarded = try GuardedKernel(tier: tier)
            return guarded.works()
        } catch { return false }
    }

    private func failed(_ name: String, _ why: String) {
        host.report(
            CaseResult(
                id: Self.id, name: name, observation: why, expected: false, control: "",
                controlPassed: true))
    }

    /// What the kernel says of each entry point, and whether the programs are those that it takes.
    private func entries(_ hooks: [String]) throws(EnforcementFailure) {
        let native = KernelProfile.replacementError("__x64_sys_vmsplice")
        let compatible = KernelProfile.replacementError("__ia32_sys_vmsplice")
        let ways = Self.ways.map(\.hook)
        let attached = ways.filter(hooks.contains)
        // Control: a function of no system call, that every kernel with trampolines lets be
        // answered.
        let control = KernelProfile.replacementError("security_file_open")
        host.report(
            CaseResult(
                id: Self.id, name: "entry points",
                observation: "a program for __x64_sys_vmsplice: \(SystemError.name(of: native)), "
                    + "for the 32-bit entry: \(SystemError.name(of: compatible)); attached: "
                    + "\(attached)",
                expected: attached == (native == 0 ? ways : []) && compatible != 0,
                control: "for security_file_open: \(SystemError.name(of: control))",
                controlPassed: control == 0))
    }

    private func play(
        _ vector: InsideVector, _ hook: String, _ guarded: inout GuardedKernel
    ) throws(EnforcementFailure) {
        guard let number = VectorNumber(vector.rawValue) else { return }
        let isAnswered = guarded.kernel.hooks.contains(hook)
        var policy = EnforcementPolicy.enforcing
        do throws(EnforcementPolicyFailure) { policy = try policy.setting(number, to: .deny) } catch
        {
            return failed(vector.rawValue, "\(error)")
        }
        try guarded.set(policy)
        let plain = give(vector, enrolled: false, &guarded)
        let denied = give(vector, enrolled: true, &guarded)
        try guarded.set(.enforcing.setting(detecting: number))
        let observed = give(vector, enrolled: true, &guarded)
        guard let plain, let denied, let observed else {
            return failed(vector.rawValue, "the hostage did not start")
        }
        let told = denied.books.records(of: number)
        let seen = observed.books.records(of: number)
        let isTold =
            isAnswered
            ? told.count >= 1 && seen.count >= 1
                && told.allSatisfy { $0.verdict == .denied && $0.tier == .systemCall }
                && seen.allSatisfy { $0.verdict == .observed }
                && (told + seen).allSatisfy {
                    $0.hook == "system_call" && $0.actor.group == $0.target?.group
                }
            : told.isEmpty && seen.isEmpty
        host.report(
            CaseResult(
                id: Self.id, name: "\(vector.rawValue), \(hook)",
                observation: "protected, denied: \(SystemError.name(of: -denied.answer)) with "
                    + "\(told.count) events; only reported: "
                    + "\(SystemError.name(of: -observed.answer)) with \(seen.count)"
                    + (isAnswered ? "" : "; this kernel lets nobody answer the call"),
                expected: denied.answer == (isAnswered ? -EPERM : 0) && observed.answer == 0
                    && isTold,
                control: "without protection: \(SystemError.name(of: -plain.answer)), "
                    + "\(plain.books.records.count) events",
                controlPassed: plain.answer == 0 && plain.books.records.isEmpty))
    }

    private func give(
        _ vector: InsideVector, enrolled: Bool, _ guarded: inout GuardedKernel
    ) -> (answer: Int32, books: Books)? {
        guard let hostage = Hostage(Needle(seed: seed, index: Self.needle)) else { return nil }
        defer { hostage.end() }
        if enrolled { guard !guarded.enrol(hostage.pid).isEmpty else { return nil } }
        guarded.openBooks()
        guard let answer = hostage.obey("give \(vector.rawValue)") else { return nil }
        return (answer, guarded.closeBooks())
    }
}

extension EnforcementPolicy {
    /// The vector has a hook: the caller has asked before.
    fileprivate func setting(detecting vector: VectorNumber) -> EnforcementPolicy {
        do throws(EnforcementPolicyFailure) { return try setting(vector, to: .detect) } catch {
            return self
        }
    }
}

extension KernelProfile {
    /// 0 where the kernel takes a program that replaces the function's result, or its error number.
    static func replacementError(_ function: String) -> Int32 {
        var agent: OpaquePointer?
        let opened = cbpf_agent_open(&agent)
        guard opened == 0, let agent else { return -opened }
        defer { cbpf_agent_close(agent) }
        return -cbpf_agent_takes_replacement(agent, function)
    }
}
