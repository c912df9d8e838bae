// SPDX-License-Identifier: Apache-2.0
import S3Format
import Testing

@Suite struct `Requests` {
    @Test(arguments: [
        ("GET", "/", "", S3ErrorCode?.none), ("HEAD", "/", "", .methodNotAllowed),
        ("PUT", "/", "", .methodNotAllowed), ("OPTIONS", "/bucket", "", .methodNotAllowed),
        ("PATCH", "/bucket/key", "", .methodNotAllowed), ("get", "/bucket", "", .methodNotAllowed),
        ("DELETE", "/bucket", "acl", .methodNotAllowed),
        ("POST", "/bucket/key", "", .methodNotAllowed),
        ("POST", "/bucket", "", .notImplemented),
        ("POST", "/bucket/key", "select&select-type=2", .notImplemented),
        ("GET", "/bucket/key", "torrent", .notImplemented),
        ("PUT", "/bucket/key", "renameObject", .notImplemented),
        ("PUT", "/bucket/key", "append&position=0", .notImplemented),
        ("PUT", "/bucket/key", "unknown", .notImplemented),
        ("DELETE", "/bucket/key", "versionid=v", .notImplemented),
        ("PUT", "/bucket/key", "partNumber=1", .notImplemented),
        ("PUT", "/bucket/key", "uploadId=u", .invalidArgument),
        ("PUT", "/bucket/key", "uploadId=&partNumber=1", .invalidArgument),
        ("PUT", "/bucket/key", "uploadId=u&partNumber=0", .invalidArgument),
        ("PUT", "/bucket/key", "uploadId=u&partNumber=1", nil),
        ("PUT", "/bucket/key", "uploadId=u&partNumber=10000", nil),
        ("PUT", "/bucket/key", "uploadId=u&partNumber=10001", .invalidArgument),
        ("PUT", "/bucket/key", "uploadId=u&partNumber=+1", .invalidArgument),
        ("PUT", "/bucket/key", "uploadId=u&partNumber=", .invalidArgument),
        ("GET", "/bucket/key", "uploadId=", .invalidArgument),
        ("GET", "/bucket", "list-type=1", .invalidArgument),
        ("GET", "/bucket", "list-type=2&list-type=2", .invalidArgument),
        ("GET", "/bucket/key", "acl&tagging", .invalidArgument),
        ("GET", "/bucket/key", "versionId=a&versionId=b", .invalidArgument),
        ("GET", "/bucket/key", "versionId=%zz", .invalidURI),
        ("GET", "/bucket/key", "versionId=%ff", .invalidURI),
        ("GET", "/bucket/key", "%C3%BC=1", .invalidURI),
        ("GET", "/bucket/key", "versionId=a%0Ab", .invalidArgument),
        ("GET", "/bucket/key", "x-id=GetObject&x-custom=1&versionId=a", nil),
        ("GET", "/bucket/key", "AWSAccessKeyId=a&Signature=b&Expires=1", .notImplemented),
        ("GET", "/bucket", "delete", .methodNotAllowed),
        ("GET", "bucket/key", "", .invalidURI), ("GET", "", "", .invalidURI),
        ("GET", "http://bucket/key", "", .invalidURI), ("GET", "*", "", .invalidURI),
        ("GET", "//key", "", .invalidBucketName), ("GET", "/../key", "", .invalidBucketName),
        ("GET", "/bu/key", "", .invalidBucketName), ("GET", "/%zz/key", "", .invalidURI),
        ("GET", "/bucket/%", "", .invalidURI), ("GET", "/bucket/%1", "", .invalidURI),
        ("GET", "/bucket/%ff", "", .invalidURI), ("GET", "/bucket/%00", "", .invalidURI),
        ("GET", "/bucket/%ed%a0%80", "", .invalidURI),
    ])
    func `are allowed one by one`(
        _ method: String, _ path: String, _ query: String, _ wanted: S3ErrorCode?
    ) {
        #expect(code { () throws(S3Error) in try request(method, path, query) } == wanted)
    }

    @Test func `have one operation for each route, and one route for each operation`() throws {
        // Through the front door: nothing else says what the table holds.
        for (method, query, source, wanted) in [
            ("PUT", "", false, S3Operation.putObject), ("PUT", "", true, .copyObject),
            ("PUT", "uploadId=u&partNumber=1", false, .uploadPart),
            ("PUT", "uploadId=u&partNumber=1", true, .uploadPartCopy),
            ("POST", "uploads", false, .createMultipartUpload),
            ("POST", "uploads=", false, .createMultipartUpload),
            ("POST", "uploadId=u", false, .completeMultipartUpload),
            ("GET", "uploadId=u", false, .listParts), ("GET", "uploadId=u", true, .listParts),
            ("PUT", "tagging", true, .putObjectTagging),
        ] {
            let headers: KeyValuePairs = source ? ["X-Amz-Copy-Source": "other/key"] : [:]
            let found = try request(method, "/bucket/key", query, headers)
            #expect(found.operation == wanted)
            #expect((found.copySource != nil) == [.copyObject, .uploadPartCopy].contains(wanted))
        }
    }

    @Test(arguments: [
        ("bucket.s3.example.eu", "/key", "bucket", "key"),
        ("BUCKET.S3.Example.EU:9000", "/key", "bucket", "key"),
        ("a.b-c.s3.example.eu", "/", "a.b-c", nil),
        ("bucket.s3.example.eu", "//key", "bucket", "/key"),
        ("bucket.s3.example.eu", "/other/key", "bucket", "other/key"),
        ("s3.example.eu", "/bucket/key", "bucket", "key"),
        ("s3.example.eu:443", "/bucket/", "bucket", nil),
        ("10.0.0.1:9000", "/bucket//key", "bucket", "/key"),
        ("[::1]:9000", "/bucket/key/", "bucket", "key/"),
        ("[fe80::1]", "/bucket/a%2Fb", "bucket", "a/b"),
        ("bucket.eu.s3.example.eu", "/key", "bucket", "key"),
        ("elsewhere.example", "/bucket/key", "bucket", "key"),
        ("xs3.example.eu", "/bucket/key", "bucket", "key"),
    ])
    func `name a bucket in the host or in the path`(
        _ host: String, _ path: String, _ bucket: String, _ key: String?
    ) throws {
        let rules = S3Rules(domains: ["s3.example.eu", "eu.s3.example.eu"])
        let found = try request("GET", path, "", ["Host": host], rules: rules)
        #expect(found.target.bucket?.name == bucket)
        #expect(found.target.key?.text == key)
        let other = try request("GET", "/bucket/key", "", ["Host": host])
        #expect(other.target.bucket?.name == "bucket", "no domain, no bucket in the host")
    }

    @Test(arguments: [
        ("abc", true), ("a-b.c", true), ("0a0", true), (String(repeating: "a", count: 63), true),
        ("ab", false), (String(repeating: "a", count: 64), false), ("Abc", false), ("a_b", false),
        ("-ab", false), ("ab-", false), (".ab", false), ("ab.", false), ("a..b", false),
        ("192.168.0.1", false), ("192.168.0.1a", true), ("xn--abc", false), ("abc-s3alias", false),
        ("abc--ol-s3", false), ("abc--x-s3", false), ("abc.mrap", false), ("äbc", false),
        ("a b", false), ("a/b", false), ("", false),
    ])
    func `have buckets with names that are allowed`(_ name: String, _ isAllowed: Bool) {
        #expect((S3Bucket(name) != nil) == isAllowed)
    }

    @Test func `have keys up to a limit`() throws {
        for encoded in ["k", "%6B"] {
            let longest = String(repeating: encoded, count: S3Limits.keyBytesMax)
            #expect(try request("GET", "/bucket/" + longest).target.key?.count == 1024)
            #expect(
                code { () throws(S3Error) in try request("GET", "/bucket/k" + longest) }
                    == .keyTooLong)
        }
        let path = "/bucket/" + String(repeating: "a", count: S3Limits.pathBytesMax)
        #expect(code { () throws(S3Error) in try request("GET", path) } == .keyTooLong)
    }

    @Test func `have queries up to a limit`() {
        let many = (0..<S3Limits.queryParametersMax).map { "x-\($0)=" }
        #expect(
            code { () throws(S3Error) in
                try request("GET", "/bucket", many.joined(separator: "&"))
            } == nil)
        #expect(
            code { () throws(S3Error) in
                try request("GET", "/bucket", (many + ["x-a"]).joined(separator: "&"))
            } == .invalidURI)
        let longest = "x-a=" + String(repeating: "b", count: S3Limits.queryBytesMax - 4)
        #expect(code { () throws(S3Error) in try request("GET", "/bucket", longest) } == nil)
        #expect(
            code { () throws(S3Error) in try request("GET", "/bucket", longest + "b") }
                == .invalidURI)
        let identifier = String(repeating: "v", count: S3Limits.identifierBytesMax)
        #expect(
            code { () throws(S3Error) in
                try request("GET", "/bucket/key", "versionId=" + identifier)
            } == nil)
        #expect(
            code { () throws(S3Error) in
                try request("GET", "/bucket/key", "versionId=v" + identifier)
            } == .invalidArgument)
    }

    @Test func `keep every key byte for byte`() throws {
        let bucket = try #require(S3Bucket("abc"))
        for key in S3Key.awkward {
            let path = "/bucket/" + PercentEncoding.encoded(key.bytes, keepsSlash: true)
            #expect(try request("GET", path).target.key == key)
            let whole = "/bucket/" + PercentEncoding.encoded(key.bytes, keepsSlash: false)
            #expect(try request("PUT", whole).target.key == key)
            let query = "prefix=" + PercentEncoding.encoded(key.bytes, keepsSlash: false)
            #expect(try S3ObjectListRequest(try request("GET", "/bucket", query)).prefix == key)
            let source = S3CopySource(bucket: bucket, key: key, versionID: "v /?&=")
            #expect(try S3CopySource(source.headerValue) == source)
        }
        // A plus is a plus in a path and a space in a query.
        #expect(try request("GET", "/bucket/a+b").target.key?.text == "a+b")
        let list = try S3ObjectListRequest(try request("GET", "/bucket", "prefix=a+b%2B"))
        #expect(list.prefix.text == "a b+")
    }

    @Test func `are kept from what is the proxy's own`() throws {
        let reserved = S3Rules.defaultReservedPrefix.text
        for path in [reserved, reserved + "a", "%2Ecloudtaser/a", ".cloudtaser%2Fa"] {
            for method in ["GET", "PUT", "HEAD", "DELETE"] {
                #expect(
                    code { () throws(S3Error) in try request(method, "/bucket/" + path) }
                        == .accessDenied)
            }
            #expect(
                code { () throws(S3Error) in
                    try request("PUT", "/bucket/key", "", ["x-amz-copy-source": "bucket/" + path])
                } == .accessDenied)
        }
        for path in [".cloudtaser", "a/.cloudtaser/b", ".cloudtaserx/", "/.cloudtaser/"] {
            #expect(code { () throws(S3Error) in try request("PUT", "/bucket/" + path) } == nil)
        }
        // The control: without the rule the same requests come through.
        let open = S3Rules(reservedPrefix: .empty)
        #expect(
            code { () throws(S3Error) in
                try request("PUT", "/bucket/" + reserved + "a", rules: open)
            } == nil)
    }

    @Test func `say no metadata that passes for an envelope`() {
        for name in ["x-amz-meta-ct1", "X-Amz-Meta-CT1", "x-amz-meta-ct1m", "x-amz-meta-ct1-x"] {
            for (method, query) in [("PUT", ""), ("POST", "uploads"), ("GET", "")] {
                #expect(
                    code { () throws(S3Error) in
                        try request(method, "/bucket/key", query, [name: "forged"])
                    } == .invalidArgument)
            }
            // Moved into the query, as some presign.
            #expect(
                code { () throws(S3Error) in
                    try request("PUT", "/bucket/key", "\(name)=forged&X-Amz-Signature=0")
                } == .invalidArgument)
            #expect(
                code { () throws(S3Error) in
                    try request("PUT", "/bucket/key", "\(name)=forged")
                } == .notImplemented)
        }
        #expect(
            code { () throws(S3Error) in
                try request("PUT", "/bucket/key", "", ["x-amz-meta-ct": "1"])
            } == nil)
    }

    @Test func `count headers in a presigned query as headers`() throws {
        let signed = "&X-Amz-Signature=0&X-Amz-SignedHeaders=host"
        let copy = try request("PUT", "/bucket/key", "x-amz-copy-source=a-b/c" + signed)
        #expect(copy.operation == .copyObject)
        let put = try request("PUT", "/bucket/key", "X-Amz-Meta-Name=value" + signed)
        #expect(try S3Metadata(put.headers)["name"] == "value")
        #expect(
            code { () throws(S3Error) in
                try request(
                    "PUT", "/bucket/key", "x-amz-acl=private" + signed, ["x-amz-acl": "private"])
            } == .invalidArgument)
        #expect(
            code { () throws(S3Error) in
                try request(
                    "PUT", "/bucket/key",
                    "x-amz-server-side-encryption-customer-key=a" + signed)
            } == .notImplemented)
    }

    @Test func `smuggle no header into what is sent on`() {
        let signed = "&X-Amz-Signature=0"
        for query in [
            "response-content-type=a%0D%0Ab:c", "response-expires=%0A", "response-expires=%00",
            "x-amz-meta-a=b%0D%0Ac:d" + signed, "x-amz-acl=%7F" + signed,
            "x-amz-copy-source-if-match=a%0D%0Ab" + signed,
        ] {
            #expect(
                code { () throws(S3Error) in try request("GET", "/bucket/key", query) }
                    == .invalidArgument)
            // The control: the same without what ends a header.
            let harmless = ["%0D%0A", "%0A", "%00", "%7F"].reduce(query) { text, bad in
                text.split(separator: bad, omittingEmptySubsequences: false).joined()
            }
            #expect(
                code { () throws(S3Error) in try request("GET", "/bucket/key", harmless) } == nil)
        }
        #expect(
            code { () throws(S3Error) in
                try request("GET", "/bucket/key", "", ["If-Match": "a\r\nb"])
            } == .invalidArgument)
        #expect(
            code { () throws(S3Error) in
                try request("GET", "/bucket/key", "", ["Host": "a", "host": "b"])
            } == .invalidRequest)
    }

    @Test func `append nothing and hand over no keys`() {
        for name in [
            "x-amz-write-offset-bytes", "x-amz-server-side-encryption-customer-algorithm",
            "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key",
        ] {
            #expect(
                code { () throws(S3Error) in
                    try request("PUT", "/bucket/key", "", [name: "1"])
                } == .notImplemented)
        }
        #expect(
            code { () throws(S3Error) in
                try request("PUT", "/bucket/key", "", ["x-amz-server-side-encryption": "AES256"])
            } == nil)
    }

    @Test func `list pages of a size that is allowed`() throws {
        for (text, wanted) in [("", 1000), ("0", 0), ("1", 1), ("1000", 1000), ("1001", 1000)] {
            let list = try S3ObjectListRequest(try request("GET", "/bucket", "max-keys=" + text))
            #expect(list.maxKeys == wanted)
        }
        for query in [
            "max-keys=-1", "max-keys=a", "max-keys=2147483648",
            "max-keys=99999999999999999999", "encoding-type=xml",
            "list-type=2&continuation-token=",
            "prefix=" + String(repeating: "a", count: 1025),
        ] {
            let parsed = try request("GET", "/bucket", query)
            #expect(
                code { () throws(S3Error) in try S3ObjectListRequest(parsed) } == .invalidArgument,
                "\(query)")
        }
        let versions = try request("GET", "/bucket", "versions&version-id-marker=v")
        #expect(
            code { () throws(S3Error) in try S3VersionListRequest(versions.query) }
                == .invalidArgument)
    }
}
