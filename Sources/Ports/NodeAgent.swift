// SPDX-License-Identifier: Apache-2.0

/// What the agent answered.
package struct NodeRegistration: Sendable, Equatable {
    package let enrolment: UInt32
    /// `lsm`, `fmod_ret`: what denies on this node.
    package let tier: String
    /// Whether this node can scan what the process and its children write and send.
    package let canScan: Bool

    package init(enrolment: UInt32, tier: String, canScan: Bool) {
        self.enrolment = enrolment
        self.tier = tier
        self.canScan = canScan
    }
}

/// Why this process is not under the agent's protection.
package enum NodeAgentFailure: Error, Sendable, Equatable {
    /// Nobody listens at the agent's socket, or there is none.
    case absent(errorNumber: Int32)
    /// The agent says no; `reason` is its word.
    case refused(reason: String)
    /// It did not answer in time.
    case timedOut
    /// It answered with what no agent says.
    case malformed
    case systemCall(String, errorNumber: Int32)

    /// Whether the same may work a little later.
    package var isTransient: Bool {
        switch self {
        case .absent, .timedOut, .systemCall: true
        case .refused(let reason): ["full", "failed", "gone", "unguarded"].contains(reason)
        case .malformed: false
        }
    }
}

/// The agent of this node, seen by who wants its protection.
///
/// Contract:
/// - `register` puts this process, all its threads and all that they start from now on under the
///   agent's protection, or throws and changes nothing.
/// - After `scan` what they write and send is scanned for the values of that index, and of no
///   earlier one; or it throws and changes nothing. It comes after `register`.
/// - Each takes a few seconds at most.
package protocol NodeAgent: ~Copyable {
    mutating func register() throws(NodeAgentFailure) -> NodeRegistration

    mutating func scan(_ scan: OutputScan) throws(NodeAgentFailure)
}
