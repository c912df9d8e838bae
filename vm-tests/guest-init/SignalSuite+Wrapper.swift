// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
@preconcurrency import Glibc

/// The tier must not kill what it protects: the wrapper traces and writes into its own tree.
extension SignalSuite {
    private static let ways: [(setup: [String], delivery: String, index: UInt64)] = [
        (["CLOUDTASER_FOLLOW=attached"], "splice", 111),
        (["CLOUDTASER_FOLLOW=notified"], "splice", 112),
        ([], "environ", 113),
    ]

    func wrapped() {
        for way in Self.ways where hasSecretMemory || way.delivery == "environ" {
            let tier = hasSecretMemory ? [] : ["CLOUDTASER_MINIMUM_TIER=locked"]
            let agent = [
                "CLOUDTASER_AGENT=required", "CLOUDTASER_AGENT_SOCKET=\(AgentSuite.socketPath)",
            ]
            protected(way.delivery, way.index, way.setup + tier + agent)
        }
    }

    private func protected(_ delivery: String, _ index: UInt64, _ setup: [String]) {
        let name = "the wrapper under signal, \(delivery) \(setup.first ?? "")"
        let needle = Needle(seed: seed, index: index)
        guard let vault = GuestVault(seed: seed, needle: index) else {
            return report(Self.limit, name, "the vault did not start", false, "", true)
        }
        defer { vault.kill() }
        guard
            let application = Application(
                wrapped: needle, vault: vault, delivery: delivery, more: setup)
        else { return report(Self.limit, name, "it did not start", false, "", true) }
        defer { application.end() }
        let readers = [application.pid, application.wrapperPID].map(reader)
        let other = reader(of: vault.process.pid)
        report(
            Self.limit, name,
            "the value arrives: \(application.holdsNeedle); who reads the environment of "
                + "application and wrapper ends with \(readers)",
            application.holdsNeedle && readers == [SIGKILL, SIGKILL],
            "who reads the vault's ends with \(other)", other == 0)
    }
}
