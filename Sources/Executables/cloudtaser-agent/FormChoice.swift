// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import AgentSelfTest
import Enforcement
import LibbpfKernel

/// Which form of the programs the self-test shows to deny most on this kernel.
enum FormChoice {
    struct Tested: ~Copyable {
        let tier: EnforcementTier
        let findings: [VectorFinding]
        /// The programs that were tested, loaded still; nil: others were tested after them.
        let kernel: LibbpfKernel?

        consuming func intoKernel() -> LibbpfKernel? { kernel }
    }

    /// - Parameter wanted: the form that the operator named, nil for the best.
    static func best(
        _ wanted: EnforcementTier? = nil
    ) throws(EnforcementFailure) -> Tested {
        if let wanted { return try test(wanted) }
        var failure = EnforcementFailure.notPermitted
        var best: (tier: EnforcementTier, findings: [VectorFinding])?
        for tier in EnforcementTier.denying {
            do throws(EnforcementFailure) {
                let tested = try test(tier)
                // The other form is the same programs at the same hooks, and may be passed over.
                if has(.denied, tested.findings) { return tested }
                if best == nil || has(.interrupted, tested.findings) {
                    best = (tier, tested.findings)
                }
            } catch { failure = error }
        }
        // What is denied most times is more than a signal afterwards.
        if best.map({ has(.interrupted, $0.findings) }) != true {
            // Nothing denies here. What is left is to see, and to end whoever attacks.
            do throws(EnforcementFailure) {
                let tested = try test(.signal)
                if has(.killed, tested.findings) { return tested }
            } catch { if best == nil { throw failure } }
        }
        guard let best else { throw failure }
        return Tested(tier: best.tier, findings: best.findings, kernel: nil)
    }

    private static func has(
        _ result: VectorFinding.Result, _ findings: [VectorFinding]
    ) -> Bool {
        findings.contains { $0.result == result }
    }

    private static func test(_ tier: EnforcementTier) throws(EnforcementFailure) -> Tested {
        var kernel = try LibbpfKernel(tier: tier)
        var probe = LinuxAttackProbe()
        // A bystander who loads a program meanwhile would be killed, and not only refused.
        let findings =
            tier == .signal
            ? try SelfTest.runOnRunning(&kernel, &probe)
            : try SelfTest.run(&kernel, &probe, isRacing: tier == .modifyReturn)
        return Tested(tier: tier, findings: findings, kernel: kernel)
    }
}
