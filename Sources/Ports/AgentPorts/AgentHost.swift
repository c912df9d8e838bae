// SPDX-License-Identifier: Apache-2.0
package import Ports

/// One connection that waits for an answer.
package typealias AgentConnection = UInt64

/// Who asks, by the kernel's word (SO_PEERCRED).
package struct AgentPeer: Sendable, Equatable {
    /// 0 for a process that the agent's process namespace does not show.
    package let process: ProcessID
    package let user: UInt32

    package init(process: ProcessID, user: UInt32) {
        self.process = process
        self.user = user
    }
}

/// What the agent's host has for it.
package enum AgentInput: Sendable, Equatable {
    /// A request on the registration socket, as far as it went or as `AgentRequest` knows its end.
    case registration(AgentConnection, AgentPeer, request: [UInt8])
    /// A request on the observation port.
    case request(AgentConnection, method: String, path: String)
    /// Records of attempts can be taken.
    case records
    /// The time that was waited for has come.
    case deadline
    /// SIGTERM or SIGINT: end in order.
    case end(signal: Int32)
    /// SIGHUP: read the configuration again.
    case reload
}

package enum AgentHostFailure: Error, Sendable, Equatable {
    case systemCall(String, errorNumber: Int32)
}

/// The agent's sockets, signals and clock.
///
/// Contract:
/// - `next` returns what came first, at most until `deadline`. Peers that say nothing, too much or
///   too slowly are dropped by the host and never seen here.
/// - An answer is sent as far as the peer takes it; a peer that has gone is no failure.
package protocol AgentHost: ~Copyable {
    mutating func next(until deadline: MonotonicTime) throws(AgentHostFailure) -> AgentInput
    mutating func answer(_ connection: AgentConnection, _ text: String)
    /// Whether the peer of the registration is still there: its number then still means it.
    mutating func isConnected(_ connection: AgentConnection) -> Bool
}
