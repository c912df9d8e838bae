// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import NIOHTTP1

/// One connection: hands parts to the intake, does what it says, and keeps the time.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// How long the rest of a refused request is read and thrown away, so that the other side sees
    /// the refusal and not a reset.
    static let lingerTime = TimeAmount.seconds(2)

    private let routes: [String: ServedRoute]
    private let limits: ServerLimits
    private let connections: Connections
    private let observe: @Sendable (_ path: String, _ status: Int) -> Void
    private var intake: RequestIntake
    private var timer: Scheduled<Void>?
    private var answering: Task<Void, Never>?
    /// Of the request that is on its way.
    private var path = ""
    private var isKeptAlive = true
    private var reservedBytes = 0
    /// Whether a request's head has come, and neither its end nor a refusal.
    private var isReceiving = false
    /// Whether there may be more to come of a request that was refused.
    private var isRefused = false

    init(
        routes: [String: ServedRoute], limits: ServerLimits, connections: Connections,
        observe: @escaping @Sendable (_ path: String, _ status: Int) -> Void
    ) {
        self.routes = routes
        self.limits = limits
        self.connections = connections
        self.observe = observe
        intake = RequestIntake(routes: routes, limits: limits)
    }

    func channelActive(context: ChannelHandlerContext) {
        start(limits.requestTime, context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        answering?.cancel()
        release()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            isReceiving = true
            isKeptAlive = head.isKeepAlive
            path = String(head.uri.prefix { $0 != "?" })
            connections.setWaiting(context.channel, since: .now())
            start(limits.requestTime, context)
            perform(
                intake.head(
                    RequestIntake.Head(
                        method: head.method.rawValue, target: head.uri,
                        contentType: head.headers.first(name: "Content-Type"),
                        contentLength: head.headers.first(name: "Content-Length").flatMap {
                            Int($0)
                        })), context)
        case .body(let part):
            let action = intake.body(part.readableBytesView) { count in
                guard connections.reserve(count) else { return false }
                reservedBytes += count
                return true
            }
            perform(action, context)
        case .end: perform(intake.end(), context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let parsing = error as? HTTPParserError else {
            // TLS or the network: there is nobody to answer.
            context.close(promise: nil)
            return
        }
        perform(intake.unreadable(isHeadTooLarge: parsing == .headerOverflow), context)
    }

    // MARK: - What the intake says

    private func perform(_ action: RequestIntake.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .more, .ignore: break
        case .answer(let path, let body): answer(path, body, context)
        case .refuse(let answer):
            isKeptAlive = false
            isReceiving = false
            isRefused = true
            release()
            observe(routes[path] == nil ? "" : path, answer.status)
            write(answer, context)
        }
    }

    private func answer(_ path: String, _ body: [UInt8], _ context: ChannelHandlerContext) {
        timer?.cancel()
        isReceiving = false
        connections.setWaiting(context.channel, since: nil)
        guard let route = routes[path] else { return context.close(promise: nil) }
        let promise = context.eventLoop.makePromise(of: ServedAnswer.self)
        answering = Task {
            promise.succeed(await route.answer(ServedRequest(path: path, body: body)))
        }
        promise.futureResult.assumeIsolated().whenSuccess { answer in
            self.answering = nil
            self.release()
            guard context.channel.isActive else { return }
            self.write(answer, context)
        }
    }

    private func write(_ answer: ServedAnswer, _ context: ChannelHandlerContext) {
        var headers = HTTPHeaders([
            ("Content-Type", answer.contentType), ("Content-Length", String(answer.body.count)),
        ])
        if !connections.isReused { isKeptAlive = false }
        if !isKeptAlive { headers.add(name: "Connection", value: "close") }
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: answer.status),
            headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let body = context.channel.allocator.buffer(bytes: answer.body)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        start(limits.answerTime, context)
        let done = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: done)
        done.futureResult.assumeIsolated().whenComplete { result in
            guard case .success = result else { return context.close(promise: nil) }
            self.answered(context)
        }
    }

    private func answered(_ context: ChannelHandlerContext) {
        guard !isKeptAlive else {
            connections.setWaiting(context.channel, since: .now())
            start(limits.idleTime, context)
            return
        }
        timer?.cancel()
        guard isRefused else { return context.close(promise: nil) }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTime) {
            context.close(promise: nil)
        }
        context.close(mode: .output, promise: nil)
    }

    // MARK: - Time and memory

    private func start(_ time: Duration, _ context: ChannelHandlerContext) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) {
            self.timeIsOver(context)
        }
    }

    private func timeIsOver(_ context: ChannelHandlerContext) {
        // Nothing was asked, or the answer is not taken.
        guard isReceiving else { return context.close(promise: nil) }
        perform(intake.timeIsOver(), context)
    }

    private func release() {
        connections.release(reservedBytes)
        reservedBytes = 0
    }
}
