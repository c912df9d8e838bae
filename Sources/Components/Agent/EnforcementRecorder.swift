// SPDX-License-Identifier: Apache-2.0
package import AgentProtocol
package import Ports

/// What the agent has to tell, as it happens. Never waits.
package protocol EnforcementRecorder: ~Copyable {
    mutating func started(_ status: AgentStatus)
    mutating func stopped(signal: Int32)
    mutating func record(_ record: EnforcementRecord)
    mutating func enrolled(_ id: EnrolmentID, _ peer: AgentPeer)
    mutating func refused(_ refusal: Registration.Refusal, _ peer: AgentPeer)
    mutating func failed(_ failure: EnforcementFailure)
    /// Called at least once a second.
    mutating func tick(protectedTasks: UInt32)
    var sinkFacts: [SinkFacts] { get }
}

/// How one sink stands.
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
