// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
@preconcurrency import Glibc

/// The wrapper registers with the real agent, and splices on its own tree as if nobody watched.
extension AgentSuite {
    private static let needles: [(setup: [String], delivery: String, index: UInt64)] = [
        (["CLOUDTASER_FOLLOW=attached"], "splice", 91),
        (["CLOUDTASER_FOLLOW=notified"], "splice", 92),
        ([], "environ", 93),
    ]

    /// Attacks that work on an unprotected application, as the suites of the wrapper show.
    private static let attacks: [AttackVector] = [
        .environ, .memory, .processVMReadv, .ptraceInject, .descriptorTheft, .memoryWrite,
    ]

    func wrapped(hasSecretMemory: Bool, seed: UInt64) {
        for (setup, delivery, index) in Self.needles where hasSecretMemory || delivery == "environ"
        {
            let tier = hasSecretMemory ? [] : ["CLOUDTASER_MINIMUM_TIER=locked"]
            let more = [
                "CLOUDTASER_AGENT=required", "CLOUDTASER_AGENT_SOCKET=\(Self.socketPath)",
            ]
            protected(delivery, Needle(seed: seed, index: index), index, setup + tier + more, seed)
        }
        refusedWithoutAgent(seed)
    }

    private func protected(
        _ delivery: String, _ needle: Needle, _ index: UInt64, _ setup: [String], _ seed: UInt64
    ) {
        let name = "the wrapper under the agent, \(delivery) \(setup.first ?? "")"
        guard let vault = GuestVault(seed: seed, needle: index) else {
            return report("VM-EBPF-01", name, "the vault did not start", false, "", true)
        }
        defer { vault.kill() }
        guard
            let application = Application(
                wrapped: needle, vault: vault, delivery: delivery, more: setup)
        else { return report("VM-EBPF-01", name, "did not start", false, "", true) }
        defer { application.end() }
        var wrong: [String] = []
        for (target, pid) in [
            ("application", application.pid), ("wrapper", application.wrapperPID),
        ] {
            for vector in Self.attacks {
                let seen = Attack(pid: pid, needle: needle).run(vector)
                if seen.outcome != .refused || ![EPERM, EACCES].contains(seen.errorNumber) {
                    wrong.append("\(target) \(vector.rawValue): \(MemorySuite.describe(seen))")
                }
            }
        }
        report(
            "VM-EBPF-01", name,
            "the value arrives: \(application.holdsNeedle); of \(2 * Self.attacks.count) attacks "
                + "not denied: \(wrong.isEmpty ? "none" : wrong.joined(separator: "; "))",
            application.holdsNeedle && wrong.isEmpty,
            "this process's environ: \(SelfTest.reads(getpid()))", SelfTest.reads(getpid()) == 0)
    }

    /// Nothing is fetched when the agent is required and none is there.
    private func refusedWithoutAgent(_ seed: UInt64) {
        guard let vault = GuestVault(seed: seed, needle: 94) else { return }
        defer { vault.kill() }
        let setup = [
            "CLOUDTASER_AGENT=required", "CLOUDTASER_AGENT_SOCKET=/tmp/nobody.sock",
            "CLOUDTASER_FETCH_SECONDS_MAX=0", "CLOUDTASER_MINIMUM_TIER=ordinary",
        ]
        let variables = vault.controlVariables(
            delivering: Application.variable, delivery: "environ")
        guard
            let child = ChildProcess(
                ["run", "--", Application.programPath, Application.variable],
                environment: variables + setup, path: Application.wrapperPath)
        else { return }
        let line = child.readLine()
        let status = child.reap()
        report(
            "VM-EBPF-01", "required, and no agent", "exit status \(status >> 8)",
            status >> 8 == 115 && line == nil, "", true)
    }
}
