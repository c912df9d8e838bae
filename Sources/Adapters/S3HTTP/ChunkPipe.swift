// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import Synchronization

/// Chunks on their way from one task to another, few at a time: whoever gives waits while they are
/// many. One task gives and one takes. Ends with `finish`, or with `close` when nobody takes any
/// more; whatever came first stays.
final class ChunkPipe: Sendable {
    private enum Wait {
        case chunk
        /// The end, with all chunks before it.
        case end
    }

    private struct State {
        var chunks: [[UInt8]] = []
        var byteCount = 0
        var end: Result<Void, ObjectStoreFailure>?
        var isClosed = false
        var taker: (wait: Wait, continuation: CheckedContinuation<Void, Never>)?
        var giver: CheckedContinuation<Void, Never>?
        /// When something last moved, or when somebody began to wait.
        var moved = ContinuousClock.now
    }

    /// Bytes from which on whoever gives waits.
    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int) { self.capacity = capacity }

    // MARK: - Giving

    /// Waits until there is room behind it.
    ///
    /// - Returns: false: nobody takes it, or the pipe has ended.
    func give(_ chunk: [UInt8]) async -> Bool {
        let taker = state.withLock { state in
            guard !state.isClosed, state.end == nil else { return Self.none }
            state.chunks.append(chunk)
            state.byteCount += chunk.count
            state.moved = .now
            guard state.taker?.wait == .chunk else { return Self.none }
            return state.taker.take()?.continuation
        }
        taker?.resume()
        await withCheckedContinuation { continuation in
            let hasRoom = state.withLock { state in
                guard state.byteCount >= capacity, !state.isClosed, state.end == nil else {
                    return true
                }
                state.giver = continuation
                return false
            }
            if hasRoom { continuation.resume() }
        }
        return state.withLock { !$0.isClosed && $0.end == nil }
    }

    /// - Parameter last: a chunk before the end. It cannot be taken without the end being known.
    func finish(_ end: Result<Void, ObjectStoreFailure>, last: [UInt8]? = nil) {
        let (taker, giver) = state.withLock { state in
            if state.end == nil {
                if let last {
                    state.chunks.append(last)
                    state.byteCount += last.count
                }
                state.end = end
            }
            state.moved = .now
            return (state.taker.take()?.continuation, state.giver.take())
        }
        taker?.resume()
        giver?.resume()
    }

    // MARK: - Taking

    /// The next chunk; nil: there are no more. A failure comes when all chunks before it have been
    /// taken.
    func take() async throws(ObjectStoreFailure) -> [UInt8]? {
        while true {
            let (chunk, end, giver) = state.withLock { state in
                guard !state.isClosed, !state.chunks.isEmpty else {
                    return ([UInt8]?.none, state.isClosed ? Self.closed : state.end, Self.none)
                }
                let chunk = state.chunks.removeFirst()
                state.byteCount -= chunk.count
                state.moved = .now
                return (chunk, nil, state.byteCount < capacity ? state.giver.take() : nil)
            }
            giver?.resume()
            if let chunk { return chunk }
            if let end {
                try end.get()
                return nil
            }
            await wait(for: .chunk)
        }
    }

    /// Waits until there is something to take, or the end.
    ///
    /// - Parameter isWhole: wait for the end.
    /// - Returns: bytes that are there.
    func ready(isWhole: Bool) async throws(ObjectStoreFailure) -> Int {
        await wait(for: isWhole ? .end : .chunk)
        let (count, end) = state.withLock {
            ($0.byteCount, $0.isClosed ? Self.closed : $0.end)
        }
        if isWhole || count == 0 { try end?.get() }
        return count
    }

    /// Nobody takes any more.
    func close() {
        let (taker, giver) = state.withLock { state in
            state.isClosed = true
            state.chunks = []
            state.byteCount = 0
            return (state.taker.take()?.continuation, state.giver.take())
        }
        taker?.resume()
        giver?.resume()
    }

    private func wait(for wait: Wait) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                let hasChunk = wait == .chunk && !state.chunks.isEmpty
                guard state.end == nil, !state.isClosed, !hasChunk else { return true }
                state.taker = (wait, continuation)
                if state.chunks.isEmpty { state.moved = .now }
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    private static let none: CheckedContinuation<Void, Never>? = nil
    private static let closed: Result<Void, ObjectStoreFailure> = .failure(.cancelled)

    // MARK: - Watching

    /// How it ended; nil: it has not.
    var end: Result<Void, ObjectStoreFailure>? { state.withLock { $0.end } }

    /// Whether all chunks up to a good end have been taken.
    var isEmptied: Bool {
        state.withLock { state in
            guard case .success? = state.end else { return false }
            return state.chunks.isEmpty
        }
    }

    struct Stillness {
        let time: Duration
        /// Somebody waits for a chunk that does not come.
        let isTakerWaiting: Bool
    }

    var stillness: Stillness {
        state.withLock {
            Stillness(
                time: $0.moved.duration(to: .now),
                isTakerWaiting: $0.taker != nil && $0.end == nil)
        }
    }
}
