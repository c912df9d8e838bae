// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import ObjectServerPorts
internal import ServedHTTP
internal import Synchronization

extension Exchange: ResponseWriter {
    @discardableResult
    func head(_ head: ResponseHead) async throws(StreamFailure) -> HeadOutcome {
        let closes = closesAfter()
        let action = try with { output throws(ResponseRefusal) in
            let action = try output.machine.head(head, closes: closes)
            if case .send(let bytes) = action {
                output.closes = output.closes || closes
                output.outstanding += bytes.count
            }
            return action
        }
        guard case .send(let bytes) = action else { return .kept }
        connections.count(buffered: bytes.count)
        onLoop { $0.send(ByteBuffer(bytes: bytes), for: $1, flushes: false) }
        return .sent
    }

    func write(_ bytes: [UInt8]) async throws(StreamFailure) {
        let action = try with { output throws(ResponseRefusal) in
            try output.machine.body(bytes.count)
        }
        guard action != .drop else { return }
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(ObjectServerLimits.chunkBytesMax)
            rest = rest.dropFirst(piece.count)
            try await send(Self.framed(piece, action))
        }
    }

    func end(trailers: [HeaderField]) async throws(StreamFailure) {
        let bytes = try with { output throws(ResponseRefusal) in
            let bytes = try output.machine.end(trailers: trailers)
            output.outstanding += bytes.count
            return bytes
        }
        connections.count(buffered: bytes.count)
        onLoop { $0.send(ByteBuffer(bytes: bytes), for: $1, flushes: true) }
    }

    func abort() async {
        output.withLock { output in
            guard output.failure == nil else { return }
            output.failure = .disconnected
        }
        onLoop { $0.cut($1) }
    }

    func keepAlive(
        every interval: Duration, _ head: ResponseHead, opening: [UInt8]
    ) async throws(StreamFailure) {
        try with { output throws(ResponseRefusal) in
            try output.machine.keepAlive(head, opening: opening)
        }
        onLoop { $0.startKeepAlive($1, every: interval) }
    }

    // MARK: - Steps

    private func with<Value>(
        _ work: (inout Output) throws(ResponseRefusal) -> Value
    ) throws(StreamFailure) -> Value {
        let result: Result<Value, StreamFailure> = output.withLock { output in
            if let failure = output.failure { return .failure(failure) }
            do throws(ResponseRefusal) {
                return .success(try work(&output))
            } catch { return .failure(.answerRefused(error)) }
        }
        return try result.get()
    }

    private static func framed(
        _ piece: ArraySlice<UInt8>, _ action: ResponseStateMachine.BodyAction
    ) -> ByteBuffer {
        guard action == .chunk else { return ByteBuffer(bytes: piece) }
        let start = ResponseStateMachine.chunkStart(piece.count)
        var buffer = ByteBufferAllocator().buffer(
            capacity: start.count + piece.count + ResponseStateMachine.chunkEnd.count)
        buffer.writeBytes(start)
        buffer.writeBytes(piece)
        buffer.writeBytes(ResponseStateMachine.chunkEnd)
        return buffer
    }

    private func send(_ buffer: ByteBuffer) async throws(StreamFailure) {
        let count = buffer.readableBytes
        while true {
            let isTaken = try with { output throws(ResponseRefusal) in
                guard Self.hasRoom(output, count, limits) else { return false }
                output.outstanding += count
                return true
            }
            if isTaken { break }
            await room(for: count)
        }
        connections.count(buffered: count)
        onLoop { $0.send(buffer, for: $1, flushes: true) }
    }

    /// A piece that is larger than the limit goes alone.
    private static func hasRoom(
        _ output: Output, _ count: Int, _ limits: ObjectServerLimits
    ) -> Bool {
        output.outstanding == 0 || output.outstanding + count <= limits.bufferedBytesMax
    }

    /// Returns when something has been taken.
    private func room(for count: Int) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                wait(continuation, for: count)
            }
        } onCancel: {
            let waiter: CheckedContinuation<Void, Never>? = output.withLock { output in
                output.failure = output.failure ?? .cancelled
                return output.waiter.take()
            }
            waiter?.resume()
        }
    }

    private func wait(_ continuation: CheckedContinuation<Void, Never>, for count: Int) {
        let resumed: [CheckedContinuation<Void, Never>?] = output.withLock { output in
            if output.waiter != nil { output.failure = output.failure ?? .misused }
            guard output.failure == nil else { return [continuation, output.waiter.take()] }
            guard !Self.hasRoom(output, count, limits) else { return [continuation] }
            output.waiter = continuation
            return []
        }
        for continuation in resumed { continuation?.resume() }
    }
}
