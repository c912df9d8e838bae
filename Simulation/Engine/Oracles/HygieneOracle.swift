// SPDX-License-Identifier: Apache-2.0
internal import Ports

/// A request went out.
package struct RequestSent: SimulationFact {
    package let client: String
    /// Whom it asks; what belongs together for limits (`vault`, `kubernetes`).
    package let server: String

    package init(client: String, server: String) {
        self.client = client
        self.server = server
    }

    package var summary: String? { "\(client) asks \(server)" }
}

/// A server asked a client to wait (Retry-After).
package struct RetryAfterReceived: SimulationFact {
    package let client: String
    package let server: String
    package let delay: Duration

    package init(client: String, server: String, delay: Duration) {
        self.client = client
        self.server = server
        self.delay = delay
    }

    package var summary: String? { "\(client) is to leave \(server) alone for \(delay)" }
}

/// Nobody floods a server or ignores Retry-After. A client that crashed and came back cannot know
/// what the last incarnation was told; the limit of requests holds for both together.
package final class HygieneOracle: Oracle {
    private struct Pair: Hashable {
        let client: String
        let server: String
    }

    package let name = "api-hygiene"
    /// Requests of one client to one server in any minute.
    package var requestsPerMinuteMax = 60
    private var sent: [Pair: [MonotonicTime]] = [:]
    private var notBefore: [Pair: MonotonicTime] = [:]
    private var flooded: Set<Pair> = []

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(RetryAfterReceived.self) { [self, unowned registry] answer in
            let pair = Pair(client: answer.client, server: answer.server)
            notBefore[pair] = registry.now.advanced(by: answer.delay)
        }
        registry.on(ComponentStarted.self) { [self] started in
            notBefore = notBefore.filter { $0.key.client != started.component }
        }
        registry.on(RequestSent.self) { [self, unowned registry] in judge($0, registry) }
    }

    private func judge(_ request: RequestSent, _ registry: OracleRegistry) {
        let pair = Pair(client: request.client, server: request.server)
        let now = registry.now
        if let allowed = notBefore[pair], now < allowed {
            notBefore[pair] = nil
            registry.report(
                name,
                "\(request.client) asked \(request.server) before \(allowed.seconds) "
                    + "against Retry-After")
        }
        var times = sent[pair] ?? []
        times.removeAll { $0.advanced(by: .seconds(60)) <= now }
        times.append(now)
        sent[pair] = times
        if times.count > requestsPerMinuteMax, flooded.insert(pair).inserted {
            registry.report(
                name,
                "\(request.client) sent \(request.server) more than "
                    + "\(requestsPerMinuteMax) requests in a minute")
        }
    }

    package func finish() {}
}
