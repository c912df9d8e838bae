// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import ObjectStorePorts
internal import S3Format

extension S3HTTP {
    /// Of an answer that is no success: an `Error` is short.
    static let errorBytesMax = 64 << 10

    /// A call without a body from outside: sent, and again after failures that pass.
    ///
    /// - Returns: a success.
    func perform(_ call: S3Call) async throws(ObjectStoreFailure) -> StoreAnswer {
        try await repeating(call) { (_, end) async throws(ObjectStoreFailure) in
            try await self.ask(call, .document(bytesMax: S3Limits.documentBytesMax), by: end)
        }
    }

    /// Within the time of one call.
    ///
    /// - Parameter attempt: gets whether one before may have been done, and when it has to end.
    func repeating<Value: Sendable>(
        _ call: S3Call,
        _ attempt: (Bool, ContinuousClock.Instant) async throws(ObjectStoreFailure) -> Value
    ) async throws(ObjectStoreFailure) -> Value {
        let end = ContinuousClock.now + (call.isLong ? settings.longCallTime : settings.callTime)
        var pause = settings.firstPause
        var mayBeDone = false
        for count in 1... {
            let failure: ObjectStoreFailure
            do throws(ObjectStoreFailure) { return try await attempt(mayBeDone, end) } catch {
                failure = error
            }
            mayBeDone = mayBeDone || failure.effect == .unknown
            guard count < settings.attemptsMax, Self.mayRepeat(call, after: failure)
            else { throw failure }
            // A little less each time for each client, so that they do not come back together.
            let jittered = pause * Double.random(in: 0.5...1)
            let wait = max(jittered, failure.retryAfter ?? .zero)
            guard ContinuousClock.now + wait < end else { throw failure }
            do { try await Task.sleep(for: wait) } catch { throw .cancelled }
            pause = min(pause * 2, settings.pauseMax)
        }
        throw .timedOut(host: endpoint.host)
    }

    private static func mayRepeat(_ call: S3Call, after failure: ObjectStoreFailure) -> Bool {
        guard failure.isTransient else { return false }
        switch call.repetition {
        case .always: return true
        case .ifWithoutEffect: return failure.effect == .none
        case .never: return false
        }
    }

    /// Sends it once.
    ///
    /// - Returns: a success.
    func ask(
        _ call: S3Call, _ reading: StoreExchange.Reading, by end: ContinuousClock.Instant
    ) async throws(ObjectStoreFailure) -> StoreAnswer {
        let lane = lane
        return try await ask(call, StoreExchange(on: lane.loop, reading), lane.client, by: end)
    }

    func ask(
        _ call: S3Call, _ exchange: StoreExchange, _ client: HTTPClient,
        by end: ContinuousClock.Instant
    ) async throws(ObjectStoreFailure) -> StoreAnswer {
        guard !Task.isCancelled else { throw .cancelled }
        let request = try await request(call)
        return try await result(of: exchange, call) {
            exchange.limit(
                ContinuousClock.now.duration(to: end), .timedOut(host: self.endpoint.host))
            exchange.begin(request, by: client)
            return await exchange.answer()
        }
    }

    /// A success, or what else came of it.
    func result(
        of exchange: StoreExchange, _ call: S3Call,
        _ work: () async -> Result<StoreAnswer, any Error>
    ) async throws(ObjectStoreFailure) -> StoreAnswer {
        let result = await withTaskCancellationHandler(operation: work) {
            exchange.end(.failure(ObjectStoreFailure.cancelled))
        }
        guard !Task.isCancelled else { throw .cancelled }
        let answer: StoreAnswer
        do { answer = try result.get() } catch { throw failure(error) }
        guard !Self.isSuccess(answer.status), !call.keepsRefusals else { return answer }
        throw refusal(answer.status, answer.headers, answer.body, call)
    }

    static func isSuccess(_ status: Int) -> Bool { [200, 204, 206].contains(status) }
}

extension ObjectStoreFailure {
    /// What the server asked for.
    fileprivate var retryAfter: Duration? {
        guard case .slowDown(let seconds?) = self else { return nil }
        return .seconds(min(max(seconds, 0), 86_400))
    }
}
