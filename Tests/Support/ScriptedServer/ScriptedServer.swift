// SPDX-License-Identifier: Apache-2.0
package import LoopbackPKI
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A request as it reached the server.
package struct SeenRequest: Sendable {
    package let method: String
    /// Path and query.
    package let target: String
    package let headers: [(String, String)]
    package let body: [UInt8]

    package func header(_ name: String) -> String? {
        headers.first { $0.0.lowercased() == name.lowercased() }?.1
    }
}

/// What the server is to answer.
package struct ScriptedAnswer: Sendable {
    package var status = 200
    package var headers: [(String, String)] = []
    /// Sent one after the other.
    package var parts: [String] = []
    /// Closes the connection in the middle of the body.
    package var breaksOff = false
    /// Never answers.
    package var isSilent = false

    package init(_ status: Int = 200, _ body: String = "{}", headers: [(String, String)] = []) {
        self.status = status
        self.headers = headers
        parts = [body]
    }
}

/// HTTP/1.1 over TLS on loopback, with answers by a closure. Connections and requests are kept.
package final class ScriptedServer: Sendable {
    package let pki: LoopbackPKI
    private let channel: any Channel
    private let recorder: Recorder
    private let current: CurrentContext

    /// - Parameters:
    ///   - answer: gets the request's number, from 0.
    ///   - identity: nil: a good one.
    package init(
        pki: LoopbackPKI, identity: Identity? = nil, wantsClientCertificate: Bool = false,
        answer: @escaping @Sendable (SeenRequest, Int) -> ScriptedAnswer
    ) async throws {
        self.pki = pki
        let current = CurrentContext(
            try Self.context(
                try identity ?? pki.server(), trusting: wantsClientCertificate ? pki : nil))
        self.current = current
        let recorder = Recorder()
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                recorder.connections.add(1, ordering: .relaxed)
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLServerHandler(context: current.value))
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(ScriptHandler(recorder: recorder, answer: answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.recorder = recorder
    }

    deinit { channel.close(promise: nil) }

    /// New connections are served with this certificate; nobody is asked for one any more.
    package func use(_ identity: Identity) throws {
        current.value = try Self.context(identity, trusting: nil)
    }

    /// - Parameter pki: of client certificates; nil: nobody is asked for one.
    private static func context(
        _ identity: Identity, trusting pki: LoopbackPKI?
    ) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(
                Array(identity.certificatePEM.utf8)
            ).map { .certificate($0) },
            privateKey: .privateKey(
                try NIOSSLPrivateKey(bytes: Array(identity.keyPEM.utf8), format: .pem)))
        if let pki {
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates(
                try NIOSSLCertificate.fromPEMBytes(Array(pki.authority.certificatePEM.utf8)))
        }
        return try NIOSSLContext(configuration: configuration)
    }

    package var port: Int { channel.localAddress?.port ?? 0 }
    package var address: String { "https://127.0.0.1:\(port)" }
    /// That were opened so far.
    package var connectionCount: Int { recorder.connections.load(ordering: .relaxed) }
    package var requests: [SeenRequest] { recorder.requests.withLock { $0 } }
}

private final class CurrentContext: Sendable {
    private let context: Mutex<NIOSSLContext>

    init(_ context: NIOSSLContext) { self.context = Mutex(context) }

    var value: NIOSSLContext {
        get { context.withLock { $0 } }
        set { context.withLock { $0 = newValue } }
    }
}

final class Recorder: Sendable {
    let requests = Mutex<[SeenRequest]>([])
    let connections = Atomic(0)

    /// - Returns: its number.
    func add(_ request: SeenRequest) -> Int {
        requests.withLock { requests in
            requests.append(request)
            return requests.count - 1
        }
    }
}

final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let recorder: Recorder
    private let answer: @Sendable (SeenRequest, Int) -> ScriptedAnswer
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(
        recorder: Recorder, answer: @escaping @Sendable (SeenRequest, Int) -> ScriptedAnswer
    ) {
        self.recorder = recorder
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
        case .body(let part): body += part.readableBytesView
        case .end: respond(context)
        }
    }

    private func respond(_ context: ChannelHandlerContext) {
        guard let head else { return }
        let request = SeenRequest(
            method: head.method.rawValue, target: head.uri,
            headers: head.headers.map { ($0.name, $0.value) }, body: body)
        let answer = answer(request, recorder.add(request))
        guard !answer.isSilent else { return }
        var headers = HTTPHeaders(answer.headers)
        let isHead = head.method == .HEAD
        if !headers.contains(name: "Content-Length") {
            headers.add(
                name: isHead ? "Content-Length" : "Transfer-Encoding",
                value: isHead ? "0" : "chunked")
        }
        let status = HTTPResponseStatus(statusCode: answer.status)
        context.write(
            wrapOutboundOut(
                .head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))),
            promise: nil)
        for part in answer.parts where !isHead {
            context.writeAndFlush(
                wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: part)))), promise: nil)
        }
        if answer.breaksOff {
            context.close(promise: nil)
        } else {
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
