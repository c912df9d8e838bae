// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import NIOHTTP1
package import ObjectStorePorts
internal import RequestSignature
package import S3Format

extension S3HTTP {
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

    /// Sends a body from its source. A task of its own asks the source, so that an answer, the end
    /// of the time or of the caller ends that too.
    private func send(
        _ call: S3Call, _ body: ObjectBody
    ) async throws(ObjectStoreFailure) -> StoreAnswer {
        guard !Task.isCancelled else { throw .cancelled }
        if let length = body.length {
            guard length <= S3Limits.partBytesMax else { throw .tooLarge }
            guard length >= 0 else { throw .lengthMismatch(declared: length, received: 0) }
        }
        let lane = lane
        let exchange = StoreExchange(on: lane.loop, .head)
        exchange.watch(settings.silenceTime, .timedOut(host: endpoint.host))
        return try await result(of: exchange, call) {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    do throws(ObjectStoreFailure) {
                        try await self.pass(body, of: call, to: exchange, lane.client)
                    } catch { exchange.end(.failure(error)) }
                }
                let result = await exchange.answer()
                group.cancelAll()
                return result
            }
        }
    }

    /// From the source to the network, the last chunk when it is known to be the last. The request
    /// begins with the first chunk; without a length, with the end.
    private func pass(
        _ body: ObjectBody, of call: S3Call, to exchange: StoreExchange, _ client: HTTPClient
    ) async throws(ObjectStoreFailure) {
        var held: [[UInt8]] = []
        var count: Int64 = 0
        var hasBegun = false
        while let chunk = try await Self.next(of: body, for: exchange) {
            count += Int64(chunk.count)
            try Self.check(count, of: body)
            if let length = body.length, let before = held.popLast() {
                if hasBegun {
                    guard await exchange.give(before, isLast: false) else { return }
                } else {
                    exchange.begin(
                        try await request(call), by: client, length: length, first: before,
                        isLast: false)
                    hasBegun = true
                }
            }
            held.append(chunk)
        }
        if let length = body.length, count != length {
            throw .lengthMismatch(declared: length, received: count)
        }
        if !hasBegun {
            let first = held.isEmpty ? [] : held.removeFirst()
            exchange.begin(
                try await request(call), by: client, length: count > 0 ? count : nil,
                first: first, isLast: held.isEmpty)
        }
        while !held.isEmpty {
            let chunk = held.removeFirst()
            guard await exchange.give(chunk, isLast: held.isEmpty) else { return }
        }
    }

    private static func next(
        of body: ObjectBody, for exchange: StoreExchange
    ) async throws(ObjectStoreFailure) -> [UInt8]? {
        exchange.asks(true)
        let chunk: [UInt8]?
        do throws(ObjectSourceFailure) { chunk = try await body.source.next() } catch {
            throw .sourceFailed
        }
        exchange.asks(false)
        guard (1...ObjectStoreLimits.chunkBytesMax).contains(chunk?.count ?? 1) else {
            throw .sourceFailed
        }
        return chunk
    }

    /// Whether so many bytes may have come.
    private static func check(
        _ count: Int64, of body: ObjectBody
    ) throws(ObjectStoreFailure) {
        if let length = body.length {
            guard count <= length else {
                throw .lengthMismatch(declared: length, received: count)
            }
        } else if count > Int64(ObjectStoreLimits.readAheadBytesMax) {
            throw .refused(code: S3ErrorCode.missingContentLength.rawValue, status: 411)
        }
    }
}
