// SPDX-License-Identifier: Apache-2.0

/// What the query of ListObjects or ListObjectsV2 says.
package struct S3ObjectListRequest: Sendable, Hashable {
    package enum Form: Sendable, Hashable {
        case first(marker: S3Key)
        case second(startAfter: S3Key, continuation: String?, wantsOwner: Bool)
    }

    package let form: Form
    package let prefix: S3Key
    /// Empty: none.
    package let delimiter: S3Key
    /// From 0.
    package let maxKeys: Int
    package let encoding: S3KeyEncoding

    package init(_ request: S3Request) throws(S3Error) {
        let query = request.query
        prefix = try query.key("prefix")
        delimiter = try query.key("delimiter")
        maxKeys = try query.pageSize("max-keys")
        encoding = try query.encoding()
        if request.operation == .listObjectsV2 {
            if query["continuation-token"] == "" {
                throw S3Error(
                    .invalidArgument, "The continuation token provided is incorrect",
                    details: [.init("ArgumentName", "continuation-token")])
            }
            form = .second(
                startAfter: try query.key("start-after"),
                continuation: try query.identifier("continuation-token"),
                wantsOwner: query["fetch-owner"] == "true")
        } else {
            form = .first(marker: try query.key("marker"))
        }
    }
}

/// What the query of ListObjectVersions says.
package struct S3VersionListRequest: Sendable, Hashable {
    package let prefix: S3Key
    package let delimiter: S3Key
    package let keyMarker: S3Key
    package let versionMarker: String?
    package let maxKeys: Int
    package let encoding: S3KeyEncoding

    package init(_ query: S3Query) throws(S3Error) {
        prefix = try query.key("prefix")
        delimiter = try query.key("delimiter")
        keyMarker = try query.key("key-marker")
        versionMarker = try query.identifier("version-id-marker")
        maxKeys = try query.pageSize("max-keys")
        encoding = try query.encoding()
        guard versionMarker == nil || !keyMarker.isEmpty else {
            throw S3Error(
                .invalidArgument,
                "A version-id marker cannot be specified without a key marker.")
        }
    }
}

/// What the query of ListMultipartUploads says.
package struct S3UploadListRequest: Sendable, Hashable {
    package let prefix: S3Key
    package let delimiter: S3Key
    package let keyMarker: S3Key
    /// Counts only with a key marker.
    package let uploadMarker: String?
    package let maxUploads: Int
    package let encoding: S3KeyEncoding

    package init(_ query: S3Query) throws(S3Error) {
        prefix = try query.key("prefix")
        delimiter = try query.key("delimiter")
        keyMarker = try query.key("key-marker")
        uploadMarker = keyMarker.isEmpty ? nil : try query.identifier("upload-id-marker")
        maxUploads = try query.pageSize("max-uploads")
        encoding = try query.encoding()
    }
}

/// What the query of ListParts says.
package struct S3PartListRequest: Sendable, Hashable {
    /// Parts after this number.
    package let marker: Int
    package let maxParts: Int

    package init(_ query: S3Query) throws(S3Error) {
        marker = try query.number("part-number-marker", 0...Int(Int32.max), missing: 0)
        maxParts = try query.pageSize("max-parts")
    }
}
