// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import ObjectServerPorts
internal import ServedHTTP

/// What an exchange asks of its connection. An exchange that is over asks in vain.
extension ConnectionHandler {
    /// - Parameter bytes: counted by the exchange as outstanding.
    func send(_ bytes: ByteBuffer, for exchange: Exchange, flushes: Bool) {
        let count = bytes.readableBytes
        guard isCurrent(exchange), let context else { return exchange.written(count) }
        if count > 0 {
            let done = context.eventLoop.makePromise(of: Void.self)
            done.futureResult.assumeIsolated().whenComplete { _ in
                exchange.written(count)
                self.lastTaken = .now()
                if self.isCurrent(exchange) { self.proceedIfTaken(exchange) }
            }
            context.write(wrapOutboundOut(bytes), promise: done)
        }
        guard flushes else { return }
        context.flush()
        // Most answers are taken at once.
        guard isCurrent(exchange), exchange.outstanding > 0, !timers.answer.isRunning
        else { return }
        lastTaken = .now()
        startAnswerTimer(exchange, in: limits.answerTime)
    }

    /// It runs on while pieces go out, so that not each of them starts one.
    private func startAnswerTimer(_ exchange: Exchange, in time: Duration) {
        guard let context else { return }
        timers.answer.start(in: time, on: context.eventLoop) {
            guard self.isCurrent(exchange), exchange.outstanding > 0 else { return }
            let waited = Duration(.now() - self.lastTaken)
            guard waited < self.limits.answerTime else {
                exchange.finish(.tooSlow)
                return self.close()
            }
            self.startAnswerTimer(exchange, in: self.limits.answerTime - waited)
        }
    }

    func sendContinue(_ exchange: Exchange) {
        guard isCurrent(exchange), let context else { return }
        let line = ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(line), promise: nil)
    }

    func cut(_ exchange: Exchange) {
        if isCurrent(exchange) { close() }
    }

    // MARK: - Time

    func startRateTimer(_ exchange: Exchange, _ time: Duration) {
        guard isCurrent(exchange), let context else { return }
        timers.rate.start(in: time, on: context.eventLoop) {
            guard self.isCurrent(exchange), let next = exchange.checkRate() else { return }
            self.startRateTimer(exchange, next)
        }
    }

    func startKeepAlive(_ exchange: Exchange, every interval: Duration) {
        guard isCurrent(exchange), let context else { return }
        timers.keepAlive.start(in: interval, on: context.eventLoop) {
            guard self.isCurrent(exchange), let bytes = exchange.keepAliveIsDue() else { return }
            if !bytes.isEmpty {
                self.send(ByteBuffer(bytes: bytes), for: exchange, flushes: true)
            }
            self.startKeepAlive(exchange, every: interval)
        }
    }
}

/// One timer of a connection: a new start ends the old one.
final class ConnectionTimer {
    private var scheduled: Scheduled<Void>?

    var isRunning: Bool { scheduled != nil }

    func start(in time: Duration, on loop: any EventLoop, _ work: @escaping () -> Void) {
        scheduled?.cancel()
        scheduled = loop.assumeIsolated().scheduleTask(in: TimeAmount(time)) {
            self.scheduled = nil
            work()
        }
    }

    func cancel() {
        scheduled?.cancel()
        scheduled = nil
    }
}

/// All that a connection waits for.
final class Timers {
    /// The time of the phase that the connection is in.
    let phase = ConnectionTimer()
    let rate = ConnectionTimer()
    let answer = ConnectionTimer()
    let keepAlive = ConnectionTimer()

    func cancelAll() {
        for timer in [phase, rate, answer, keepAlive] { timer.cancel() }
    }
}
