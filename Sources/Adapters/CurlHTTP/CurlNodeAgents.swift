// SPDX-License-Identifier: Apache-2.0
package import NodePorts
package import Protection

/// `NodeAgents` by libcurl.
package struct CurlNodeAgents: NodeAgents {
    private let time: Duration

    /// - Parameter time: of one question.
    package init(time: Duration = .seconds(5)) { self.time = time }

    package func protection(
        at address: NodeAddress
    ) async throws(AgentAnswerFailure) -> NodeProtection {
        let request = CurlRequest(
            url: "http://\(address)/workloads", time: time, connectTime: time,
            bytesMax: NodeProtection.documentBytesMax, isWithoutTLS: true)
        let answer: CurlAnswer
        do throws(CurlFailure) {
            answer = try await CurlSession().perform(request)
        } catch {
            switch error {
            case .cancelled: throw .cancelled
            case .timedOut: throw .timedOut
            case .tooLarge: throw .tooLarge(limit: NodeProtection.documentBytesMax)
            case .tls(let detail), .unreachable(let detail), .invalid(let detail):
                throw .unreachable(detail: detail)
            }
        }
        guard answer.status == 200 else { throw .unexpectedStatus(answer.status) }
        do throws(NodeProtection.Malformed) {
            return try NodeProtection(answer.body)
        } catch { throw .malformed(detail: error.detail) }
    }
}
