// SPDX-License-Identifier: Apache-2.0
package import Enforcement
package import EnforcementEvents

/// How one sink of events stands.
package struct SinkFacts: Sendable, Equatable {
    package let name: String
    package let delivered: UInt64
    package let lost: UInt64
    package let waiting: UInt64

    package init(name: String, delivered: UInt64, lost: UInt64, waiting: UInt64) {
        self.name = name
        self.delivered = delivered
        self.lost = lost
        self.waiting = waiting
    }
}

/// Where the agent tells what happens.
///
/// Contract:
/// - No call waits for whoever reads: what cannot be passed on at once is kept up to a limit, and
///   counted beyond it.
/// - A failure to tell changes nothing about what is enforced.
package protocol EnforcementRecorder: ~Copyable {
    /// - Parameters:
    ///   - denied: vectors that the self-test saw denied.
    ///   - open: vectors that came through on a protected process.
    ///   - generation: of the policy; counts its changes, from 1.
    mutating func started(
        tier: EnforcementTier, denied: Int, open: [VectorNumber], generation: UInt32)
    /// Records that found no room while no agent took any.
    mutating func lost(whileAway count: UInt64)
    mutating func stopped(signal: Int32)
    /// - Parameter missing: sequence numbers of the same processor that did not arrive before it.
    mutating func record(_ record: EnforcementRecord, missing: ClosedRange<UInt64>?)
    mutating func enrolled(_ id: EnrolmentID, _ peer: AgentPeer)
    /// - Parameter reason: one word of ours.
    mutating func refused(_ reason: String, _ peer: AgentPeer)
    /// A process was enrolled although somebody had a hand in it before.
    mutating func suspected(_ reason: String, _ peer: AgentPeer)
    /// A vector is enforced in another way than when an agent was last here.
    mutating func tierChanged(_ vector: VectorNumber, from: EventTier, to: EventTier)
    /// Another policy is in force; told once.
    mutating func policyChanged(generation: UInt32, mode: PolicySettings.Mode)
    mutating func failed(_ failure: EnforcementFailure)
    /// - Parameter reason: what could not be done, and what is done instead.
    mutating func failed(reloading reason: String)
    /// Called at least once a second.
    mutating func tick(protectedTasks: UInt32)
    var sinks: [SinkFacts] { get }
    /// Checkpoints that could not be signed, each tried again later.
    var unsignedCheckpoints: UInt64 { get }
    /// Events that told a loss, of whatever.
    var toldLosses: UInt64 { get }
    /// The last line of the chain of events; nil before the first.
    var lastLine: EventLink? { get }
}
