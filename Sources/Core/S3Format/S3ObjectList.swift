// SPDX-License-Identifier: Apache-2.0

/// Who an object or upload belongs to.
package struct S3Owner: Sendable, Hashable {
    package let id: String
    package let displayName: String?

    package init(id: String, displayName: String? = nil) {
        self.id = id
        self.displayName = displayName
    }

    /// nil: the element is not there.
    init?(_ element: XMLElement?) {
        guard let element else { return nil }
        self.init(id: element.text("ID") ?? "", displayName: element.text("DisplayName"))
    }

    func write(_ name: String, to writer: inout XMLWriter) {
        writer.element(name) { writer in
            writer.leaf("ID", id)
            writer.optionalLeaf("DisplayName", displayName)
        }
    }
}

/// One object of a list.
package struct S3ListedObject: Sendable, Hashable {
    package var key: S3Key
    package var modified: S3Timestamp
    package var tag: S3EntityTag
    /// Bytes.
    package var size: Int64
    package var storageClass: String
    package var owner: S3Owner?

    package init(
        key: S3Key, modified: S3Timestamp, tag: S3EntityTag, size: Int64,
        storageClass: String = "STANDARD", owner: S3Owner? = nil
    ) {
        self.key = key
        self.modified = modified
        self.tag = tag
        self.size = size
        self.storageClass = storageClass
        self.owner = owner
    }

    init(_ element: XMLElement, _ encoding: S3KeyEncoding) throws(S3DocumentFailure) {
        self.init(
            key: try element.key("Key", encoding), modified: try element.time("LastModified"),
            tag: S3EntityTag(element.text("ETag") ?? ""), size: try element.size(),
            storageClass: element.text("StorageClass") ?? "STANDARD",
            owner: S3Owner(element.first("Owner")))
    }

    func write(_ encoding: S3KeyEncoding, to writer: inout XMLWriter) {
        writer.element("Contents") { writer in
            writer.leaf("Key", encoding.encoded(key))
            writer.leaf("LastModified", modified.text)
            writer.leaf("ETag", tag.text)
            writer.leaf("Size", size)
            owner?.write("Owner", to: &writer)
            writer.leaf("StorageClass", storageClass)
        }
    }
}

/// `ListBucketResult`: the answer to ListObjects and ListObjectsV2
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
package struct S3ObjectList: Sendable, Hashable {
    package enum Form: Sendable, Hashable {
        /// `next` is only said with a delimiter; otherwise the last key is the next marker.
        case first(marker: S3Key, next: S3Key?)
        case second(startAfter: S3Key, continuation: String?, next: String?)
    }

    package var bucket: String
    package var prefix: S3Key
    /// Empty: none.
    package var delimiter: S3Key
    package var maxKeys: Int
    package var encoding: S3KeyEncoding
    package var isTruncated: Bool
    package var form: Form
    package var objects: [S3ListedObject]
    package var commonPrefixes: [S3Key]

    static let root = "ListBucketResult"

    package init(
        bucket: String, prefix: S3Key = .empty, delimiter: S3Key = .empty,
        maxKeys: Int = S3Limits.pageEntriesMax, encoding: S3KeyEncoding = .none,
        isTruncated: Bool = false, form: Form, objects: [S3ListedObject] = [],
        commonPrefixes: [S3Key] = []
    ) {
        self.bucket = bucket
        self.prefix = prefix
        self.delimiter = delimiter
        self.maxKeys = maxKeys
        self.encoding = encoding
        self.isTruncated = isTruncated
        self.form = form
        self.objects = objects
        self.commonPrefixes = commonPrefixes
    }

    /// - Parameter isSecond: whether ListObjectsV2 was asked for. The documents do not say.
    package init(_ bytes: [UInt8], isSecond: Bool) throws(S3DocumentFailure) {
        let root = try XMLReader.read(bytes, root: Self.root)
        let encoding = try root.encoding()
        bucket = root.text("Name") ?? ""
        prefix = try root.optionalKey("Prefix", encoding) ?? .empty
        delimiter = try root.optionalKey("Delimiter", encoding) ?? .empty
        maxKeys = try root.number("MaxKeys") ?? S3Limits.pageEntriesMax
        self.encoding = encoding
        isTruncated = try root.flag("IsTruncated") ?? false
        if isSecond {
            form = .second(
                startAfter: try root.optionalKey("StartAfter", encoding) ?? .empty,
                continuation: root.text("ContinuationToken"),
                next: root.text("NextContinuationToken"))
        } else {
            form = .first(
                marker: try root.optionalKey("Marker", encoding) ?? .empty,
                next: try root.optionalKey("NextMarker", encoding))
        }
        objects = try root.entries("Contents") { element throws(S3DocumentFailure) in
            try S3ListedObject(element, encoding)
        }
        commonPrefixes = try root.commonPrefixes(encoding)
    }

    package func rendered() -> [UInt8] {
        var writer = XMLWriter()
        writer.element(Self.root, namespace: XMLWriter.namespace) { writer in
            writer.leaf("Name", bucket)
            writer.leaf("Prefix", encoding.encoded(prefix))
            switch form {
            case .first(let marker, let next):
                writer.leaf("Marker", encoding.encoded(marker))
                if let next { writer.leaf("NextMarker", encoding.encoded(next)) }
            case .second(let startAfter, let continuation, let next):
                if !startAfter.isEmpty {
                    writer.leaf("StartAfter", encoding.encoded(startAfter))
                }
                writer.optionalLeaf("ContinuationToken", continuation)
                writer.optionalLeaf("NextContinuationToken", next)
                writer.leaf("KeyCount", objects.count + commonPrefixes.count)
            }
            writer.leaf("MaxKeys", maxKeys)
            if !delimiter.isEmpty { writer.leaf("Delimiter", encoding.encoded(delimiter)) }
            writer.encoding(encoding)
            writer.leaf("IsTruncated", isTruncated)
            for object in objects { object.write(encoding, to: &writer) }
            writer.commonPrefixes(commonPrefixes, encoding)
        }
        return writer.bytes
    }
}
