// SPDX-License-Identifier: Apache-2.0
import RequestSignature
import Testing

@Suite struct `A request is refused` {
    private static let now = TestWorld.exampleTime

    /// A request that is accepted, and the control of every test here.
    private static func good(now: Int64 = now) throws -> RequestHead {
        let secret = Array(TestWorld.secret.utf8)
        return try TestWorld.signer().sign(
            method: "GET", RequestTarget(path: Array("/bucket/key".utf8)),
            fields: [RequestField("host", "s3.example.eu"), RequestField("range", "bytes=0-9")],
            payload: .unsigned, now: now, secret: secret.span.bytes
        ).head
    }

    private static func presigned(
        now: Int64 = now, expires: Int64 = 600, fields: [RequestField] = []
    ) throws -> RequestHead {
        let secret = Array(TestWorld.secret.utf8)
        let fields = [RequestField("host", "s3.example.eu")] + fields
        return RequestHead(
            method: "GET",
            target: try TestWorld.signer().presign(
                method: "GET", RequestTarget(path: Array("/bucket/key".utf8)), fields: fields,
                now: now, expirySeconds: expires, secret: secret.span.bytes),
            fields: fields)
    }

    /// The request with its authorization rewritten.
    private static func with(
        _ old: String, _ new: String, in field: String = "authorization"
    ) throws -> SignatureRefusal? {
        var head = try good()
        let index = try #require(head.fields.firstIndex { $0.name == field })
        let value = head.fields[index].value
        try #require(value.contains(old))
        head.fields[index] = RequestField(field, value.replacing(old, with: new))
        return TestWorld.refusal(head)
    }

    private static func withQuery(_ old: String, _ new: String) throws -> SignatureRefusal? {
        var head = try presigned()
        try #require(head.target.contains(old))
        head.target = head.target.replacing(old, with: new)
        return TestWorld.refusal(head)
    }

    @Test func `not when it is good`() throws {
        #expect(TestWorld.refusal(try Self.good()) == nil)
        #expect(TestWorld.refusal(try Self.presigned()) == nil)
        // Some clients put no space after the commas, some more than one.
        #expect(try Self.with(", ", ",") == nil)
        #expect(try Self.with(", ", " ,  ") == nil)
    }

    @Test func `without one authorization of version 4`() throws {
        var head = try Self.good()
        let authorization = head.fields.removeLast()
        #expect(TestWorld.refusal(head) == .anonymous)
        head.fields += [authorization, authorization]
        #expect(TestWorld.refusal(head) == .twoMechanisms)
        var both = try Self.presigned()
        both.fields.append(authorization)
        #expect(TestWorld.refusal(both) == .twoMechanisms)
        for scheme in ["AWS", "AWS4-ECDSA-P256-SHA256", "Basic", "AWS4-HMAC-SHA256,", ""] {
            #expect(try Self.with("AWS4-HMAC-SHA256", scheme) == .unsupportedMechanism)
        }
        head.fields = [RequestField("host", "h")]
        head.target = "/?AWSAccessKeyId=a&Signature=b&Expires=1"
        #expect(TestWorld.refusal(head) == .unsupportedMechanism)
    }

    @Test func `when its header is malformed`() throws {
        func fault(_ old: String, _ new: String) throws -> AuthorizationFault? {
            guard case .malformed(let fault, .header)? = try Self.with(old, new) else {
                return nil
            }
            return fault
        }
        #expect(try fault("SignedHeaders=", "Signedheaders=") == .unknownPart)
        #expect(try fault("SignedHeaders=", "Expires=") == .unknownPart)
        #expect(try fault("Credential=", "Credential") == .unknownPart)
        #expect(try fault(", Signature=", ", Signature=0,Signature=") == .malformed(.signature))
        #expect(try fault("/s3/", "/") == .malformed(.credential))
        #expect(
            try fault("Credential=AKIAIOSFODNN7EXAMPLE", "Credential=") == .malformed(.credential))
        #expect(try fault("/s3/", "/sts/") == .wrongService)
        #expect(try fault("aws4_request", "aws4-request") == .wrongTerminator)
        #expect(try fault("us-east-1", "eu-central-1") == .wrongRegion(expected: "us-east-1"))
        #expect(try fault("20130524", "20130523") == .dateMismatch)
        #expect(try fault("host;range", "range;host") == .malformed(.signedHeaders))
        #expect(try fault("host;range", "host;host;range") == .malformed(.signedHeaders))
        #expect(try fault("host;range", "host;Range") == .malformed(.signedHeaders))
        #expect(try fault("host;range", "host;;range") == .malformed(.signedHeaders))
        #expect(try fault("Signature=", "Signature=0") == .malformed(.signature))
        for part in [AuthorizationPart.credential, .signedHeaders, .signature] {
            var head = try Self.good()
            let value = try #require(head.fields.popLast()?.value.dropFirst(17))
            let parts = value.split(separator: ", ").filter { !$0.hasPrefix(part.rawValue + "=") }
            head.fields.append(
                RequestField(
                    "authorization", "AWS4-HMAC-SHA256 " + parts.joined(separator: ", ")))
            #expect(TestWorld.refusal(head) == .malformed(.missing(part), .header))
        }
    }

    @Test func `when its query is malformed`() throws {
        func fault(_ old: String, _ new: String) throws -> AuthorizationFault? {
            guard case .malformed(let fault, .query)? = try Self.withQuery(old, new) else {
                return nil
            }
            return fault
        }
        #expect(try fault("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256") == .malformed(.algorithm))
        #expect(try fault("X-Amz-Algorithm", "X-Amz-algorithm") == .missing(.algorithm))
        #expect(try fault("X-Amz-Date", "X-Amz-Day") == .missing(.date))
        #expect(try fault("T000000Z", "") == .malformed(.date))
        #expect(try fault("X-Amz-Expires=600", "a=b") == .missing(.expires))
        for expires in ["0", "604801", "-1", "%2B1", "1.5", "a", "", "99999999999999999999"] {
            #expect(
                try fault("Expires=600", "Expires=" + expires) == .malformed(.expires), "\(expires)"
            )
        }
        #expect(
            try fault("X-Amz-Expires=600", "X-Amz-Expires=600&X-Amz-Expires=600")
                == .malformed(.expires))
        #expect(try fault("us-east-1", "eu-west-1") == .wrongRegion(expected: "us-east-1"))
        #expect(try fault("X-Amz-SignedHeaders=host", "a") == .missing(.signedHeaders))
        #expect(try fault("Credential=AKIA", "Credential=%FF") == .malformed(.credential))
    }

    @Test func `when its time is not now`() throws {
        let head = try Self.good()
        for (offset, refusal) in [
            (900, nil), (901, .timeTooSkewed), (-900, nil), (-901, .timeTooSkewed),
        ] as [(Int64, SignatureRefusal?)] {
            #expect(TestWorld.refusal(head, now: Self.now + offset) == refusal, "\(offset)")
        }
        let presigned = try Self.presigned(expires: 600)
        for (offset, refusal) in [
            (600, nil), (601, .expired), (-900, nil), (-901, .notYetValid),
        ] as [(Int64, SignatureRefusal?)] {
            #expect(TestWorld.refusal(presigned, now: Self.now + offset) == refusal, "\(offset)")
        }
        let week: Int64 = 604_800
        #expect(TestWorld.refusal(try Self.presigned(expires: week), now: Self.now + week) == nil)
        #expect(TestWorld.refusal(try Self.presigned(expires: 1), now: Self.now + 1) == nil)
        for expires in [0, week + 1] {
            #expect(throws: SignatureRefusal.malformed(.malformed(.expires), .query)) {
                try Self.presigned(expires: expires)
            }
        }
        #expect(try Self.with("2013", "13", in: "x-amz-date") == .dateUnreadable)
        var without = head
        without.fields.removeAll { $0.name == "x-amz-date" }
        #expect(TestWorld.refusal(without) == .dateUnreadable)
    }

    @Test func `when it is from nobody known`() throws {
        let head = try Self.good()
        #expect(TestWorld.refusal(head, keys: TestWorld.keys([:])) == .unknownAccessKey)
        #expect(TestWorld.refusal(head, keys: { _, _ in }) == .unknownAccessKey)
        #expect(TestWorld.refusal(head, keys: TestWorld.keys(token: "t")) == .sessionTokenMismatch)
        let secret = Array(TestWorld.secret.utf8)
        let temporary = try TestWorld.signer().sign(
            method: "GET", RequestTarget(path: [UInt8(ascii: "/")]),
            fields: [RequestField("host", "h")], payload: .unsigned, now: Self.now,
            secret: secret.span.bytes, sessionToken: "token"
        ).head
        #expect(TestWorld.refusal(temporary, keys: TestWorld.keys(token: "token")) == nil)
        for token in ["tokem", "toke", "tokens", nil] {
            #expect(
                TestWorld.refusal(temporary, keys: TestWorld.keys(token: token))
                    == .sessionTokenMismatch)
        }
        let others = TestWorld.keys([TestWorld.accessKeyID: "another"])
        #expect(TestWorld.refusal(head, keys: others) == .signatureMismatch)
    }

    @Test func `when a field is not signed, or not there`() throws {
        #expect(try Self.with("host;range", "range") == .fieldUnsigned(name: "host"))
        #expect(
            try Self.with("range;x-amz-content-sha256;", "range;")
                == .fieldUnsigned(name: "x-amz-content-sha256"))
        #expect(
            try Self.with("host;range", "host;if-match;range")
                == .signedFieldMissing(name: "if-match"))
        var presigned = try Self.presigned()
        presigned.fields.append(RequestField("X-Amz-Meta-A", "b"))
        #expect(TestWorld.refusal(presigned) == .fieldUnsigned(name: "x-amz-meta-a"))
        var head = try Self.good()
        head.fields.removeFirst()
        #expect(TestWorld.refusal(head) == .hostMissing)
        let signed = try Self.presigned(fields: [RequestField("X-Amz-Meta-A", "b")])
        #expect(TestWorld.refusal(signed) == nil)
    }

    @Test func `when it does not say what its body is`() throws {
        let secret = Array(TestWorld.secret.utf8)
        var head = try TestWorld.signer().sign(
            method: "GET", RequestTarget(path: [UInt8(ascii: "/")]),
            fields: [RequestField("host", "h")], payload: .unsigned, now: Self.now,
            secret: secret.span.bytes
        ).head
        head.fields.removeAll { $0.name == "x-amz-content-sha256" }
        let authorization = head.fields.removeLast().value
        head.fields.append(
            RequestField(
                "authorization", authorization.replacing(";x-amz-content-sha256", with: "")))
        #expect(TestWorld.refusal(head) == .contentHashMissing)
        for text in ["unsigned-payload", "", "abc", String(repeating: "A", count: 64), "STREAMING"]
        {
            #expect(
                try Self.with("UNSIGNED-PAYLOAD", text, in: "x-amz-content-sha256")
                    == .contentHashMalformed)
        }
    }

    @Test func `when it cannot be read`() throws {
        for target in [
            "", "bucket/key", "*", "http://s3.example.eu/key", "/a b", "/a%2", "/a%zz", "/a#b",
            "/a\u{7F}", "/a\n", "/?a=%f", "/?%=a",
        ] {
            var head = try Self.good()
            head.target = target
            #expect(TestWorld.refusal(head) == .targetMalformed, "\(target)")
        }
        for method in ["", "get", "GET\n", "G T", String(repeating: "A", count: 33)] {
            var head = try Self.good()
            head.method = method
            #expect(TestWorld.refusal(head) == .methodMalformed, "\(method)")
        }
        for (name, value) in [
            ("a b", "c"), ("", "c"), ("a:", "c"), ("é", "c"), ("a", "b\nc"), ("a", "b\rc"),
            ("a", "b\0c"),
        ] {
            var head = try Self.good()
            head.fields.append(RequestField(name, value))
            #expect(TestWorld.refusal(head) == .fieldMalformed, "\(name)")
        }
    }
}
