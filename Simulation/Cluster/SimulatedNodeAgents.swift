// SPDX-License-Identifier: Apache-2.0
package import NodePorts
package import Protection
internal import Synchronization

/// `NodeAgents` straight on what agents would say, without HTTP.
package final class SimulatedNodeAgents: NodeAgents {
    /// What somebody answers who listens at an address.
    package struct Answer: Sendable, Equatable {
        package var status: Int
        package var body: [UInt8]

        package init(status: Int = 200, body: [UInt8]) {
            self.status = status
            self.body = body
        }
    }

    /// Called at the start of each call: takes the time that the network takes, and says whether
    /// the call fails.
    private let begin: @Sendable (NodeAddress) async -> AgentAnswerFailure?
    private let others: @Sendable (NodeAddress) -> Answer?
    private let answers = Mutex<[NodeAddress: Answer]>([:])

    /// - Parameter others: what is answered where nobody serves; nil: nobody listens there.
    package init(
        begin: @escaping @Sendable (NodeAddress) async -> AgentAnswerFailure? = { _ in nil },
        others: @escaping @Sendable (NodeAddress) -> Answer? = { _ in nil }
    ) {
        self.begin = begin
        self.others = others
    }

    /// - Parameter answer: nil: nobody serves there any more.
    package func serve(_ address: NodeAddress, _ answer: Answer?) {
        answers.withLock { $0[address] = answer }
    }

    package func protection(
        at address: NodeAddress
    ) async throws(AgentAnswerFailure) -> NodeProtection {
        guard !Task.isCancelled else { throw .cancelled }
        let fault = await begin(address)
        guard !Task.isCancelled else { throw .cancelled }
        if let fault { throw fault }
        guard let answer = answers.withLock({ $0[address] }) ?? others(address) else {
            throw .unreachable(detail: "cannot connect")
        }
        guard answer.status == 200 else { throw .unexpectedStatus(answer.status) }
        guard answer.body.count <= NodeProtection.documentBytesMax else {
            throw .tooLarge(limit: NodeProtection.documentBytesMax)
        }
        do throws(NodeProtection.Malformed) { return try NodeProtection(answer.body) } catch {
            throw .malformed(detail: error.detail)
        }
    }
}
