// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import ObjectServerPorts
internal import ServedHTTP
internal import Synchronization

extension Exchange: RequestBody {
    private enum Step {
        case bytes([UInt8], readsOn: Bool)
        case over
        case empty
        case failed(StreamFailure)
    }

    func next(upTo most: Int) async throws(StreamFailure) -> [UInt8]? {
        let most = max(1, min(most, ObjectServerLimits.chunkBytesMax))
        // Decided here: what this task sends later comes later on the loop too.
        if isFirstPull(), framing.expectsContinue, !hasBegun { onLoop { $0.sendContinue($1) } }
        while true {
            switch step(upTo: most) {
            case .bytes(let bytes, let readsOn):
                if readsOn { onLoop { connection, _ in connection.readIfWanted() } }
                return bytes
            case .over: return nil
            case .empty: await arrival()
            case .failed(let failure): throw failure
            }
        }
    }

    private func isFirstPull() -> Bool {
        input.withLock { input in
            defer { input.hasPulled = true }
            return !input.hasPulled
        }
    }

    private func step(upTo most: Int) -> Step {
        input.withLock { input in
            if let failure = input.failure { return .failed(failure) }
            let before = input.bytes
            defer { connections.count(buffered: input.bytes - before) }
            do throws(RequestRefusal) {
                switch try input.pull(upTo: most) {
                case .over: return .over
                case .empty: return .empty
                case .bytes(let bytes):
                    let hasRoom = input.bytes + limits.readBytes <= limits.bufferedBytesMax
                    let readsOn = input.isPaused && hasRoom
                    if readsOn { input.isPaused = false }
                    return .bytes(bytes, readsOn: readsOn)
                }
            } catch {
                input.failure = .malformed(error)
                return .failed(.malformed(error))
            }
        }
    }

    /// Returns when there is something new to look at.
    private func arrival() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                wait(continuation)
            }
        } onCancel: {
            cancelReading()
        }
    }

    private func wait(_ continuation: CheckedContinuation<Void, Never>) {
        var resumed: [CheckedContinuation<Void, Never>] = []
        var isPaused = false
        let due: Duration? = input.withLock { input in
            if input.waiter != nil { input.failure = input.failure ?? .misused }
            guard input.bytes == 0, input.failure == nil else {
                resumed = [continuation]
                if input.failure != nil, let other = Self.stopWaiting(&input, at: now) {
                    resumed.append(other)
                }
                return nil
            }
            input.waiter = continuation
            // What was here was framing only.
            isPaused = input.isPaused
            let due = input.meter.begin(at: now)
            guard !input.isTimed else { return nil }
            input.isTimed = true
            return due
        }
        for continuation in resumed { continuation.resume() }
        if isPaused { onLoop { connection, _ in connection.readIfWanted() } }
        if let due { onLoop { $0.startRateTimer($1, due) } }
    }

    private func cancelReading() {
        let waiter: CheckedContinuation<Void, Never>? = input.withLock { input in
            input.failure = input.failure ?? .cancelled
            return Self.stopWaiting(&input, at: now)
        }
        waiter?.resume()
    }
}
