// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStorePorts
internal import S3Format

extension S3HTTP {
    /// Of an answer that is no success: an `Error` is short.
    static let errorBytesMax = 64 << 10

    /// A call without a body from outside: sent, and again after failures that pass.
    ///
    /// - Returns: a success.
    func perform(_ call: S3Call) async throws(ObjectStoreFailure) -> StoreAnswer {
        try await repeating(call) { (_) async throws(ObjectStoreFailure) in
            let response = try await self.open(call)
            let body = try await self.collect(response, limit: S3Limits.documentBytesMax)
            return StoreAnswer(
                status: Int(response.status.code), headers: response.headers, body: body)
        }
    }

    /// Within the time of one call.
    ///
    /// - Parameter attempt: gets whether one before may have been done.
    func repeating<Value: Sendable>(
        _ call: S3Call,
        _ attempt: @escaping @Sendable (Bool) async throws(ObjectStoreFailure) -> Value
    ) async throws(ObjectStoreFailure) -> Value {
        let limit = call.isLong ? settings.longCallTime : settings.callTime
        let end = ContinuousClock.now + limit
        return try await within(limit) { () async throws(ObjectStoreFailure) in
            var pause = self.settings.firstPause
            var mayBeDone = false
            for count in 1... {
                let failure: ObjectStoreFailure
                do throws(ObjectStoreFailure) { return try await attempt(mayBeDone) } catch {
                    failure = error
                }
                mayBeDone = mayBeDone || failure.effect == .unknown
                guard count < self.settings.attemptsMax, Self.mayRepeat(call, after: failure)
                else { throw failure }
                // A little less each time for each client, so that they do not come back together.
                let jittered = pause * Double.random(in: 0.5...1)
                let wait = max(jittered, failure.retryAfter ?? .zero)
                guard ContinuousClock.now + wait < end else { throw failure }
                do { try await Task.sleep(for: wait) } catch { throw .cancelled }
                pause = min(pause * 2, self.settings.pauseMax)
            }
            throw .timedOut(host: self.endpoint.host)
        }
    }

    private static func mayRepeat(_ call: S3Call, after failure: ObjectStoreFailure) -> Bool {
        guard failure.isTransient else { return false }
        switch call.repetition {
        case .always: return true
        case .ifWithoutEffect: return failure.effect == .none
        case .never: return false
        }
    }

    func within<Value: Sendable>(
        _ time: Duration,
        _ work: @escaping @Sendable () async throws(ObjectStoreFailure) -> Value
    ) async throws(ObjectStoreFailure) -> Value {
        guard !Task.isCancelled else { throw .cancelled }
        let first = await withTaskGroup(of: Result<Value, ObjectStoreFailure>?.self) { group in
            group.addTask {
                do throws(ObjectStoreFailure) {
                    return .success(try await work())
                } catch { return .failure(error) }
            }
            group.addTask {
                try? await Task.sleep(for: time)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        switch first {
        case .success(let value): return value
        case .failure(let failure): throw Task.isCancelled ? .cancelled : failure
        case nil: throw Task.isCancelled ? .cancelled : .timedOut(host: endpoint.host)
        }
    }

    /// Sends it once.
    ///
    /// - Returns: a success, whose body is still to come.
    func open(_ call: S3Call) async throws(ObjectStoreFailure) -> HTTPClientResponse {
        let signed = try await request(call)
        var request = HTTPClientRequest(url: signed.url.absoluteString)
        request.method = signed.method
        request.headers = signed.headers
        if let document = call.document { request.body = .bytes(ByteBuffer(bytes: document)) }
        let response: HTTPClientResponse
        do {
            // The call's own time ends before.
            let limit = call.isLong ? settings.longCallTime : settings.callTime
            response = try await lane.client.execute(
                request, deadline: .now() + .init(limit) + .seconds(1))
        } catch { throw failure(error) }
        return try await accepted(response, call)
    }

    /// A success, or what the answer means.
    func accepted(
        _ answer: StoreAnswer, _ call: S3Call
    ) throws(ObjectStoreFailure) -> StoreAnswer {
        guard ![200, 204, 206].contains(answer.status), !call.keepsRefusals else { return answer }
        throw refusal(answer.status, answer.headers, answer.body, call)
    }

    /// A success, or what the answer means.
    func accepted(
        _ response: HTTPClientResponse, _ call: S3Call
    ) async throws(ObjectStoreFailure) -> HTTPClientResponse {
        let status = Int(response.status.code)
        guard ![200, 204, 206].contains(status), !call.keepsRefusals else { return response }
        var body: [UInt8] = []
        do throws(ObjectStoreFailure) {
            body = try await collect(response, limit: Self.errorBytesMax)
        } catch {
            // The status has been heard all the same.
            guard error != .cancelled else { throw error }
        }
        throw refusal(status, response.headers, body, call)
    }

    func collect(
        _ response: HTTPClientResponse, limit: Int
    ) async throws(ObjectStoreFailure) -> [UInt8] {
        var body: [UInt8] = []
        do {
            for try await part in response.body {
                guard body.count + part.readableBytes <= limit else {
                    throw ObjectStoreFailure.responseTooLarge(limit: limit)
                }
                body.append(contentsOf: part.readableBytesView)
            }
        } catch { throw failure(error) }
        // A cancelled task is told of the end.
        guard !Task.isCancelled else { throw .cancelled }
        return body
    }
}

extension ObjectStoreFailure {
    /// What the server asked for.
    fileprivate var retryAfter: Duration? {
        guard case .slowDown(let seconds?) = self else { return nil }
        return .seconds(min(max(seconds, 0), 86_400))
    }
}
