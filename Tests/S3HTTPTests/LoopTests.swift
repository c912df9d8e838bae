// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import ObjectStorePorts
import S3Format
import S3HTTP
import ScriptedServer
import Synchronization
import Testing

/// Runs tasks on an event loop, as the S3 proxy's requests run on their connection's.
private final class LoopExecutor: TaskExecutor {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

private let chunkBytes = 64 << 10
private let chunksMax = 5 << 30 / chunkBytes

private func chunk(_ number: Int = 0) -> [UInt8] {
    Array(repeating: UInt8(truncatingIfNeeded: number), count: chunkBytes)
}

private func wait(until isSo: () -> Bool) async throws {
    for _ in 0..<12_000 {
        if isSo() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    throw TestFailure()
}

/// Where the caller runs: there chunks do not change threads.
enum Place: Sendable, CaseIterable {
    case eventLoop, elsewhere

    func task<Value: Sendable>(
        _ work: @Sendable @escaping () async -> Value
    ) -> Task<Value, Never> {
        let executor: LoopExecutor? = self == .eventLoop ? LoopExecutor() : nil
        return Task(executorPreference: executor) { await work() }
    }

    func run<Value: Sendable>(_ work: @Sendable @escaping () async -> Value) async -> Value {
        await task(work).value
    }
}

@Suite struct `Bodies to S3 from where bytes do not change threads` {
    @Test(arguments: Place.allCases, [0, 1, 2, 100])
    func `go through in order`(_ place: Place, _ count: Int) async throws {
        let scripted = try await Scripted(.stored)
        let source = Chunks((0..<count).map(chunk))
        let failure = await place.run {
            await reason { () async throws(ObjectStoreFailure) in
                try await scripted.store.put(
                    ObjectBody(source, length: Int64(count * chunkBytes)))
            }
        }
        #expect(failure == nil)
        #expect(scripted.server.requests.first?.body == (0..<count).flatMap(chunk))
    }

    @Test(arguments: Place.allCases)
    func `of unknown length go through in order`(_ place: Place) async throws {
        let scripted = try await Scripted(.stored)
        for count in [0, 1, 16] {
            let source = Chunks((0..<count).map(chunk))
            let failure = await place.run {
                await reason { () async throws(ObjectStoreFailure) in
                    try await scripted.store.put(ObjectBody(source, length: nil))
                }
            }
            #expect(failure == nil)
            #expect(scripted.server.requests.last?.body == (0..<count).flatMap(chunk))
            #expect(
                scripted.server.requests.last?.header("content-length")
                    == String(count * chunkBytes))
        }
    }

    /// A packet and a system call, not three.
    @Test(arguments: Place.allCases)
    func `of few bytes leave with their head`(_ place: Place) async throws {
        let server = try await FirstReads()
        let store = try store(server.endpoint)
        for number in 1...3 {
            let failure = await place.run {
                await reason { () async throws(ObjectStoreFailure) in
                    try await store.put(body("few bytes"))
                }
            }
            #expect(failure == nil)
            let reads = server.reads.withLock { $0 }
            #expect(reads.count == number)
            #expect(reads.last?.hasSuffix("\r\n\r\nfew bytes") == true)
        }
    }

    /// The network takes nothing any more, and the answer comes all the same.
    @Test(arguments: Place.allCases, StreamServer.Form.allCases)
    func `are refused while they wait`(
        _ place: Place, _ form: StreamServer.Form
    ) async throws {
        let server = try await StreamServer(.refuse(4 << 20, form))
        let store = try store(server.endpoint)
        let source = Source { number throws(ObjectSourceFailure) in chunk(number) }
        let failure = await place.run {
            await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(source, length: 5 << 30))
            }
        }
        #expect(failure == .slowDown(retryAfterSeconds: nil))
        #expect(source.asked.withLock { $0 } < chunksMax)
        #expect(server.counts.requests == 1)
        #expect(server.counts.whole == 0)
    }

    @Test(arguments: Place.allCases, [200, 403])
    func `are answered early`(_ place: Place, _ status: Int) async throws {
        let server = try await StreamServer(.answerEarly(status))
        let store = try store(server.endpoint)
        let source = Source { number throws(ObjectSourceFailure) in chunk(number) }
        let failure = await place.run {
            await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(source, length: 5 << 30))
            }
        }
        #expect(
            failure
                == (status == 403
                    ? .accessDenied
                    : .responseMalformed(detail: "a success before the body's end")))
        #expect(server.counts.whole == 0)
    }

    /// Asked in the middle, the source never answers.
    @Test(arguments: Place.allCases, [200, 403])
    func `are answered early while their source is asked`(
        _ place: Place, _ status: Int
    ) async throws {
        let server = try await StreamServer(.answerEarly(status))
        let store = try store(server.endpoint)
        let source = Source { number throws(ObjectSourceFailure) in
            if number > 1 { try? await Task.sleep(for: .seconds(3600)) }
            return chunk(number)
        }
        let failure = await place.run {
            await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(source, length: 5 << 30))
            }
        }
        #expect(
            failure
                == (status == 403
                    ? .accessDenied
                    : .responseMalformed(detail: "a success before the body's end")))
    }

    @Test(arguments: Place.allCases, [2, 100])
    func `whose source fails are never whole`(_ place: Place, _ count: Int) async throws {
        let server = try await StreamServer(.take(Int.max, .end))
        let store = try store(server.endpoint)
        let source = Source { number throws(ObjectSourceFailure) in
            guard number < count else { throw ObjectSourceFailure() }
            return chunk(number)
        }
        let failure = await place.run {
            await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(source, length: Int64(count * chunkBytes)))
            }
        }
        #expect(failure == .sourceFailed)
        try await wait { server.counts.brokenOff == server.counts.requests }
        #expect(server.counts.whole == 0)
    }

    /// In the middle: while the network takes nothing, and while the source is asked.
    @Test(arguments: Place.allCases, [true, false])
    func `are cancelled`(_ place: Place, _ isStoreSilent: Bool) async throws {
        let server = try await StreamServer(.take(isStoreSilent ? 200_000 : Int.max, .nothing))
        let store = try store(server.endpoint)
        let source = Source { number throws(ObjectSourceFailure) in
            if !isStoreSilent, number > 4 { try? await Task.sleep(for: .seconds(3600)) }
            return chunk(number)
        }
        let task = place.task {
            await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(source, length: 5 << 30))
            }
        }
        try await wait { server.counts.received >= 200_000 }
        task.cancel()
        #expect(await task.value == .cancelled)
        #expect(server.counts.whole == 0)
    }

    @Test(arguments: Place.allCases)
    func `are lost with their connection`(_ place: Place) async throws {
        let server = try await StreamServer(.take(100_000, .close))
        let store = try store(server.endpoint)
        let source = Source { number throws(ObjectSourceFailure) in chunk(number) }
        let failure = await place.run {
            await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(source, length: 5 << 30))
            }
        }
        #expect(failure == .connectionLost(host: "127.0.0.1"))
        #expect(server.counts.requests == 1)
    }
}

@Suite struct `Streams from S3 to where bytes do not change threads` {
    /// An answer that is there before the call is under way is none the less read to its end.
    @Test(arguments: Place.allCases)
    func `come whole, many at once`(_ place: Place) async throws {
        let size = 1 << 20
        let server = try await StreamServer(.send(size, declared: size, .end))
        let store = try store(server.endpoint)
        let counts = await withTaskGroup(of: Int?.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    await place.run { try? await store.content().bytes.count }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(counts == Array(repeating: size, count: 200))
    }

    @Test(arguments: Place.allCases)
    func `are cancelled`(_ place: Place) async throws {
        let server = try await StreamServer(.send(100_000, declared: 200_000, .nothing))
        let store = try store(server.endpoint)
        let task = place.task {
            await reason { () async throws(ObjectStoreFailure) in
                try await store.content().bytes
            }
        }
        try await wait { server.counts.sent == 100_000 }
        task.cancel()
        #expect(await task.value == .cancelled)
        try await wait { server.counts.brokenOff == 1 }
    }

    @Test(arguments: Place.allCases)
    func `take no more than is wanted`(_ place: Place) async throws {
        let size = 256 << 20
        let server = try await StreamServer(.send(size, declared: size, .end))
        let store = try store(server.endpoint)
        let location = try location()
        let received = await place.run {
            try? await store.read(location.latest, nil, .none) {
                (_, stream) async throws(ObjectStoreFailure) in
                var count = (try await stream.next() ?? []).count
                try? await Task.sleep(for: .seconds(1))
                let sent = server.counts.sent
                #expect(sent < 64 << 20, "\(sent) bytes were taken unasked")
                while let chunk = try await stream.next() { count += chunk.count }
                return count
            }
        }
        #expect(received == size)
    }
}

/// Takes each read for a whole request, and keeps it.
private final class FirstReads: Sendable {
    let reads: Reads
    private let channel: any Channel

    init() async throws {
        let reads = Reads()
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FirstReadHandler(reads))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.reads = reads
    }

    deinit { channel.close(promise: nil) }

    var endpoint: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }
}

private final class Reads: Sendable {
    private let state = Mutex<[String]>([])

    func withLock<Value: Sendable>(_ work: (inout sending [String]) -> sending Value) -> Value {
        state.withLock(work)
    }
}

private final class FirstReadHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let reads: Reads

    init(_ reads: Reads) { self.reads = reads }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        reads.withLock { $0.append(String(buffer: unwrapInboundIn(data))) }
        let answer = ByteBuffer(
            string: "HTTP/1.1 200 OK\r\nETag: \"0123\"\r\nContent-Length: 0\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
    }
}
