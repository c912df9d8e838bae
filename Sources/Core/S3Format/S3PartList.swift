// SPDX-License-Identifier: Apache-2.0

/// One part of an upload that is under way.
package struct S3ListedPart: Sendable, Hashable {
    package var number: Int
    package var tag: S3EntityTag
    /// Bytes.
    package var size: Int64
    package var modified: S3Timestamp

    package init(number: Int, tag: S3EntityTag, size: Int64, modified: S3Timestamp) {
        self.number = number
        self.tag = tag
        self.size = size
        self.modified = modified
    }

    init(_ element: XMLElement) throws(S3DocumentFailure) {
        self.init(
            number: try element.partNumber(), tag: S3EntityTag(try element.required("ETag")),
            size: try element.size(), modified: try element.time("LastModified"))
    }

    func write(to writer: inout XMLWriter) {
        writer.element("Part") { writer in
            writer.leaf("PartNumber", number)
            writer.leaf("LastModified", modified.text)
            writer.leaf("ETag", tag.text)
            writer.leaf("Size", size)
        }
    }
}

/// `ListPartsResult` (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html). Its key
/// is not encoded, whatever was asked for.
package struct S3PartList: Sendable, Hashable {
    package var bucket: String
    package var key: S3Key
    package var uploadID: String
    /// Parts after this number.
    package var marker: Int
    package var nextMarker: Int?
    package var maxParts: Int
    package var isTruncated: Bool
    package var storageClass: String
    package var initiator: S3Owner?
    package var owner: S3Owner?
    /// By ascending number.
    package var parts: [S3ListedPart]

    static let root = "ListPartsResult"

    package init(
        bucket: String, key: S3Key, uploadID: String, marker: Int = 0, nextMarker: Int? = nil,
        maxParts: Int = S3Limits.pageEntriesMax, isTruncated: Bool = false,
        storageClass: String = "STANDARD", initiator: S3Owner? = nil, owner: S3Owner? = nil,
        parts: [S3ListedPart] = []
    ) {
        self.bucket = bucket
        self.key = key
        self.uploadID = uploadID
        self.marker = marker
        self.nextMarker = nextMarker
        self.maxParts = maxParts
        self.isTruncated = isTruncated
        self.storageClass = storageClass
        self.initiator = initiator
        self.owner = owner
        self.parts = parts
    }

    package init(_ bytes: [UInt8]) throws(S3DocumentFailure) {
        let root = try XMLReader.read(bytes, root: Self.root)
        self.init(
            bucket: root.text("Bucket") ?? "", key: try root.key("Key", .none),
            uploadID: try root.required("UploadId"),
            marker: try root.number("PartNumberMarker") ?? 0,
            nextMarker: try root.number("NextPartNumberMarker"),
            maxParts: try root.number("MaxParts") ?? S3Limits.pageEntriesMax,
            isTruncated: try root.flag("IsTruncated") ?? false,
            storageClass: root.text("StorageClass") ?? "STANDARD",
            initiator: S3Owner(root.first("Initiator")), owner: S3Owner(root.first("Owner")),
            parts: try root.entries("Part") { element throws(S3DocumentFailure) in
                try S3ListedPart(element)
            })
    }

    package func rendered() -> [UInt8] {
        var writer = XMLWriter()
        writer.element(Self.root, namespace: XMLWriter.namespace) { writer in
            writer.leaf("Bucket", bucket)
            writer.leaf("Key", key.text)
            writer.leaf("UploadId", uploadID)
            initiator?.write("Initiator", to: &writer)
            owner?.write("Owner", to: &writer)
            writer.leaf("StorageClass", storageClass)
            writer.leaf("PartNumberMarker", marker)
            if let nextMarker { writer.leaf("NextPartNumberMarker", nextMarker) }
            writer.leaf("MaxParts", maxParts)
            writer.leaf("IsTruncated", isTruncated)
            for part in parts { part.write(to: &writer) }
        }
        return writer.bytes
    }
}

extension XMLElement {
    func partNumber() throws(S3DocumentFailure) -> Int {
        guard let number = try number("PartNumber", Int.self),
            S3Limits.partNumbers.contains(number)
        else { throw .malformed("PartNumber is not from 1 to 10000") }
        return number
    }
}
