// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
@preconcurrency import Glibc

extension WrapperSuite {
    /// WrapperExit.secretMemoryUnavailable: the code users see.
    private static let secretMemoryUnavailable: Int32 = 109

    /// VM-MEM-12 for the wrapper on a kernel without memfd_secret.
    func fallback() {
        guard let vault = GuestVault(seed: seed, needle: Self.wrappedNeedle) else {
            return failed("VM-MEM-12", "the vault did not start")
        }
        defer { vault.kill() }
        let refused = runToEnd(vault, minimumTier: nil)
        let accepting = runToEnd(vault, minimumTier: "locked")
        host.report(
            CaseResult(
                id: "VM-MEM-12", name: "wrapper without memfd_secret",
                observation: "exit \(refused.code), \(refused.reason)",
                expected: refused.code == Self.secretMemoryUnavailable && !refused.started
                    && refused.reason.contains("locked is the best to be had"),
                control: "told to accept locked memory, for splice delivery: exit "
                    + "\(accepting.code), \(accepting.reason)",
                controlPassed: accepting.code != refused.code && !accepting.started
                    && accepting.reason.contains("memfd_secret")))
        accepted(vault)
    }

    /// Locked memory is no secret memory: started knowingly, the wrapper's own copy is read.
    private func accepted(_ vault: GuestVault) {
        let needle = Needle(seed: seed, index: Self.wrappedNeedle)
        guard
            let application = Application(
                wrapped: needle, vault: vault, delivery: "environ",
                more: ["CLOUDTASER_MINIMUM_TIER=locked"]),
            application.holdsNeedle
        else { return failed("VM-MEM-12", "the wrapper did not accept locked memory") }
        defer { application.end() }
        let seen = application.attackWrapper(.memory)
        let other = Needle(seed: seed, index: Self.classicNeedle)
        let control = Attack(pid: application.wrapperPID, needle: other).run(.memory)
        let claims: Bool
        if case .success(let mappings) = TargetProcess.mappings(of: application.wrapperPID) {
            claims = mappings.contains(where: \.isSecret)
        } else {
            claims = true
        }
        host.report(
            CaseResult(
                id: "VM-MEM-12", name: "wrapper told to accept locked memory",
                observation: "mem of the wrapper: \(MemorySuite.describe(seen))"
                    + " (tier locked: the leak is expected)",
                expected: seen.outcome == .leaked && !claims,
                control: "a value it never had: \(MemorySuite.describe(control))",
                controlPassed: control.outcome == .absent))
    }

    /// Runs the wrapper with splice delivery until it ends. Its exit code, whether the application
    /// ran, and the line of its message that says what happened.
    private func runToEnd(
        _ vault: GuestVault, minimumTier: String?
    ) -> (code: Int32, started: Bool, reason: String) {
        let tier = minimumTier.map { ["CLOUDTASER_MINIMUM_TIER=\($0)"] } ?? []
        guard
            let child = ChildProcess(
                ["run", "--", Application.programPath, Application.variable],
                environment: vault.controlVariables(
                    delivering: Application.variable, delivery: "splice") + tier,
                path: Application.wrapperPath, joiningErrors: true)
        else { return (-1, false, "the wrapper could not be executed") }
        var started = false
        var reason = "no message"
        while let line = child.readLine() {
            if line.hasPrefix("ready") {
                started = true
                kill(child.pid, SIGKILL)
            }
            let words = line.split(separator: " ")
            if words.first == "what:" { reason = words.dropFirst().joined(separator: " ") }
        }
        let status = child.reap()
        return ((status >> 8) & 0xFF, started, reason)
    }
}
