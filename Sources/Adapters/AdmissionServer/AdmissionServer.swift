// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// Why a server cannot serve.
package enum ServerFailure: Error, Sendable, Equatable {
    case cannotListen(address: String, port: Int, detail: String)
    /// The PEM texts are no certificate chain and its key.
    case identityInvalid(detail: String)
}

/// The certificate that a server shows. Replaced while it runs: each connection has the one that
/// was there when it began.
package final class ServerIdentity: Sendable {
    private struct Content {
        let context: NIOSSLContext
        /// Of the server's own certificate, in seconds since 1970.
        let validUntil: Int64
    }

    private let content: Mutex<Content?>

    /// None yet: each connection is closed before a word is said.
    package init() { content = Mutex(nil) }

    /// - Parameters:
    ///   - certificates: PEM, the server's first.
    ///   - key: PEM.
    package init(certificates: [UInt8], key: [UInt8]) throws(ServerFailure) {
        content = Mutex(try Self.content(certificates, key))
    }

    /// From the next connection on. What was there stays when this throws.
    package func replace(certificates: [UInt8], key: [UInt8]) throws(ServerFailure) {
        let new = try Self.content(certificates, key)
        content.withLock { $0 = new }
    }

    /// When the server's own certificate expires, in seconds since 1970; nil: there is none yet.
    package var validUntil: Int64? { content.withLock { $0?.validUntil } }

    var current: NIOSSLContext? { content.withLock { $0?.context } }

    private static func content(
        _ certificates: [UInt8], _ key: [UInt8]
    ) throws(ServerFailure) -> Content {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMBytes(certificates) } catch {
            throw .identityInvalid(detail: "\(error)")
        }
        guard let own = chain.first else {
            throw .identityInvalid(detail: "no certificate")
        }
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem)))
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            return Content(
                context: try NIOSSLContext(configuration: configuration),
                validUntil: Int64(own.notValidAfter))
        } catch { throw .identityInvalid(detail: "\(error)") }
    }
}

/// HTTP/1.1 for a few paths, with bounds on everything (`ServerLimits`).
package final class AdmissionServer: Sendable {
    private let listener: any Channel
    private let connections: Connections

    /// Listens at once.
    ///
    /// - Parameters:
    ///   - port: 0: any; see `port`.
    ///   - identity: nil: without TLS.
    ///   - routes: by path.
    ///   - observe: each request that a route did not answer: its path, empty where it is none of
    ///     `routes`, and the status of its refusal.
    package init(
        address: String, port: Int, identity: ServerIdentity?, routes: [String: ServedRoute],
        limits: ServerLimits,
        observe: @escaping @Sendable (_ path: String, _ status: Int) -> Void = { _, _ in }
    ) async throws(ServerFailure) {
        let connections = Connections(limits: limits)
        self.connections = connections
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: limits.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: false)
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
                    try Self.configure(
                        channel, context,
                        ConnectionHandler(
                            routes: routes, limits: limits, connections: connections,
                            observe: observe), limits)
                }
            }
        do {
            listener = try await bootstrap.bind(host: address, port: port).get()
        } catch {
            throw .cannotListen(address: address, port: port, detail: "\(error)")
        }
    }

    private static func configure(
        _ channel: any Channel, _ context: NIOSSLContext?, _ handler: ConnectionHandler,
        _ limits: ServerLimits
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        if let context { try pipeline.addHandler(NIOSSLServerHandler(context: context)) }
        var decoder = NIOHTTPDecoderLimitConfiguration()
        decoder.maxHeaderFieldSize = limits.headerFieldBytesMax
        decoder.maxHeaderListSize = limits.headerBytesMax
        decoder.maxHeaderFieldCount = limits.headerFieldCountMax
        try pipeline.configureHTTPServerPipeline(
            withErrorHandling: false, withEncoderConfiguration: .init(),
            withDecoderLimitConfiguration: decoder)
        try pipeline.addHandler(handler)
    }

    deinit { listener.close(promise: nil) }

    package var port: Int { listener.localAddress?.port ?? 0 }
    package var connectionCount: Int { connections.count }
    /// Of bodies that are being received or answered.
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
