// SPDX-License-Identifier: Apache-2.0
import ObjectServer
import ObjectServerPorts
import ServedHTTP
import TestKit
import Testing

/// Sends until nothing is taken for a while, or so many bytes are sent.
///
/// - Returns: how many.
private func flood(_ stranger: Stranger, upTo most: Int, piece: Int = 65_536) async -> Int {
    let bytes = [UInt8](repeating: 120, count: piece)
    var sent = 0
    var refused = 0
    while sent < most, refused < 100 {
        guard let count = stranger.sendWhatFits(Array(bytes.prefix(most - sent))) else { break }
        sent += count
        refused = count == 0 ? refused + 1 : 0
        if count == 0 { try? await Task.sleep(for: .milliseconds(5)) }
    }
    return sent
}

@Suite("Object server, flow", .serialized) struct FlowTests {
    private static let bodyBytes = 64 << 20

    @Test(arguments: [256 << 10, 1 << 20])
    func `takes no more from the network than the limit while nobody pulls`(
        _ limit: Int
    ) async throws {
        let gate = Gate()
        let server = try await server(
            change: { $0.bufferedBytesMax = limit },
            { request, body, response in
                await gate.pass()
                try await counting(request, body, response)
            })
        let stranger = try Stranger(port: server.port)
        stranger.send(putHead(Self.bodyBytes))
        let sent = await flood(stranger, upTo: Self.bodyBytes)
        // The kernel keeps some megabytes; the sender is held up all the same.
        #expect(sent < Self.bodyBytes)
        #expect(server.bufferedBytes <= limit)
        // The control: as much as one read less is there, so that the number says something.
        #expect(server.bufferedBytes > limit / 4)
        gate.open()
        await stranger.aside {
            _ = stranger.send([UInt8](repeating: 120, count: Self.bodyBytes - sent))
        }
        #expect(await stranger.answer()?.hasSuffix("/put \(Self.bodyBytes)\n") == true)
        try await until { server.bufferedBytes == 0 }
    }

    @Test func `keeps what comes in small pieces in no more than it has to`() async throws {
        let gate = Gate()
        let server = try await server { request, body, response in
            await gate.pass()
            try await counting(request, body, response)
        }
        let stranger = try Stranger(port: server.port)
        stranger.send(putHead(20_000))
        try await until { gate.waiting == 1 }
        for count in 1...20_000 {
            stranger.send([120])
            if count % 100 == 0 { try await until { server.bufferedBytes == count } }
        }
        gate.open()
        #expect(await stranger.answer()?.hasSuffix("/put 20000\n") == true)
    }

    @Test func `holds a handler up while its answer is not taken`() async throws {
        let written = Journal()
        let server = try await server { _, _, response in
            let piece = [UInt8](repeating: 120, count: 64 << 10)
            let count = Self.bodyBytes / piece.count
            try await response.head(
                ResponseHead(
                    status: 200,
                    fields: [HeaderField("Content-Length", String(Self.bodyBytes))]))
            for _ in 0..<count {
                try await response.write(piece)
                written.note("")
            }
            try await response.end(trailers: [])
        }
        let stranger = try Stranger(port: server.port, receiveBufferBytes: 65_536)
        stranger.send(get("/"))
        // Nothing is read: it comes to a stop.
        var before = -1
        while written.lines.count != before || before <= 0 {
            before = written.lines.count
            try await Task.sleep(for: .milliseconds(300))
        }
        #expect(before < Self.bodyBytes / (64 << 10))
        let limits = ObjectServerLimits()
        #expect(server.bufferedBytes > 0)
        #expect(server.bufferedBytes <= limits.bufferedBytesMax)
        let head = try #require(await stranger.text(until: "\r\n\r\n"))
        #expect(head.statusCode == 200)
        #expect(await stranger.count(upTo: Self.bodyBytes) == Self.bodyBytes)
        try await until { server.bufferedBytes == 0 }
    }

    @Test func `does not read on when a request waits behind a slow one`() async throws {
        let gate = Gate()
        let server = try await server(
            change: { $0.bufferedBytesMax = 64 << 10 },
            { request, body, response in
                await gate.pass()
                try await counting(request, body, response)
            })
        let stranger = try Stranger(port: server.port)
        stranger.send(get("/slow"))
        try await until { gate.waiting == 1 }
        // Whole requests, thousands of them.
        let request = Array(get("/more").utf8)
        let many = [[UInt8]](repeating: request, count: 1000).flatMap { $0 }
        var sent = 0
        var refused = 0
        while sent < 1000 * many.count, refused < 100 {
            let rest = Array(many[(sent % many.count)...])
            guard let count = stranger.sendWhatFits(rest) else { break }
            sent += count
            refused = count == 0 ? refused + 1 : 0
            if count == 0 { try await Task.sleep(for: .milliseconds(5)) }
        }
        #expect(sent < 1000 * many.count)
        #expect(server.bufferedBytes <= 64 << 10)
        #expect(server.bufferedBytes > 0)
        #expect(gate.waiting == 1)
        gate.open()
    }
}
