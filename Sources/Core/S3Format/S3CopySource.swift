// SPDX-License-Identifier: Apache-2.0

/// Where a copy comes from.
package struct S3CopySource: Sendable, Hashable {
    package static let header = "x-amz-copy-source"

    package let bucket: S3Bucket
    package let key: S3Key
    package let versionID: String?

    package init(bucket: S3Bucket, key: S3Key, versionID: String? = nil) {
        self.bucket = bucket
        self.key = key
        self.versionID = versionID
    }

    /// `bucket/key` or `/bucket/key`, encoded, with `?versionId=` behind it or not. Access points
    /// are no sources: their objects are bound to another name.
    package init(_ header: String) throws(S3Error) {
        var rest = Substring(header).utf8
        if rest.first == UInt8(ascii: "/") { rest = rest.dropFirst() }
        var version: String?
        if let question = rest.firstIndex(of: UInt8(ascii: "?")) {
            let query = try S3Query(raw: Substring(rest[rest.index(after: question)...]))
            guard query.parameters.allSatisfy({ $0.name == "versionId" }) else {
                throw Self.malformed
            }
            version = try query.identifier("versionId")
            rest = rest[..<question]
        }
        // Some clients encode the slash behind the bucket too.
        guard rest.count <= S3Limits.pathBytesMax,
            let decoded = PercentEncoding.decoded(rest, plusIsSpace: false)
        else { throw Self.malformed }
        let bytes = decoded.first == UInt8(ascii: "/") ? decoded[1...] : decoded[...]
        guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")),
            let bucket = S3Bucket(String(decoding: bytes[..<slash], as: UTF8.self)),
            let key = S3Key(bytes: bytes[(slash + 1)...]), !key.isEmpty,
            key.count <= S3Limits.keyBytesMax
        else { throw Self.malformed }
        self.init(bucket: bucket, key: key, versionID: version)
    }

    /// As it is sent.
    package var headerValue: String {
        let path = "/\(bucket)/" + PercentEncoding.encoded(key.bytes, keepsSlash: true)
        guard let versionID else { return path }
        return path + "?versionId=" + PercentEncoding.encoded(versionID.utf8, keepsSlash: false)
    }

    private static let malformed = S3Error(
        .invalidArgument,
        "Copy Source must mention the source bucket and key: "
            + "sourcebucket/sourcekey",
        details: [.init("ArgumentName", header)])
}
