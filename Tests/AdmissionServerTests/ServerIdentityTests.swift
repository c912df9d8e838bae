// SPDX-License-Identifier: Apache-2.0
import AdmissionServer
import AsyncHTTPClient
import Foundation
import LoopbackPKI
import NIOCore
import NIOHTTP1
import NIOSSL
import TestKit
import Testing

private func client(trusting authorities: [LoopbackPKI]) throws -> HTTPClient {
    var configuration = HTTPClient.Configuration()
    configuration.httpVersion = .http1Only
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.trustRoots = .certificates(
        try authorities.flatMap {
            try NIOSSLCertificate.fromPEMBytes(Array($0.authority.certificatePEM.utf8))
        })
    configuration.tlsConfiguration = tls
    return HTTPClient(
        eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
}

private func served(by identity: ServerIdentity) async throws -> AdmissionServer {
    var limits = ServerLimits(bodyBytesMax: 1000)
    limits.requestTime = .seconds(3600)
    return try await AdmissionServer(
        address: "127.0.0.1", port: 0, identity: identity,
        routes: [
            "/mutate": ServedRoute(.post, contentType: "application/json") {
                ServedAnswer(200, contentType: "application/json", $0.body)
            }
        ], limits: limits)
}

private func identity(_ pki: LoopbackPKI) throws -> ([UInt8], [UInt8]) {
    let server = try pki.server()
    return (Array(server.certificatePEM.utf8), Array(server.keyPEM.utf8))
}

/// - Returns: nil: no connection that is to be trusted.
private func ask(_ port: Int, _ client: HTTPClient, closing: Bool = false) async -> Int? {
    var request = HTTPClientRequest(url: "https://127.0.0.1:\(port)/mutate")
    request.method = .POST
    request.headers.add(name: "Content-Type", value: "application/json")
    if closing { request.headers.add(name: "Connection", value: "close") }
    request.body = .bytes(ByteBuffer(string: "{}"))
    let response = try? await client.execute(request, timeout: .seconds(120))
    guard let body = try? await response?.body.collect(upTo: 100), String(buffer: body) == "{}"
    else { return nil }
    return response.map { Int($0.status.code) }
}

@Suite("Admission server, certificates") struct ServerIdentityTests {
    @Test func `are swapped between two requests, and none fails`() async throws {
        let pkis = [try LoopbackPKI(commonName: "one"), try LoopbackPKI(commonName: "two")]
        let identities = try pkis.map { try identity($0) }
        let own = try ServerIdentity(certificates: identities[0].0, key: identities[0].1)
        let server = try await served(by: own)
        let clients = try [[pkis[0]], [pkis[1]], pkis].map { try client(trusting: $0) }
        #expect(await ask(server.port, clients[0]) == 200)
        // The control: who trusts the other authority only does not get through.
        #expect(await ask(server.port, clients[1]) == nil)
        let port = server.port
        await withTaskGroup(of: [Int?].self) { group in
            for worker in 0..<4 {
                group.addTask {
                    var answers: [Int?] = []
                    // Half of them by a new connection each time.
                    for _ in 0..<20 {
                        answers.append(await ask(port, clients[2], closing: worker % 2 == 0))
                    }
                    return answers
                }
            }
            group.addTask {
                for round in 1...30 {
                    let (certificates, key) = identities[round % 2]
                    try? own.replace(certificates: certificates, key: key)
                    try? await Task.sleep(for: .milliseconds(5))
                }
                return []
            }
            for await answers in group { #expect(answers.allSatisfy { $0 == 200 }) }
        }
        try own.replace(certificates: identities[1].0, key: identities[1].1)
        #expect(await ask(server.port, clients[1], closing: true) == 200)
        // The one that had the old certificate from before goes on with its connection; a new
        // client is refused.
        let late = try client(trusting: [pkis[0]])
        #expect(await ask(server.port, late) == nil)
        for client in clients + [late] { try await client.shutdown() }
    }

    @Test func `may come later, and nobody is answered before`() async throws {
        let pki = try LoopbackPKI()
        let own = ServerIdentity()
        #expect(own.validUntil == nil)
        let server = try await served(by: own)
        let client = try client(trusting: [pki])
        #expect(await ask(server.port, client) == nil)
        let stranger = try Stranger(port: server.port)
        stranger.send("POST /mutate HTTP/1.1\r\n\r\n")
        #expect(await stranger.everything() == "")
        let (certificates, key) = try identity(pki)
        try own.replace(certificates: certificates, key: key)
        #expect(await ask(server.port, client) == 200)
        let days = (Double(try #require(own.validUntil)) - Date().timeIntervalSince1970) / 86_400
        #expect(days > 29.9 && days <= 30)
        try await client.shutdown()
    }

    @Test func `stay when the new ones are none`() async throws {
        let pki = try LoopbackPKI()
        let (certificates, key) = try identity(pki)
        let other = try identity(pki)
        let own = try ServerIdentity(certificates: certificates, key: key)
        for (certificates, key) in [
            ([], key), (certificates, []), (Array("junk".utf8), key), (certificates, other.1),
            (key, certificates), (Array(certificates.dropLast(100)), key),
        ] {
            do {
                try own.replace(certificates: certificates, key: key)
                Issue.record("taken")
            } catch {
                guard case .identityInvalid(let detail) = error else { throw error }
                #expect(!detail.contains("PRIVATE"))
            }
        }
        let server = try await served(by: own)
        let client = try client(trusting: [pki])
        #expect(await ask(server.port, client) == 200)
        try await client.shutdown()
    }

    @Test func `are not shown to whoever speaks no TLS, and it harms nobody`() async throws {
        let pki = try LoopbackPKI()
        let (certificates, key) = try identity(pki)
        let server = try await served(
            by: try ServerIdentity(certificates: certificates, key: key))
        for text in [
            "POST /mutate HTTP/1.1\r\n\r\n", "\u{16}\u{3}\u{1}\u{0}\u{5}hello",
            String(repeating: "\u{0}", count: 100_000),
        ] {
            let stranger = try Stranger(port: server.port)
            stranger.send(text)
            #expect(await stranger.everything()?.contains("HTTP") == false)
        }
        let client = try client(trusting: [pki])
        #expect(await ask(server.port, client) == 200)
        try await client.shutdown()
    }

    @Test func `says when its port is taken`() async throws {
        let pki = try LoopbackPKI()
        let (certificates, key) = try identity(pki)
        let own = try ServerIdentity(certificates: certificates, key: key)
        let server = try await served(by: own)
        do {
            _ = try await AdmissionServer(
                address: "127.0.0.1", port: server.port, identity: own, routes: [:],
                limits: ServerLimits(bodyBytesMax: 0))
            Issue.record("listens")
        } catch {
            guard case .cannotListen("127.0.0.1", server.port, let detail) = error else {
                throw error
            }
            #expect(detail.contains("in use"))
        }
    }
}
