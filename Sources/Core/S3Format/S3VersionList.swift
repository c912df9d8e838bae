// SPDX-License-Identifier: Apache-2.0

/// One version of a list: of an object, or the mark that it was deleted.
package struct S3ListedVersion: Sendable, Hashable {
    package enum Content: Sendable, Hashable {
        case object(tag: S3EntityTag, size: Int64, storageClass: String)
        case deleteMarker
    }

    package var key: S3Key
    /// `null` for what was stored before the bucket had versions.
    package var versionID: String
    package var isLatest: Bool
    package var modified: S3Timestamp
    package var content: Content
    package var owner: S3Owner?

    package init(
        key: S3Key, versionID: String, isLatest: Bool, modified: S3Timestamp, content: Content,
        owner: S3Owner? = nil
    ) {
        self.key = key
        self.versionID = versionID
        self.isLatest = isLatest
        self.modified = modified
        self.content = content
        self.owner = owner
    }

    init(_ element: XMLElement, _ encoding: S3KeyEncoding) throws(S3DocumentFailure) {
        let isMarker = element.name == Self.markerName
        self.init(
            key: try element.key("Key", encoding),
            versionID: try element.required("VersionId"),
            isLatest: try element.flag("IsLatest") ?? false,
            modified: try element.time("LastModified"),
            content: isMarker
                ? .deleteMarker
                : .object(
                    tag: S3EntityTag(element.text("ETag") ?? ""), size: try element.size(),
                    storageClass: element.text("StorageClass") ?? "STANDARD"),
            owner: S3Owner(element.first("Owner")))
    }

    static let versionName = "Version"
    static let markerName = "DeleteMarker"

    func write(_ encoding: S3KeyEncoding, to writer: inout XMLWriter) {
        let name = content == .deleteMarker ? Self.markerName : Self.versionName
        writer.element(name) { writer in
            writer.leaf("Key", encoding.encoded(key))
            writer.leaf("VersionId", versionID)
            writer.leaf("IsLatest", isLatest)
            writer.leaf("LastModified", modified.text)
            if case .object(let tag, let size, let storageClass) = content {
                writer.leaf("ETag", tag.text)
                writer.leaf("Size", size)
                writer.leaf("StorageClass", storageClass)
            }
            owner?.write("Owner", to: &writer)
        }
    }
}

/// `ListVersionsResult`
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html).
package struct S3VersionList: Sendable, Hashable {
    package var bucket: String
    package var prefix: S3Key
    package var delimiter: S3Key
    package var keyMarker: S3Key
    package var versionMarker: String
    /// nil: said nothing.
    package var nextKeyMarker: S3Key?
    package var nextVersionMarker: String?
    package var maxKeys: Int
    package var encoding: S3KeyEncoding
    package var isTruncated: Bool
    /// In the list's order: by key, the latest first.
    package var versions: [S3ListedVersion]
    package var commonPrefixes: [S3Key]

    static let root = "ListVersionsResult"

    package init(
        bucket: String, prefix: S3Key = .empty, delimiter: S3Key = .empty,
        keyMarker: S3Key = .empty, versionMarker: String = "", nextKeyMarker: S3Key? = nil,
        nextVersionMarker: String? = nil, maxKeys: Int = S3Limits.pageEntriesMax,
        encoding: S3KeyEncoding = .none, isTruncated: Bool = false,
        versions: [S3ListedVersion] = [], commonPrefixes: [S3Key] = []
    ) {
        self.bucket = bucket
        self.prefix = prefix
        self.delimiter = delimiter
        self.keyMarker = keyMarker
        self.versionMarker = versionMarker
        self.nextKeyMarker = nextKeyMarker
        self.nextVersionMarker = nextVersionMarker
        self.maxKeys = maxKeys
        self.encoding = encoding
        self.isTruncated = isTruncated
        self.versions = versions
        self.commonPrefixes = commonPrefixes
    }

    package init(_ bytes: [UInt8]) throws(S3DocumentFailure) {
        let root = try XMLReader.read(bytes, root: Self.root)
        let encoding = try root.encoding()
        var versions: [S3ListedVersion] = []
        // Both kinds stand among each other.
        for child in root.children
        where child.name == S3ListedVersion.versionName || child.name == S3ListedVersion.markerName
        {
            versions.append(try S3ListedVersion(child, encoding))
        }
        self.init(
            bucket: root.text("Name") ?? "",
            prefix: try root.optionalKey("Prefix", encoding) ?? .empty,
            delimiter: try root.optionalKey("Delimiter", encoding) ?? .empty,
            keyMarker: try root.optionalKey("KeyMarker", encoding) ?? .empty,
            versionMarker: root.text("VersionIdMarker") ?? "",
            nextKeyMarker: try root.optionalKey("NextKeyMarker", encoding),
            nextVersionMarker: root.text("NextVersionIdMarker"),
            maxKeys: try root.number("MaxKeys") ?? S3Limits.pageEntriesMax, encoding: encoding,
            isTruncated: try root.flag("IsTruncated") ?? false, versions: versions,
            commonPrefixes: try root.commonPrefixes(encoding))
    }

    package func rendered() -> [UInt8] {
        var writer = XMLWriter()
        writer.element(Self.root, namespace: XMLWriter.namespace) { writer in
            writer.leaf("Name", bucket)
            writer.leaf("Prefix", encoding.encoded(prefix))
            writer.leaf("KeyMarker", encoding.encoded(keyMarker))
            writer.leaf("VersionIdMarker", versionMarker)
            if let nextKeyMarker {
                writer.leaf("NextKeyMarker", encoding.encoded(nextKeyMarker))
            }
            writer.optionalLeaf("NextVersionIdMarker", nextVersionMarker)
            writer.leaf("MaxKeys", maxKeys)
            if !delimiter.isEmpty { writer.leaf("Delimiter", encoding.encoded(delimiter)) }
            writer.encoding(encoding)
            writer.leaf("IsTruncated", isTruncated)
            for version in versions { version.write(encoding, to: &writer) }
            writer.commonPrefixes(commonPrefixes, encoding)
        }
        return writer.bytes
    }
}
