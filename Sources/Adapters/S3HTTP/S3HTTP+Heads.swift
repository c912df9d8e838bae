// SPDX-License-Identifier: Apache-2.0
internal import NIOHTTP1
internal import ObjectStorePorts
internal import S3Format

/// What headers say of an object.
extension S3HTTP {
    /// Further ones that the proxy hands on, or what they start with.
    private static let passedOn: Set<String> = [
        "x-amz-archive-status", "x-amz-expiration", "x-amz-missing-meta",
        "x-amz-replication-status", "x-amz-restore", "x-amz-storage-class", "x-amz-tagging-count",
        "x-amz-website-redirect-location",
    ]
    private static let passedOnPrefixes = ["x-amz-object-lock-", "x-amz-server-side-encryption"]

    func head(_ headers: HTTPHeaders, size: Int64) throws(ObjectStoreFailure) -> ObjectHead {
        guard let tag = headers.first(name: "etag") else {
            throw .responseMalformed(detail: "no ETag")
        }
        let modified = headers.first(name: "last-modified").flatMap {
            HTTPDate.seconds($0, now: now())
        }
        guard let modified else { throw .responseMalformed(detail: "no Last-Modified") }
        let fields = S3Headers(headers.map { S3Headers.Field($0.name, $0.value) })
        return ObjectHead(
            size: size, tag: Self.tag(tag), modified: modified,
            versionID: Self.versionID(headers), attributes: Self.attributes(fields),
            passedOn: fields.fields.filter { field in
                Self.passedOn.contains(field.name)
                    || Self.passedOnPrefixes.contains { field.name.hasPrefix($0) }
            })
    }

    private static func attributes(_ headers: S3Headers) -> ObjectAttributes {
        let names = Set(headers.names(with: S3Metadata.prefix))
        return ObjectAttributes(
            contentType: headers["content-type"], cacheControl: headers["cache-control"],
            contentDisposition: headers["content-disposition"],
            contentEncoding: headers["content-encoding"],
            contentLanguage: headers["content-language"], expires: headers["expires"],
            metadata: S3Metadata(
                entries: names.map { name in
                    S3Metadata.Entry(
                        String(name.dropFirst(S3Metadata.prefix.count)), headers[name] ?? "")
                }))
    }

    /// As it is sent with a write.
    static func fields(_ write: ObjectWrite) -> [S3Headers.Field] {
        let attributes = write.attributes
        let named = [
            ("content-type", attributes.contentType), ("cache-control", attributes.cacheControl),
            ("content-disposition", attributes.contentDisposition),
            ("content-encoding", attributes.contentEncoding),
            ("content-language", attributes.contentLanguage), ("expires", attributes.expires),
            (S3Tagging.header, write.tagging.flatMap { $0.tags.isEmpty ? nil : $0.headerValue }),
        ]
        return named.compactMap { name, value in value.map { S3Headers.Field(name, $0) } }
            + attributes.metadata.headers + write.passedOn
    }

    /// With its quotes, which some servers leave out in some places.
    static func tag(_ text: String) -> S3EntityTag { S3EntityTag(S3EntityTag(text).quoted) }

    static func versionID(_ headers: HTTPHeaders) -> String? {
        headers.first(name: "x-amz-version-id").flatMap { $0.isEmpty ? nil : $0 }
    }

    func written(_ headers: HTTPHeaders) throws(ObjectStoreFailure) -> ObjectWritten {
        guard let tag = headers.first(name: "etag") else {
            throw .responseMalformed(detail: "no ETag")
        }
        return ObjectWritten(tag: Self.tag(tag), versionID: Self.versionID(headers))
    }
}
