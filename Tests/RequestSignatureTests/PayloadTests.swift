// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher
import KubernetesFormat
import RequestSignature
import Testing

@Suite struct `What a request says of its body` {
    /// Signs a request whose fields say something of the body, as a client may that is wrong.
    private static func verdict(
        _ content: String, _ fields: [RequestField]
    ) throws -> Result<Payload, SignatureRefusal> {
        // The signer adds the fields of a payload by itself, so the content stands in a query.
        let secret = Array(TestWorld.secret.utf8)
        let fields = [RequestField("host", "h")] + fields
        let target = try TestWorld.signer().presign(
            method: "PUT",
            RequestTarget(
                path: [UInt8(ascii: "/")], query: [QueryItem("X-Amz-Content-Sha256", content)]),
            fields: fields, now: TestWorld.exampleTime, expirySeconds: 60,
            secret: secret.span.bytes)
        let head = RequestHead(method: "PUT", target: target, fields: fields)
        do throws(SignatureRefusal) {
            return .success(try TestWorld.verify(head).payload)
        } catch {
            return .failure(error)
        }
    }

    private static func length(_ text: String) -> RequestField {
        RequestField("x-amz-decoded-content-length", text)
    }
    private static func trailer(_ text: String) -> RequestField {
        RequestField("x-amz-trailer", text)
    }

    /// In the query form the word is signed as what it says, so that this is the control: what is
    /// said of the body is all that is wrong below.
    @Test func `is signed in the query as well`() throws {
        let verdict = try Self.verdict("UNSIGNED-PAYLOAD", [])
        #expect(verdict == .success(.unsigned))
        // The signer signs UNSIGNED-PAYLOAD there; another word is another request.
        #expect(
            try Self.verdict(
                "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                [
                    Self.length("1"), Self.trailer("x-amz-checksum-crc32"),
                ]) == .failure(.signatureMismatch))
    }

    @Test(
        arguments: [
            ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", [], .decodedLengthMissing),
            ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", [length("1")], .trailerUndeclared),
            (
                "STREAMING-UNSIGNED-PAYLOAD-TRAILER", [length("1"), trailer("x-amz-checksum-md5")],
                .trailerUnsupported
            ),
            (
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                [length("1"), trailer("x-amz-checksum-sha1, x-amz-checksum-crc32")],
                .trailerUnsupported
            ),
            (
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                [length("1"), trailer("x-amz-checksum-crc32")],
                .trailerUnexpected
            ),
            ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", [], .decodedLengthMissing),
            ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", [length("")], .decodedLengthMalformed),
            ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", [length("-1")], .decodedLengthMalformed),
            ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", [length("0x10")], .decodedLengthMalformed),
            (
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", [length("1"), length("1")],
                .decodedLengthMalformed
            ),
            (
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", [length("5368709121")],
                .tooLarge(limitBytes: 5_368_709_120)
            ),
            (
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", [length("99999999999999999999")],
                .tooLarge(limitBytes: 5_368_709_120)
            ),
        ] as [(String, [RequestField], BodyRefusal)])
    func `is refused when it is wrong`(
        _ content: String, _ fields: [RequestField], _ refusal: BodyRefusal
    ) throws {
        #expect(try Self.verdict(content, fields) == .failure(.body(refusal)))
    }

    @Test func `may be five gibibytes`() throws {
        let secret = Array(TestWorld.secret.utf8)
        let payload = Payload.chunked(
            ChunkedPayload(isSigned: true, decodedByteCount: 5 << 30, trailer: nil))
        let signed = try TestWorld.signer().sign(
            method: "PUT", RequestTarget(path: [UInt8(ascii: "/")]),
            fields: [RequestField("host", "h")], payload: payload, now: TestWorld.exampleTime,
            secret: secret.span.bytes)
        #expect(try TestWorld.verify(signed.head).payload == payload)
    }

    @Test func `stands only once`() throws {
        let secret = Array(TestWorld.secret.utf8)
        let fields = [
            RequestField("host", "h"), RequestField("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ]
        let target = try TestWorld.signer().presign(
            method: "PUT",
            RequestTarget(
                path: [UInt8(ascii: "/")],
                query: [QueryItem("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")]),
            fields: fields, now: TestWorld.exampleTime, expirySeconds: 60,
            secret: secret.span.bytes)
        #expect(
            TestWorld.refusal(RequestHead(method: "PUT", target: target, fields: fields))
                == .contentHashMalformed)
    }
}

@Suite struct `A body without framing` {
    private static func run(
        _ body: [UInt8], hash: [UInt8]? = nil, _ fields: [RequestField] = [], sizes: [Int] = [.max]
    ) throws -> BodyRun {
        BodyRun(
            try PlainBodyStateMachine(
                contentHash: hash, of: RequestHead(method: "PUT", target: "/", fields: fields),
                TestWorld.digests), body, sizes: sizes)
    }

    private static let body = (0..<3 * BodyPiece.byteCount).map { UInt8(truncatingIfNeeded: $0) }

    @Test func `keeps its last piece until the end`() throws {
        for count in [0, 1, BodyPiece.byteCount, BodyPiece.byteCount + 1, Self.body.count] {
            let body = Array(Self.body.prefix(count))
            for sizes in [[Int.max], [1000, 1], [BodyPiece.byteCount]] {
                let run = try Self.run(body, hash: TestWorld.digests.sha256(body), sizes: sizes)
                #expect(run.refusal == nil && run.released == body)
                let last = count == 0 ? 0 : (count - 1) % BodyPiece.byteCount + 1
                #expect(run.beforeEnd == count - last, "\(count) \(sizes)")
            }
            let refused = try Self.run(body, hash: TestWorld.digests.sha256([1]))
            #expect(refused.refusal == .contentHashMismatch)
            #expect(refused.released.count == refused.beforeEnd)
            #expect(count == 0 || refused.released.count < count)
        }
    }

    @Test func `is checked against what header fields say`() throws {
        let body = Array("123456789".utf8)
        for algorithm in ChecksumAlgorithm.allCases {
            var running = RunningChecksum(algorithm, TestWorld.digests)
            running.update(body.span.bytes)
            let field = RequestField(
                "X-Amz-Checksum-" + algorithm.name, Base64.encoded(running.finished()))
            #expect(try Self.run(body, [field]).refusal == nil)
            #expect(
                try Self.run(body + [0], [field]).refusal == .checksumMismatch(name: algorithm.name)
            )
            let malformed = RequestField(field.name, "AAAA")
            #expect(throws: BodyRefusal.checksumMalformed(name: algorithm.name)) {
                try Self.run(body, [malformed])
            }
            #expect(throws: BodyRefusal.severalChecksums) { try Self.run(body, [field, field]) }
        }
        let digest = TestWorld.digests.digest(.md5, of: body.span.bytes)
        let field = RequestField("Content-MD5", Base64.encoded(digest))
        #expect(try Self.run(body, [field]).refusal == nil)
        #expect(
            try Self.run(body + [0], [field]).refusal == .checksumMismatch(name: "content-md5"))
        #expect(throws: BodyRefusal.checksumMalformed(name: "content-md5")) {
            try Self.run(body, [RequestField("content-md5", "md5")])
        }
        #expect(throws: BodyRefusal.severalChecksums) { try Self.run(body, [field, field]) }
        // Algorithm and type are no checksums.
        #expect(
            try Self.run(body, [RequestField("x-amz-checksum-type", "FULL_OBJECT")]).refusal == nil)
    }

    @Test func `takes nothing after the end`() throws {
        var machine = try PlainBodyStateMachine(
            contentHash: nil, of: RequestHead(method: "PUT", target: "/", fields: []),
            TestWorld.digests)
        try machine.ended()
        #expect(throws: BodyRefusal.alreadyRefused) { try machine.ended() }
        #expect(throws: BodyRefusal.alreadyRefused) {
            try machine.received([1], from: 0)
        }
    }
}
