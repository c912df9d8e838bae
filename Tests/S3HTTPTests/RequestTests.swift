// SPDX-License-Identifier: Apache-2.0
import CryptoHasher
import LoopbackPKI
import ObjectStorePorts
import RequestSignature
import S3Format
import S3HTTP
import ScriptedServer
import Testing

/// Checks a request's signature as a server does.
private func verified(
    _ request: SeenRequest, sessionToken: String? = nil, secret: String = secretText
) throws -> VerifiedRequest {
    let head = RequestHead(
        method: request.method, target: request.target,
        fields: request.headers.map { RequestField($0.0, $0.1) })
    let verifier = RequestVerifier(region: region, CryptoHasher(), keyMemory: try arena())
    return try verifier.verify(head, now: instant + 10) { keyID, lend in
        guard keyID == accessKeyID else { return }
        let token = sessionToken.map { Array($0.utf8) }
        lend(Array(secret.utf8).span.bytes, token?.span.bytes)
    }
}

@Suite struct `Requests to S3` {
    @Test(arguments: [
        "key", "a b", "a+b", "a%20b", "a%2Fb", "a//b", "/a/b", "a/", "a/./b", "a/../b", "../a",
        "\u{e9}", "e\u{301}", "日本", "😀", "a&b", "a=b", "a?b", "a#b", "a;b", "a'b", "a\"b",
        "a<b>", "a\\b", "a|b", "a[b]", "a{b}", "a^b`", "a:b", "a@b", "a*b!(c)$,~", "\u{1}\u{7F}",
    ])
    func `name the key byte for byte, and are signed`(_ key: String) async throws {
        let scripted = try await Scripted(.object("content"))
        let location = try location(key)
        let size = try await scripted.store.read(location.version("v/1 +"), nil, .none) {
            (answer, _) async throws(ObjectStoreFailure) in answer.head.size
        }
        #expect(size == 7)
        let request = try #require(scripted.server.requests.first)
        let seen = try verified(request)
        #expect(seen.target.path == Array("/bucket/".utf8) + Array(key.utf8))
        #expect(seen.target.query == [QueryItem("versionId", "v/1 +")])
        #expect(seen.payload == .unsigned)
        #expect(seen.accessKeyID == accessKeyID)
        // The control: the signature is of this secret.
        #expect(throws: SignatureRefusal.signatureMismatch) {
            try verified(request, secret: "another")
        }
    }

    @Test func `say all of a write, and nothing that was not said`() async throws {
        let scripted = try await Scripted(sessionToken: "token+1") { _, _ in .stored }
        let write = ObjectWrite(
            attributes: ObjectAttributes(
                contentType: "text/plain", cacheControl: "no-cache",
                contentDisposition: "attachment", contentEncoding: "gzip", contentLanguage: "de",
                expires: "soon",
                metadata: S3Metadata(entries: [.init("a", "two  spaces, \u{e9}"), .init("b", "")])),
            tagging: S3Tagging(tags: [.init(key: "k", value: "a b&c")]),
            conditions: S3Conditions(ifNoneMatch: .any),
            passedOn: [.init("x-amz-storage-class", "STANDARD_IA")])
        _ = try await scripted.store.put(location(), body("content"), write)
        let request = try #require(scripted.server.requests.first)
        #expect(try verified(request, sessionToken: "token+1").payload == .unsigned)
        var names = Set(request.headers.map { $0.0.lowercased() })
        #expect(names.remove("authorization") != nil)
        for (name, value) in [
            ("content-type", "text/plain"), ("cache-control", "no-cache"),
            ("content-disposition", "attachment"), ("content-encoding", "gzip"),
            ("content-language", "de"), ("expires", "soon"),
            ("x-amz-meta-a", "two  spaces, \u{e9}"), ("x-amz-meta-b", ""),
            ("x-amz-tagging", "k=a%20b%26c"), ("if-none-match", "*"),
            ("x-amz-storage-class", "STANDARD_IA"), ("content-length", "7"),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("x-amz-security-token", "token+1"),
            ("x-amz-date", "20261127T000000Z"), ("host", "127.0.0.1:\(scripted.server.port)"),
            ("user-agent", "cloudtaser"),
        ] {
            #expect(request.header(name) == value)
            names.remove(name)
        }
        #expect(names.isEmpty, "no hash, no checksum, no chunks")
        #expect(request.body == Array("content".utf8))
        _ = try await scripted.store.put(location(), body(""), ObjectWrite())
        #expect(scripted.server.requests.last?.header("content-length") == "0")
        #expect(scripted.server.requests.last?.header("content-type") == nil)
    }

    @Test func `carry documents with their MD5`() async throws {
        let scripted = try await Scripted { _, _ in
            ScriptedAnswer(
                200, "<DeleteResult><Deleted><Key>a&amp;b</Key></Deleted></DeleteResult>")
        }
        let entries = [S3DeleteRequest.Entry(key: try #require(S3Key("a&b")))]
        let outcomes = try await scripted.store.delete(entries, in: bucket())
        #expect(
            outcomes == [
                ObjectDeletionOutcome(
                    entry: entries[0],
                    result: .success(ObjectDeletion(versionID: nil, isMarker: false)))
            ])
        let request = try #require(scripted.server.requests.first)
        #expect(try verified(request).target.query == [QueryItem("delete")])
        #expect(request.method == "POST")
        #expect(try S3DeleteRequest(request.body).entries == entries)
        #expect(request.header("content-md5")?.count == 24)
        #expect(request.header("content-type") == "application/xml")
    }

    @Test func `ask lists for what is wanted`() async throws {
        let scripted = try await Scripted(.emptyList)
        var query = ObjectQuery(
            prefix: try #require(S3Key("a b/\u{1}")), delimiter: try #require(S3Key("/")),
            start: .after(try #require(S3Key("a b/c"))), entriesMax: 7)
        _ = try await scripted.store.list(bucket(), query)
        query.start = .continuation("t/+=")
        query.prefix = .empty
        query.entriesMax = 5000
        _ = try await scripted.store.list(bucket(), query)
        let seen = try scripted.server.requests.map { try verified($0).target.query }
        #expect(
            seen == [
                [
                    QueryItem("list-type", "2"), QueryItem("encoding-type", "url"),
                    QueryItem("prefix", "a b/\u{1}"), QueryItem("delimiter", "/"),
                    QueryItem("max-keys", "7"), QueryItem("start-after", "a b/c"),
                ],
                [
                    QueryItem("list-type", "2"), QueryItem("encoding-type", "url"),
                    QueryItem("delimiter", "/"), QueryItem("max-keys", "1000"),
                    QueryItem("continuation-token", "t/+="),
                ],
            ])
    }

    @Test func `name the bucket in the host if that is wanted`() async throws {
        let server = try await PlainServer { _, _ in .object("content") }
        // Every name below localhost is this machine.
        let store = try store("http://localhost:\(server.port)/") { $0.style = .virtualHost }
        let key = try #require(S3Key("a/b"))
        guard
            case .success = await outcome({
                () async throws(ObjectStoreFailure) in
                try await store.head(
                    ObjectLocation(try bucketOrFail("name"), key).latest, .none)
            })
        else { return }
        let request = try #require(server.requests.first)
        #expect(request.header("host") == "name.localhost:\(server.port)")
        #expect(try verified(request).target.path == Array("/a/b".utf8))
    }

    @Test(arguments: [
        ("ftp://host", false), ("https://", false), ("host", false), ("https://host/path", false),
        ("https://user@host", false), ("https://host:0", false), ("https://host:99999", false),
        ("https://host?a", false), ("https://host", true), ("https://HOST:9000/", true),
        ("https://[::1]:9000", true), ("http://host", true),
    ])
    func `go to an endpoint that is one`(_ endpoint: String, _ isGood: Bool) {
        do {
            _ = try store(endpoint)
            #expect(isGood)
        } catch {
            #expect(!isGood && error is S3HTTPSettingsInvalid)
        }
    }

    @Test func `go without TLS only where that is allowed`() throws {
        #expect(throws: S3HTTPSettingsInvalid.self) {
            try store("http://127.0.0.1:1") { $0.allowsPlainHTTP = false }
        }
        _ = try store("https://127.0.0.1:1") { $0.allowsPlainHTTP = false }
    }

    @Test func `are not sent with what would end a header`() async throws {
        let scripted = try await Scripted(.stored)
        let write = ObjectWrite(
            attributes: ObjectAttributes(contentType: "text/plain\r\nx-amz-acl: public-read"))
        let failure = await reason { () async throws(ObjectStoreFailure) in
            try await scripted.store.put(try locationOrFail(), body("a"), write)
        }
        #expect(failure == .refused(code: "InvalidArgument", status: 400))
        #expect(scripted.server.requests.isEmpty)
    }
}

func bucketOrFail(_ name: String) throws(ObjectStoreFailure) -> S3Bucket {
    guard let bucket = S3Bucket(name) else { throw .noSuchBucket }
    return bucket
}

func locationOrFail(_ key: String = "key") throws(ObjectStoreFailure) -> ObjectLocation {
    guard let key = S3Key(key) else { throw .noSuchKey }
    return ObjectLocation(try bucketOrFail("bucket"), key)
}
