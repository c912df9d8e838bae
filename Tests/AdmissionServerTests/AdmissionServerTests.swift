// SPDX-License-Identifier: Apache-2.0
import AdmissionServer
import Foundation
import Synchronization
import TestKit
import Testing

/// A server without TLS that says how much it got.
private func server(
    bodyBytesMax: Int = 1000, change: (inout ServerLimits) -> Void = { _ in },
    observe: @escaping @Sendable (String, Int) -> Void = { _, _ in },
    answer: @escaping @Sendable (ServedRequest) async -> ServedAnswer = {
        ServedAnswer(200, "\($0.body.count) bytes")
    }
) async throws -> AdmissionServer {
    var limits = ServerLimits(bodyBytesMax: bodyBytesMax)
    // A busy machine breaks no bound of time that a test does not set.
    limits.requestTime = .seconds(3600)
    limits.idleTime = .seconds(3600)
    limits.answerTime = .seconds(3600)
    change(&limits)
    return try await AdmissionServer(
        address: "127.0.0.1", port: 0, identity: nil,
        routes: [
            "/mutate": ServedRoute(.post, contentType: "application/json", answer: answer),
            "/healthz": ServedRoute(.get) { _ in ServedAnswer(200, "ok") },
        ], limits: limits, observe: observe)
}

private func post(
    _ body: String, path: String = "/mutate", type: String = "application/json",
    more: String = ""
) -> String {
    """
    POST \(path) HTTP/1.1\r
    Host: a\r
    Content-Type: \(type)\r
    Content-Length: \(body.utf8.count)\r
    \(more)\r
    \(body)
    """
}

@Suite("Admission server, requests") struct ServerRequestTests {
    @Test func `answers one request after the other on a connection`() async throws {
        let server = try await server()
        let stranger = try Stranger(port: server.port)
        for body in ["", "{}", "{\"a\":1}"] {
            stranger.send(post(body, path: "/mutate?timeout=5s"))
            let answer = try #require(await stranger.answer())
            #expect(answer.statusCode == 200)
            #expect(answer.hasSuffix("\r\n\r\n\(body.utf8.count) bytes\n"))
        }
        // Sent at once, answered in their order.
        stranger.send(post("1") + post("22") + "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        var all = ""
        while !all.hasSuffix("ok\n") { all += try #require(await stranger.answer()) }
        #expect(all.ranges(of: "HTTP/1.1 200 OK").count == 3)
        #expect(all.contains("1 bytes\n") && all.contains("2 bytes\n"))
        stranger.send(post("{}", more: "Connection: close\r\n"))
        #expect(await stranger.everything()?.hasSuffix("2 bytes\n") == true)
        #expect(server.bufferedBytes == 0)
    }

    @Test(
        arguments: [
            (post("{}", path: "/other"), 404, " 404", "there is /healthz, /mutate"),
            (post("{}", path: "/mutate/"), 404, " 404", ""),
            ("GET /mutate HTTP/1.1\r\nHost: a\r\n\r\n", 405, "/mutate 405", "use POST"),
            (post("{}", path: "/healthz"), 405, "/healthz 405", "use GET"),
            (post("{}", type: "text/plain"), 415, "/mutate 415", "application/json"),
            (post("{}", type: "application/jsonx"), 415, "/mutate 415", ""),
            (
                "POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 415, "/mutate 415",
                ""
            ),
            ("\u{16}\u{3}\u{1} hello\r\n\r\n", 400, " 400", "no HTTP/1.1"),
            ("POST /mutate HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, " 400", ""),
            (
                "POST /mutate HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                400, " 400", ""
            ),
        ] as [(String, Int, String, String)])
    func `refuses what it does not serve, says why and ends the connection`(
        _ request: String, _ status: Int, _ counted: String, _ reason: String
    ) async throws {
        let refusals = Mutex<[String]>([])
        let server = try await server(observe: { path, status in
            refusals.withLock { $0.append("\(path) \(status)") }
        })
        let stranger = try Stranger(port: server.port)
        stranger.send(request)
        let answer = try #require(await stranger.everything())
        #expect(answer.statusCode == status, "\(answer)")
        #expect(answer.contains("Connection: close\r\n"))
        #expect(reason.isEmpty || answer.contains(reason), "\(answer)")
        #expect(refusals.withLock { $0 } == [counted])
    }

    @Test func `takes a type with parameters`() async throws {
        let server = try await server()
        let stranger = try Stranger(port: server.port)
        stranger.send(post("{}", type: "Application/JSON; charset=utf-8"))
        #expect(await stranger.answer()?.statusCode == 200)
    }

    @Test func `takes bodies up to the limit, however they come`() async throws {
        let server = try await server(bodyBytesMax: 1000)
        func chunked(_ count: Int) -> String {
            let size = String(count / 2, radix: 16)
            let chunk = "\(size)\r\n\(String(repeating: "x", count: count / 2))\r\n"
            return "POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n\(chunk)\(chunk)0\r\n\r\n"
        }
        for (request, status) in [
            (post(String(repeating: "x", count: 1000)), 200),
            (post(String(repeating: "x", count: 1001)), 413),
            (chunked(1000), 200), (chunked(1002), 413),
        ] {
            let stranger = try Stranger(port: server.port)
            stranger.send(request)
            let answer = try #require(await stranger.answer())
            #expect(answer.statusCode == status, "\(answer)")
            if status == 413 { #expect(answer.contains("larger than 1000 bytes")) }
        }
        // Said to be too large: refused before it comes.
        let stranger = try Stranger(port: server.port)
        stranger.send(
            "POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                + "Content-Length: 99999999999\r\n\r\n")
        #expect(await stranger.everything()?.statusCode == 413)
        #expect(server.bufferedBytes == 0)
    }

    @Test func `takes heads up to the limits`() async throws {
        let server = try await server { limits in
            limits.headerFieldBytesMax = 100
            limits.headerBytesMax = 300
            limits.headerFieldCountMax = 6
        }
        // So many bytes of name and value together.
        func field(_ count: Int, _ name: String = "A") -> String {
            "\(name): \(String(repeating: "x", count: count - name.utf8.count))\r\n"
        }
        func get(_ fields: String, path: String = "/healthz") -> String {
            "GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"
        }
        let query = "/healthz?" + String(repeating: "x", count: 91)
        for (request, status) in [
            // Names and values count each.
            (get(field(101)), 200), (get(field(102)), 431),
            (get("", path: query), 200), (get("", path: query + "x"), 431),
            // The path (8) and Host (5) are 13 of 300.
            (get(field(100) + field(100, "B") + field(87, "C")), 200),
            (get(field(100) + field(100, "B") + field(88, "C")), 431),
            (get(String(repeating: "A: b\r\n", count: 5)), 200),
            (get(String(repeating: "A: b\r\n", count: 6)), 431),
        ] {
            let stranger = try Stranger(port: server.port)
            stranger.send(request)
            let answer = await stranger.answer() ?? "nothing"
            #expect(answer.statusCode == status, "\(answer) to \(request)")
        }
    }

    @Test func `keeps no more of all bodies together than the limit`() async throws {
        let server = try await server { $0.bufferedBytesMax = 1500 }
        let half =
            "POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            + "Content-Length: 1000\r\n\r\n" + String(repeating: "x", count: 999)
        let first = try Stranger(port: server.port)
        first.send(half)
        while server.bufferedBytes < 999 { try await Task.sleep(for: .milliseconds(5)) }
        let second = try Stranger(port: server.port)
        second.send(half)
        #expect(await second.everything()?.statusCode == 503)
        // Whoever fits in is served, and what has ended makes room.
        let third = try Stranger(port: server.port)
        third.send(post("{}"))
        #expect(await third.answer()?.statusCode == 200)
        first.send("x")
        #expect(await first.answer()?.hasSuffix("1000 bytes\n") == true)
        let fourth = try Stranger(port: server.port)
        fourth.send(half + "x")
        #expect(await fourth.answer()?.statusCode == 200)
        // A connection that breaks off gives back what it held.
        do {
            let fifth = try Stranger(port: server.port)
            fifth.send(half)
            while server.bufferedBytes < 999 { try await Task.sleep(for: .milliseconds(5)) }
        }
        while server.bufferedBytes > 0 { try await Task.sleep(for: .milliseconds(5)) }
    }
}

@Suite("Admission server, time and numbers", .serialized) struct ServerTimeTests {
    @Test func `ends requests that never end, and connections that ask nothing`() async throws {
        let server = try await server {
            $0.requestTime = .milliseconds(300)
            $0.idleTime = .milliseconds(400)
        }
        let silent = try Stranger(port: server.port)
        let headOnly = try Stranger(port: server.port)
        headOnly.send("POST /mutate HTTP/1.1\r\nHost:")
        let bodyLess = try Stranger(port: server.port)
        bodyLess.send(
            "POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                + "Content-Length: 10\r\n\r\n{")
        let idle = try Stranger(port: server.port)
        idle.send(post("{}"))
        #expect(await idle.answer()?.statusCode == 200)
        #expect(await silent.everything() == "")
        #expect(await headOnly.everything() == "")
        #expect(await bodyLess.everything()?.statusCode == 408)
        #expect(await idle.everything() == "")
        // A drip does not keep it going.
        let slow = try Stranger(port: server.port)
        slow.send(
            "POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n")
        var drips = 0
        while slow.send("1\r\nx\r\n"), drips < 1000 {
            drips += 1
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(drips < 1000)
        while server.connectionCount > 0 { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test func `ends who does not take the answer`() async throws {
        let large = [UInt8](repeating: 0x78, count: 64 << 20)
        let server = try await server(
            change: { $0.answerTime = .milliseconds(300) },
            answer: { _ in ServedAnswer(200, contentType: "text/plain", large) })
        let stranger = try Stranger(port: server.port)
        stranger.send(post("{}"))
        while server.connectionCount == 0 { try await Task.sleep(for: .milliseconds(5)) }
        while server.connectionCount > 0 { try await Task.sleep(for: .milliseconds(5)) }
        #expect((await stranger.everything() ?? "").utf8.count < large.count)
    }

    @Test func `stays open to others beside 1000 connections that ask nothing`() async throws {
        let server = try await server()
        let most = ServerLimits(bodyBytesMax: 0).connectionCountMax
        let first = try Stranger(port: server.port)
        let crowd = try IdleCrowd(port: server.port, count: 1000)
        let last = try Stranger(port: server.port)
        for _ in 0..<20 {
            let other = try Stranger(port: server.port)
            other.send(post("{}"))
            #expect(await other.answer()?.statusCode == 200)
            #expect(server.connectionCount <= most)
        }
        // The oldest made room.
        #expect(await first.everything() == "")
        last.send(post("{}"))
        #expect(await last.answer()?.statusCode == 200)
        withExtendedLifetime(crowd) {}
    }

    @Test func `has who never ends a request make room for who does`() async throws {
        let server = try await server { $0.connectionCountMax = 2 }
        let head =
            "POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            + "Content-Length: 10\r\n\r\n{"
        let endless = [try Stranger(port: server.port), try Stranger(port: server.port)]
        for (number, stranger) in endless.enumerated() {
            stranger.send(head)
            while server.bufferedBytes <= number { try await Task.sleep(for: .milliseconds(5)) }
        }
        let other = try Stranger(port: server.port)
        other.send(post("{}"))
        #expect(await other.answer()?.statusCode == 200)
        #expect(await endless[0].everything() == "")
    }

    @Test func `turns away who comes when all are busy, and nobody else`() async throws {
        let gate = Gate()
        let server = try await server(
            change: { $0.connectionCountMax = 2 }, answer: gate.late)
        let busy = [try Stranger(port: server.port), try Stranger(port: server.port)]
        for stranger in busy { stranger.send(post("{}")) }
        while gate.waiting < 2 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(try await Stranger(port: server.port).everything() == "")
        gate.open()
        for stranger in busy { #expect(await stranger.answer()?.hasSuffix("late\n") == true) }
    }

    @Test func `ends connections with their next answer before it drains`() async throws {
        let server = try await server()
        let known = try Stranger(port: server.port)
        known.send(post("{}"))
        let before = try #require(await known.answer())
        #expect(!before.lowercased().contains("connection: close"))
        server.endReuse()
        known.send(post("{}"))
        let after = try #require(await known.everything())
        #expect(after.lowercased().contains("connection: close\r\n"))
        let new = try Stranger(port: server.port)
        new.send(post("{}"))
        #expect(await new.everything()?.lowercased().contains("connection: close\r\n") == true)
        await server.drain(within: .seconds(10))
    }

    @Test func `drains: answers what was asked, ends the rest, and lets nobody in`() async throws {
        let gate = Gate()
        let server = try await server(answer: gate.late)
        let idle = try Stranger(port: server.port)
        let busy = try Stranger(port: server.port)
        busy.send(post("{}"))
        while gate.waiting < 1 || server.connectionCount < 2 {
            try await Task.sleep(for: .milliseconds(5))
        }
        let port = server.port
        async let drained: Void = server.drain(within: .seconds(100))
        #expect(await idle.everything() == "")
        #expect(await (try? Stranger(port: port))?.everything() ?? "" == "")
        gate.open()
        let answer = try #require(await busy.everything())
        #expect(answer.hasSuffix("late\n"))
        #expect(answer.lowercased().contains("connection: close\r\n"))
        await drained
        #expect(server.connectionCount == 0)
    }

    @Test func `drains no longer than it may`() async throws {
        let gate = Gate()
        let server = try await server(answer: gate.late)
        let busy = try Stranger(port: server.port)
        busy.send(post("{}"))
        while gate.waiting < 1 { try await Task.sleep(for: .milliseconds(5)) }
        await server.drain(within: .milliseconds(50))
        #expect(await busy.everything() == "")
        gate.open()
    }
}

/// Where answers wait.
final class Gate: Sendable {
    private let state = Mutex((isOpen: false, waiting: 0))

    var waiting: Int { state.withLock { $0.waiting } }
    func open() { state.withLock { $0.isOpen = true } }

    @Sendable func late(_ request: ServedRequest) async -> ServedAnswer {
        state.withLock { $0.waiting += 1 }
        while !state.withLock({ $0.isOpen }) { try? await Task.sleep(for: .milliseconds(5)) }
        return ServedAnswer(200, "late")
    }
}
