// SPDX-License-Identifier: Apache-2.0

/// What the agent answered.
package struct NodeRegistration: Sendable, Equatable {
    package let enrolment: UInt32
    /// `lsm`, `fmod_ret`: what denies on this node.
    package let tier: String

    package init(enrolment: UInt32, tier: String) {
        self.enrolment = enrolment
        self.tier = tier
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
/// - It takes a few seconds at most.
package protocol NodeAgent: ~Copyable {
    mutating func register() throws(NodeAgentFailure) -> NodeRegistration
}
