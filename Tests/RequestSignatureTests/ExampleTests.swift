// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher
import Foundation
import RequestSignature
import Testing

/// An example of AWS's reference: see Fixtures/sigv4/PROVENANCE.md.
struct PublishedExample: Decodable, Sendable {
    struct Body: Decodable, Sendable {
        /// Lengths of the chunks; the letter `a` all over.
        let chunks: [Int]
        let signatures: [String]
        let trailer: String?
        let trailerSignature: String?
    }

    let name: String
    let source: String
    let method: String
    let target: String
    let fields: [[String]]
    /// Of the request; in the query form it stands in the target as well.
    let signature: String
    let signedNames: String
    let expires: Int64?
    let body: Body?

    static func all() throws -> [PublishedExample] {
        try TestWorld.fixture("aws-examples.json").decoded()
    }

    var head: RequestHead {
        var fields = fields.map { RequestField($0[0], $0[1]) }
        if expires == nil {
            fields.append(
                RequestField(
                    "Authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                        + "aws4_request,SignedHeaders=\(signedNames),Signature=\(signature)"))
        }
        return RequestHead(method: method, target: target, fields: fields)
    }
}

@Suite struct `Examples of AWS's reference` {
    @Test func `are all there`() throws {
        let names = try PublishedExample.all().map(\.name)
        #expect(
            names == [
                "GET Object", "PUT Object", "GET Bucket Lifecycle", "GET Bucket (List Objects)",
                "presigned GET", "PUT in chunks", "PUT in chunks with a trailer",
            ])
    }

    @Test func `are accepted`() throws {
        for example in try PublishedExample.all() {
            let verified = try TestWorld.verify(example.head)
            #expect(verified.accessKeyID == TestWorld.accessKeyID, "\(example.name)")
            var other = example.head
            other.fields.append(RequestField("x-amz-unsigned", ""))
            #expect(TestWorld.refusal(other) == .fieldUnsigned(name: "x-amz-unsigned"))
        }
    }

    @Test func `have chunks that are accepted`() throws {
        for example in try PublishedExample.all() {
            guard let body = example.body else { continue }
            let verified = try TestWorld.verify(example.head)
            guard case .chunked(let payload) = verified.payload else {
                Issue.record("\(example.name) is not in chunks")
                continue
            }
            #expect(payload.decodedByteCount == body.chunks.reduce(0, +))
            #expect(payload.trailer == (body.trailer == nil ? nil : .crc32c))
            let run = BodyRun(
                ChunkedBodyStateMachine(payload, chain: verified.chain, TestWorld.digests),
                Self.wire(body), sizes: [1000])
            #expect(run.refusal == nil, "\(example.name)")
            #expect(run.released == [UInt8](repeating: UInt8(ascii: "a"), count: 66_560))
            // The last chunk waited for the end.
            #expect(run.pieces == [65_536, 1024])
            #expect(run.beforeEnd == 65_536)
        }
    }

    @Test func `are what we encode`() throws {
        for example in try PublishedExample.all() {
            guard let body = example.body else { continue }
            let verified = try TestWorld.verify(example.head)
            guard case .chunked(let payload) = verified.payload else { continue }
            var encoder = ChunkedBodyEncoder(payload, chain: verified.chain, TestWorld.digests)
            var wire: [UInt8] = []
            for count in body.chunks {
                let data = [UInt8](repeating: UInt8(ascii: "a"), count: count)
                wire += encoder.head(of: data.span.bytes) + data + ChunkedBodyEncoder.lineEnd
            }
            wire += encoder.end()
            #expect(wire == Self.wire(body), "\(example.name)")
            // AWS's page has 66824 for both, which is right for the one without a trailer.
            let count = ChunkedBodyEncoder.byteCount(payload, chunkByteCount: 65_536)
            #expect(count == wire.count)
            #expect(count == (body.trailer == nil ? 66_824 : 66_946))
        }
    }

    @Test func `are what we sign, but for the order of fields`() throws {
        let secret = Array(TestWorld.secret.utf8)
        let signer = try TestWorld.signer()
        for example in try PublishedExample.all() {
            let target = try RequestTarget(parsing: example.target)
            guard let expires = example.expires else { continue }
            let presigned = try signer.presign(
                method: example.method,
                RequestTarget(
                    path: target.path,
                    query: target.query.filter { !$0.name.starts(with: "X-Amz-".utf8) }),
                fields: example.head.fields, now: TestWorld.exampleTime, expirySeconds: expires,
                secret: secret.span.bytes)
            #expect(presigned == example.target)
        }
        // With the fields that signing adds left out, the rest is signed alike.
        for example in try PublishedExample.all() where example.name == "GET Object" {
            let signed = try signer.sign(
                method: example.method, RequestTarget(parsing: example.target),
                fields: example.head.fields.filter { ["Host", "Range"].contains($0.name) },
                payload: .literal(TestWorld.digests.sha256([])), now: TestWorld.exampleTime,
                secret: secret.span.bytes)
            #expect(
                signed.head.fields.last?.value.hasSuffix("Signature=\(example.signature)") == true)
        }
    }

    private static func wire(_ body: PublishedExample.Body) -> [UInt8] {
        var wire: [UInt8] = []
        for (count, signature) in zip(body.chunks + [0], body.signatures) {
            wire += Array("\(String(count, radix: 16));chunk-signature=\(signature)\r\n".utf8)
            guard count > 0 else { continue }
            wire += [UInt8](repeating: UInt8(ascii: "a"), count: count) + [13, 10]
        }
        if let trailer = body.trailer, let signature = body.trailerSignature {
            wire += Array("\(trailer)\r\nx-amz-trailer-signature:\(signature)\r\n".utf8)
        }
        return wire + [13, 10]
    }
}
