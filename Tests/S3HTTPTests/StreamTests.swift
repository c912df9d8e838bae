// SPDX-License-Identifier: Apache-2.0
import LoopbackPKI
import ObjectStorePorts
import S3Format
import S3HTTP
import ScriptedServer
import Synchronization
import Testing

private let mebibyte = 1 << 20

/// Long enough that what moves on a busy machine does not seem to stand still.
private let silence = Duration.seconds(8)

/// Waits until something is so; a generous while later it counts as never.
private func wait(until isSo: () -> Bool) async throws {
    for _ in 0..<12_000 {
        if isSo() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    throw TestFailure()
}

/// Waits until a number does not grow any more.
private func settled(_ number: () -> Int) async throws -> Int {
    var (last, count) = (number(), 0)
    while count < 20 {
        try await Task.sleep(for: .milliseconds(20))
        let now = number()
        count = now == last ? count + 1 : 0
        last = now
    }
    return last
}

private func chunk(_ count: Int = 64 << 10) -> [UInt8] { Array(repeating: 0x61, count: count) }

@Suite struct `Streams from S3` {
    /// What the kernel keeps on both sides of a connection on loopback, generously: without
    /// back-pressure it would be all.
    private static let kernelBytes = 64 * mebibyte

    @Test func `take no more from the network than is wanted`() async throws {
        let size = 256 * mebibyte
        let server = try await StreamServer(.send(size, declared: size, .end))
        let store = try store(server.endpoint)
        let received = try await store.read(location().latest, nil, .none) {
            (_, stream) async throws(ObjectStoreFailure) in
            var count = (try await stream.next() ?? []).count
            let ahead = (try? await settled { server.counts.sent }) ?? size
            #expect(ahead < Self.kernelBytes, "\(ahead) bytes were taken unasked")
            while let chunk = try await stream.next() {
                #expect((1...ObjectStoreLimits.chunkBytesMax).contains(chunk.count))
                count += chunk.count
            }
            return count
        }
        #expect(received == size)
    }

    @Test func `that end early are truncated`() async throws {
        let server = try await StreamServer(.send(100_000, declared: 200_000, .close))
        let store = try store(server.endpoint)
        let bytes = Mutex(0)
        let failure = await reason { () async throws(ObjectStoreFailure) in
            try await store.read(try locationOrFail().latest, nil, .none) {
                (_, stream) async throws(ObjectStoreFailure) in
                do throws(ObjectStoreFailure) {
                    while let chunk = try await stream.next() {
                        bytes.withLock { $0 += chunk.count }
                    }
                } catch {
                    // The same again.
                    do throws(ObjectStoreFailure) { _ = try await stream.next() } catch let again {
                        #expect(again == error)
                    }
                    throw error
                }
            }
        }
        // What the broken connection still had may be lost.
        let received = bytes.withLock { $0 }
        #expect(failure == .truncated(expected: 200_000, received: Int64(received)))
        #expect((1...100_000).contains(received))
    }

    @Test func `that stand still end`() async throws {
        let server = try await StreamServer(.send(100_000, declared: 200_000, .nothing))
        let store = try store(server.endpoint) { $0.silenceTime = silence }
        let failure = await reason { () async throws(ObjectStoreFailure) in
            try await store.content().bytes
        }
        #expect(failure == .timedOut(host: "127.0.0.1"))
        try await wait { server.counts.brokenOff == 1 }
        // The control: whoever reads may take longer than that.
        let whole = try await StreamServer(.send(mebibyte, declared: mebibyte, .end))
        let patient = try S3HTTPTests.store(whole.endpoint) { $0.silenceTime = silence }
        let count = try await patient.read(location().latest, nil, .none) {
            (_, stream) async throws(ObjectStoreFailure) in
            var count = 0
            while let chunk = try await stream.next() {
                if count == 0 { try? await Task.sleep(for: silence * 1.5) }
                count += chunk.count
            }
            return count
        }
        #expect(count == mebibyte)
    }

    @Test func `end when their reader does, and their connection with them`() async throws {
        let size = 256 * mebibyte
        let server = try await StreamServer(.send(size, declared: size, .end))
        let store = try store(server.endpoint)
        let first = try await store.read(location().latest, nil, .none) {
            (_, stream) async throws(ObjectStoreFailure) in try await stream.next()?.first
        }
        #expect(first == 0x61)
        try await wait { server.counts.brokenOff == 1 }
        #expect(server.counts.sent < Self.kernelBytes)
    }

    @Test func `end when they are cancelled`() async throws {
        let server = try await StreamServer(.send(100_000, declared: 200_000, .nothing))
        let store = try store(server.endpoint)
        let task = Task {
            await reason { () async throws(ObjectStoreFailure) in
                try await store.content().bytes
            }
        }
        try await wait { server.counts.sent == 100_000 }
        task.cancel()
        #expect(await task.value == .cancelled)
        try await wait { server.counts.brokenOff == 1 }
    }

    @Test func `give nothing after their time`() async throws {
        let server = try await StreamServer(.send(mebibyte, declared: mebibyte, .end))
        let store = try store(server.endpoint)
        let kept = try await store.read(location().latest, nil, .none) {
            (_, stream) async throws(ObjectStoreFailure) in stream
        }
        #expect(
            await reason { () async throws(ObjectStoreFailure) in try await kept.next() }
                == .cancelled)
    }
}

@Suite struct `Bodies to S3` {
    @Test func `are asked for no faster than they leave`() async throws {
        let server = try await StreamServer(.take(200_000, .nothing))
        let store = try store(server.endpoint)
        let size = 4096
        let source = Source { number throws(ObjectSourceFailure) in
            number < size ? chunk() : nil
        }
        let task = Task {
            await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(source, length: Int64(size * chunk().count)))
            }
        }
        try await wait { server.counts.received > 0 }
        let asked = try await settled { source.asked.withLock { $0 } }
        // What the kernel keeps on both sides, generously; all of it would be 4,096.
        #expect(asked < 512, "\(asked) chunks of 64 KiB were taken unasked")
        task.cancel()
        #expect(await task.value == .cancelled)
        #expect(server.counts.whole == 0)
    }

    @Test func `go through whole`() async throws {
        let server = try await StreamServer(.take(Int.max, .end))
        let store = try store(server.endpoint)
        let source = Source { number throws(ObjectSourceFailure) in number < 512 ? chunk() : nil }
        let written = try await store.put(
            ObjectBody(source, length: Int64(512 * chunk().count)))
        #expect(written.tag.text == ScriptedAnswer.tag)
        #expect(server.counts.received == 512 * chunk().count)
        #expect(source.asked.withLock { $0 } == 513)
    }

    @Test(arguments: [1, 4, 100])
    func `whose source fails are never whole`(_ count: Int) async throws {
        let server = try await StreamServer(.take(Int.max, .end))
        let store = try store(server.endpoint)
        let source = Source { number throws(ObjectSourceFailure) in
            guard number < count else { throw ObjectSourceFailure() }
            return chunk()
        }
        // As long as what came, and longer.
        for length in [count, count + 1] {
            #expect(
                await reason { () async throws(ObjectStoreFailure) in
                    try await store.put(
                        ObjectBody(source, length: Int64(length * chunk().count)))
                } == .sourceFailed)
        }
        let requests = server.counts.requests
        try await wait { server.counts.brokenOff == requests }
        #expect(server.counts.whole == 0)
    }

    @Test(arguments: [(0, 1), (1, 0), (99_999, 100_000), (100_001, 100_000), (65_536, 65_537)])
    func `of another length are never whole`(_ declared: Int, _ sent: Int) async throws {
        let server = try await StreamServer(.take(Int.max, .end))
        let store = try store(server.endpoint)
        var chunks = Array(repeating: chunk(), count: sent / chunk().count)
        if sent % chunk().count > 0 { chunks.append(chunk(sent % chunk().count)) }
        let failure = await reason { () async throws(ObjectStoreFailure) in
            try await store.put(ObjectBody(Chunks(chunks), length: Int64(declared)))
        }
        #expect(failure == .lengthMismatch(declared: Int64(declared), received: Int64(sent)))
        let requests = server.counts.requests
        try await wait { server.counts.brokenOff == requests }
        #expect(server.counts.whole == 0)
    }

    @Test func `of unknown length are taken up to a limit, and then refused`() async throws {
        let server = try await StreamServer(.take(Int.max, .end))
        let store = try store(server.endpoint)
        for count in [0, 1, 16] {
            _ = try await store.put(
                ObjectBody(Chunks(Array(repeating: chunk(), count: count)), length: nil))
        }
        #expect(server.counts.received == 17 * chunk().count)
        let source = Chunks(Array(repeating: chunk(), count: 1000))
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(source, length: nil))
            } == .refused(code: "MissingContentLength", status: 411))
        #expect(source.taken.withLock { $0 } == 17, "no more is asked for")
        #expect(server.counts.requests == 3)
    }

    @Test func `have chunks of an allowed size`() async throws {
        let server = try await StreamServer(.take(Int.max, .end))
        let store = try store(server.endpoint)
        for bad in [0, ObjectStoreLimits.chunkBytesMax + 1] {
            #expect(
                await reason { () async throws(ObjectStoreFailure) in
                    try await store.put(
                        ObjectBody(Chunks([chunk(), chunk(bad)]), length: 1_000_000))
                } == .sourceFailed)
        }
        #expect(server.counts.whole == 0)
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(Chunks([]), length: S3Limits.partBytesMax + 1))
            } == .tooLarge)
    }

    @Test func `that stand still end, and whose fault it is is told`() async throws {
        let server = try await StreamServer(.take(0, .nothing))
        let store = try store(server.endpoint) { $0.silenceTime = silence }
        let endless = Source { _ throws(ObjectSourceFailure) in chunk() }
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(endless, length: 5 << 30))
            } == .timedOut(host: "127.0.0.1"))
        let willing = try await StreamServer(.take(Int.max, .end))
        let other = try S3HTTPTests.store(willing.endpoint) { $0.silenceTime = silence }
        for count in [0, 3] {
            let silent = Source { number throws(ObjectSourceFailure) in
                if number >= count { try? await Task.sleep(for: .seconds(3600)) }
                return chunk()
            }
            #expect(
                await reason { () async throws(ObjectStoreFailure) in
                    try await other.put(ObjectBody(silent, length: 5 << 30))
                } == .sourceFailed)
        }
        #expect(willing.counts.whole == 0)
    }

    @Test func `that nobody answers end`() async throws {
        let scripted = try await Scripted({ $0.silenceTime = silence }) { _, _ in
            var answer = ScriptedAnswer.stored
            answer.isSilent = true
            return answer
        }
        let failure = await reason { () async throws(ObjectStoreFailure) in
            try await scripted.store.put(body("content"))
        }
        #expect(failure == .timedOut(host: "127.0.0.1"))
        #expect(failure?.effect == .unknown)
        #expect(scripted.server.requests.count <= 1, "it is not sent twice")
    }

    @Test func `may be refused early`() async throws {
        let server = try await StreamServer(.answerEarly(403))
        let store = try store(server.endpoint)
        let endless = Source { _ throws(ObjectSourceFailure) in chunk() }
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(endless, length: 5 << 30))
            } == .accessDenied)
        let asked = try await settled { endless.asked.withLock { $0 } }
        #expect(asked < 5 << 30 / chunk().count)
    }

    @Test func `are not stored before they have ended`() async throws {
        let server = try await StreamServer(.answerEarly(200))
        let store = try store(server.endpoint)
        let endless = Source { _ throws(ObjectSourceFailure) in chunk() }
        let failure = await reason { () async throws(ObjectStoreFailure) in
            try await store.put(ObjectBody(endless, length: 5 << 30))
        }
        #expect(failure == .responseMalformed(detail: "a success before the body's end"))
    }

    @Test func `are lost with their connection`() async throws {
        let server = try await StreamServer(.take(100_000, .close))
        let store = try store(server.endpoint)
        let endless = Source { _ throws(ObjectSourceFailure) in chunk() }
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(endless, length: 5 << 30))
            } == .connectionLost(host: "127.0.0.1"))
        #expect(server.counts.requests == 1)
    }

    @Test func `are not begun when the call was cancelled before`() async throws {
        let server = try await StreamServer(.take(Int.max, .end))
        let store = try store(server.endpoint)
        let source = Chunks([chunk()])
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return await reason { () async throws(ObjectStoreFailure) in
                try await store.put(ObjectBody(source, length: nil))
            }
        }
        task.cancel()
        #expect(await task.value == .cancelled)
        #expect(source.taken.withLock { $0 } == 0)
        #expect(server.counts.requests == 0)
    }
}
