// SPDX-License-Identifier: Apache-2.0
import S3Format
import Testing

@Suite struct `Requests that are passed through` {
    private func request(
        _ method: String, _ query: String, _ headers: [(String, String)] = []
    ) throws -> S3Request {
        try S3Request(
            method: method, path: "/bucket", rawQuery: query,
            headers: S3Headers(
                ([("host", "s3.example.eu")] + headers).map { S3Headers.Field($0.0, $0.1) }),
            rules: S3Rules())
    }

    @Test func `have the method and the parameter that make them their operation`() throws {
        for operation in S3Operation.allCases where operation.isPassedThrough {
            let isObject =
                operation.rawValue.contains("Object")
                && operation != .getObjectLockConfiguration
                && operation != .putObjectLockConfiguration
            let path = operation == .listBuckets ? "/" : isObject ? "/bucket/key" : "/bucket"
            let request = try S3Request(
                method: operation.method, path: path, rawQuery: operation.selector ?? "",
                headers: S3Headers([.init("host", "s3.example.eu")]), rules: S3Rules())
            #expect(request.operation == operation)
        }
        #expect(S3Operation.headBucket.selector == nil)
        #expect(S3Operation.putBucketVersioning.selector == "versioning")
        #expect(S3Operation.deleteBucketPolicy.method == "DELETE")
    }

    @Test func `go on without the client's signature, checksums and connection`() throws {
        let request = try request(
            "PUT",
            "acl&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=abc&x-id=PutBucketAcl",
            [
                ("authorization", "secret"), ("x-amz-date", "d"), ("x-amz-content-sha256", "h"),
                ("x-amz-security-token", "t"), ("x-amz-checksum-crc32", "c"),
                ("x-amz-sdk-checksum-algorithm", "CRC32"), ("content-md5", "m"),
                ("content-length", "3"), ("connection", "close"), ("expect", "100-continue"),
                ("user-agent", "client"), ("x-forwarded-for", "10.0.0.1"),
                ("content-type", "application/xml"), ("x-amz-acl", "private"),
                ("x-amz-expected-bucket-owner", "1"), ("x-amz-meta-a", "1"),
            ])
        #expect(request.passedQuery == [.init("acl")])
        #expect(
            request.passedHeaders == [
                .init("content-type", "application/xml"), .init("x-amz-acl", "private"),
                .init("x-amz-expected-bucket-owner", "1"),
            ])
    }

    @Test func `come back without what is the server's own`() {
        let headers = S3Headers(
            [
                ("content-type", "application/xml"), ("location", "/bucket"),
                ("x-amz-bucket-region", "r"), ("x-amz-request-id", "1"), ("x-amz-id-2", "2"),
                ("server", "AmazonS3"), ("date", "d"), ("content-length", "3"),
                ("connection", "close"), ("set-cookie", "c"),
            ].map { S3Headers.Field($0.0, $0.1) })
        #expect(
            headers.passedBack == [
                .init("content-type", "application/xml"), .init("location", "/bucket"),
                .init("x-amz-bucket-region", "r"),
            ])
    }
}

@Suite struct `Documents of other servers` {
    @Test(arguments: [
        ("InitiateMultipartUploadResult", true), ("InitiateMultipartUploadResponse", true),
        ("InitiateMultipartUpload", true), ("InitiateMultipart", false), ("Result", false),
    ])
    func `may have their root's name in other forms`(_ name: String, _ isRead: Bool) {
        let text = "<\(name)><Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId></\(name)>"
        #expect((try? S3CreatedUpload(Array(text.utf8)))?.uploadID == (isRead ? "u" : nil))
    }
}
