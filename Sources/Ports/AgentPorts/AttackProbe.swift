// SPDX-License-Identifier: Apache-2.0
package import AgentProtocol
package import Enforcement
package import Ports

/// What one attempt on the victim came to.
package enum ProbeOutcome: Sendable, Equatable {
    /// The call was let through.
    case through
    /// EPERM or EACCES.
    case denied
    /// Another error: the kernel has no such thing here, or cannot be asked.
    case failed(errorNumber: Int32)
    /// The attacker did not live to tell.
    case killed
}

/// Attacks a process of its own making, for the self-test.
///
/// Contract:
/// - The victim holds nothing worth having. It lives until `end`.
/// - An attempt is made by another process than the agent and than the victim, and changes nothing
///   that lasts.
package protocol AttackProbe: ~Copyable {
    /// Vectors that it can try.
    var vectors: [VectorNumber] { get }
    /// What the victim lets out when it is asked to, to be scanned for; nil: it has nothing.
    var scan: ScanRequest? { get }
    /// Starts a victim; throws the error number.
    mutating func begin() throws(AttackProbeFailure) -> ProcessID
    mutating func attempt(_ vector: VectorNumber) -> ProbeOutcome
    /// Many attempts by several attackers on one processor, who interrupt each other while they are
    /// judged: through as soon as one is, denied when none was until the time was over.
    mutating func race() -> ProbeOutcome
    mutating func end()
}

package enum AttackProbeFailure: Error, Sendable, Equatable {
    case noVictim(errorNumber: Int32)
}
