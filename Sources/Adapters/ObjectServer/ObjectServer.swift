// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
package import ObjectServerPorts

/// HTTP/1.1 for large bodies in both directions, with bounds on everything (`ObjectServerLimits`).
/// It knows nothing of what is asked; what its own rules refuse, it answers with a line of text.
package final class ObjectServer: Sendable {
    private let listener: any Channel
    private let connections: Connections

    /// Listens at once.
    ///
    /// - Parameters:
    ///   - port: 0: any; see `port`.
    ///   - identity: nil: without TLS.
    package init(
        address: String, port: Int, identity: TLSIdentity?, limits: ObjectServerLimits,
        handler: any RequestHandler
    ) async throws(ObjectServerFailure) {
        let connections = Connections(countMax: limits.connectionCountMax)
        self.connections = connections
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: limits.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: false)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator, value: ReadBufferAllocator(upTo: limits.readBytes)
            )
            .childChannelInitializer { channel in
                let context = identity?.current
                guard identity == nil || context != nil else { return channel.close() }
                switch connections.add(channel, at: .now()) {
                case .accepted: break
                case .acceptedInsteadOf(let other): other.close(promise: nil)
                case .full: return channel.close()
                }
                channel.closeFuture.whenComplete { _ in connections.remove(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let context {
                        try pipeline.addHandler(NIOSSLServerHandler(context: context))
                    }
                    try pipeline.addHandler(
                        ConnectionHandler(
                            handler: handler, limits: limits, connections: connections))
                }
            }
        do {
            listener = try await bootstrap.bind(host: address, port: port).get()
        } catch {
            throw .cannotListen(address: address, port: port, detail: "\(error)")
        }
    }

    deinit { listener.close(promise: nil) }

    package var port: Int { listener.localAddress?.port ?? 0 }
    package var connectionCount: Int { connections.count }
    /// That came and nobody pulled, or were written and are not taken; of all connections.
    package var bufferedBytes: Int { connections.bufferedBytes }

    /// Tells whoever asks from now on that the connection ends with the answer.
    ///
    /// Who keeps connections would otherwise send a request on one just as `drain` closes it, and
    /// many clients do not repeat a POST (Go's net/http: "EOF").
    package func endReuse() { connections.endReuse() }

    /// Accepts nobody any more, ends idle connections at once and others after their answer.
    ///
    /// - Parameter time: what is left then is cut off.
    package func drain(within time: Duration) async {
        // It only fails when it is closed.
        try? await listener.close()
        for channel in connections.beginDraining() {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        let end = ContinuousClock.now + time
        while connections.count > 0, ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(10))
        }
        for channel in connections.channels { channel.close(promise: nil) }
    }
}
