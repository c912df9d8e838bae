// SPDX-License-Identifier: Apache-2.0
import ObjectServer
import ObjectServerPorts
import ServedHTTP
import Synchronization
import TestKit
import Testing

@Suite("Object server, requests") struct RequestTests {
    @Test func `hands over a request as it was sent`() async throws {
        let server = try await server { request, body, response in
            let fields = request.head.fields.map { "\($0.name)=\($0.value)" }
            let address = request.remoteAddress.split(separator: ":").first ?? ""
            try await response.answer(
                200,
                "\(request.head.method) \(String(decoding: request.head.target, as: UTF8.self)) "
                    + "\(fields.joined(separator: "|")) \(address) \(try await body.text())\n")
        }
        let stranger = try Stranger(port: server.port)
        stranger.send(
            "POST /a//../%2e?b&a=%20 HTTP/1.1\r\nhOst: a\r\nX-A: 1\r\nx-a:  é 2 \r\n"
                + "Content-Length: 3\r\n\r\nabc")
        let answer = try #require(await stranger.answer())
        #expect(
            answer.hasSuffix(
                "\r\n\r\nPOST /a//../%2e?b&a=%20 hOst=a|X-A=1|x-a=é 2|Content-Length=3 "
                    + "127.0.0.1 abc\n"))
    }

    @Test func `answers one request after the other on a connection`() async throws {
        let server = try await server(counting)
        let stranger = try Stranger(port: server.port)
        for body in ["", "a", String(repeating: "b", count: 100_000)] {
            stranger.send(put(body))
            let answer = try #require(await stranger.answer())
            #expect(answer.statusCode == 200)
            #expect(answer.hasSuffix("\r\n\r\n/put \(body.utf8.count)\n"))
            #expect(!answer.contains("Connection"))
        }
        // Sent at once, answered in their order, an absolute form and chunks among them.
        stranger.send(
            put("1", target: "/1") + "\r\n" + chunked(["22", "333"], end: "0\r\na: b\r\n\r\n")
                + "GET http://a/3 HTTP/1.1\r\nHost: a\r\n\r\n" + get("/4"))
        let all = await stranger.text(until: "/4 0\n")
        #expect(
            all?.split(whereSeparator: \.isNewline).filter {
                $0.hasPrefix("/") || $0.hasPrefix("http")
            }
                == ["/1 1", "/chunked 5", "http://a/3 0", "/4 0"])
        stranger.send(get("/5", more: "Connection: close\r\n") + get("/6"))
        let last = try #require(await stranger.everything())
        #expect(last.contains("Connection: close\r\n") && last.hasSuffix("/5 0\n"))
        try await until { server.bufferedBytes == 0 }
    }

    @Test func `takes a request byte by byte`() async throws {
        let server = try await server(counting)
        let stranger = try Stranger(port: server.port)
        for byte in Array((chunked(["abc", "de"]) + put("xyz") + get("/end")).utf8) {
            stranger.send([byte])
            await Task.yield()
        }
        let all = await stranger.text(until: "/end 0\n")
        #expect(all?.contains("/chunked 5\n") == true && all?.contains("/put 3\n") == true)
    }

    @Test(
        arguments: [
            // Two lengths, two framings, codings, and what a lenient server would read otherwise.
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 30", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 30", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: +0", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked", 501),
            ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity", 501),
            ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked", 501),
            ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{B}chunked", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nA: b\r\n folded: c", 400),
            ("PUT / HTTP/1.1\r\n Host: a", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length : 0", 400),
            ("PUT / HTTP/1.1\r\nHost: a\nContent-Length: 0", 400),
            ("PUT / HTTP/1.1\r\nHost: a\rContent-Length: 0", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nA: b\u{0}c", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nA", 400), ("PUT / HTTP/1.1\r\nHost: a\r\n: b", 400),
            ("PUT / HTTP/1.1", 400), ("PUT / HTTP/1.1\r\nHost: a\r\nHost: a", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nHost: b", 400), ("PUT / HTTP/1.1\r\nHost:", 400),
            ("PUT http://b/ HTTP/1.1\r\nHost: a", 400), ("PUT * HTTP/1.1\r\nHost: a", 400),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a:1", 400), ("PUT /é HTTP/1.1\r\nHost: a", 400),
            ("PUT /a b HTTP/1.1\r\nHost: a", 400), ("PUT  / HTTP/1.1\r\nHost: a", 400),
            ("PUT /\r\nHost: a", 400), ("PUT / HTTP/1.0\r\nHost: a", 505),
            ("PUT / HTTP/2.0\r\nHost: a", 505), ("\u{16}\u{3}\u{1}\u{2}", 400),
            ("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok", 417),
        ])
    func `refuses what could be read in two ways, and reads nothing behind it`(
        _ head: String, _ status: Int
    ) async throws {
        let asked = Journal()
        let server = try await server { request, body, response in
            asked.note(String(decoding: request.head.target, as: UTF8.self))
            try await counting(request, body, response)
        }
        let stranger = try Stranger(port: server.port)
        stranger.send(get("/before") + "\(head)\r\n\r\n" + get("/smuggled"))
        let all = try #require(await stranger.everything())
        #expect(asked.lines == ["/before"])
        #expect(all.ranges(of: "HTTP/1.1 200 OK\r\n").count == 1)
        #expect(all.ranges(of: "Content-Length: ").count == 2)
        #expect(all.contains("HTTP/1.1 \(status) ") && all.contains("Connection: close\r\n"))
        #expect(!all.contains("smuggled") && all.hasSuffix("\n"))
        try await until { server.bufferedBytes == 0 }
        // The control: behind a request that is in order the same bytes are a request.
        let control = try Stranger(port: server.port)
        control.send(get("/before") + "PUT / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/smuggled"))
        #expect(await control.text(until: "/smuggled 0\n") != nil)
        #expect(asked.lines == ["/before", "/before", "/", "/smuggled"])
    }

    @Test func `takes heads up to the limits`() async throws {
        let server = try await server(
            change: {
                $0.head.headBytesMax = 300
                $0.head.fieldCountMax = 4
                $0.head.targetBytesMax = 100
            }, counting)
        func target(_ count: Int) -> String {
            get("/" + String(repeating: "x", count: count - 1))
        }
        func head(_ count: Int) -> String {
            let rest = count - get("/", more: "A: \r\n").utf8.count
            return get("/", more: "A: \(String(repeating: "x", count: rest))\r\n")
        }
        func fields(_ count: Int) -> String {
            get("/", more: String(repeating: "A: b\r\n", count: count - 1))
        }
        for (request, status) in [
            (target(100), 200), (target(101), 414), (head(300), 200), (head(301), 431),
            (fields(4), 200), (fields(5), 431),
        ] {
            let stranger = try Stranger(port: server.port)
            stranger.send(request)
            let answer = await stranger.answer() ?? "nothing"
            #expect(answer.statusCode == status, "\(answer) to \(request)")
        }
    }

    @Test func `refuses a body whose chunks are malformed, and says so to both`() async throws {
        let ends = Journal()
        let server = try await server { _, body, _ in
            var count = 0
            do throws(StreamFailure) {
                while let bytes = try await body.next(upTo: 100) { count += bytes.count }
                ends.note("whole")
            } catch { ends.note("\(error)") }
        }
        for bad in ["x\r\n", "1\r\nab\r\n", "1\na\n", "0\r\n bad\r\n\r\n", " 1\r\na\r\n"] {
            let stranger = try Stranger(port: server.port)
            stranger.send(chunked(["abc"], end: bad) + get("/smuggled"))
            let answer = try #require(await stranger.everything())
            #expect(answer.statusCode == 400)
            #expect(answer.ranges(of: "HTTP/1.1 ").count == 1)
        }
        #expect(ends.lines.count == 5)
        #expect(ends.lines.allSatisfy { $0.hasPrefix("malformed") })
    }

    @Test func `tells a body that breaks off from one that ends`() async throws {
        let ends = Journal()
        let server = try await server { request, body, response in
            do throws(StreamFailure) {
                while try await body.next(upTo: 100) != nil {}
                ends.note("whole")
            } catch { ends.note("\(error)") }
            try await response.answer(200, "ok\n")
        }
        for request in [String(put("abc").dropLast()), chunked(["abc"], end: "0\r\n\r")] {
            let before = ends.lines.count
            do {
                let stranger = try Stranger(port: server.port)
                stranger.send(request)
            }
            try await until { ends.lines.count > before }
            #expect(ends.lines.last == "disconnected")
        }
        let stranger = try Stranger(port: server.port)
        stranger.send(put("abc"))
        #expect(await stranger.answer()?.statusCode == 200)
        #expect(ends.lines.last == "whole")
        try await until { server.connectionCount == 1 }
        try await until { server.bufferedBytes == 0 }
    }

    @Test func `lets no handler read the next request, or two tasks read at once`() async throws {
        let kept = Mutex<(any RequestBody)?>(nil)
        let found = Journal()
        let server = try await server { request, body, response in
            if let old = kept.withLock({ $0 }) {
                do throws(StreamFailure) {
                    _ = try await old.next(upTo: 100)
                    found.note("read")
                } catch { found.note("\(error)") }
            }
            kept.withLock { $0 = body }
            try await counting(request, body, response)
        }
        let stranger = try Stranger(port: server.port)
        stranger.send(put("abc") + put("secret"))
        #expect(await stranger.text(until: "6\n") != nil)
        #expect(found.lines == ["misused"])
        let other = try await ObjectServerTests.server { _, body, response in
            async let first = try? body.next(upTo: 1)
            async let second = try? body.next(upTo: 1)
            let both = await [first, second]
            try await response.answer(200, "\(both.count { $0 == nil })\n")
        }
        let waiting = try Stranger(port: other.port)
        waiting.send(putHead(1))
        #expect(await waiting.answer()?.hasSuffix("\r\n\r\n2\n") == true)
    }
}
