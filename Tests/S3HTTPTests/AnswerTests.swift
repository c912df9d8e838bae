// SPDX-License-Identifier: Apache-2.0
import ObjectStorePorts
import S3Format
import S3HTTP
import ScriptedServer
import Testing

/// An answer, and what it means.
struct Meaning: Sendable, CustomTestStringConvertible {
    let status: Int
    let code: String
    let headers: [(String, String)]
    let details: String
    let failure: ObjectStoreFailure

    init(
        _ status: Int, _ code: String, _ failure: ObjectStoreFailure,
        headers: [(String, String)] = [], details: String = ""
    ) {
        self.status = status
        self.code = code
        self.failure = failure
        self.headers = headers
        self.details = details
    }

    var testDescription: String { "\(status) \(code)" }

    var answer: ScriptedAnswer {
        code.isEmpty
            ? ScriptedAnswer(status, "", headers: headers)
            : .error(status, code, headers: headers, details: details)
    }

    static let host = "127.0.0.1"
    static let mark = [("x-amz-delete-marker", "true"), ("x-amz-version-id", "v1")]

    static let all = [
        Meaning(404, "NoSuchKey", .noSuchKey), Meaning(404, "NoSuchBucket", .noSuchBucket),
        Meaning(404, "NoSuchVersion", .noSuchVersion), Meaning(404, "NoSuchUpload", .noSuchUpload),
        Meaning(404, "", .noSuchKey), Meaning(404, "Odd", .refused(code: "Odd", status: 404)),
        Meaning(404, "NoSuchKey", .deleted(markerVersionID: "v1"), headers: mark),
        Meaning(405, "MethodNotAllowed", .isDeleteMarker, headers: mark),
        Meaning(405, "MethodNotAllowed", .refused(code: "MethodNotAllowed", status: 405)),
        Meaning(412, "PreconditionFailed", .preconditionFailed),
        Meaning(412, "", .preconditionFailed),
        Meaning(409, "OperationAborted", .conflict), Meaning(409, "", .conflict),
        Meaning(409, "ConditionalRequestConflict", .conflict),
        Meaning(409, "InvalidBucketState", .refused(code: "InvalidBucketState", status: 409)),
        Meaning(416, "InvalidRange", .rangeUnsatisfiable(size: nil)),
        Meaning(
            416, "InvalidRange", .rangeUnsatisfiable(size: 10),
            details: "<ActualObjectSize>10</ActualObjectSize>"),
        Meaning(
            416, "", .rangeUnsatisfiable(size: 11), headers: [("Content-Range", "bytes */11")]),
        Meaning(416, "InvalidPartNumber", .refused(code: "InvalidPartNumber", status: 416)),
        Meaning(400, "InvalidPart", .invalidPart),
        Meaning(400, "InvalidPartOrder", .invalidPartOrder),
        Meaning(400, "EntityTooSmall", .partTooSmall), Meaning(400, "EntityTooLarge", .tooLarge),
        Meaning(413, "", .tooLarge), Meaning(403, "AccessDenied", .accessDenied),
        Meaning(403, "", .accessDenied), Meaning(403, "InvalidObjectState", .accessDenied),
        Meaning(403, "SignatureDoesNotMatch", .credentialRefused(code: "SignatureDoesNotMatch")),
        Meaning(403, "InvalidAccessKeyId", .credentialRefused(code: "InvalidAccessKeyId")),
        Meaning(403, "RequestTimeTooSkewed", .credentialRefused(code: "RequestTimeTooSkewed")),
        Meaning(400, "ExpiredToken", .credentialRefused(code: "ExpiredToken")),
        Meaning(401, "", .credentialRefused(code: "")),
        Meaning(503, "SlowDown", .slowDown(retryAfterSeconds: nil)),
        Meaning(
            503, "SlowDown", .slowDown(retryAfterSeconds: 7), headers: [("Retry-After", "7")]),
        Meaning(503, "ServiceUnavailable", .slowDown(retryAfterSeconds: nil)),
        Meaning(503, "", .serverError(status: 503)),
        Meaning(429, "", .slowDown(retryAfterSeconds: nil)),
        Meaning(500, "InternalError", .serverError(status: 500)),
        Meaning(502, "", .serverError(status: 502)),
        Meaning(501, "NotImplemented", .refused(code: "NotImplemented", status: 501)),
        Meaning(400, "RequestTimeout", .timedOut(host: host)),
        Meaning(408, "", .timedOut(host: host)),
        Meaning(400, "InvalidArgument", .refused(code: "InvalidArgument", status: 400)),
        Meaning(400, "", .refused(code: "", status: 400)),
        Meaning(411, "MissingContentLength", .refused(code: "MissingContentLength", status: 411)),
        Meaning(301, "PermanentRedirect", .refused(code: "PermanentRedirect", status: 301)),
        Meaning(307, "", .refused(code: "", status: 307)),
        Meaning(304, "", .notModified(tag: S3EntityTag("\"a\"")), headers: [("ETag", "a")]),
        Meaning(202, "", .responseMalformed(detail: "status 202")),
        // Not letters and digits only: nothing of it is told.
        Meaning(400, "hunter2 &amp; more", .refused(code: "", status: 400)),
    ]
}

@Suite struct `Answers of S3` {
    @Test(arguments: Meaning.all)
    func `have a meaning, and their text is not told`(_ meaning: Meaning) async throws {
        let answer = meaning.answer
        let scripted = try await Scripted({ $0.attemptsMax = 1 }) { _, _ in answer }
        let read = await reason { () async throws(ObjectStoreFailure) in
            try await scripted.store.content().bytes
        }
        #expect(read == meaning.failure)
        let written = await reason { () async throws(ObjectStoreFailure) in
            try await scripted.store.put(body("content"))
        }
        #expect(written == meaning.failure)
        #expect(!"\(String(describing: read))".contains("hunter2"))
        #expect(scripted.server.requests.count == 2)
    }

    @Test func `mean something of what was asked for`() async throws {
        let scripted = try await Scripted(ScriptedAnswer(404, ""))
        let store = scripted.store
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await store.list(try bucketOrFail("bucket"), ObjectQuery())
            } == .noSuchBucket)
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await store.head(try locationOrFail().version("v"), .none)
            } == .noSuchVersion)
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await store.uploadPart(
                    ObjectUpload(try locationOrFail(), id: "u"), 1, body("a"))
            } == .noSuchUpload)
        // Of a part as well.
        #expect(scripted.server.requests.last?.target == "/bucket/key?partNumber=1&uploadId=u")
    }

    @Test(arguments: [
        ("InternalError", ObjectStoreFailure.serverError(status: 500)),
        ("SlowDown", .slowDown(retryAfterSeconds: nil)), ("NoSuchUpload", .noSuchUpload),
        ("PreconditionFailed", .preconditionFailed), ("AccessDenied", .accessDenied),
        ("Odd", .refused(code: "Odd", status: 400)),
    ])
    func `may be an error with status 200`(
        _ code: String, _ failure: ObjectStoreFailure
    ) async throws {
        let scripted = try await Scripted({ $0.attemptsMax = 1 }) { _, _ in
            var answer = ScriptedAnswer.error(200, code)
            // Spaces keep the connection while the store works.
            answer.parts.insert("<?xml version=\"1.0\"?>\n   \n", at: 0)
            return answer
        }
        let upload = ObjectUpload(try location(), id: "u")
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await scripted.store.completeUpload(
                    upload, [.init(number: 1, tag: S3EntityTag("\"a\""))], .none)
            } == failure)
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await scripted.store.copy(
                    try locationOrFail("a").latest, .none, to: try locationOrFail("b"),
                    ObjectWrite())
            } == failure)
    }

    @Test func `are no success without what a success says`() async throws {
        let withoutTag = [("Last-Modified", "Fri, 27 Nov 2026 00:00:00 GMT")]
        for answer in [
            ScriptedAnswer(200, "abc", headers: ScriptedAnswer.objectHeaders),
            ScriptedAnswer(200, "abc", headers: withoutTag + [("Content-Length", "3")]),
            ScriptedAnswer(
                200, "abc", headers: [("ETag", "\"a\""), ("Content-Length", "3")]),
            // A part that nobody asked for.
            .object("abc", status: 206, headers: [("Content-Range", "bytes 0-2/10")]),
        ] {
            let scripted = try await Scripted(answer)
            let failure = await reason { () async throws(ObjectStoreFailure) in
                try await scripted.store.content().bytes
            }
            guard case .responseMalformed = failure else {
                Issue.record("\(String(describing: failure))")
                continue
            }
        }
        let scripted = try await Scripted(ScriptedAnswer(200, ""))
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await scripted.store.put(body("a"))
            } == .responseMalformed(detail: "no ETag"))
    }

    @Test(arguments: [
        ("bytes 2-4/10", "cde", true), ("bytes 2-4/10", "cd", false),
        ("bytes 1-3/10", "bcd", false),
        ("bytes 2-3/10", "cd", false), ("bytes 2-4/*", "cde", false),
        ("bytes 4-2/10", "cde", false),
        ("items 2-4/10", "cde", false), ("", "cde", false), ("bytes 2-4/4", "cde", false),
        ("bytes 2-3/4", "cd", true),
    ])
    func `to a range are the range`(_ header: String, _ text: String, _ isGood: Bool) async throws {
        let scripted = try await Scripted(
            .object(text, status: 206, headers: [("Content-Range", header)]))
        let found = await outcome { () async throws(ObjectStoreFailure) in
            try await scripted.store.content(.from(2, through: 4)).bytes
        }
        if isGood {
            #expect(try found.get() == Array(text.utf8))
        } else {
            guard case .failure(.responseMalformed) = found else {
                Issue.record("\(found)")
                return
            }
        }
        #expect(scripted.server.requests.first?.header("range") == "bytes=2-4")
    }

    @Test func `to a range with all of it are all of it, or no range`() async throws {
        let scripted = try await Scripted(.object("abc"))
        let store = scripted.store
        #expect(try await store.content(.from(0, through: nil)).bytes == Array("abc".utf8))
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await store.content(.from(3, through: nil)).bytes
            } == .rangeUnsatisfiable(size: 3))
        guard
            case .responseMalformed = await reason({ () async throws(ObjectStoreFailure) in
                try await store.content(.from(1, through: nil)).bytes
            })
        else {
            Issue.record("the whole was taken for a part")
            return
        }
    }

    /// As rclone answers.
    @Test func `to a range may say 200, if they name the range`() async throws {
        let scripted = try await Scripted(
            .object("cde", headers: [("Content-Range", "bytes 2-4/10")]))
        let found = try await scripted.store.content(.from(2, through: 4))
        #expect(found.bytes == Array("cde".utf8))
        #expect(found.part == 2..<5)
        guard
            case .responseMalformed = await reason({ () async throws(ObjectStoreFailure) in
                try await scripted.store.content(.from(0, through: 2)).bytes
            })
        else {
            Issue.record("another range was taken")
            return
        }
    }

    /// As moto and rclone answer.
    @Test func `are put in order, and say what they mean`() async throws {
        func version(_ kind: String, _ key: String, _ id: String, _ isLatest: Bool) -> String {
            "<\(kind)><Key>\(key)</Key><VersionId>\(id)</VersionId><IsLatest>\(isLatest)</IsLatest>"
                + "<LastModified>2026-11-27T00:00:00Z</LastModified><Size>1</Size></\(kind)>"
        }
        let list =
            "<ListVersionsResult>" + version("Version", "a", "1", true)
            + version("Version", "b", "3", false) + version("Version", "b", "2", false)
            + version("Version", "c", "5", true) + version("DeleteMarker", "b", "4", true)
            + "</ListVersionsResult>"
        let scripted = try await Scripted { request, _ in
            request.target.contains("uploads")
                ? .error(404, "NoSuchUpload") : ScriptedAnswer(200, list)
        }
        let page = try await scripted.store.listVersions(bucket(), ObjectMarkerQuery())
        #expect(page.versions.map(\.versionID) == ["1", "4", "3", "2", "5"])
        let uploads = try await scripted.store.listUploads(bucket(), ObjectMarkerQuery())
        #expect(uploads == ObjectUploadPage(uploads: [], commonPrefixes: [], next: nil))
    }

    @Test func `have limits`() async throws {
        let large = String(repeating: " ", count: S3Limits.documentBytesMax)
        let scripted = try await Scripted { request, _ in
            request.method == "GET"
                ? ScriptedAnswer(200, large + "<ListBucketResult/>")
                // Not read to its end, and the status counts all the same.
                : ScriptedAnswer(403, large)
        }
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await scripted.store.list(try bucketOrFail("bucket"), ObjectQuery())
            } == .responseTooLarge(limit: S3Limits.documentBytesMax))
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await scripted.store.delete(try locationOrFail().latest, .none)
            } == .accessDenied)
    }

    @Test(arguments: [
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "no XML",
        "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken/>"
            + "</ListBucketResult>",
        "<Other/>", "",
    ])
    func `are documents, and lists say where they go on`(_ text: String) async throws {
        let scripted = try await Scripted(ScriptedAnswer(200, text))
        let failure = await reason { () async throws(ObjectStoreFailure) in
            try await scripted.store.list(try bucketOrFail("bucket"), ObjectQuery())
        }
        guard case .responseMalformed = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }

    @Test func `have tags with quotes, whatever the server sends`() async throws {
        let list = """
            <ListBucketResult><Contents><Key>a%20b</Key><LastModified>2026-11-27T00:00:00Z\
            </LastModified><ETag>abc</ETag><Size>3</Size></Contents><EncodingType>url\
            </EncodingType></ListBucketResult>
            """
        let scripted = try await Scripted { request, _ in
            request.method == "GET"
                ? ScriptedAnswer(200, list) : ScriptedAnswer(200, "", headers: [("ETag", "abc")])
        }
        let tag = S3EntityTag("\"abc\"")
        #expect(try await scripted.store.put(body("a")).tag == tag)
        let page = try await scripted.store.list(bucket(), ObjectQuery())
        #expect(page.objects.map(\.tag) == [tag])
        #expect(page.objects.map(\.key.text) == ["a b"])
    }

    @Test func `of several deletions find their keys, in whatever order`() async throws {
        let text = """
            <DeleteResult><Error><Key>c</Key><Code>AccessDenied</Code></Error>\
            <Deleted><Key>b</Key><DeleteMarker>true</DeleteMarker>\
            <DeleteMarkerVersionId>m</DeleteMarkerVersionId></Deleted>\
            <Deleted><Key>a</Key><VersionId>2</VersionId></Deleted>\
            <Deleted><Key>a</Key><VersionId>1</VersionId></Deleted></DeleteResult>
            """
        let scripted = try await Scripted(ScriptedAnswer(200, text))
        let wanted = [("a", "1"), ("b", nil), ("c", nil), ("a", "2"), ("d", nil)]
        let entries = wanted.compactMap { key, version in
            S3Key(key).map { S3DeleteRequest.Entry(key: $0, versionID: version) }
        }
        let outcomes = try await scripted.store.delete(entries, in: bucket())
        #expect(outcomes.map(\.entry) == entries)
        #expect(
            outcomes.map(\.result) == [
                .success(ObjectDeletion(versionID: "1", isMarker: false)),
                .success(ObjectDeletion(versionID: "m", isMarker: true)),
                .failure(.accessDenied),
                .success(ObjectDeletion(versionID: "2", isMarker: false)),
                .failure(.responseMalformed(detail: "a key without an outcome")),
            ])
    }
}

@Suite struct `Requests that are passed on` {
    private static func pass(
        _ store: S3HTTP, _ operation: S3Operation = .getBucketLocation
    ) async -> Result<PassedAnswer, ObjectStoreFailure> {
        await outcome { () async throws(ObjectStoreFailure) in
            try await store.passOn(
                PassedRequest(
                    operation, .bucket(try bucketOrFail("bucket")), query: [.init("location")],
                    headers: [.init("x-amz-expected-bucket-owner", "1")]))
        }
    }

    @Test(arguments: [
        (403, "AccessDenied"), (404, "NoSuchBucket"), (409, "BucketNotEmpty"),
        (400, "MalformedXML"), (501, "NotImplemented"), (404, "NoSuchBucketPolicy"),
    ])
    func `come back as they were answered`(_ status: Int, _ code: String) async throws {
        let scripted = try await Scripted(
            .error(
                status, code,
                headers: [
                    ("x-amz-request-id", "theirs"), ("x-amz-bucket-region", "r"), ("Date", "d"),
                ]))
        let answer = try await Self.pass(scripted.store).get()
        #expect(answer.status == status)
        #expect(try S3ErrorDocument(answer.body).code == code)
        #expect(answer.headers == [.init("x-amz-bucket-region", "r")])
        #expect(scripted.server.requests.count == 1)
        #expect(scripted.server.requests[0].target == "/bucket?location=")
        #expect(scripted.server.requests[0].header("x-amz-expected-bucket-owner") == "1")
    }

    @Test func `fail when the client can do nothing about it`() async throws {
        for (answer, failure, count) in [
            (
                ScriptedAnswer.error(403, "SignatureDoesNotMatch"),
                ObjectStoreFailure.credentialRefused(code: "SignatureDoesNotMatch"), 1
            ),
            (.error(503, "SlowDown"), .slowDown(retryAfterSeconds: nil), 3),
            (.error(500, "InternalError"), .serverError(status: 500), 3),
            (.error(301, "PermanentRedirect"), .refused(code: "PermanentRedirect", status: 301), 1),
        ] {
            let scripted = try await Scripted({ $0.attemptsMax = 3 }) { _, _ in answer }
            #expect(await Self.pass(scripted.store) == .failure(failure))
            #expect(scripted.server.requests.count == count)
            // A change is repeated only where it had no effect.
            let changes = failure.effect == .none ? count : 1
            #expect(await Self.pass(scripted.store, .putBucketACL) == .failure(failure))
            #expect(scripted.server.requests.count == count + changes)
        }
    }

    @Test func `are none with content, and not too large`() async throws {
        let scripted = try await Scripted { _, _ in
            ScriptedAnswer(200, String(repeating: "a", count: ObjectStoreLimits.passedBytesMax + 1))
        }
        #expect(
            await Self.pass(scripted.store, .getObject)
                == .failure(.refused(code: "NotImplemented", status: 501)))
        #expect(scripted.server.requests.isEmpty)
        #expect(
            await Self.pass(scripted.store)
                == .failure(.responseTooLarge(limit: ObjectStoreLimits.passedBytesMax)))
    }
}
