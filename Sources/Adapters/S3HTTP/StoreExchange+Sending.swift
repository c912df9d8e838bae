// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import NIOCore
internal import ObjectStorePorts
internal import Synchronization

/// The request's body. One task gives it.
extension StoreExchange {
    /// On the event loop: the head has been written.
    func started(_ writer: HTTPClient.Body.StreamWriter) -> EventLoopFuture<Void> {
        let ending = loop.makePromise(of: Void.self)
        let first = state.withLock { state in
            state.writer = writer
            state.ending = ending
            return state.first.take()
        }
        if let first { write(first.bytes, isLast: first.isLast) }
        return ending.futureResult
    }

    /// Hands a chunk over when all before it have left.
    ///
    /// - Returns: false: nothing is sent any more.
    func give(_ chunk: [UInt8], isLast: Bool) async -> Bool {
        await room()
        let bytes = ByteBuffer(bytes: chunk)
        let isOpen = state.withLock { state in
            guard !state.isClosed else { return false }
            state.outstanding += bytes.readableBytes
            state.moved = .now
            return true
        }
        guard isOpen else { return false }
        if loop.inEventLoop {
            write(bytes, isLast: isLast)
        } else {
            loop.execute { self.write(bytes, isLast: isLast) }
        }
        return true
    }

    private func write(_ bytes: ByteBuffer, isLast: Bool) {
        let (writer, ending) = state.withLock { state in
            if !state.isClosed { state.isWhole = isLast }
            return (
                state.isClosed ? nil : state.writer,
                state.isWhole ? state.ending.take() : nil
            )
        }
        guard let writer else { return }
        _ = writer.write(.byteBuffer(bytes))
        ending?.succeed(())
    }

    func didSendRequestPart(task: HTTPClient.Task<Void>, _ part: IOData) {
        let giver = state.withLock { state in
            state.outstanding -= part.readableBytes
            state.moved = .now
            return state.outstanding == 0 ? state.giver.take() : nil
        }
        giver?.resume()
    }

    private func room() async {
        guard state.withLock({ $0.outstanding > 0 && !$0.isClosed }) else { return }
        await withCheckedContinuation { continuation in
            let hasRoom = state.withLock { state in
                guard state.outstanding > 0, !state.isClosed else { return true }
                state.giver = continuation
                return false
            }
            if hasRoom { continuation.resume() }
        }
    }

    // MARK: - Watching

    /// The source is asked, or has answered.
    func asks(_ isAsking: Bool) {
        state.withLock { state in
            state.isAsking = isAsking
            state.moved = .now
        }
    }

    /// Ends it when nothing moves for so long.
    ///
    /// - Parameters:
    ///   - failure: when it is not the source that is waited for.
    ///   - rest: of that time, until the first look.
    func watch(_ time: Duration, _ failure: ObjectStoreFailure, rest: Duration? = nil) {
        setTimer(
            loop.scheduleTask(in: TimeAmount(rest ?? time)) {
                let (still, isSource) = self.state.withLock { state in
                    (state.moved.duration(to: .now), state.isAsking && state.outstanding == 0)
                }
                guard still >= time else {
                    return self.watch(time, failure, rest: time - still)
                }
                self.fail(isSource ? .sourceFailed : failure)
            })
    }
}
