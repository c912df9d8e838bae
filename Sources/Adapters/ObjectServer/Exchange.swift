// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import ObjectServerPorts
internal import ServedHTTP
internal import Synchronization

/// One request and its answer, between the task that answers and the event loop of the connection.
/// Bytes that are there, and room that is there, are taken without a change of threads.
final class Exchange: Sendable {
    struct Output {
        var machine: ResponseStateMachine
        /// Bytes that the network has not taken.
        var outstanding = 0
        /// Who waits for room.
        var waiter: CheckedContinuation<Void, Never>?
        var failure: StreamFailure?
        /// The connection ends after this answer, and the answer says so.
        var closes = false
    }

    let method: String
    let framing: RequestFraming
    let limits: ObjectServerLimits
    let connections: Connections
    let connection: NIOLoopBound<ConnectionHandler>
    let input: Mutex<Input>
    let output: Mutex<Output>
    private let origin = ContinuousClock.now

    /// - Parameter rest: what came after the head.
    init(
        method: String, framing: RequestFraming, rest: ByteBuffer, limits: ObjectServerLimits,
        connections: Connections, connection: NIOLoopBound<ConnectionHandler>
    ) {
        self.method = method
        self.framing = framing
        self.limits = limits
        self.connections = connections
        self.connection = connection
        let meter = RateMeter(
            window: limits.bodyRateWindow, bytesMin: limits.bodyRateBytesMin)
        input = Mutex(Input(BodyDecoder(framing.length), meter: meter, rest: rest))
        output = Mutex(Output(machine: ResponseStateMachine(method: method)))
        connections.count(buffered: rest.readableBytes)
    }

    /// Time of this exchange, for its meter.
    var now: Duration { ContinuousClock.now - origin }

    /// On the event loop, soon.
    func onLoop(_ work: @escaping @Sendable (ConnectionHandler, Exchange) -> Void) {
        connection.eventLoop.execute { work(self.connection.value, self) }
    }

    // MARK: - For the event loop

    /// Bytes of the connection have come.
    func receive(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        let waiter: CheckedContinuation<Void, Never>? = input.withLock { input in
            guard input.failure == nil else { return nil }
            guard input.bytes + count <= limits.bufferedBytesMax + Input.unaskedBytesMax else {
                // Nobody asked for this: the other side has closed, and NIO reads what is left.
                input.failure = .disconnected
                return Self.stopWaiting(&input, at: now)
            }
            input.append(bytes)
            connections.count(buffered: count)
            input.meter.received(count)
            return Self.stopWaiting(&input, at: now)
        }
        waiter?.resume()
    }

    /// Whether there is room for a read; when there is none, the next pull asks again.
    func wantsBytes() -> Bool {
        input.withLock { input in
            guard input.failure == nil else { return false }
            input.isPaused = input.bytes + limits.readBytes > limits.bufferedBytesMax
            return !input.isPaused
        }
    }

    /// The meter's timer has fired.
    ///
    /// - Returns: when it is to fire again; nil: at the next wait.
    func checkRate() -> Duration? {
        let (next, waiter): (Duration?, CheckedContinuation<Void, Never>?) = input.withLock {
            input in
            let (isTooSlow, next) = input.meter.check(at: now)
            input.isTimed = next != nil
            guard isTooSlow else { return (next, nil) }
            input.failure = input.failure ?? .tooSlow
            return (nil, Self.stopWaiting(&input, at: now))
        }
        waiter?.resume()
        return next
    }

    /// The network has taken so many bytes, or never will.
    func written(_ count: Int) {
        let waiter: CheckedContinuation<Void, Never>? = output.withLock { output in
            output.outstanding -= count
            return output.waiter.take()
        }
        connections.count(buffered: -count)
        waiter?.resume()
    }

    var outstanding: Int { output.withLock { $0.outstanding } }
    var hasBegun: Bool { output.withLock { $0.machine.hasBegun } }
    var isAnswered: Bool { output.withLock { $0.machine.isOver } }
    var closes: Bool { output.withLock { $0.closes } }
    var inputFailure: StreamFailure? { input.withLock { $0.failure } }

    /// What is to be sent because the work goes on; nil: nothing any more. Empty: what was sent
    /// last is not taken yet.
    func keepAliveIsDue() -> [UInt8]? {
        output.withLock { output in
            guard output.failure == nil else { return nil }
            guard output.outstanding == 0 else { return [] }
            let closes = closesAfter()
            guard let bytes = output.machine.keepAliveIsDue(closes: closes) else { return nil }
            output.closes = output.closes || closes
            output.outstanding += bytes.count
            connections.count(buffered: bytes.count)
            return bytes
        }
    }

    /// Fails everything from now on; what has failed before keeps its reason.
    ///
    /// - Returns: what is left of the connection's bytes, and where the body is.
    @discardableResult
    func finish(_ failure: StreamFailure) -> (rest: ByteBuffer, decoder: BodyDecoder) {
        let (rest, decoder, reading) = input.withLock { input in
            input.failure = input.failure ?? failure
            let count = input.bytes
            connections.count(buffered: -count)
            let decoder = input.decoder
            return (input.takeRest(), decoder, Self.stopWaiting(&input, at: now))
        }
        let writing = output.withLock { output in
            output.failure = output.failure ?? failure
            return output.waiter.take()
        }
        reading?.resume()
        writing?.resume()
        return (rest, decoder)
    }

    /// Whether the connection has to end after this answer, as far as is known before it.
    func closesAfter() -> Bool {
        if framing.closes || !connections.isReused { return true }
        return input.withLock { input in
            // It may or may not be sent now (RFC 9110, section 10.1.1).
            if framing.expectsContinue, !input.hasPulled { return true }
            if input.failure != nil { return true }
            let remaining = input.decoder.remainingBytes ?? 0
            return !input.hasPulled && remaining > limits.drainBytesMax
        }
    }

    static func stopWaiting(
        _ input: inout Input, at now: Duration
    ) -> CheckedContinuation<Void, Never>? {
        guard let waiter = input.waiter.take() else { return nil }
        input.meter.end(at: now)
        return waiter
    }
}
