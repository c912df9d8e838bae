// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
@preconcurrency import Glibc

/// The wrapper hands its values' index over, the real agent has it scanned for, and the
/// application's own code lets the value out.
extension AgentSuite {
    private static let attackPath = "/bin/attack"
    /// What each kernel that scans sees.
    private static let scanned: [InsideVector] = [
        .fileWrite, .standardOutput, .streamSend, .messagesOnStream, .messagesToOneAddress,
    ]
    /// Seen by nobody.
    private static let exposed = InsideVector.sharedMemory

    func leaking(hasSecretMemory: Bool, seed: UInt64) {
        guard hasSecretMemory else { return }
        let agent = ["CLOUDTASER_AGENT=required", "CLOUDTASER_AGENT_SOCKET=\(Self.socketPath)"]
        let control = outcomes(["CLOUDTASER_AGENT=none"], seed)
        for follow in ["attached", "notified"] {
            let seen = outcomes(agent + ["CLOUDTASER_FOLLOW=\(follow)"], seed)
            let denied = Self.scanned.filter { seen[$0] == "refused \(EPERM)" }
            let leaked = Self.scanned.filter { control[$0] == "leaked 0" }
            report(
                "VM-EBPF-07", "the wrapper's values, \(follow)",
                "\(denied.count) of \(Self.scanned.count) ways denied; stores to shared memory: "
                    + (seen[Self.exposed] ?? "none"),
                denied.count == Self.scanned.count && seen[Self.exposed] == "leaked 0",
                "without the agent \(leaked.count) ways leak of \(control.count) played",
                leaked.count == Self.scanned.count)
        }
        let page = HTTPProbe.get("/metrics")
        let isOver = page.contains("\ncloudtaser_agent_scan_active 1\n")
        report("VM-EBPF-07", "the agent says that it scans", "\(isOver)", isOver, "", true)
    }

    /// What `attack inside` says of each way, under the wrapper.
    private func outcomes(_ setup: [String], _ seed: UInt64) -> [InsideVector: String] {
        guard let vault = GuestVault(seed: seed, needle: 96) else { return [:] }
        defer { vault.kill() }
        let variables = vault.controlVariables(
            delivering: Application.variable, delivery: "splice")
        guard
            let child = ChildProcess(
                ["run", "--", Self.attackPath, "inside", Application.variable],
                environment: variables + setup, path: Application.wrapperPath)
        else { return [:] }
        var found: [InsideVector: String] = [:]
        for result in child.insideResults() {
            guard let vector = InsideVector(rawValue: result.id) else { continue }
            found[vector] = "\(result.outcome) \(result.errorNumber)"
        }
        return found
    }
}
