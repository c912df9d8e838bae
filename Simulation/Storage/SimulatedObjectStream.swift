// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import Synchronization

/// The body of a simulated answer.
final class SimulatedObjectStream: ObjectStream {
    private struct State {
        var rest: ArraySlice<UInt8>
        var count = 0
        var failure: ObjectStoreFailure?
        var isEnded = false
    }

    private let state: Mutex<State>
    private let chunkBytes: Int
    private let edge: @Sendable (Int) async -> ObjectStoreFailure?

    init(
        _ bytes: ArraySlice<UInt8>, chunkBytes: Int,
        edge: @escaping @Sendable (Int) async -> ObjectStoreFailure?
    ) {
        state = Mutex(State(rest: bytes))
        self.chunkBytes = chunkBytes
        self.edge = edge
    }

    /// Whoever kept the stream gets nothing more.
    func close() {
        state.withLock {
            $0.rest = []
            if !$0.isEnded, $0.failure == nil { $0.failure = .cancelled }
        }
    }

    func next() async throws(ObjectStoreFailure) -> [UInt8]? {
        let (failure, isEnded, count) = state.withLock { ($0.failure, $0.isEnded, $0.count) }
        if let failure { throw failure }
        if isEnded { return nil }
        if let failure = await edge(count) { throw failed(failure) }
        guard !Task.isCancelled else { throw failed(.cancelled) }
        return state.withLock { state in
            guard !state.rest.isEmpty else {
                state.isEnded = true
                return nil
            }
            let chunk = Array(state.rest.prefix(chunkBytes))
            state.rest = state.rest.dropFirst(chunk.count)
            state.count += 1
            return chunk
        }
    }

    private func failed(_ failure: ObjectStoreFailure) -> ObjectStoreFailure {
        state.withLock { $0.failure = failure }
        return failure
    }
}
