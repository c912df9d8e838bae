// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
package import ObjectStorePorts
package import S3Format

extension S3HTTP {
    /// Bytes of an answer from which on no more are taken from the network.
    static let answerAheadBytes = ObjectStoreLimits.readAheadBytesMax / 2

    package func read<Outcome: Sendable>(
        _ version: ObjectVersion, _ range: S3ByteRange?, _ conditions: S3Conditions,
        _ receive: (ObjectAnswer, any ObjectStream) async throws(ObjectStoreFailure) -> Outcome
    ) async throws(ObjectStoreFailure) -> Outcome {
        var fields = conditions.headers()
        if let range { fields.append(S3Headers.Field("range", range.header)) }
        let call = S3Call(.GET, version, fields: fields)
        let response = try await repeating(call) { (_) async throws(ObjectStoreFailure) in
            try await self.open(call)
        }
        let answer = try self.answer(response, range)
        let pipe = ChunkPipe(capacity: Self.answerAheadBytes)
        let result = await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.pump(response, answer.part, into: pipe) }
            group.addTask { await self.watch(pipe) }
            defer {
                pipe.close()
                group.cancelAll()
            }
            do throws(ObjectStoreFailure) {
                let outcome = try await receive(answer, PipeStream(pipe))
                return Result<Outcome, ObjectStoreFailure>.success(outcome)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    package func head(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectHead {
        let answer = try await perform(
            S3Call(.HEAD, version, fields: conditions.headers()))
        guard let size = answer.headers.first(name: "content-length").flatMap({ Int64($0) }),
            size >= 0
        else { throw .responseMalformed(detail: "no Content-Length") }
        return try head(answer.headers, size: size)
    }

    /// What is about to come, checked against what was asked for.
    private func answer(
        _ response: HTTPClientResponse, _ range: S3ByteRange?
    ) throws(ObjectStoreFailure) -> ObjectAnswer {
        guard
            let length = response.headers.first(name: "content-length").flatMap({ Int64($0) }),
            length >= 0
        else { throw .responseMalformed(detail: "no Content-Length") }
        let size: Int64
        let part: Range<Int64>
        let header = response.headers.first(name: "content-range")
        // Some say 200 to a range, and name it all the same.
        if response.status.code == 206 || range != nil && header != nil {
            guard let (named, total) = Self.contentRange(header ?? ""), named.count == length else {
                throw .responseMalformed(detail: "a Content-Range that is none, or another length")
            }
            (part, size) = (named, total)
        } else {
            (part, size) = (0..<length, length)
        }
        switch range?.resolved(size: size) {
        case nil:
            guard part == 0..<size else {
                throw .responseMalformed(detail: "a part where all was asked for")
            }
        case .unsatisfiable: throw .rangeUnsatisfiable(size: size)
        case .part(let wanted):
            guard part == wanted else {
                throw .responseMalformed(detail: "another range than was asked for")
            }
        }
        return ObjectAnswer(head: try head(response.headers, size: size), part: part)
    }

    /// `bytes 0-9/100`
    private static func contentRange(_ text: String) -> (part: Range<Int64>, size: Int64)? {
        guard text.hasPrefix("bytes ") else { return nil }
        let sides = text.dropFirst(6).split(separator: "/")
        let ends = sides.first?.split(separator: "-").map { Int64($0) } ?? []
        guard sides.count == 2, ends.count == 2, let first = ends[0], let last = ends[1],
            let size = Int64(sides[1]), first >= 0, first <= last, last < size
        else { return nil }
        return (first..<(last + 1), size)
    }

    // MARK: - Streaming

    /// From the network into the pipe.
    private func pump(
        _ response: HTTPClientResponse, _ part: Range<Int64>, into pipe: ChunkPipe
    ) async {
        let expected = Int64(part.count)
        var received: Int64 = 0
        do {
            for try await var buffer in response.body {
                while let chunk = buffer.readBytes(
                    length: min(buffer.readableBytes, ObjectStoreLimits.chunkBytesMax)),
                    !chunk.isEmpty
                {
                    received += Int64(chunk.count)
                    guard await pipe.give(chunk) else { return }
                }
            }
        } catch {
            let failure = failure(error)
            switch failure {
            case .connectionLost, .responseMalformed:
                return pipe.finish(.failure(.truncated(expected: expected, received: received)))
            default: return pipe.finish(.failure(failure))
            }
        }
        if Task.isCancelled { return pipe.finish(.failure(.cancelled)) }
        guard received == expected else {
            return pipe.finish(.failure(.truncated(expected: expected, received: received)))
        }
        pipe.finish(.success(()))
    }

    /// Ends a pipe that stands still because nothing comes. Whoever reads may take any time.
    private func watch(_ pipe: ChunkPipe) async {
        while !Task.isCancelled, pipe.end == nil {
            let stillness = pipe.stillness
            let isWaiting = stillness.isTakerWaiting
            if isWaiting, stillness.time >= settings.silenceTime {
                return pipe.finish(.failure(.timedOut(host: endpoint.host)))
            }
            let rest = settings.silenceTime - (isWaiting ? stillness.time : .zero)
            try? await Task.sleep(for: rest)
        }
    }
}

/// A pipe, for whoever reads.
private final class PipeStream: ObjectStream {
    private let pipe: ChunkPipe

    init(_ pipe: ChunkPipe) { self.pipe = pipe }

    func next() async throws(ObjectStoreFailure) -> [UInt8]? { try await pipe.take() }
}
