// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import KubernetesPorts
internal import Synchronization

/// What came of asking a webhook.
package enum AdmissionAnswer: Sendable, Equatable {
    case answered([UInt8])
    case unreachable
    case timedOut
}

/// Answers AdmissionReviews at an address.
package typealias AdmissionEndpoint =
    @Sendable (_ review: [UInt8], _ timeoutSeconds: Int) async -> AdmissionAnswer

/// One API server that several clients talk to, and that outlives them.
package final class SimulatedCluster: Sendable {
    private struct State {
        var server: SimulatedAPIServer
        var endpoints: [String: AdmissionEndpoint] = [:]
    }

    private let state: Mutex<State>

    package init(_ server: SimulatedAPIServer = SimulatedAPIServer()) {
        state = Mutex(State(server: server))
    }

    package func withServer<Result: Sendable>(
        _ body: (inout SimulatedAPIServer) -> sending Result
    ) -> Result {
        state.withLock { body(&$0.server) }
    }

    /// Who answers at an address (`SimulatedAPIServer.Webhook.address`); nil: nobody.
    package func serve(_ address: String, _ endpoint: AdmissionEndpoint?) {
        state.withLock { $0.endpoints[address] = endpoint }
    }

    func endpoint(_ address: String) -> AdmissionEndpoint? {
        state.withLock { $0.endpoints[address] }
    }

    /// As `withServer`, with refusals as the port has them.
    func attempt<Result: Sendable>(
        _ path: String,
        _ body: (inout SimulatedAPIServer) throws(SimulatedAPIServer.Refusal) -> Result
    ) throws(KubernetesFailure) -> Result {
        let outcome = state.withLock { state -> Swift.Result<Result, SimulatedAPIServer.Refusal> in
            do throws(SimulatedAPIServer.Refusal) {
                return .success(try body(&state.server))
            } catch { return .failure(error) }
        }
        switch outcome {
        case .success(let result): return result
        case .failure(let refusal):
            throw KubernetesFailure(
                status: refusal.status.code, refusal.status, path: path)
        }
    }

    /// Asks the webhooks about a write, one after the other, and those that want it again when
    /// a later one has changed the object.
    func admit(
        _ pending: SimulatedAPIServer.Pending
    ) async throws(KubernetesFailure) -> SimulatedAPIServer.Pending {
        var pending = pending
        let webhooks = withServer { $0.webhooks(for: pending) }
        var count = 0
        var seen: [String: [UInt8]] = [:]
        for webhook in webhooks where webhook.mayChange {
            pending = try await ask(webhook, about: pending, count: &count)
            seen[webhook.name] = pending.object.rendered()
        }
        for webhook in webhooks where webhook.isReinvoked {
            guard seen[webhook.name] != pending.object.rendered() else { continue }
            pending = try await ask(webhook, about: pending, count: &count)
        }
        for webhook in webhooks where !webhook.mayChange {
            pending = try await ask(webhook, about: pending, count: &count)
        }
        return pending
    }

    private func ask(
        _ webhook: SimulatedAPIServer.Webhook, about pending: SimulatedAPIServer.Pending,
        count: inout Int
    ) async throws(KubernetesFailure) -> SimulatedAPIServer.Pending {
        count += 1
        let number = count
        let (uid, body) = withServer { $0.review(pending, count: number) }
        let answer: AdmissionAnswer
        if let endpoint = endpoint(webhook.address) {
            answer = await endpoint(body, webhook.timeoutSeconds)
        } else {
            answer = .unreachable
        }
        return try attempt(pending.reference.name) {
            server throws(SimulatedAPIServer.Refusal) in
            var changed = pending
            switch answer {
            case .answered(let bytes):
                try server.apply(answer: bytes, of: webhook, uid: uid, to: &changed)
            case .unreachable: try server.apply(failure: "connection refused", of: webhook)
            case .timedOut: try server.apply(failure: "context deadline exceeded", of: webhook)
            }
            return changed
        }
    }
}
