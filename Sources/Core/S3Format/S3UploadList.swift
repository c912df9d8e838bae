// SPDX-License-Identifier: Apache-2.0

/// One upload in parts that is under way.
package struct S3ListedUpload: Sendable, Hashable {
    package var key: S3Key
    package var uploadID: String
    package var initiated: S3Timestamp
    package var storageClass: String
    package var initiator: S3Owner?
    package var owner: S3Owner?

    package init(
        key: S3Key, uploadID: String, initiated: S3Timestamp, storageClass: String = "STANDARD",
        initiator: S3Owner? = nil, owner: S3Owner? = nil
    ) {
        self.key = key
        self.uploadID = uploadID
        self.initiated = initiated
        self.storageClass = storageClass
        self.initiator = initiator
        self.owner = owner
    }

    init(_ element: XMLElement, _ encoding: S3KeyEncoding) throws(S3DocumentFailure) {
        self.init(
            key: try element.key("Key", encoding), uploadID: try element.required("UploadId"),
            initiated: try element.time("Initiated"),
            storageClass: element.text("StorageClass") ?? "STANDARD",
            initiator: S3Owner(element.first("Initiator")),
            owner: S3Owner(element.first("Owner")))
    }

    func write(_ encoding: S3KeyEncoding, to writer: inout XMLWriter) {
        writer.element("Upload") { writer in
            writer.leaf("Key", encoding.encoded(key))
            writer.leaf("UploadId", uploadID)
            initiator?.write("Initiator", to: &writer)
            owner?.write("Owner", to: &writer)
            writer.leaf("StorageClass", storageClass)
            writer.leaf("Initiated", initiated.text)
        }
    }
}

/// `ListMultipartUploadsResult`
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html).
package struct S3UploadList: Sendable, Hashable {
    package var bucket: String
    package var prefix: S3Key
    package var delimiter: S3Key
    package var keyMarker: S3Key
    package var uploadMarker: String
    package var nextKeyMarker: S3Key?
    package var nextUploadMarker: String?
    package var maxUploads: Int
    package var encoding: S3KeyEncoding
    package var isTruncated: Bool
    package var uploads: [S3ListedUpload]
    package var commonPrefixes: [S3Key]

    static let root = "ListMultipartUploadsResult"

    package init(
        bucket: String, prefix: S3Key = .empty, delimiter: S3Key = .empty,
        keyMarker: S3Key = .empty, uploadMarker: String = "", nextKeyMarker: S3Key? = nil,
        nextUploadMarker: String? = nil, maxUploads: Int = S3Limits.pageEntriesMax,
        encoding: S3KeyEncoding = .none, isTruncated: Bool = false,
        uploads: [S3ListedUpload] = [], commonPrefixes: [S3Key] = []
    ) {
        self.bucket = bucket
        self.prefix = prefix
        self.delimiter = delimiter
        self.keyMarker = keyMarker
        self.uploadMarker = uploadMarker
        self.nextKeyMarker = nextKeyMarker
        self.nextUploadMarker = nextUploadMarker
        self.maxUploads = maxUploads
        self.encoding = encoding
        self.isTruncated = isTruncated
        self.uploads = uploads
        self.commonPrefixes = commonPrefixes
    }

    package init(_ bytes: [UInt8]) throws(S3DocumentFailure) {
        let root = try XMLReader.read(bytes, root: Self.root)
        let encoding = try root.encoding()
        self.init(
            bucket: root.text("Bucket") ?? "",
            prefix: try root.optionalKey("Prefix", encoding) ?? .empty,
            delimiter: try root.optionalKey("Delimiter", encoding) ?? .empty,
            keyMarker: try root.optionalKey("KeyMarker", encoding) ?? .empty,
            uploadMarker: root.text("UploadIdMarker") ?? "",
            nextKeyMarker: try root.optionalKey("NextKeyMarker", encoding),
            nextUploadMarker: root.text("NextUploadIdMarker"),
            maxUploads: try root.number("MaxUploads") ?? S3Limits.pageEntriesMax,
            encoding: encoding, isTruncated: try root.flag("IsTruncated") ?? false,
            uploads: try root.entries("Upload") { element throws(S3DocumentFailure) in
                try S3ListedUpload(element, encoding)
            },
            commonPrefixes: try root.commonPrefixes(encoding))
    }

    package func rendered() -> [UInt8] {
        var writer = XMLWriter()
        writer.element(Self.root, namespace: XMLWriter.namespace) { writer in
            writer.leaf("Bucket", bucket)
            writer.leaf("KeyMarker", encoding.encoded(keyMarker))
            writer.leaf("UploadIdMarker", uploadMarker)
            if let nextKeyMarker {
                writer.leaf("NextKeyMarker", encoding.encoded(nextKeyMarker))
            }
            writer.optionalLeaf("NextUploadIdMarker", nextUploadMarker)
            writer.leaf("Prefix", encoding.encoded(prefix))
            if !delimiter.isEmpty { writer.leaf("Delimiter", encoding.encoded(delimiter)) }
            writer.encoding(encoding)
            writer.leaf("MaxUploads", maxUploads)
            writer.leaf("IsTruncated", isTruncated)
            for upload in uploads { upload.write(encoding, to: &writer) }
            writer.commonPrefixes(commonPrefixes, encoding)
        }
        return writer.bytes
    }
}
