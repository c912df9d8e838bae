// SPDX-License-Identifier: Apache-2.0
import RequestSignature
import SecretMemory
import Testing

@Suite struct `Limits of a request` {
    private static func refusal(
        target: RequestTarget = RequestTarget(path: [UInt8(ascii: "/")]),
        fields: [RequestField] = [], accessKeyID: String = TestWorld.accessKeyID,
        secret: String = TestWorld.secret
    ) -> SignatureRefusal? {
        do throws(SignatureRefusal) {
            guard let signer = try? TestWorld.signer(accessKeyID: accessKeyID) else { return nil }
            let bytes = Array(secret.utf8)
            let head = try signer.sign(
                method: "GET", target, fields: [RequestField("host", "h")] + fields,
                payload: .unsigned, now: TestWorld.exampleTime, secret: bytes.span.bytes
            ).head
            _ = try TestWorld.verify(head, keys: TestWorld.keys([accessKeyID: secret]))
            return nil
        } catch {
            return error
        }
    }

    @Test func `the target's length`() {
        let limit = RequestLimits.targetBytesMax
        func path(_ count: Int) -> RequestTarget {
            RequestTarget(path: [UInt8](repeating: UInt8(ascii: "/"), count: count))
        }
        #expect(Self.refusal(target: path(limit)) == nil)
        #expect(Self.refusal(target: path(limit + 1)) == .tooLarge(.target, limit: limit))
    }

    @Test func `the number of parameters`() {
        let limit = RequestLimits.queryItemCountMax
        func query(_ count: Int) -> RequestTarget {
            RequestTarget(
                path: [UInt8(ascii: "/")],
                query: [QueryItem](repeating: QueryItem("a"), count: count))
        }
        #expect(Self.refusal(target: query(limit)) == nil)
        #expect(Self.refusal(target: query(limit + 1)) == .tooLarge(.queryItems, limit: limit))
    }

    @Test func `the number of fields`() {
        let limit = RequestLimits.fieldCountMax
        // host, x-amz-date, x-amz-content-sha256 and authorization are the others.
        let most = (0..<limit - 4).map { RequestField("x-field-\($0)", "a") }
        #expect(Self.refusal(fields: most) == nil)
        #expect(
            Self.refusal(fields: most + [RequestField("a", "b")])
                == .tooLarge(.fields, limit: limit))
    }

    @Test func `the length of all fields`() {
        let limit = RequestLimits.fieldBytesMax
        // What is there without the long one, whose name is signed and so there twice.
        func length(_ count: Int) -> [RequestField] {
            [RequestField("long", String(repeating: "a", count: count))]
        }
        var low = 0
        var high = limit
        while high - low > 1 {
            let middle = (low + high) / 2
            if Self.refusal(fields: length(middle)) == nil { low = middle } else { high = middle }
        }
        #expect(Self.refusal(fields: length(high)) == .tooLarge(.fieldBytes, limit: limit))
        let head = [
            RequestField("host", "h"), RequestField("long", ""),
            RequestField("x-amz-date", "20130524T000000Z"),
            RequestField("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            RequestField(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(TestWorld.accessKeyID)/20130524/us-east-1/s3/"
                    + "aws4_request, SignedHeaders=host;long;x-amz-content-sha256;x-amz-date, "
                    + "Signature=" + String(repeating: "0", count: 64)),
        ]
        let others = head.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        #expect(low == limit - others)
    }

    @Test func `the access key ID`() {
        let limit = RequestLimits.accessKeyIDBytesMax
        #expect(Self.refusal(accessKeyID: String(repeating: "a", count: limit)) == nil)
        #expect(
            Self.refusal(accessKeyID: String(repeating: "a", count: limit + 1))
                == .malformed(.malformed(.credential), .header))
        #expect(Self.refusal(accessKeyID: "tenant:user/of/tenant") == nil)
        #expect(Self.refusal(accessKeyID: "a b") == .malformed(.malformed(.credential), .header))
    }

    @Test func `the secret`() {
        let limit = RequestLimits.secretBytesMax
        #expect(Self.refusal(secret: String(repeating: "a", count: limit)) == nil)
        #expect(Self.refusal(secret: "a") == nil)
        for count in [0, limit + 1] {
            #expect(
                Self.refusal(secret: String(repeating: "a", count: count))
                    == .keyUnavailable(.secretLength(byteCount: count)))
        }
    }

    @Test func `the memory for signing keys`() throws {
        // One page: 128 keys of 32 bytes.
        let arena = try TestWorld.arena(bytes: 4096)
        let verifier = RequestVerifier(
            region: TestWorld.region, TestWorld.digests, keyMemory: arena)
        let head = try #require(PublishedExample.all().first?.head)
        var kept: [VerifiedRequest] = []
        for _ in 0..<128 {
            kept.append(
                try verifier.verify(head, now: TestWorld.exampleTime, keys: TestWorld.keys()))
        }
        #expect(throws: SignatureRefusal.keyUnavailable(.memoryExhausted)) {
            try verifier.verify(head, now: TestWorld.exampleTime, keys: TestWorld.keys())
        }
        kept.removeLast()
        _ = try verifier.verify(head, now: TestWorld.exampleTime, keys: TestWorld.keys())
        kept = []
        #expect(arena.statistics.liveBytes == 0, "keys go with the requests")
    }
}
