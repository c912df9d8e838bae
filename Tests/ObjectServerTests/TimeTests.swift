// SPDX-License-Identifier: Apache-2.0
import Foundation
import ObjectServer
import ObjectServerPorts
import ServedHTTP
import TestKit
import Testing

@Suite("Object server, time", .serialized) struct TimeTests {
    @Test func `ends who asks nothing, and who never ends a head`() async throws {
        let server = try await server(
            change: {
                // A busy machine reads what was sent later than it came.
                $0.headTime = .seconds(3)
                $0.idleTime = .seconds(4)
            }, counting)
        let silent = try Stranger(port: server.port)
        let slow = try Stranger(port: server.port)
        slow.send("GET / HTTP/1.1\r\nHost:")
        let idle = try Stranger(port: server.port)
        idle.send(get("/"))
        #expect(await idle.answer()?.statusCode == 200)
        let later = try Stranger(port: server.port)
        later.send(get("/") + "GET")
        #expect(await silent.everything() == "")
        #expect(await slow.everything()?.statusCode == 408)
        #expect(await idle.everything() == "")
        #expect(await later.everything()?.contains("HTTP/1.1 408 ") == true)
        try await until { server.connectionCount == 0 }
        try await until { server.bufferedBytes == 0 }
    }

    @Test func `ends a body that comes too slowly, but only while it is waited for`() async throws {
        let gate = Gate()
        let ends = Journal()
        let server = try await server(
            change: {
                // Wide apart from what is sent below: a busy machine sends later than it should.
                $0.bodyRateWindow = .milliseconds(1500)
                $0.bodyRateBytesMin = 10
                $0.lingerTime = .milliseconds(300)
            },
            { request, body, response in
                if request.head.target == Array("/later".utf8) { await gate.pass() }
                do throws(StreamFailure) {
                    while try await body.next(upTo: 100) != nil {}
                    ends.note("whole")
                } catch { ends.note("\(error)") }
                try await response.answer(200, "\(ends.lines.last ?? "")\n")
            })
        // A drop now and then does not help.
        let drops = try Stranger(port: server.port)
        drops.send(putHead(100_000))
        let dripping = Task {
            while drops.send([120]) { try? await Task.sleep(for: .milliseconds(400)) }
        }
        #expect(await drops.everything()?.hasSuffix("tooSlow\n") == true)
        await dripping.value
        // The control: it is not the handler's own time that counts.
        let late = try Stranger(port: server.port)
        late.send(put("abc", target: "/later"))
        try await until { gate.waiting == 1 }
        try await Task.sleep(for: .milliseconds(2500))
        gate.open()
        #expect(await late.answer()?.hasSuffix("whole\n") == true)
        // Fast enough, in several windows.
        let steady = try Stranger(port: server.port)
        steady.send(putHead(30_000))
        // By a thread of its own: a task that waits behind those of other tests is too slow itself.
        await withCheckedContinuation { sent in
            Thread.detachNewThread {
                for _ in 0..<30 {
                    steady.send([UInt8](repeating: 120, count: 1000))
                    Thread.sleep(forTimeInterval: 0.12)
                }
                sent.resume()
            }
        }
        #expect(await steady.answer()?.hasSuffix("whole\n") == true)
    }

    @Test func `ends who does not take its answer`() async throws {
        let ends = Journal()
        let server = try await server(
            change: { $0.answerTime = .milliseconds(500) },
            { _, _, response in
                do throws(StreamFailure) {
                    try await response.head(ResponseHead(status: 200))
                    while true { try await response.write([UInt8](repeating: 1, count: 65_536)) }
                } catch { ends.note("\(error)") }
            })
        let stranger = try Stranger(port: server.port, receiveBufferBytes: 65_536)
        stranger.send(get("/"))
        try await until { !ends.lines.isEmpty }
        #expect(ends.lines == ["tooSlow"])
        try await until { server.connectionCount == 0 }
        try await until { server.bufferedBytes == 0 }
    }

    @Test func `throws away no more of a refused body than the limits`() async throws {
        let server = try await server(
            change: {
                $0.lingerBytesMax = 1 << 20
                $0.lingerTime = .seconds(3600)
            },
            { _, _, response in try await response.answer(403, "no\n") })
        let stranger = try Stranger(port: server.port)
        stranger.send(putHead(1 << 40))
        #expect(await stranger.text(until: "no\n") != nil)
        // More than the kernels' buffers and the limit: it ends with an error.
        let isTaken = await stranger.aside {
            stranger.send([UInt8](repeating: 120, count: 64 << 20))
        }
        #expect(!isTaken)
        // In time, too.
        let timed = try await ObjectServerTests.server(
            change: { $0.lingerTime = .milliseconds(200) },
            { _, _, response in try await response.answer(403, "no\n") })
        let silent = try Stranger(port: timed.port)
        silent.send(putHead(1 << 40))
        #expect(await silent.text(until: "no\n") != nil)
        try await until { timed.connectionCount == 0 }
    }
}

@Suite("Object server, numbers", .serialized) struct NumberTests {
    @Test func `has who is idle longest make room`() async throws {
        let server = try await server(change: { $0.connectionCountMax = 3 }, counting)
        var strangers: [Stranger] = []
        for number in 0..<3 {
            strangers.append(try Stranger(port: server.port))
            strangers[number].send(get("/\(number)"))
            #expect(await strangers[number].answer()?.statusCode == 200)
        }
        // The first has asked again: the second is idle longest.
        strangers[0].send(get("/again"))
        #expect(await strangers[0].answer()?.statusCode == 200)
        let other = try Stranger(port: server.port)
        other.send(get("/other"))
        #expect(await other.answer()?.statusCode == 200)
        #expect(await strangers[1].everything() == "")
        for stranger in [strangers[0], strangers[2], other] {
            stranger.send(get("/still"))
            #expect(await stranger.answer()?.statusCode == 200)
        }
        #expect(server.connectionCount == 3)
    }

    @Test func `turns away who comes when all are busy, and nobody else`() async throws {
        let gate = Gate()
        let server = try await server(
            change: { $0.connectionCountMax = 2 },
            { request, body, response in
                if request.head.method == "GET" { await gate.pass() }
                try await counting(request, body, response)
            })
        let working = try Stranger(port: server.port)
        working.send(get("/"))
        // A body on its way is no idleness.
        let sending = try Stranger(port: server.port)
        sending.send(putHead(2) + "x")
        try await until { gate.waiting == 1 && server.connectionCount == 2 }
        // The head of the second has been read when its body is waited for.
        try await Task.sleep(for: .milliseconds(100))
        #expect(try await Stranger(port: server.port).everything() == "")
        sending.send("x")
        #expect(await sending.answer()?.hasSuffix("/put 2\n") == true)
        gate.open()
        #expect(await working.answer()?.hasSuffix("/ 0\n") == true)
    }

    @Test func `ends connections with their next answer before it drains`() async throws {
        let server = try await server(counting)
        let known = try Stranger(port: server.port)
        known.send(get("/"))
        let before = try #require(await known.answer())
        #expect(!before.lowercased().contains("connection: close"))
        server.endReuse()
        known.send(get("/"))
        let after = try #require(await known.everything())
        #expect(after.lowercased().contains("connection: close\r\n"))
        let new = try Stranger(port: server.port)
        new.send(get("/"))
        #expect(await new.everything()?.lowercased().contains("connection: close\r\n") == true)
        await server.drain(within: .seconds(10))
    }

    @Test func `drains: answers what was asked, ends the rest, and lets nobody in`() async throws {
        let gate = Gate()
        let server = try await server { request, body, response in
            await gate.pass()
            try await counting(request, body, response)
        }
        let idle = try Stranger(port: server.port)
        let busy = try Stranger(port: server.port)
        busy.send(putHead(3) + "ab")
        try await until { gate.waiting == 1 && server.connectionCount == 2 }
        let port = server.port
        async let drained: Void = server.drain(within: .seconds(100))
        #expect(await idle.everything() == "")
        #expect(await (try? Stranger(port: port))?.everything() ?? "" == "")
        gate.open()
        busy.send("c" + get("/next"))
        let answer = try #require(await busy.everything())
        #expect(answer.contains("/put 3\n") && answer.contains("Connection: close\r\n"))
        #expect(!answer.contains("/next"))
        await drained
        #expect(server.connectionCount == 0)
    }

    @Test func `drains no longer than it may`() async throws {
        let gate = Gate()
        let server = try await server { _, _, _ in await gate.pass() }
        let busy = try Stranger(port: server.port)
        busy.send(get("/"))
        try await until { gate.waiting == 1 }
        await server.drain(within: .milliseconds(50))
        #expect(await busy.everything() == "")
        gate.open()
    }

    @Test func `cancels the work for who has gone`() async throws {
        let ends = Journal()
        let server = try await server { _, _, _ in
            do { try await Task.sleep(for: .seconds(3600)) } catch { ends.note("cancelled") }
        }
        do {
            let stranger = try Stranger(port: server.port)
            stranger.send(get("/"))
            try await until { server.connectionCount == 1 }
        }
        try await until { ends.lines == ["cancelled"] }
    }
}
