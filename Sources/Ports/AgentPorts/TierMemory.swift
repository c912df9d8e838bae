// SPDX-License-Identifier: Apache-2.0
package import Enforcement
package import EnforcementEvents

/// Why the tiers of the last run are not to be had, or this run's cannot be kept.
package struct TierMemoryFailure: Error, Sendable, Equatable {
    package let text: String

    package init(text: String) { self.text = text }
}

/// Keeps what the self-test measured from one run of the agent to the next, over restarts of the
/// machine.
///
/// Contract:
/// - `read` gives what was last written; nothing before the first `write`.
/// - `write` replaces all of it, or throws and changes nothing.
package protocol TierMemory: Sendable {
    mutating func read() throws(TierMemoryFailure) -> [VectorNumber: EventTier]
    mutating func write(_ tiers: [VectorNumber: EventTier]) throws(TierMemoryFailure)
}
