package import AgentPorts
// SPDX-License-Identifier: Apache-2.0
package import Enforcement

/// What the operator decides.
package struct AgentSettings: Sendable, Equatable {
    package var policy: PolicySettings
    package var rate: EnforcementRate
    /// Between two heartbeats (seconds).
    package var heartbeatSeconds: UInt32
    /// Workloads are enrolled, too, where attackers are only killed and nothing is denied: whoever
    /// registers is told the tier.
    package var enrolsUnderSignal: Bool

    package static let rateUsual = EnforcementRate(perSecond: 100, burst: 200)
    package static let heartbeatSecondsUsual: UInt32 = 30

    package init(
        policy: PolicySettings = PolicySettings(), rate: EnforcementRate = rateUsual,
        heartbeatSeconds: UInt32 = heartbeatSecondsUsual, enrolsUnderSignal: Bool = false
    ) {
        self.policy = policy
        self.rate = rate
        self.heartbeatSeconds = heartbeatSeconds
        self.enrolsUnderSignal = enrolsUnderSignal
    }
}
