// SPDX-License-Identifier: Apache-2.0
import ObjectStorePorts
import Testing

@testable import S3HTTP

@Suite struct `A pipe of chunks` {
    private static func taken(_ pipe: ChunkPipe) async -> Result<[[UInt8]], ObjectStoreFailure> {
        await outcome { () async throws(ObjectStoreFailure) in
            var chunks: [[UInt8]] = []
            while let chunk = try await pipe.take() { chunks.append(chunk) }
            return chunks
        }
    }

    @Test func `gives all in order, and then its end again and again`() async throws {
        for capacity in [1, 3, 100] {
            let pipe = ChunkPipe(capacity: capacity)
            async let giving: Void = {
                for number in 0..<200 { #expect(await pipe.give([UInt8(number)])) }
                pipe.finish(.success(()), last: [200])
            }()
            #expect(try await Self.taken(pipe).get() == (0...200).map { [UInt8($0)] })
            await giving
            #expect(pipe.isEmptied)
            #expect(try await Self.taken(pipe).get().isEmpty)
            #expect(await !pipe.give([1]), "nothing comes behind the end")
        }
    }

    @Test func `gives what came before a failure, and then the failure`() async {
        let pipe = ChunkPipe(capacity: 100)
        _ = await pipe.give([1])
        pipe.finish(.failure(.sourceFailed))
        pipe.finish(.success(()))
        #expect(
            await outcome { () async throws(ObjectStoreFailure) in try await pipe.take() }
                == .success([1]))
        #expect(await Self.taken(pipe) == .failure(.sourceFailed))
        #expect(await Self.taken(pipe) == .failure(.sourceFailed))
        #expect(!pipe.isEmptied)
    }

    @Test func `lets nobody wait when it is closed`() async {
        let pipe = ChunkPipe(capacity: 1)
        async let given = pipe.give([1, 2])
        async let closed: Void = {
            while pipe.stillness.isTakerWaiting { await Task.yield() }
            pipe.close()
        }()
        await closed
        #expect(await !given)
        #expect(await Self.taken(pipe) == .failure(.cancelled))
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await pipe.ready(isWhole: true)
            } == .cancelled)
    }

    @Test func `is ready with its first chunk, or with its end`() async throws {
        let pipe = ChunkPipe(capacity: 100)
        async let first = pipe.ready(isWhole: false)
        _ = await pipe.give([1, 2])
        #expect(try await first == 2)
        async let whole = pipe.ready(isWhole: true)
        _ = await pipe.give([3])
        pipe.finish(.success(()), last: [4])
        #expect(try await whole == 4)
        let failed = ChunkPipe(capacity: 100)
        _ = await failed.give([1])
        failed.finish(.failure(.sourceFailed))
        #expect(try await failed.ready(isWhole: false) == 1)
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await failed.ready(isWhole: true)
            } == .sourceFailed)
    }
}
