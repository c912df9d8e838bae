// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
package import ObjectStorePorts
internal import RequestSignature
package import S3Format

extension S3HTTP {
    /// Bytes of a body from which on its source is not asked. With the chunk that is held back, one
    /// more of the largest size, and the one that async-http-client has, it is less than
    /// `ObjectStoreLimits.readAheadBytesMax`.
    static let bodyAheadBytes = ObjectStoreLimits.readAheadBytesMax / 8

    package func put(
        _ location: ObjectLocation, _ body: ObjectBody, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        let call = S3Call(
            .PUT, location.latest, fields: Self.fields(write) + write.conditions.headers(), .never)
        return try written(try await send(call, body).headers)
    }

    package func uploadPart(
        _ upload: ObjectUpload, _ number: Int, _ body: ObjectBody
    ) async throws(ObjectStoreFailure) -> S3EntityTag {
        let call = S3Call(
            .PUT, upload, query: [QueryItem("partNumber", String(number))], .never)
        return try written(try await send(call, body).headers).tag
    }

    private enum Event: Sendable {
        case pulled
        case answered(Result<HTTPClientResponse, ObjectStoreFailure>)
        case stoodStill(ObjectStoreFailure)
    }

    /// Sends a body from its source. Three tasks: one asks the source, one has the request, one
    /// watches that something moves.
    private func send(
        _ call: S3Call, _ body: ObjectBody
    ) async throws(ObjectStoreFailure) -> HTTPClientResponse {
        guard !Task.isCancelled else { throw .cancelled }
        if let length = body.length {
            guard length <= S3Limits.partBytesMax else { throw .tooLarge }
            guard length >= 0 else { throw .lengthMismatch(declared: length, received: 0) }
        }
        let isWhole = body.length == nil
        let pipe = ChunkPipe(
            capacity: isWhole ? ObjectStoreLimits.readAheadBytesMax + 1 : Self.bodyAheadBytes)
        let result = await withTaskGroup(of: Event.self) { group in
            group.addTask {
                await Self.pull(body, into: pipe)
                return .pulled
            }
            group.addTask { .answered(await self.sent(call, body, pipe)) }
            group.addTask { .stoodStill(await self.watchBody(pipe)) }
            defer {
                pipe.close()
                group.cancelAll()
            }
            while let event = await group.next() {
                switch event {
                case .pulled: continue
                case .answered(let result): return result
                case .stoodStill(let failure): return .failure(failure)
                }
            }
            return .failure(.cancelled)
        }
        guard !Task.isCancelled else { throw .cancelled }
        return try result.get()
    }

    /// When there is a first chunk, or the end.
    private func sent(
        _ call: S3Call, _ body: ObjectBody, _ pipe: ChunkPipe
    ) async -> Result<HTTPClientResponse, ObjectStoreFailure> {
        do throws(ObjectStoreFailure) {
            let count = try await pipe.ready(isWhole: body.length == nil)
            let length = body.length ?? Int64(count)
            var request = try await request(call)
            let lane = lane
            if length > 0 {
                request.body = .stream(
                    PipeBody(pipe: pipe, loop: lane.loop), length: .known(length))
            }
            let response: HTTPClientResponse
            do {
                response = try await lane.client.execute(request, deadline: .distantFuture)
            } catch {
                // What the source did counts before what came of it.
                if case .failure(let failure)? = pipe.end { throw failure }
                throw failure(error)
            }
            let accepted = try await accepted(response, call)
            guard pipe.isEmptied else {
                throw .responseMalformed(detail: "a success before the body's end")
            }
            return .success(accepted)
        } catch { return .failure(error) }
    }

    /// From the source into the pipe, the last chunk when it is known to be the last.
    private static func pull(_ body: ObjectBody, into pipe: ChunkPipe) async {
        var held: [UInt8]?
        var count: Int64 = 0
        let most = body.length ?? Int64(ObjectStoreLimits.readAheadBytesMax)
        while true {
            let next: [UInt8]?
            do throws(ObjectSourceFailure) { next = try await body.source.next() } catch {
                return pipe.finish(.failure(.sourceFailed))
            }
            guard let next else { break }
            guard (1...ObjectStoreLimits.chunkBytesMax).contains(next.count) else {
                return pipe.finish(.failure(.sourceFailed))
            }
            count += Int64(next.count)
            guard count <= most else {
                return pipe.finish(
                    .failure(
                        body.length.map { .lengthMismatch(declared: $0, received: count) }
                            ?? .refused(
                                code: S3ErrorCode.missingContentLength.rawValue, status: 411)))
            }
            if let held { guard await pipe.give(held) else { return } }
            held = next
        }
        if let length = body.length, count != length {
            return pipe.finish(.failure(.lengthMismatch(declared: length, received: count)))
        }
        pipe.finish(.success(()), last: held)
    }

    /// Returns when nothing has moved for too long, or at once when cancelled.
    private func watchBody(_ pipe: ChunkPipe) async -> ObjectStoreFailure {
        while !Task.isCancelled {
            let stillness = pipe.stillness
            guard stillness.time < settings.silenceTime else {
                // Who waits for whom?
                return stillness.isTakerWaiting ? .sourceFailed : .timedOut(host: endpoint.host)
            }
            try? await Task.sleep(for: settings.silenceTime - stillness.time)
        }
        return .cancelled
    }
}

/// A pipe, for async-http-client, which hands chunks to the event loop and takes the next without
/// waiting for it: on a busy machine hundreds of them would lie there. So the loop is asked before
/// each chunk, behind those that were given: then it has written them, and has said whether there
/// is room for more.
private struct PipeBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let pipe: ChunkPipe
    let loop: any EventLoop

    struct AsyncIterator: AsyncIteratorProtocol {
        let pipe: ChunkPipe
        let loop: any EventLoop

        mutating func next() async throws -> ByteBuffer? {
            try await loop.submit {}.get()
            return try await pipe.take().map { ByteBuffer(bytes: $0) }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pipe: pipe, loop: loop) }
}
