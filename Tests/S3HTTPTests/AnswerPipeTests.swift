// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import ObjectStorePorts
import Synchronization
import Testing

@testable import S3HTTP

@Suite struct `A pipe of chunks of an answer` {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    private static func taken(_ pipe: AnswerPipe) async -> Result<[[UInt8]], ObjectStoreFailure> {
        var chunks: [[UInt8]] = []
        do {
            while let chunk = try await pipe.take() { chunks.append(chunk) }
            return .success(chunks)
        } catch {
            return .failure(error as? ObjectStoreFailure ?? .noSuchKey)
        }
    }

    @Test func `gives all in order, and then its end again and again`() async throws {
        for capacity in [1, 3, 100] {
            let pipe = AnswerPipe(capacity: capacity)
            async let giving: Void = {
                for number in 0...200 {
                    try? await pipe.give(ByteBuffer(bytes: [UInt8(number)]), on: loop).get()
                }
                pipe.finish(.success(()))
            }()
            #expect(try await Self.taken(pipe).get() == (0...200).map { [UInt8($0)] })
            await giving
            #expect(try await Self.taken(pipe).get().isEmpty)
            #expect(pipe.received == 201)
            _ = pipe.give(ByteBuffer(bytes: [1]), on: loop)
            #expect(try await Self.taken(pipe).get().isEmpty, "nothing comes behind the end")
        }
    }

    @Test func `asks for no more while it is full`() async throws {
        let pipe = AnswerPipe(capacity: 3)
        let isAsked = Mutex(false)
        #expect(try await isDone(pipe.give(ByteBuffer(bytes: [1, 2]), on: loop)))
        let full = pipe.give(ByteBuffer(bytes: [3]), on: loop)
        full.whenSuccess { isAsked.withLock { $0 = true } }
        try await loop.submit {}.get()
        #expect(!isAsked.withLock { $0 })
        #expect(try await pipe.take() == [1, 2])
        try await full.get()
        #expect(isAsked.withLock { $0 })
        #expect(try await pipe.take() == [3])
    }

    private func isDone(_ future: EventLoopFuture<Void>) async throws -> Bool {
        let isDone = Mutex(false)
        future.whenSuccess { isDone.withLock { $0 = true } }
        try await loop.submit {}.get()
        return isDone.withLock { $0 }
    }

    @Test func `cuts what is larger than a chunk may be`() async throws {
        let pipe = AnswerPipe(capacity: 1 << 20)
        let most = ObjectStoreLimits.chunkBytesMax
        _ = pipe.give(ByteBuffer(repeating: 1, count: 2 * most + 1), on: loop)
        pipe.finish(.success(()))
        #expect(try await Self.taken(pipe).get().map(\.count) == [most, most, 1])
    }

    @Test func `gives what came before a failure, and then the failure`() async throws {
        let pipe = AnswerPipe(capacity: 100)
        _ = pipe.give(ByteBuffer(bytes: [1]), on: loop)
        pipe.finish(.failure(ObjectStoreFailure.accessDenied))
        pipe.finish(.success(()))
        #expect(try await pipe.take() == [1])
        #expect(await Self.taken(pipe) == .failure(.accessDenied))
        #expect(await Self.taken(pipe) == .failure(.accessDenied))
    }

    @Test func `lets nobody wait when it is closed`() async throws {
        let pipe = AnswerPipe(capacity: 1)
        async let taken = Self.taken(pipe)
        while pipe.waiting == nil { await Task.yield() }
        pipe.close()
        #expect(await taken == .failure(.cancelled))
        let full = AnswerPipe(capacity: 1)
        let more = full.give(ByteBuffer(bytes: [1, 2]), on: loop)
        full.close()
        try await more.get()
        #expect(await Self.taken(full) == .failure(.cancelled))
    }
}
