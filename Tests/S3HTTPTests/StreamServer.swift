// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// HTTP/1.1 without TLS on loopback that is slow, stops or breaks off in the middle of bodies, and
/// counts what moved.
final class StreamServer: Sendable {
    /// What comes behind the last byte that is sent or read.
    enum Ending: Sendable { case end, close, nothing }

    /// How an answer comes that a client may not wait for to its end.
    enum Form: Sendable, CaseIterable {
        case atOnce, inPieces, chunked, chunkedInPieces, withoutEnd
    }

    enum Script: Sendable {
        /// Answers with so many bytes of those that `Content-Length` declares.
        case send(Int, declared: Int, Ending)
        /// Reads so many bytes of a body and then: answers what it always does, closes, or reads no
        /// more.
        case take(Int, Ending)
        /// Answers as soon as the head is there; reads on.
        case answerEarly(Int)
        /// Reads so many bytes of a body and then no more; answers 503 with a document.
        case refuse(Int, Form)
    }

    struct Counts: Sendable {
        /// Bytes of bodies that the network took.
        var sent = 0
        var received = 0
        var requests = 0
        /// Requests that came to their end.
        var whole = 0
        /// Connections that closed in the middle of something.
        var brokenOff = 0
    }

    private let channel: any Channel
    private let state: Counting

    init(_ script: Script) async throws {
        let state = Counting()
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.socketOption(.so_rcvbuf), value: 64 << 10)
            .childChannelOption(.socketOption(.so_sndbuf), value: 64 << 10)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline(
                        withPipeliningAssistance: false, withErrorHandling: false)
                    try pipeline.addHandler(StreamHandler(script, state))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.state = state
    }

    deinit { channel.close(promise: nil) }

    var endpoint: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }
    var counts: Counts { state.counts.withLock { $0 } }
}

final class Counting: Sendable {
    let counts = Mutex(StreamServer.Counts())
}

private final class StreamHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let stepBytes = 16 << 10

    private let script: StreamServer.Script
    private let state: Counting
    private var isBusy = false
    private var left = 0
    private var received = 0
    private var ending = StreamServer.Ending.end

    init(_ script: StreamServer.Script, _ state: Counting) {
        self.script = script
        self.state = state
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: begin(context)
        case .body(let part): take(part.readableBytes, context)
        case .end: end(context)
        }
    }

    private func begin(_ context: ChannelHandlerContext) {
        state.counts.withLock { $0.requests += 1 }
        isBusy = true
        received = 0
        if case .answerEarly(let status) = script { answer(status, context) }
        if case .take(0, let ending) = script { stop(ending, context) }
    }

    private func take(_ count: Int, _ context: ChannelHandlerContext) {
        received += count
        state.counts.withLock { $0.received += count }
        switch script {
        case .take(let most, let ending) where received >= most: stop(ending, context)
        case .refuse(let most, let form) where received >= most && isBusy:
            isBusy = false
            stop(.nothing, context)
            refuse(form, context)
        default: break
        }
    }

    private func refuse(_ form: StreamServer.Form, _ context: ChannelHandlerContext) {
        let document = ByteBuffer(string: "<Error><Code>SlowDown</Code></Error>")
        let isChunked = form == .chunked || form == .chunkedInPieces
        let headers =
            isChunked
            ? [("Transfer-Encoding", "chunked")]
            : [("Content-Length", String(document.readableBytes))]
        let head = HTTPResponseHead(
            version: .http1_1, status: .serviceUnavailable, headers: HTTPHeaders(headers))
        var parts: [HTTPServerResponsePart] = [.head(head), .body(.byteBuffer(document))]
        if form != .withoutEnd { parts.append(.end(nil)) }
        let isSlow = form == .inPieces || form == .chunkedInPieces
        let handler = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        for (number, part) in parts.enumerated() {
            let pause = TimeAmount.milliseconds(isSlow ? Int64(100 * number) : 0)
            let bound = NIOLoopBound(part, eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: pause) {
                let (handler, context) = handler.value
                context.writeAndFlush(handler.wrapOutboundOut(bound.value), promise: nil)
            }
        }
    }

    private func stop(_ ending: StreamServer.Ending, _ context: ChannelHandlerContext) {
        switch ending {
        case .end: break
        case .close: context.close(promise: nil)
        case .nothing: _ = context.channel.setOption(.autoRead, value: false)
        }
    }

    private func end(_ context: ChannelHandlerContext) {
        state.counts.withLock { $0.whole += 1 }
        switch script {
        case .send(let count, let declared, let ending):
            left = count
            self.ending = ending
            head(200, length: declared, context)
            send(context)
        case .take(_, .end): answer(200, context)
        case .take: break
        case .answerEarly: isBusy = false
        case .refuse: break
        }
    }

    private func answer(_ status: Int, _ context: ChannelHandlerContext) {
        head(status, length: 0, context)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        isBusy = false
    }

    private func head(_ status: Int, length: Int, _ context: ChannelHandlerContext) {
        let headers = HTTPHeaders([
            ("ETag", "\"0123\""), ("Last-Modified", "Fri, 27 Nov 2026 00:00:00 GMT"),
            ("Content-Length", String(length)),
        ])
        let head = HTTPResponseHead(
            version: .http1_1, status: .init(statusCode: status), headers: headers)
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    }

    /// As much as the network takes.
    private func send(_ context: ChannelHandlerContext) {
        while left > 0, context.channel.isWritable {
            let count = min(left, Self.stepBytes)
            left -= count
            let promise = context.eventLoop.makePromise(of: Void.self)
            promise.futureResult.whenSuccess { [state] in
                state.counts.withLock { $0.sent += count }
            }
            context.writeAndFlush(
                wrapOutboundOut(.body(.byteBuffer(ByteBuffer(repeating: 0x61, count: count)))),
                promise: promise)
        }
        guard left == 0, isBusy else { return }
        switch ending {
        case .end:
            isBusy = false
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .close:
            isBusy = false
            // Behind what is still on its way.
            let channel = context.channel
            context.writeAndFlush(
                wrapOutboundOut(.body(.byteBuffer(ByteBuffer())))
            ).whenComplete { _ in channel.close(promise: nil) }
        case .nothing: break
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if case .send = script, isBusy { send(context) }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isBusy { state.counts.withLock { $0.brokenOff += 1 } }
        isBusy = false
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
