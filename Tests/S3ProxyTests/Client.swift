// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher
import CryptoObjectCipher
import ObjectServerPorts
import RequestSignature
import S3Format
import S3Proxy
import SecretMemory
import ServedHTTP
import Synchronization
import Testing

/// What a client got.
struct Reply: Sendable {
    var status = 0
    var fields: [HeaderField] = []
    var body: [UInt8] = []
    /// Nothing is missing.
    var isWhole = false
    /// Spaces that kept the client waiting.
    var wasKept = false

    subscript(name: String) -> String? { fields.values(of: name).first }

    var text: String { String(decoding: body, as: UTF8.self) }
    var code: String? { (try? S3ErrorDocument(body))?.code }
}

/// Signs as S3's clients do.
struct Client: Sendable {
    let world: World
    var proxy: S3Proxy<CryptoObjectCipher>
    var accessKeyID = World.accessKeyID
    var secret = World.secret
    /// Pieces that the network makes of a body.
    var pieceBytes = 10_007

    init(_ world: World, _ proxy: S3Proxy<CryptoObjectCipher>? = nil) {
        self.world = world
        self.proxy = proxy ?? world.proxy
    }

    func send(
        _ method: String, _ key: String = "", query: [(String, String)] = [],
        _ fields: [String: String] = [:], _ body: [UInt8] = [], payload: Payload? = nil,
        bodyEnds: Bool = true, keepsAlive: Bool = false,
        body sent: (@Sendable () -> SlicedBody)? = nil
    ) async throws -> Reply {
        let hash = CryptoHasher().digest(.sha256, of: body.span.bytes)
        let signer = RequestSigner(
            accessKeyID: accessKeyID, region: "eu-test-1", CryptoHasher(), keyMemory: world.arena)
        let target = RequestTarget(
            path: Array("/\(world.bucket)\(key.isEmpty ? "" : "/" + key)".utf8),
            query: query.map { QueryItem($0.0, $0.1) })
        let signed = try signer.sign(
            method: method, target,
            fields: [RequestField("host", "proxy.test")]
                + fields.sorted { $0.key < $1.key }.map { RequestField($0.key, $0.value) },
            payload: payload ?? .literal(hash), now: world.clock.secondsSince1970(),
            secret: Array(secret.utf8).span.bytes)
        return await send(
            signed.head, framed(body, payload, signed), bodyEnds, keepsAlive, sent?())
    }

    private func framed(
        _ body: [UInt8], _ payload: Payload?, _ signed: SignedRequest
    ) -> [UInt8] {
        guard case .chunked(let chunked) = payload else { return body }
        var encoder = ChunkedBodyEncoder(chunked, chain: signed.chain, CryptoHasher())
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: body.count, by: 65_536) {
            let chunk = Array(body[start..<min(start + 65_536, body.count)])
            bytes += encoder.head(of: chunk.span.bytes) + chunk + ChunkedBodyEncoder.lineEnd
        }
        return bytes + encoder.end()
    }

    func send(
        _ head: RequestSignature.RequestHead, _ body: [UInt8], _ bodyEnds: Bool = true,
        _ keepsAlive: Bool = false, _ sent: SlicedBody? = nil
    ) async -> Reply {
        let writer = RecordingWriter(method: head.method, keepsAlive: keepsAlive)
        let request = ServedRequest(
            head: ServedHTTP.RequestHead(
                method: head.method, target: Array(head.target.utf8),
                fields: head.fields.map { HeaderField($0.name, $0.value) },
                authority: "proxy.test"),
            length: .bytes(body.count), remoteAddress: "192.0.2.1:4711")
        await proxy.handle(
            request, body: sent ?? SlicedBody(body, pieceBytes, ends: bodyEnds), response: writer)
        return writer.reply
    }

    // MARK: - In short

    @discardableResult
    func put(
        _ key: String, _ content: [UInt8], _ fields: [String: String] = [:]
    ) async throws -> Reply {
        let reply = try await send("PUT", key, fields, content)
        #expect(reply.status == 200, "\(reply.text)")
        return reply
    }

    func get(_ key: String, range: String? = nil) async throws -> Reply {
        try await send("GET", key, range.map { ["range": $0] } ?? [:])
    }
}

/// Holds whoever passes until it is opened.
final class Gate: Sendable {
    private let state = Mutex((hasArrived: false, isOpen: false))

    func pass() async {
        state.withLock { $0.hasArrived = true }
        while !state.withLock({ $0.isOpen }) { await Task.yield() }
    }

    func arrived() async { while !state.withLock({ $0.hasArrived }) { await Task.yield() } }

    func open() { state.withLock { $0.isOpen = true } }
}

final class SlicedBody: RequestBody, Sendable {
    private let rest: Mutex<ArraySlice<UInt8>>
    private let pieceBytes: Int
    private let ends: Bool
    private let gate: Gate?

    init(_ bytes: [UInt8], _ pieceBytes: Int, ends: Bool, gate: Gate? = nil) {
        rest = Mutex(bytes[...])
        self.pieceBytes = pieceBytes
        self.ends = ends
        self.gate = gate
    }

    func next(upTo most: Int) async throws(StreamFailure) -> [UInt8]? {
        await gate?.pass()
        let piece = rest.withLock { rest in
            let piece = Array(rest.prefix(min(most, pieceBytes)))
            rest = rest.dropFirst(piece.count)
            return piece
        }
        if piece.isEmpty, !ends { throw .disconnected }
        return piece.isEmpty ? nil : piece
    }
}

/// Holds an answer to the rules of the port.
final class RecordingWriter: ResponseWriter, Sendable {
    private struct State {
        var reply = Reply()
        var machine: ResponseStateMachine
    }

    private let state: Mutex<State>
    private let keepsAlive: Bool

    /// - Parameter keepsAlive: as if work that is kept alive took long.
    init(method: String, keepsAlive: Bool) {
        state = Mutex(State(machine: ResponseStateMachine(method: method)))
        self.keepsAlive = keepsAlive
    }

    var reply: Reply { state.withLock { $0.reply } }

    func head(_ head: ResponseHead) async throws(StreamFailure) -> HeadOutcome {
        do {
            return try state.withLock { state in
                guard case .send = try state.machine.head(head, closes: false) else {
                    return .kept
                }
                state.reply.status = head.status
                state.reply.fields = head.fields
                return .sent
            }
        } catch { throw .answerRefused(.outOfOrder) }
    }

    func write(_ bytes: [UInt8]) async throws(StreamFailure) {
        do {
            try state.withLock { state in
                let action = try state.machine.body(bytes.count)
                if action != .drop { state.reply.body += bytes }
            }
        } catch { throw .answerRefused(.outOfOrder) }
    }

    func end(trailers: [HeaderField]) async throws(StreamFailure) {
        do {
            try state.withLock { state in
                _ = try state.machine.end(trailers: trailers)
                state.reply.isWhole = true
            }
        } catch { throw .answerRefused(.bodyTooShort) }
    }

    func abort() async {}

    func keepAlive(
        every interval: Duration, _ head: ResponseHead, opening: [UInt8]
    ) async throws(StreamFailure) {
        guard keepsAlive else { return }
        do {
            try state.withLock { state in
                try state.machine.keepAlive(head, opening: opening)
                _ = state.machine.keepAliveIsDue(closes: false)
                state.reply.status = head.status
                state.reply.fields = head.fields
                state.reply.body += opening + [0x20]
                state.reply.wasKept = true
            }
        } catch { throw .answerRefused(.outOfOrder) }
    }
}
