// SPDX-License-Identifier: Apache-2.0
package import Ports
package import SimulationEngine

/// A candidate does what only the leader may do.
package struct LeaderActed: SimulationFact {
    package let candidate: String
    /// Until when it believes that it leads.
    package let until: MonotonicTime

    package init(_ candidate: String, until: MonotonicTime) {
        self.candidate = candidate
        self.until = until
    }

    /// Too many for lines of their own.
    package var summary: String? { nil }
}

/// A candidate has stopped leading, and knows it.
package struct LeaderEnded: SimulationFact {
    package let candidate: String

    package init(_ candidate: String) { self.candidate = candidate }

    package var summary: String? { candidate }
}

/// Nobody acts as the leader while another one still may. A crash gives nothing back: who acts
/// before a crashed leader's time is over could not know that it crashed.
package final class SingleLeaderOracle: Oracle {
    package let name = "single-leader"
    /// In the order of their first act.
    private var claims: [(candidate: String, until: MonotonicTime)] = []

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(LeaderEnded.self) { [self] ended in
            claims.removeAll { $0.candidate == ended.candidate }
        }
        registry.on(LeaderActed.self) { [self, unowned registry] act in
            for claim in claims where claim.candidate != act.candidate {
                guard registry.now < claim.until else { continue }
                registry.report(
                    name, "\(act.candidate) acts as the leader while \(claim.candidate) may")
            }
            claims.removeAll { $0.candidate == act.candidate }
            claims.append((act.candidate, act.until))
        }
    }

    package func finish() {}
}
