// SPDX-License-Identifier: Apache-2.0
package import Protection

/// Why an agent did not tell. Never with a text of whoever answered.
package enum AgentAnswerFailure: Error, Sendable, Hashable {
    /// No connection, or one that broke off.
    case unreachable(detail: String)
    case timedOut
    /// Another status of HTTP than 200: no agent, or one of another version.
    case unexpectedStatus(Int)
    case tooLarge(limit: Int)
    /// No answer that an agent gives.
    case malformed(detail: String)
    case cancelled

    /// For whoever reads a report.
    package var shown: String {
        switch self {
        case .unreachable(let detail): "it is not available: \(detail)"
        case .timedOut: "it does not answer in time"
        case .unexpectedStatus(let status): "it answers with the status \(status)"
        case .tooLarge(let limit): "its answer is larger than \(limit) bytes"
        case .malformed(let detail): "its answer \(detail)"
        case .cancelled: "the question was given up"
        }
    }
}

/// The agents of a cluster's nodes, asked at their observation ports.
///
/// Contract:
/// - One question is one `GET /workloads`. Nothing is sent that says who asks, and no redirect is
///   followed: whoever has the address learns nothing and leads nowhere.
/// - It ends within the adapter's limit of time and reads at most
///   `NodeProtection.documentBytesMax`. Nothing is asked twice.
/// - An answer is understood as a whole, or it is `malformed`.
/// - Cancelling the task ends the call with `cancelled`.
package protocol NodeAgents: Sendable {
    func protection(
        at address: NodeAddress
    ) async throws(AgentAnswerFailure) -> NodeProtection
}
