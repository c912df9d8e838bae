// SPDX-License-Identifier: Apache-2.0
import ObjectServer
import ObjectServerPorts
import ServedHTTP
import TestKit
import Testing

@Suite("Object server, 100-continue") struct ContinueTests {
    private let expect = "Expect: 100-continue\r\n"

    @Test func `comes with the first pull, and not before`() async throws {
        let gate = Gate()
        let server = try await server { request, body, response in
            await gate.pass()
            try await counting(request, body, response)
        }
        let stranger = try Stranger(port: server.port)
        stranger.send(putHead(3, more: expect))
        try await until { gate.waiting == 1 }
        // Whatever came before the pull would be here now.
        try await Task.sleep(for: .milliseconds(50))
        #expect(stranger.hasNothing)
        gate.open()
        #expect(await stranger.text(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        stranger.send("abc")
        let answer = try #require(await stranger.answer())
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("/put 3\n"))
        // Once for each request, and only where it is asked for.
        stranger.send(put("xy"))
        #expect(await stranger.answer()?.hasPrefix("HTTP/1.1 200 OK\r\n") == true)
        stranger.send(putHead(1, more: expect))
        #expect(await stranger.text(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        stranger.send("z")
        #expect(await stranger.answer()?.hasSuffix("/put 1\n") == true)
    }

    @Test func `never comes when the answer comes before, and the connection ends`() async throws {
        let server = try await server { _, body, response in
            try await response.answer(403, "no\n")
            // Too late.
            _ = try? await body.next(upTo: 1)
        }
        let stranger = try Stranger(port: server.port)
        stranger.send(putHead(3, more: expect))
        let answer = await stranger.text(until: "no\n")
        #expect(answer?.statusCode == 403)
        #expect(answer?.contains("Connection: close\r\n") == true)
        // What comes all the same is the refused body, and no request.
        stranger.send(get("/smuggled"))
        #expect(await stranger.everything() == "")
        // The control: without the expectation the small body is read, and the next is answered.
        let control = try Stranger(port: server.port)
        control.send(put("abc") + put("abc"))
        #expect(await control.text(until: "no\n") != nil)
        #expect(await control.text(until: "no\n") != nil)
    }

    @Test func `comes for an empty body too, and the connection goes on`() async throws {
        let server = try await server(counting)
        let stranger = try Stranger(port: server.port)
        for _ in 0..<2 {
            stranger.send(putHead(0, more: expect))
            #expect(await stranger.text(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            #expect(await stranger.answer()?.hasSuffix("/put 0\n") == true)
        }
    }

    @Test func `is not asked for by a request without a body`() async throws {
        let server = try await server(counting)
        let stranger = try Stranger(port: server.port)
        stranger.send(get("/a", more: expect))
        #expect(await stranger.answer()?.hasPrefix("HTTP/1.1 200 OK") == true)
    }
}

@Suite("Object server, answers") struct AnswerTests {
    @Test func `have no body where none belongs`() async throws {
        let server = try await server { request, _, response in
            let status = request.head.target == Array("/204".utf8) ? 204 : 200
            try await response.head(
                ResponseHead(
                    status: status,
                    fields: status == 204 ? [] : [HeaderField("Content-Length", "5")]))
            try await response.write(Array("abcd\n".utf8))
            try await response.end(trailers: [])
        }
        let stranger = try Stranger(port: server.port)
        stranger.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n" + get("/204") + get("/b"))
        let all = try #require(await stranger.text(until: "abcd\n"))
        #expect(all.ranges(of: "HTTP/1.1 20").count == 3)
        #expect(all.ranges(of: "abcd").count == 1)
        #expect(all.ranges(of: "Content-Length: 5\r\n").count == 2)
    }

    @Test func `come in chunks when their length is not known, with trailers`() async throws {
        let server = try await server { _, _, response in
            try await response.head(ResponseHead(status: 200))
            try await response.write(Array("abc".utf8))
            try await response.write([])
            try await response.write([UInt8](repeating: 120, count: 300_000))
            try await response.end(trailers: [HeaderField("x-sum", "1")])
        }
        let stranger = try Stranger(port: server.port)
        stranger.send(get("/"))
        let all = try #require(await stranger.text(until: "x-sum: 1\r\n\r\n"))
        #expect(all.contains("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n40000\r\nxxx"))
        #expect(all.contains("x\r\n93e0\r\nx") && all.hasSuffix("\r\n0\r\nx-sum: 1\r\n\r\n"))
        #expect(all.utf8.count { $0 == UInt8(ascii: "x") } == 300_001)
    }

    /// How an answer of 10 bytes is not finished, and with what head.
    enum Cut: CaseIterable { case abort, early, short, long, abortBeforeHead }

    @Test(arguments: Cut.allCases, [true, false])
    func `are cut when they are not finished, so that nobody takes them for whole`(
        _ cut: Cut, _ hasLength: Bool
    ) async throws {
        let server = try await server { request, _, response in
            if cut == .abortBeforeHead { return await response.abort() }
            let fields = hasLength ? [HeaderField("Content-Length", "10")] : []
            try await response.head(ResponseHead(status: 200, fields: fields))
            try await response.write(Array("abcde".utf8))
            if request.head.target == Array("/whole".utf8) {
                try await response.write(Array("fghi\n".utf8))
                return try await response.end(trailers: [])
            }
            // It has been sent when the next piece is.
            switch cut {
            case .abort: await response.abort()
            case .short: try await response.end(trailers: [])
            case .long: try await response.write(Array("fghi\njkl".utf8))
            case .early, .abortBeforeHead: break
            }
            // Without a length these two are whole.
            if !hasLength, cut == .short || cut == .long { await response.abort() }
        }
        let stranger = try Stranger(port: server.port)
        stranger.send(get("/cut") + get("/never"))
        let all = try #require(await stranger.everything())
        #expect(!all.contains("\r\n0\r\n\r\n") || cut == .short || cut == .long)
        if hasLength, let body = all.ranges(of: "\r\n\r\n").first {
            #expect(all[body.upperBound...].utf8.count < 10)
        }
        #expect(all.ranges(of: "HTTP/1.1").count <= 1)
        guard cut != .abortBeforeHead else {
            #expect(all == "")
            return
        }
        // The control: a whole answer ends so that it is known, and the connection goes on.
        let control = try Stranger(port: server.port)
        let end = hasLength ? "abcdefghi\n" : "5\r\nfghi\n\r\n0\r\n\r\n"
        control.send(get("/whole"))
        #expect(await control.text(until: end) != nil)
        control.send(get("/whole"))
        #expect(await control.text(until: end) != nil)
    }

    @Test func `that never began, or that would break the head, become a 500`() async throws {
        let failures = Journal()
        let server = try await server { request, _, response in
            guard request.head.method == "PUT" else { return }
            do throws(StreamFailure) {
                try await response.head(
                    ResponseHead(
                        status: 200, fields: [HeaderField("A", "b\r\nSet-Cookie: c")]))
            } catch { failures.note("\(error)") }
        }
        for request in [get("/"), put("abc"), "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let stranger = try Stranger(port: server.port)
            stranger.send(request)
            let answer = try #require(await stranger.everything())
            #expect(answer.statusCode == 500 && !answer.contains("Set-Cookie"))
            #expect(answer.hasSuffix("\r\n\r\n") == request.hasPrefix("HEAD"))
        }
        #expect(failures.lines == ["answerRefused(ServedHTTP.ResponseRefusal.fieldInvalid)"])
    }

    @Test func `show that long work goes on`() async throws {
        let gate = Gate()
        let server = try await server { request, body, response in
            _ = try await body.count()
            let xml = ResponseHead(
                status: 200, fields: [HeaderField("Content-Type", "application/xml")])
            let isLong = request.head.target == Array("/long".utf8)
            try await response.keepAlive(
                every: isLong ? .milliseconds(20) : .seconds(3600), xml,
                opening: Array("<?xml?>".utf8))
            if isLong { await gate.pass() }
            let outcome = try await response.head(ResponseHead(status: 404))
            try await response.write(Array((outcome == .kept ? "<kept/>" : "<sent/>").utf8))
            try await response.end(trailers: [])
        }
        let stranger = try Stranger(port: server.port)
        stranger.send(put("abc", target: "/long"))
        let start = try #require(await stranger.text(until: "8\r\n<?xml?> \r\n"))
        #expect(start.hasPrefix("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"))
        for _ in 0..<3 { #expect(await stranger.text(until: "1\r\n \r\n") == "1\r\n \r\n") }
        gate.open()
        let rest = try #require(await stranger.text(until: "0\r\n\r\n"))
        #expect(rest.hasSuffix("7\r\n<kept/>\r\n0\r\n\r\n"))
        // Work that is done in time is answered as ever, on the same connection.
        stranger.send(get("/short"))
        let short = try #require(await stranger.text(until: "0\r\n\r\n"))
        #expect(short.hasPrefix("HTTP/1.1 404 Not Found\r\n") && short.contains("<sent/>"))
        #expect(!short.contains("xml"))
    }

    @Test(arguments: [true, false])
    func `before the body's end let a small one pass and end the connection at a large one`(
        _ isChunked: Bool
    ) async throws {
        let server = try await server(
            change: { $0.drainBytesMax = 10_000 },
            { request, _, response in
                let target = String(decoding: request.head.target, as: UTF8.self)
                try await response.answer(200, "\(target)\n")
            })
        func request(_ count: Int) -> String {
            guard isChunked else { return put(String(repeating: "x", count: count)) }
            // With the framing, so many bytes.
            let text = chunked([String(repeating: "x", count: count - 13)])
            return text
        }
        let small = try Stranger(port: server.port)
        small.send(request(10_000) + get("/next"))
        #expect(await small.text(until: "/next\n") != nil)
        let large = try Stranger(port: server.port)
        large.send(request(10_001) + get("/next"))
        let all = try #require(await large.everything())
        #expect(all.contains("200 OK") && !all.contains("/next"))
        #expect(all.contains("Connection: close\r\n") == !isChunked)
    }
}
