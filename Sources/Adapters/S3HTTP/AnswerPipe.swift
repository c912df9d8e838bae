// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import ObjectStorePorts
internal import Synchronization

/// Chunks of an answer on their way from the event loop to the task that reads it, few at a time:
/// while they are many, the network is asked for no more. Ends with `finish`, or with `close` when
/// nobody takes any more; whatever came first stays.
final class AnswerPipe: Sendable {
    private struct State {
        var chunks: CircularBuffer<[UInt8]> = []
        var byteCount = 0
        var received: Int64 = 0
        var end: Result<Void, any Error>?
        var isClosed = false
        var taker: CheckedContinuation<Void, Never>?
        /// Asks the network for more.
        var giver: EventLoopPromise<Void>?
        /// When something last moved, or when somebody began to wait.
        var moved = ContinuousClock.now
    }

    /// Bytes from which on no more are asked for.
    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int) { self.capacity = capacity }

    // MARK: - Giving

    /// - Returns: when more may come.
    func give(_ buffer: ByteBuffer, on loop: any EventLoop) -> EventLoopFuture<Void> {
        var buffer = buffer
        var chunks: [[UInt8]] = []
        while let chunk = buffer.readBytes(
            length: min(buffer.readableBytes, ObjectStoreLimits.chunkBytesMax)), !chunk.isEmpty
        {
            chunks.append(chunk)
        }
        let (taker, giver) = state.withLock { state in
            guard !state.isClosed, state.end == nil else {
                return (CheckedContinuation<Void, Never>?.none, EventLoopPromise<Void>?.none)
            }
            for chunk in chunks {
                state.chunks.append(chunk)
                state.byteCount += chunk.count
                state.received += Int64(chunk.count)
            }
            state.moved = .now
            if state.byteCount >= capacity { state.giver = loop.makePromise(of: Void.self) }
            return (state.taker.take(), state.giver)
        }
        taker?.resume()
        return giver?.futureResult ?? loop.makeSucceededVoidFuture()
    }

    func finish(_ end: Result<Void, any Error>) {
        let (taker, giver) = state.withLock { state in
            state.end = state.end ?? end
            state.moved = .now
            return (state.taker.take(), state.giver.take())
        }
        taker?.resume()
        giver?.succeed(())
    }

    // MARK: - Taking

    /// The next chunk; nil: there are no more. A failure comes when all chunks before it have been
    /// taken. One task takes.
    func take() async throws -> [UInt8]? {
        while true {
            let (chunk, end, giver) = state.withLock { state in
                guard !state.isClosed, let chunk = state.chunks.popFirst() else {
                    return ([UInt8]?.none, state.isClosed ? Self.closed : state.end, Self.none)
                }
                state.byteCount -= chunk.count
                state.moved = .now
                return (chunk, nil, state.byteCount < capacity ? state.giver.take() : nil)
            }
            giver?.succeed(())
            if let chunk { return chunk }
            if let end {
                try end.get()
                return nil
            }
            await arrival()
        }
    }

    /// Nobody takes any more.
    func close() {
        let (taker, giver) = state.withLock { state in
            state.isClosed = true
            state.chunks = []
            state.byteCount = 0
            return (state.taker.take(), state.giver.take())
        }
        taker?.resume()
        giver?.succeed(())
    }

    private func arrival() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                guard state.end == nil, !state.isClosed, state.chunks.isEmpty else { return true }
                state.taker = continuation
                state.moved = .now
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    private static let none: EventLoopPromise<Void>? = nil
    private static let closed: Result<Void, any Error> = .failure(ObjectStoreFailure.cancelled)

    /// Bytes that have come so far.
    var received: Int64 { state.withLock { $0.received } }

    /// Since when somebody waits for a chunk that does not come; nil: nobody does.
    var waiting: Duration? {
        state.withLock { state in
            state.taker != nil && state.end == nil ? state.moved.duration(to: .now) : nil
        }
    }

    var isOver: Bool { state.withLock { $0.end != nil || $0.isClosed } }
}
