// SPDX-License-Identifier: Apache-2.0
import Checksums
import RequestSignature
import Testing

@Suite struct `Targets of requests` {
    @Test(
        arguments: [
            ("/", "/", []), ("/?", "/", []), ("/a//b/../c/.", "/a//b/../c/.", []),
            ("/%2F%2f", "///", []), ("/a+b", "/a+b", []), ("/%E2%82%AC", "/€", []),
            ("/?uploads", "/", [QueryItem("uploads")]), ("/?a=", "/", [QueryItem("a")]),
            ("/?a=b=c", "/", [QueryItem("a", "b=c")]),
            ("/?a+b=c+d", "/", [QueryItem("a b", "c d")]),
            ("/?&a&&b&", "/", [QueryItem("a"), QueryItem("b")]),
            ("/?=", "/", [QueryItem("")]), ("/?a?b", "/", [QueryItem("a?b")]),
            (
                "/?b=2&a=1&b=1", "/",
                [QueryItem("b", "2"), QueryItem("a", "1"), QueryItem("b", "1")]
            ),
        ] as [(String, String, [QueryItem])])
    func `are decoded once`(_ text: String, _ path: String, _ query: [QueryItem]) throws {
        let target = try RequestTarget(parsing: text)
        #expect(target == RequestTarget(path: Array(path.utf8), query: query))
        #expect(try RequestTarget(parsing: target.encoded) == target)
    }

    @Test func `keep bytes that are no text`() throws {
        let target = try RequestTarget(parsing: "/%00%FF?%80=%C0")
        #expect(target.path == [UInt8(ascii: "/"), 0, 0xFF])
        #expect(target.query == [QueryItem(name: [0x80], value: [0xC0])])
        #expect(target.encoded == "/%00%FF?%80=%C0")
    }

    @Test func `give the values of a parameter`() throws {
        let target = try RequestTarget(parsing: "/?a=1&A=2&a=3")
        #expect(target.values(of: "a") == [Array("1".utf8), Array("3".utf8)])
        #expect(target.values(of: "b").isEmpty)
    }
}

@Suite struct `Times of requests` {
    @Test(
        arguments: [
            ("20130524T000000Z", 1_369_353_600), ("19700101T000000Z", 0),
            ("20000229T235959Z", 951_868_799), ("20240229T120000Z", 1_709_208_000),
            ("19691231T235959Z", -1), ("99991231T235959Z", 253_402_300_799),
        ] as [(String, Int64)])
    func `are read and written`(_ text: String, _ seconds: Int64) {
        #expect(SigningTime(basic: text)?.secondsSince1970 == seconds)
        #expect(SigningTime(basic: text) == SigningTime(secondsSince1970: seconds))
    }

    @Test func `go through every day of four centuries`() {
        for day: Int64 in -1000..<146_097 {
            let time = SigningTime(secondsSince1970: day * 86_400 + day % 86_400)
            #expect(time.secondsSince1970 == day * 86_400 + day % 86_400)
        }
    }

    @Test(arguments: [
        "", "20130524", "20130524T000000", "20130524t000000Z", "2013-05-24T00:00:00Z",
        "20130524T000000z", "20130229T000000Z", "20130631T000000Z", "20130024T000000Z",
        "20131324T000000Z", "20130500T000000Z", "20130524T240000Z", "20130524T006000Z",
        "20130524T000060Z", "+0130524T000000Z", "20130524T000000Z ", "２0130524T000000Z",
    ])
    func `are refused in another form`(_ text: String) {
        #expect(SigningTime(basic: text) == nil)
    }

    @Test(arguments: [
        "Fri, 24 May 2013 00:00:00 GMT", "Fri, 24 May 2013 00:00:00 -0000",
        "Fri, 24 May 2013 00:00:00 UTC", "Fri, 24 May 2013 00:00:00 +0000",
    ])
    func `are read in the field Date`(_ text: String) {
        #expect(SigningTime(dateField: text)?.secondsSince1970 == 1_369_353_600)
    }

    @Test(arguments: [
        "", "Fri, 24 May 2013 00:00:00", "Fri, 24 May 2013 00:00:00 CET",
        "Fri 24 May 2013 00:00:00 GMT",
        "Fri, 32 May 2013 00:00:00 GMT", "Fri, 24 MAY 2013 00:00:00 GMT",
        "Fri, 24 May 13 00:00:00 GMT", "Fri, 24 May 2013 0:00:00 GMT",
        "Friday, 24-May-13 00:00:00 GMT", "Fri, 24 May 2013 00:00 GMT",
        "Fri, -1 May 2013 00:00:00 GMT", "Fri, 31 Jun 2013 00:00:00 GMT",
    ])
    func `are refused there in another form`(_ text: String) {
        #expect(SigningTime(dateField: text) == nil)
    }
}

@Suite struct `Answers to refused requests` {
    private static let requests: [SignatureRefusal] =
        [
            .anonymous, .twoMechanisms, .unsupportedMechanism, .dateUnreadable, .timeTooSkewed,
            .notYetValid, .expired, .unknownAccessKey, .sessionTokenMismatch,
            .fieldUnsigned(name: "x-amz-acl"), .signedFieldMissing(name: "range"), .hostMissing,
            .contentHashMissing, .contentHashMalformed, .signatureMismatch, .targetMalformed,
            .methodMalformed, .fieldMalformed, .keyUnavailable(.memoryExhausted),
            .keyUnavailable(.secretLength(byteCount: 0)),
        ]
        + RequestPart.allCases.map { .tooLarge($0, limit: 7) }
        + bodies.map { .body($0) }
        + [AuthorizationForm.header, .query].flatMap { form in
            AuthorizationPart.allCases.flatMap { part in
                [
                    SignatureRefusal.malformed(.missing(part), form),
                    .malformed(.malformed(part), form),
                ]
            } + [
                .malformed(.unknownPart, form), .malformed(.wrongRegion(expected: "r-1"), form),
                .malformed(.wrongService, form), .malformed(.wrongTerminator, form),
                .malformed(.dateMismatch, form),
            ]
        }

    private static let bodies: [BodyRefusal] = [
        .decodedLengthMissing, .decodedLengthMalformed, .tooLarge(limitBytes: 7),
        .trailerUndeclared, .trailerUnexpected, .trailerUnsupported, .framingMalformed,
        .truncated, .chunkTooLarge(limitBytes: 7), .chunkTooSmall(byteCount: 7),
        .chunkSignatureMismatch, .decodedLengthMismatch, .trailerMalformed, .trailerMissing,
        .trailerSignatureMismatch, .checksumMalformed(name: "SHA1"),
        .checksumMismatch(name: "SHA1"), .severalChecksums, .contentHashMismatch,
        .alreadyRefused,
    ]

    @Test func `say what to do, each in its own words`() {
        var messages: Set<String> = []
        for refusal in Self.requests {
            let answer = refusal.answer
            #expect((400...503).contains(answer.status), "\(refusal)")
            #expect(answer.code.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
            #expect(answer.message.hasSuffix(".") && answer.message.count > 30, "\(refusal)")
            #expect(messages.insert(answer.message).inserted, "\(refusal) is said as another is")
        }
        #expect(messages.count == Self.requests.count)
    }

    @Test(arguments: [
        (SignatureRefusal.anonymous, "AccessDenied", 403),
        (.twoMechanisms, "InvalidArgument", 400), (.unsupportedMechanism, "InvalidRequest", 400),
        (.malformed(.unknownPart, .header), "AuthorizationHeaderMalformed", 400),
        (.malformed(.unknownPart, .query), "AuthorizationQueryParametersError", 400),
        (.timeTooSkewed, "RequestTimeTooSkewed", 403), (.expired, "AccessDenied", 403),
        (.unknownAccessKey, "InvalidAccessKeyId", 403),
        (.sessionTokenMismatch, "InvalidToken", 400),
        (.fieldUnsigned(name: "host"), "AccessDenied", 403),
        (.signedFieldMissing(name: "a"), "SignatureDoesNotMatch", 403),
        (.signatureMismatch, "SignatureDoesNotMatch", 403),
        (.hostMissing, "MissingSecurityHeader", 400), (.contentHashMissing, "InvalidRequest", 400),
        (.targetMalformed, "InvalidURI", 400), (.methodMalformed, "MethodNotAllowed", 405),
        (.tooLarge(.fields, limit: 1), "RequestHeaderSectionTooLarge", 400),
        (.keyUnavailable(.memoryExhausted), "SlowDown", 503),
        (.body(.decodedLengthMissing), "MissingContentLength", 411),
        (.body(.chunkTooSmall(byteCount: 1)), "InvalidChunkSizeError", 403),
        (.body(.chunkSignatureMismatch), "SignatureDoesNotMatch", 403),
        (.body(.framingMalformed), "IncompleteBody", 400),
        (.body(.decodedLengthMismatch), "IncompleteBody", 400),
        (.body(.trailerMissing), "MalformedTrailerError", 400),
        (.body(.checksumMalformed(name: "SHA1")), "InvalidRequest", 400),
        (.body(.checksumMismatch(name: "SHA1")), "BadDigest", 400),
        (.body(.contentHashMismatch), "XAmzContentSHA256Mismatch", 400),
    ])
    func `have S3's codes`(_ refusal: SignatureRefusal, _ code: String, _ status: Int) {
        #expect(refusal.answer.code == code)
        #expect(refusal.answer.status == status)
    }

    /// The secret, its key, and the signature that would be right.
    @Test func `hold no secret`() throws {
        let secret = Array(TestWorld.secret.utf8)
        let good = try TestWorld.signer().sign(
            method: "GET", RequestTarget(path: [UInt8(ascii: "/")]),
            fields: [RequestField("host", "h")], payload: .unsigned, now: TestWorld.exampleTime,
            secret: secret.span.bytes, sessionToken: "the-session-token"
        ).head
        let value = try #require(good.fields.last?.value)
        let right = try #require(value.split(separator: "Signature=").last.map(String.init))
        var wrong = good
        wrong.fields[wrong.fields.count - 1] = RequestField(
            "authorization", value.replacing(right, with: String(repeating: "0", count: 64)))
        let keys = TestWorld.keys(token: "the-session-token")
        #expect(TestWorld.refusal(good, keys: keys) == nil)
        for keys in [keys, TestWorld.keys(token: "another-token")] {
            let refusal = try #require(TestWorld.refusal(wrong, keys: keys))
            let said = "\(refusal) \(refusal.answer)"
            for text in [TestWorld.secret, right, "the-session-token", "another-token"] {
                #expect(!said.contains(text))
            }
        }
    }
}
