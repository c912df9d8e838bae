// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
package import NodePorts
package import Protection

/// How calls behave.
package struct NodeAgentSettings: Sendable, Equatable {
    /// Of one question, connecting included.
    package var requestTime = Duration.seconds(5)
    package var connectTime = Duration.seconds(2)

    package init() {}
}

/// `NodeAgents` over HTTP/1.1 without TLS, as the agents' observation ports speak it.
package final class NodeAgentHTTP: NodeAgents {
    private let settings: NodeAgentSettings
    private let client: HTTPClient

    package init(_ settings: NodeAgentSettings = NodeAgentSettings()) {
        self.settings = settings
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.decompression = .disabled
        configuration.timeout.connect = .init(settings.connectTime)
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(
            eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }

    deinit {
        // Nothing waits for it: a client that is let go has no calls.
        client.shutdown { [client] _ in _ = client }
    }

    package func protection(
        at address: NodeAddress
    ) async throws(AgentAnswerFailure) -> NodeProtection {
        let body = try await within(settings.requestTime) { () throws(AgentAnswerFailure) in
            try await self.get(address)
        }
        do throws(NodeProtection.Malformed) { return try NodeProtection(body) } catch {
            throw .malformed(detail: error.detail)
        }
    }

    private func get(_ address: NodeAddress) async throws(AgentAnswerFailure) -> [UInt8] {
        let limit = NodeProtection.documentBytesMax
        var request = HTTPClientRequest(url: "http://\(address)/workloads")
        request.headers.add(name: "User-Agent", value: "cloudtaser")
        // Agents serve one request a connection.
        request.headers.add(name: "Connection", value: "close")
        do {
            // The question's own time ends before.
            let response = try await client.execute(
                request, deadline: .now() + .init(settings.requestTime) + .seconds(1))
            guard response.status == .ok else {
                throw AgentAnswerFailure.unexpectedStatus(Int(response.status.code))
            }
            let length = response.headers.first(name: "Content-Length").flatMap { Int($0) }
            guard length ?? 0 <= limit else { throw AgentAnswerFailure.tooLarge(limit: limit) }
            var body: [UInt8] = []
            for try await part in response.body {
                guard body.count + part.readableBytes <= limit else {
                    throw AgentAnswerFailure.tooLarge(limit: limit)
                }
                body.append(contentsOf: part.readableBytesView)
            }
            return body
        } catch { throw Self.failure(error) }
    }

    private static func failure(_ error: any Error) -> AgentAnswerFailure {
        if let failure = error as? AgentAnswerFailure { return failure }
        if error is CancellationError { return .cancelled }
        if let error = error as? HTTPClientError {
            switch error {
            case .cancelled: return .cancelled
            case .deadlineExceeded, .connectTimeout, .readTimeout, .writeTimeout,
                .getConnectionFromPoolTimeout:
                return .timedOut
            case .remoteConnectionClosed:
                return .unreachable(detail: "the connection was closed")
            default: return .unreachable(detail: error.shortDescription)
            }
        }
        if error is HTTPParserError { return .malformed(detail: "is no HTTP") }
        if error is NIOConnectionError { return .unreachable(detail: "cannot connect") }
        if let error = error as? IOError {
            let isRefused = [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH].contains(error.errnoCode)
            return .unreachable(
                detail: isRefused ? "cannot connect" : "error \(error.errnoCode)")
        }
        return .unreachable(detail: "\(type(of: error))")
    }

    private func within(
        _ time: Duration,
        _ work: @escaping @Sendable () async throws(AgentAnswerFailure) -> [UInt8]
    ) async throws(AgentAnswerFailure) -> [UInt8] {
        let first = await withTaskGroup(of: Result<[UInt8], AgentAnswerFailure>?.self) { group in
            group.addTask {
                do throws(AgentAnswerFailure) {
                    return .success(try await work())
                } catch { return .failure(error) }
            }
            group.addTask {
                try? await Task.sleep(for: time)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        guard !Task.isCancelled else { throw .cancelled }
        guard let first else { throw .timedOut }
        return try first.get()
    }
}
