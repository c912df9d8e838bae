// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import AgentSelfTest
import Enforcement
import LibbpfKernel

/// Which form of the programs the self-test shows to deny most on this kernel.
enum FormChoice {
    typealias Tested = (tier: EnforcementTier, findings: [VectorFinding])

    /// - Parameter wanted: the form that the operator named, nil for the best.
    static func best(
        _ wanted: EnforcementTier? = nil
    ) throws(EnforcementFailure) -> Tested {
        if let wanted { return (wanted, try test(wanted)) }
        var failure = EnforcementFailure.notPermitted
        var best: Tested?
        for tier in EnforcementTier.denying {
            do throws(EnforcementFailure) {
                let findings = try test(tier)
                // The other form is the same programs at the same hooks, and may be passed over.
                if has(.denied, findings) { return (tier, findings) }
                if best == nil || has(.interrupted, findings) { best = (tier, findings) }
            } catch { failure = error }
        }
        // What is denied most times is more than a signal afterwards.
        if let best, has(.interrupted, best.findings) { return best }
        // Nothing denies here. What is left is to see, and to end whoever attacks.
        do throws(EnforcementFailure) {
            let findings = try test(.signal)
            if has(.killed, findings) { return (.signal, findings) }
        } catch { if best == nil { throw failure } }
        guard let best else { throw failure }
        return best
    }

    private static func has(
        _ result: VectorFinding.Result, _ findings: [VectorFinding]
    ) -> Bool {
        findings.contains { $0.result == result }
    }

    private static func test(
        _ tier: EnforcementTier
    ) throws(EnforcementFailure) -> [VectorFinding] {
        var kernel = try LibbpfKernel(tier: tier)
        var probe = LinuxAttackProbe()
        // A bystander who loads a program meanwhile would be killed, and not only refused.
        return tier == .signal
            ? try SelfTest.runOnRunning(&kernel, &probe)
            : try SelfTest.run(&kernel, &probe, isRacing: tier == .modifyReturn)
    }
}
