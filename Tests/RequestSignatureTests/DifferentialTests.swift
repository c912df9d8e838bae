// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher
import Foundation
import KubernetesFormat
import RequestSignature
import TestKit
import Testing

/// A line of Fixtures/sigv4/botocore.jsonl: see Tests/sigv4/differential.py.
struct BotocoreSample: Decodable, Sendable {
    /// What goes over the wire: bytes, or so many next bytes of a rule.
    enum Part: Decodable, Sendable {
        case bytes([UInt8])
        case rule(Int)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let count = try? container.decode(Int.self) {
                self = .rule(count)
            } else {
                self = .bytes(try #require(Base64.decoded(try container.decode(String.self))))
            }
        }
    }

    let kind: String
    let method: String
    let target: String
    let fields: [[String]]
    let now: Int64
    let region: String
    let accessKey: String
    let secret: String
    let token: String?
    let path: String
    let query: [[String]]
    let body: [Part]
    let plain: Part
    let chunk: Int?
    let checksum: String?
    let expires: Int64?

    static func all() throws -> [BotocoreSample] {
        try TestWorld.fixture("botocore.jsonl").split(separator: UInt8(ascii: "\n")).map {
            try Data($0).decoded()
        }
    }

    var head: RequestHead {
        RequestHead(
            method: method, target: target, fields: fields.map { RequestField($0[0], $0[1]) })
    }

    var decodedPath: [UInt8] { Base64.decoded(path) ?? [] }

    var keys: AccessKeyLookup { TestWorld.keys([accessKey: secret], token: token) }

    /// The body over the wire, and what it means.
    var bodies: (wire: [UInt8], plain: [UInt8]) {
        let whole =
            switch plain {
            case .bytes(let bytes): bytes
            case .rule(let count): (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7 + 3) }
            }
        var rest = whole[...]
        var wire: [UInt8] = []
        for part in body {
            switch part {
            case .bytes(let bytes): wire += bytes
            case .rule(let count):
                wire += rest.prefix(count)
                rest = rest.dropFirst(count)
            }
        }
        return (wire, whole)
    }

    func verified() throws(SignatureRefusal) -> VerifiedRequest {
        guard let verifier = try? TestWorld.verifier(region: region) else {
            throw .keyUnavailable(.memoryExhausted)
        }
        return try verifier.verify(head, now: now, keys: keys)
    }

    var payload: Payload {
        let algorithm = checksum.flatMap(ChecksumAlgorithm.init(rawValue:))
        let count = bodies.plain.count
        switch kind {
        case "header":
            let isSigned = head.fields.contains {
                $0.name.lowercased() == "x-amz-content-sha256" && $0.value != "UNSIGNED-PAYLOAD"
            }
            guard isSigned else { return .unsigned }
            return .literal(TestWorld.digests.sha256(bodies.plain))
        case "query": return .unsigned
        default:
            return .chunked(
                ChunkedPayload(
                    isSigned: kind != "trailer", decodedByteCount: count, trailer: algorithm))
        }
    }
}

@Suite struct `What botocore signs` {
    @Test func `is of every kind`() throws {
        let samples = try BotocoreSample.all()
        #expect(samples.count >= 150)
        let kinds = Dictionary(grouping: samples, by: \.kind).mapValues(\.count)
        for kind in ["header", "query", "trailer", "chunks", "chunks-trailer"] {
            #expect((kinds[kind] ?? 0) >= 5, "\(kind)")
        }
        let algorithms = Set(samples.compactMap(\.checksum))
        #expect(algorithms == Set(ChecksumAlgorithm.allCases.map(\.rawValue)))
        #expect(samples.contains { $0.token != nil } && samples.contains { $0.token == nil })
    }

    @Test func `is accepted, and read as it was meant`() throws {
        for sample in try BotocoreSample.all() {
            let verified = try sample.verified()
            #expect(verified.accessKeyID == sample.accessKey)
            #expect(verified.target.path == sample.decodedPath)
            let query = verified.target.query.filter { !$0.name.starts(with: "X-Amz-".utf8) }
            #expect(query == sample.query.map { QueryItem($0[0], $0[1]) })
            #expect(verified.payload == sample.payload)
            #expect(verified.form == (sample.kind == "query" ? .query : .header))
        }
    }

    @Test func `is refused with another secret, token, region or time`() throws {
        for sample in try BotocoreSample.all() {
            func refusal(
                secret: String? = nil, token: String?, region: String? = nil, later: Int64 = 0
            ) throws -> SignatureRefusal? {
                let keys = TestWorld.keys([sample.accessKey: secret ?? sample.secret], token: token)
                let verifier = try TestWorld.verifier(region: region ?? sample.region)
                do throws(SignatureRefusal) {
                    _ = try verifier.verify(sample.head, now: sample.now + later, keys: keys)
                    return nil
                } catch { return error }
            }
            #expect(try refusal(token: sample.token) == nil, "the control")
            #expect(
                try refusal(secret: sample.secret + "a", token: sample.token) == .signatureMismatch)
            #expect(
                try refusal(token: sample.token == nil ? "a" : nil) == .sessionTokenMismatch)
            let form = sample.kind == "query" ? AuthorizationForm.query : .header
            #expect(
                try refusal(token: sample.token, region: "elsewhere")
                    == .malformed(.wrongRegion(expected: "elsewhere"), form))
            let life = sample.expires ?? 900
            #expect(try refusal(token: sample.token, later: life) == nil)
            #expect(
                try refusal(token: sample.token, later: life + 1)
                    == (sample.expires == nil ? .timeTooSkewed : .expired))
        }
    }

    @Test func `has bodies that are accepted, cut anywhere`() throws {
        var random = SeededGenerator(seed: 2)
        for sample in try BotocoreSample.all() {
            let verified = try sample.verified()
            let (wire, plain) = sample.bodies
            let sizes = (0..<7).map { _ in Int.random(in: 1...3000, using: &random) }
            for sizes in [[Int.max], [1], sizes] {
                let run =
                    switch verified.payload {
                    case .chunked(let payload):
                        BodyRun(
                            ChunkedBodyStateMachine(
                                payload, chain: verified.chain, TestWorld.digests), wire,
                            sizes: sizes)
                    case .literal(let hash):
                        BodyRun(try Self.plainMachine(hash, sample), wire, sizes: sizes)
                    case .unsigned:
                        BodyRun(try Self.plainMachine(nil, sample), wire, sizes: sizes)
                    }
                #expect(run.refusal == nil && run.released == plain, "\(sample.target)")
            }
        }
    }

    /// The samples' `content-md5` is random text more often than not.
    private static func plainMachine(
        _ hash: [UInt8]?, _ sample: BotocoreSample
    ) throws -> PlainBodyStateMachine {
        var head = sample.head
        head.fields.removeAll { $0.name.lowercased() == "content-md5" }
        return try PlainBodyStateMachine(contentHash: hash, of: head, TestWorld.digests)
    }

    /// Fields that signing adds.
    private static let added: Set<String> = [
        "authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token",
        "x-amz-decoded-content-length", "x-amz-trailer", "content-encoding",
    ]

    @Test func `is what we sign, to the byte`() throws {
        var count = 0
        for sample in try BotocoreSample.all() {
            // botocore signs a Date where it finds one, we x-amz-date.
            guard !sample.head.fields.contains(where: { $0.name == "Date" }) else { continue }
            count += 1
            let fields = sample.head.fields.filter { !Self.added.contains($0.name.lowercased()) }
            let target = RequestTarget(
                path: sample.decodedPath, query: sample.query.map { QueryItem($0[0], $0[1]) })
            let signer = try TestWorld.signer(accessKeyID: sample.accessKey, region: sample.region)
            let secret = Array(sample.secret.utf8)
            guard let expires = sample.expires else {
                let signed = try signer.sign(
                    method: sample.method, target, fields: fields, payload: sample.payload,
                    now: sample.now, secret: secret.span.bytes, sessionToken: sample.token)
                let theirs = sample.head.fields.first { $0.name == "Authorization" }
                let ours = signed.head.fields.first { $0.name == "authorization" }
                #expect(ours?.value == theirs?.value, "\(sample.target)")
                try checkEncoding(sample, signed.chain)
                continue
            }
            let presigned = try signer.presign(
                method: sample.method, target, fields: fields, now: sample.now,
                expirySeconds: expires, secret: secret.span.bytes, sessionToken: sample.token)
            #expect(
                try RequestTarget(parsing: presigned).values(of: "X-Amz-Signature")
                    == RequestTarget(parsing: sample.target).values(of: "X-Amz-Signature"))
        }
        #expect(count >= 140)
    }

    private func checkEncoding(_ sample: BotocoreSample, _ chain: SignatureChain) throws {
        guard case .chunked(let payload) = sample.payload, let size = sample.chunk else { return }
        let (wire, plain) = sample.bodies
        var encoder = ChunkedBodyEncoder(payload, chain: chain, TestWorld.digests)
        var ours: [UInt8] = []
        for start in stride(from: 0, to: plain.count, by: size) {
            let data = Array(plain[start..<min(start + size, plain.count)])
            ours += encoder.head(of: data.span.bytes) + data + ChunkedBodyEncoder.lineEnd
        }
        ours += encoder.end()
        #expect(ours == wire)
        #expect(ChunkedBodyEncoder.byteCount(payload, chunkByteCount: size) == wire.count)
    }
}
