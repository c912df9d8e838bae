// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
package import Enforcement

/// What the operator decides.
package struct AgentSettings: Sendable, Equatable {
    package var policy: PolicySettings
    package var rate: EnforcementRate
    /// Between two heartbeats (seconds).
    package var heartbeatSeconds: UInt32
    /// Between two checkpoints, and between two tries to sign one (seconds).
    package var checkpointSeconds = checkpointSecondsUsual
    /// The tier that the operator named, nil for the best. Where it leaves something open
    /// (attackers are only killed, or come through while others are judged), workloads are enrolled
    /// only if it was named: whoever registers is told the tier.
    package var acceptedTier: EnforcementTier?
    /// What is done about a process that somebody has in hand already when it registers.
    package var badStart = BadStart.refuse

    package enum BadStart: String, Sendable, CaseIterable { case refuse, report }

    /// Index of the policy of all workloads; 0 is the machine's.
    package static let workloadPolicy: UInt32 = 2

    package static let rateUsual = EnforcementRate(perSecond: 100, burst: 200)
    package static let heartbeatSecondsUsual: UInt32 = 30
    package static let checkpointSecondsUsual: UInt32 = 60

    package init(
        policy: PolicySettings = PolicySettings(), rate: EnforcementRate = rateUsual,
        heartbeatSeconds: UInt32 = heartbeatSecondsUsual, acceptedTier: EnforcementTier? = nil
    ) {
        self.policy = policy
        self.rate = rate
        self.heartbeatSeconds = heartbeatSeconds
        self.acceptedTier = acceptedTier
    }
}
