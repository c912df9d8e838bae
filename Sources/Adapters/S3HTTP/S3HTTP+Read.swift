// SPDX-License-Identifier: Apache-2.0
internal import NIOHTTP1
package import ObjectStorePorts
package import S3Format

extension S3HTTP {
    /// Bytes of an answer from which on no more are taken from the network. What is read at once
    /// comes on top; with half of the limit, 64 streams took 157 MB.
    static let answerAheadBytes = ObjectStoreLimits.readAheadBytesMax / 8

    package func read<Outcome: Sendable>(
        _ version: ObjectVersion, _ range: S3ByteRange?, _ conditions: S3Conditions,
        _ receive: (ObjectAnswer, any ObjectStream) async throws(ObjectStoreFailure) -> Outcome
    ) async throws(ObjectStoreFailure) -> Outcome {
        var fields = conditions.headers()
        if let range { fields.append(S3Headers.Field("range", range.header)) }
        let call = S3Call(.GET, version, fields: fields)
        let lane = lane
        let (response, pipe, exchange) = try await repeating(call) {
            (_, end) async throws(ObjectStoreFailure) in
            let pipe = AnswerPipe(capacity: Self.answerAheadBytes)
            let exchange = StoreExchange(on: lane.loop, .stream(pipe))
            let response = try await self.ask(call, exchange, lane.client, by: end)
            return (response, pipe, exchange)
        }
        defer {
            pipe.close()
            exchange.end(.failure(ObjectStoreFailure.cancelled))
        }
        let answer = try self.answer(response, range)
        let stream = AnswerStream(pipe, of: self, expected: Int64(answer.part.count))
        exchange.watch(pipe, settings.silenceTime, .timedOut(host: endpoint.host))
        let result = await withTaskCancellationHandler {
            do throws(ObjectStoreFailure) {
                let outcome = try await receive(answer, stream)
                return Result<Outcome, ObjectStoreFailure>.success(outcome)
            } catch { return .failure(error) }
        } onCancel: {
            exchange.end(.failure(ObjectStoreFailure.cancelled))
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
        _ response: StoreAnswer, _ range: S3ByteRange?
    ) throws(ObjectStoreFailure) -> ObjectAnswer {
        guard
            let length = response.headers.first(name: "content-length").flatMap({ Int64($0) }),
            length >= 0
        else { throw .responseMalformed(detail: "no Content-Length") }
        let size: Int64
        let part: Range<Int64>
        let header = response.headers.first(name: "content-range")
        // Some say 200 to a range, and name it all the same.
        if response.status == 206 || range != nil && header != nil {
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
}

/// A pipe, for whoever reads.
private final class AnswerStream: ObjectStream {
    private let pipe: AnswerPipe
    private let store: S3HTTP
    private let expected: Int64

    init(_ pipe: AnswerPipe, of store: S3HTTP, expected: Int64) {
        self.pipe = pipe
        self.store = store
        self.expected = expected
    }

    func next() async throws(ObjectStoreFailure) -> [UInt8]? {
        do {
            if let chunk = try await pipe.take() { return chunk }
        } catch {
            let failure = store.failure(error)
            switch failure {
            case .connectionLost, .responseMalformed: throw truncated
            default: throw failure
            }
        }
        guard pipe.received == expected else { throw truncated }
        return nil
    }

    private var truncated: ObjectStoreFailure {
        .truncated(expected: expected, received: pipe.received)
    }
}
