// SPDX-License-Identifier: Apache-2.0

/// What GetObjectAttributes can be asked for
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html).
package enum S3AttributeName: String, Sendable, Hashable, CaseIterable {
    case tag = "ETag"
    case checksum = "Checksum"
    case parts = "ObjectParts"
    case storageClass = "StorageClass"
    case size = "ObjectSize"

    package static let header = "x-amz-object-attributes"

    /// A list, in any order. At least one.
    package static func request(_ headers: S3Headers) throws(S3Error) -> Set<S3AttributeName> {
        let texts = (headers[header] ?? "").split(separator: ",").map {
            S3Headers.trimmed(String($0))
        }
        let names = texts.compactMap { S3AttributeName(rawValue: $0) }
        guard !texts.isEmpty, names.count == texts.count else {
            throw S3Error(
                .invalidArgument, "Invalid attribute name specified.",
                details: [.init("ArgumentName", header)])
        }
        return Set(names)
    }
}

/// `GetObjectAttributesResponse`. nil: not asked for, or not known. Checksums and parts are left
/// out: those of the store are of ciphertext.
package struct S3AttributesDocument: Sendable, Hashable {
    package let tag: S3EntityTag?
    /// Bytes.
    package let size: Int64?
    package let storageClass: String?

    static let root = "GetObjectAttributesResponse"

    package init(tag: S3EntityTag?, size: Int64?, storageClass: String?) {
        self.tag = tag
        self.size = size
        self.storageClass = storageClass
    }

    package init(_ bytes: [UInt8]) throws(S3DocumentFailure) {
        let root = try XMLReader.read(bytes, root: Self.root)
        self.init(
            tag: root.text("ETag").map { S3EntityTag($0) },
            size: try root.number("ObjectSize", Int64.self),
            storageClass: root.text("StorageClass"))
    }

    /// The tag stands without quotes here.
    package func rendered() -> [UInt8] {
        var writer = XMLWriter()
        writer.element(Self.root, namespace: XMLWriter.namespace) { writer in
            writer.optionalLeaf("ETag", tag.map { String($0.bare) })
            writer.optionalLeaf("StorageClass", storageClass)
            if let size { writer.leaf("ObjectSize", size) }
        }
        return writer.bytes
    }
}
