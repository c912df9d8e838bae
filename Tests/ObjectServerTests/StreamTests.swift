// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Foundation
import LoopbackPKI
import NIOCore
import NIOHTTP1
import NIOSSL
import ObjectServer
import ObjectServerPorts
import ServedHTTP
import TestKit
import Testing

/// Sends back what comes, while it comes.
private let echo: Work = { _, body, response in
    try await response.head(ResponseHead(status: 200))
    while let bytes = try await body.next(upTo: 64 << 10) { try await response.write(bytes) }
    try await response.end(trailers: [])
}

private func client(
    trusting authority: LoopbackPKI? = nil, version: TLSVersion? = nil
) throws -> HTTPClient {
    var configuration = HTTPClient.Configuration()
    configuration.httpVersion = .http1Only
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 300
    var tls = TLSConfiguration.makeClientConfiguration()
    if let authority {
        tls.trustRoots = .certificates(
            try NIOSSLCertificate.fromPEMBytes(Array(authority.authority.certificatePEM.utf8)))
    }
    if let version {
        tls.minimumTLSVersion = version
        tls.maximumTLSVersion = version
    }
    configuration.tlsConfiguration = tls
    return HTTPClient(
        eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
}

/// Bytes that a seed decides, and that are not the same anywhere.
private func bytes(_ count: Int, seed: UInt64) -> ByteBuffer {
    var random = SeededGenerator(seed: seed)
    var buffer = ByteBuffer()
    buffer.reserveCapacity(count + 8)
    while buffer.readableBytes < count { buffer.writeInteger(random.next()) }
    return buffer.getSlice(at: 0, length: count) ?? ByteBuffer()
}

/// - Returns: what came back; nil: no connection that is to be trusted, or no whole answer.
private func sent(
    _ body: ByteBuffer, to url: String, by client: HTTPClient, inChunks: Bool = false,
    closing: Bool = false
) async -> ByteBuffer? {
    var request = HTTPClientRequest(url: url)
    request.method = .PUT
    if closing { request.headers.add(name: "Connection", value: "close") }
    request.body = inChunks ? .stream(pieces(body), length: .unknown) : .bytes(body)
    guard let response = try? await client.execute(request, timeout: .seconds(600)),
        response.status == .ok
    else { return nil }
    return try? await response.body.collect(upTo: 64 << 20)
}

/// In pieces of an odd size.
private func pieces(_ body: ByteBuffer) -> AsyncStream<ByteBuffer> {
    AsyncStream { continuation in
        var rest = body
        while rest.readableBytes > 0 {
            guard let piece = rest.readSlice(length: min(rest.readableBytes, 9973)) else { break }
            continuation.yield(piece)
        }
        continuation.finish()
    }
}

private func identity(_ pki: LoopbackPKI) throws -> ([UInt8], [UInt8]) {
    let server = try pki.server()
    return (Array(server.certificatePEM.utf8), Array(server.keyPEM.utf8))
}

@Suite("Object server, streams", .serialized) struct StreamTests {
    @Test func `three hundred at once come back as they were sent`() async throws {
        let server = try await server(echo)
        let client = try client()
        var random = SeededGenerator(seed: 6)
        let sizes = (0..<300).map { number in
            number < 10 ? number : Int.random(in: 0...(1 << 20), using: &random)
        }
        let url = "http://127.0.0.1:\(server.port)/echo"
        await withTaskGroup(of: Bool.self) { group in
            for (number, size) in sizes.enumerated() {
                group.addTask {
                    let body = bytes(size, seed: UInt64(number))
                    return await sent(body, to: url, by: client, inChunks: number % 2 == 0) == body
                }
            }
            var equal = 0
            for await isEqual in group where isEqual { equal += 1 }
            #expect(equal == sizes.count)
        }
        try await until { server.bufferedBytes == 0 }
        // The control: other bytes are not equal.
        #expect(bytes(100, seed: 1) != bytes(100, seed: 2))
        try await client.shutdown()
    }

    @Test(arguments: [TLSVersion.tlsv12, .tlsv13])
    func `go through TLS`(_ version: TLSVersion) async throws {
        let pki = try LoopbackPKI()
        let (certificates, key) = try identity(pki)
        let server = try await server(
            identity: try TLSIdentity(certificates: certificates, key: key), echo)
        let client = try client(trusting: pki, version: version)
        let url = "https://127.0.0.1:\(server.port)/echo"
        for size in [0, 1, 65_536, 5_000_000] {
            let body = bytes(size, seed: 3)
            #expect(await sent(body, to: url, by: client) == body)
        }
        try await client.shutdown()
    }

    @Test func `through TLS are held up and cut as without`() async throws {
        let pki = try LoopbackPKI()
        let (certificates, key) = try identity(pki)
        let gate = Gate()
        let server = try await server(
            identity: try TLSIdentity(certificates: certificates, key: key)
        ) { request, body, response in
            if request.head.method == "PUT" {
                await gate.pass()
                return try await echo(request, body, response)
            }
            try await response.head(
                ResponseHead(status: 200, fields: [HeaderField("Content-Length", "10")]))
            try await response.write(Array("abc".utf8))
            await response.abort()
        }
        let client = try client(trusting: pki)
        let url = "https://127.0.0.1:\(server.port)/"
        let cut = try? await client.execute(HTTPClientRequest(url: url), timeout: .seconds(60))
        #expect((try? await cut?.body.collect(upTo: 100)) == nil)
        let body = bytes(20 << 20, seed: 9)
        async let answer = sent(body, to: url, by: client)
        try await until { gate.waiting == 1 && server.bufferedBytes > 0 }
        try await Task.sleep(for: .milliseconds(300))
        // One record of TLS may come on top of what was asked for.
        #expect(server.bufferedBytes <= ObjectServerLimits().bufferedBytesMax + (32 << 10))
        gate.open()
        #expect(await answer == body)
        try await client.shutdown()
    }
}

@Suite("Object server, certificates", .serialized) struct IdentityTests {
    private static let word = ByteBuffer(string: "word")

    @Test func `are replaced between two requests, and none fails`() async throws {
        let pkis = [try LoopbackPKI(commonName: "one"), try LoopbackPKI(commonName: "two")]
        let identities = try pkis.map { try identity($0) }
        let own = try TLSIdentity(certificates: identities[0].0, key: identities[0].1)
        let server = try await server(identity: own, echo)
        let url = "https://127.0.0.1:\(server.port)/"
        let clients = try pkis.map { try client(trusting: $0) }
        #expect(await sent(Self.word, to: url, by: clients[0]) == Self.word)
        // The control: who trusts the other authority only does not get through.
        #expect(await sent(Self.word, to: url, by: clients[1]) == nil)
        try own.replace(certificates: identities[1].0, key: identities[1].1)
        #expect(await sent(Self.word, to: url, by: clients[1]) == Self.word)
        // A connection from before goes on; a new one does not have the old certificate.
        #expect(await sent(Self.word, to: url, by: clients[0], closing: true) == Self.word)
        let late = try client(trusting: pkis[0])
        #expect(await sent(Self.word, to: url, by: late) == nil)
        for client in clients + [late] { try await client.shutdown() }
    }

    @Test func `may come later, and nobody is answered before`() async throws {
        let pki = try LoopbackPKI()
        let own = TLSIdentity()
        #expect(own.validUntil == nil)
        let server = try await server(identity: own, echo)
        let url = "https://127.0.0.1:\(server.port)/"
        let client = try client(trusting: pki)
        #expect(await sent(Self.word, to: url, by: client) == nil)
        let (certificates, key) = try identity(pki)
        try own.replace(certificates: certificates, key: key)
        #expect(await sent(Self.word, to: url, by: client) == Self.word)
        let days = (Double(try #require(own.validUntil)) - Date().timeIntervalSince1970) / 86_400
        #expect(days > 29.9 && days <= 30)
        for (certificates, key) in [
            ([], key), (certificates, []), (key, certificates),
            (certificates, try identity(try LoopbackPKI()).1),
        ] {
            do {
                try own.replace(certificates: certificates, key: key)
                Issue.record("taken")
            } catch {
                guard case .identityInvalid(let detail) = error else { throw error }
                #expect(!detail.contains("PRIVATE"))
            }
        }
        // What was there stayed.
        let other = try ObjectServerTests.client(trusting: pki)
        #expect(await sent(Self.word, to: url, by: other) == Self.word)
        for client in [client, other] { try await client.shutdown() }
    }

    @Test func `are asked for in vain by old TLS and by whoever speaks none`() async throws {
        let pki = try LoopbackPKI()
        let (certificates, key) = try identity(pki)
        let server = try await server(
            identity: try TLSIdentity(certificates: certificates, key: key), echo)
        let url = "https://127.0.0.1:\(server.port)/"
        let old = try client(trusting: pki, version: .tlsv11)
        #expect(await sent(Self.word, to: url, by: old) == nil)
        for text in [get("/"), "\u{16}\u{3}\u{1}\u{0}\u{5}hello"] {
            let stranger = try Stranger(port: server.port)
            stranger.send(text)
            #expect(await stranger.everything()?.contains("HTTP") == false)
        }
        let new = try client(trusting: pki)
        #expect(await sent(Self.word, to: url, by: new) == Self.word)
        for client in [old, new] { try await client.shutdown() }
    }

    @Test func `or not, a port that is taken is told`() async throws {
        let server = try await server(counting)
        do {
            _ = try await ObjectServer(
                address: "127.0.0.1", port: server.port, identity: nil,
                limits: ObjectServerLimits(), handler: Scripted(work: counting))
            Issue.record("listens")
        } catch {
            guard case .cannotListen("127.0.0.1", server.port, let detail) = error else {
                throw error
            }
            #expect(detail.contains("in use"))
        }
    }
}
