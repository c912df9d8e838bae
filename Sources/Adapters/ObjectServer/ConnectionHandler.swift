// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import ObjectServerPorts
internal import ServedHTTP

/// One connection: reads heads, hands bodies to their exchange, sends what it writes, and keeps
/// the time. Everything here happens on the connection's event loop.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// A head is to come.
        case head
        case exchange(Exchange, Task<Void, Never>)
        /// The rest of a body that nobody pulled is read and thrown away, so many bytes at most.
        case discarding(BodyDecoder, left: Int)
        /// It is over; what still comes is thrown away, so many bytes at most.
        case lingering(left: Int)
        case closed
    }

    private let handler: any RequestHandler
    let limits: ObjectServerLimits
    let connections: Connections
    private(set) var context: ChannelHandlerContext?
    private(set) var phase = Phase.head
    private var reader: RequestHeadReader
    /// What came of the next head.
    private var input = ByteBuffer()
    private var countedBytes = 0
    private var isReading = false
    private var isFirst = true
    private var isQuiescing = false
    /// Asked of the kernel once.
    private var remote: String?
    let timers = Timers()
    /// When the network took a piece of an answer, or the first piece was handed to it.
    var lastTaken = NIODeadline.now()
    /// Whether the handler of the current exchange has come back.
    private var isReturned = false

    init(handler: any RequestHandler, limits: ObjectServerLimits, connections: Connections) {
        self.handler = handler
        self.limits = limits
        self.connections = connections
        reader = RequestHeadReader(limits: limits.head)
    }

    // MARK: - What the channel says

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        startPhaseTimer(limits.headTime)
        readIfWanted()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch phase {
        case .head:
            let begins = input.readableBytes == 0
            if begins { input = bytes } else { input.writeImmutableBuffer(bytes) }
            readHead()
            // Most heads come in one piece.
            if begins, !isFirst, case .head = phase { startPhaseTimer(limits.headTime) }
        case .exchange(let exchange, _): exchange.receive(bytes)
        case .discarding(let decoder, let left): discard(bytes, decoder, left)
        case .lingering(let left):
            guard bytes.readableBytes <= left else { return close() }
            phase = .lingering(left: left - bytes.readableBytes)
        case .closed: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        readIfWanted()
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            isQuiescing = true
            if case .head = phase, input.readableBytes == 0 { close() }
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// TLS or the network: there is nobody to answer.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { close() }

    // MARK: - Reading

    func readIfWanted() {
        guard !isReading, let context, context.channel.isActive else { return }
        let wants =
            switch phase {
            // TLS reads the other side's farewell before it is closed.
            case .head, .discarding, .lingering, .closed: true
            case .exchange(let exchange, _): exchange.wantsBytes()
            }
        guard wants else { return }
        isReading = true
        context.read()
    }

    private func readHead() {
        do throws(RequestRefusal) {
            guard let (head, count) = try reader.read(input.readableBytesSpan) else {
                return countInput()
            }
            input.moveReaderIndex(forwardBy: count)
            let rest = input
            input = ByteBuffer()
            reader = RequestHeadReader(limits: limits.head)
            countInput()
            begin(head, try RequestFraming(of: head), rest)
        } catch { refuse(error) }
    }

    /// Bytes of a head count as those of bodies do.
    private func countInput() {
        connections.count(buffered: input.readableBytes - countedBytes)
        countedBytes = input.readableBytes
    }

    private func begin(_ head: RequestHead, _ framing: RequestFraming, _ rest: ByteBuffer) {
        guard let context else { return }
        timers.phase.cancel()
        isFirst = false
        connections.setIdle(context.channel, since: nil)
        let connection = NIOLoopBound(self, eventLoop: context.eventLoop)
        let exchange = Exchange(
            method: head.method, framing: framing, rest: rest, limits: limits,
            connections: connections, connection: connection)
        let remote = remote ?? Self.remote(context)
        self.remote = remote
        let request = ServedRequest(head: head, length: framing.length, remoteAddress: remote)
        // What the handler asks of other connections is often on this loop too.
        let executor = EventLoopExecutor(context.eventLoop)
        let task = Task(executorPreference: executor) { [handler] in
            await handler.handle(request, body: exchange, response: exchange)
            exchange.onLoop { $0.handlerReturned($1) }
        }
        phase = .exchange(exchange, task)
    }

    private static func remote(_ context: ChannelHandlerContext) -> String {
        let address = context.remoteAddress
        return "\(address?.ipAddress ?? ""):\(address?.port ?? 0)"
    }

    // MARK: - The end of an exchange

    func handlerReturned(_ exchange: Exchange) {
        guard isCurrent(exchange) else { return }
        if exchange.isAnswered {
            isReturned = true
            return proceedIfTaken(exchange)
        }
        guard !exchange.hasBegun else { return close() }
        switch exchange.inputFailure {
        case .malformed(let refusal): refuse(refusal)
        case .tooSlow: refuse(status: 408, "the request's body comes too slowly")
        default: refuse(status: 500, "the request was not answered")
        }
    }

    func proceedIfTaken(_ exchange: Exchange) {
        guard isReturned, exchange.outstanding == 0 else { return }
        isReturned = false
        timers.cancelAll()
        let failure = exchange.inputFailure
        let closes = exchange.closes || isQuiescing
        let (rest, decoder) = exchange.finish(.misused)
        let remaining = decoder.remainingBytes ?? 0
        if closes || failure != nil || remaining > limits.drainBytesMax {
            // The body may be on its way.
            return decoder.isOver && rest.readableBytes == 0 ? close() : linger()
        }
        if decoder.isOver { return nextRequest(rest, 0) }
        startPhaseTimer(limits.drainTime)
        discard(rest, decoder, limits.drainBytesMax)
    }

    private func discard(_ bytes: ByteBuffer, _ decoder: BodyDecoder, _ left: Int) {
        var decoder = decoder
        var offset = 0
        do throws(RequestRefusal) {
            steps: while true {
                switch try decoder.next(in: bytes.readableBytesSpan, from: &offset, upTo: .max) {
                case .body: continue
                case .end: return offset <= left ? nextRequest(bytes, offset) : linger()
                case .more: break steps
                }
            }
            guard offset <= left else { return linger() }
            phase = .discarding(decoder, left: left - offset)
            readIfWanted()
        } catch { linger() }
    }

    private func nextRequest(_ bytes: ByteBuffer, _ offset: Int) {
        guard let context else { return }
        phase = .head
        input = bytes
        input.moveReaderIndex(forwardBy: offset)
        if input.readableBytes == 0 {
            // Nothing of a buffer is kept while nothing comes.
            input = ByteBuffer()
            guard !isQuiescing else { return close() }
            startPhaseTimer(limits.idleTime)
        } else {
            startPhaseTimer(limits.headTime)
        }
        connections.setIdle(context.channel, since: .now())
        readHead()
        readIfWanted()
    }

    // MARK: - The end of a connection

    private func refuse(_ refusal: RequestRefusal) {
        refuse(status: refusal.status, refusal.reason)
    }

    /// The server's own answer; then nothing more is taken.
    private func refuse(status: Int, _ line: String) {
        guard let context else { return }
        var machine = ResponseStateMachine(method: "")
        if case .exchange(let exchange, _) = phase {
            machine = ResponseStateMachine(method: exchange.method)
            exchange.finish(.misused)
        }
        input = ByteBuffer()
        countInput()
        let body = Array((line + "\n").utf8)
        let head = ResponseHead(
            status: status,
            fields: [
                HeaderField("Content-Type", "text/plain; charset=utf-8"),
                HeaderField("Content-Length", String(body.count)),
            ])
        guard case .send(let bytes) = try? machine.head(head, closes: true),
            let action = try? machine.body(body.count)
        else { return close() }
        let all = action == .drop ? bytes : bytes + body
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: all)), promise: nil)
        linger()
    }

    /// Closes once the other side has had time to read what was sent.
    private func linger() {
        guard let context else { return }
        timers.cancelAll()
        phase = .lingering(left: limits.lingerBytesMax)
        startPhaseTimer(limits.lingerTime)
        context.close(mode: .output, promise: nil)
        readIfWanted()
    }

    func close() {
        end()
        context?.close(promise: nil)
    }

    /// Nothing more is taken or sent.
    private func end() {
        timers.cancelAll()
        if case .exchange(let exchange, let task) = phase {
            exchange.finish(.disconnected)
            task.cancel()
        }
        phase = .closed
        input = ByteBuffer()
        countInput()
    }

    func isCurrent(_ exchange: Exchange) -> Bool {
        if case .exchange(let current, _) = phase { current === exchange } else { false }
    }

    private func startPhaseTimer(_ time: Duration) {
        guard let context else { return }
        timers.phase.start(in: time, on: context.eventLoop) { self.phaseTimeIsOver() }
    }

    private func phaseTimeIsOver() {
        // Whoever has begun a head is told; whoever has said nothing is not.
        if case .head = phase, input.readableBytes > 0 { return refuse(.tooLate) }
        close()
    }
}
