// SPDX-License-Identifier: Apache-2.0

/// `InitiateMultipartUploadResult`
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html).
package struct S3CreatedUpload: Sendable, Hashable {
    package let bucket: String
    package let key: S3Key
    package let uploadID: String

    static let root = "InitiateMultipartUploadResult"

    package init(bucket: String, key: S3Key, uploadID: String) {
        self.bucket = bucket
        self.key = key
        self.uploadID = uploadID
    }

    package init(_ bytes: [UInt8]) throws(S3DocumentFailure) {
        let root = try XMLReader.read(bytes, root: Self.root)
        self.init(
            bucket: root.text("Bucket") ?? "", key: try root.key("Key", .none),
            uploadID: try root.required("UploadId"))
    }

    package func rendered() -> [UInt8] {
        var writer = XMLWriter()
        writer.element(Self.root, namespace: XMLWriter.namespace) { writer in
            writer.leaf("Bucket", bucket)
            writer.leaf("Key", key.text)
            writer.leaf("UploadId", uploadID)
        }
        return writer.bytes
    }
}

/// A part as a client names it when it completes an upload.
package struct S3NamedPart: Sendable, Hashable {
    package let number: Int
    package let tag: S3EntityTag
    /// `ChecksumCRC32` and so on, as they stand there.
    package let checksums: [S3Error.Detail]

    package init(number: Int, tag: S3EntityTag, checksums: [S3Error.Detail] = []) {
        self.number = number
        self.tag = tag
        self.checksums = checksums
    }
}

/// `CompleteMultipartUpload`, the request
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
package struct S3CompleteRequest: Sendable, Hashable {
    /// By ascending number.
    package let parts: [S3NamedPart]

    static let root = "CompleteMultipartUpload"

    package init(parts: [S3NamedPart]) { self.parts = parts }

    package init(_ bytes: [UInt8]) throws(S3Error) {
        let parts: [S3NamedPart]
        do throws(S3DocumentFailure) {
            let root = try XMLReader.read(bytes, root: Self.root)
            parts = try root.entries("Part") { element throws(S3DocumentFailure) in
                S3NamedPart(
                    number: try element.partNumber(),
                    tag: S3EntityTag(try element.required("ETag")),
                    checksums: element.children.filter { $0.name.hasPrefix("Checksum") }
                        .map { S3Error.Detail($0.name, $0.text) })
            }
        } catch { throw S3Error(error) }
        guard !parts.isEmpty, parts.count <= S3Limits.partNumbers.upperBound else {
            throw S3Error(.malformedXML)
        }
        guard zip(parts, parts.dropFirst()).allSatisfy({ $0.number < $1.number }) else {
            throw S3Error(.invalidPartOrder)
        }
        self.parts = parts
    }

    package func rendered() -> [UInt8] {
        var writer = XMLWriter()
        writer.element(Self.root, namespace: XMLWriter.namespace) { writer in
            for part in parts {
                writer.element("Part") { writer in
                    writer.leaf("PartNumber", part.number)
                    writer.leaf("ETag", part.tag.text)
                    for checksum in part.checksums { writer.leaf(checksum.name, checksum.value) }
                }
            }
        }
        return writer.bytes
    }
}

/// `CompleteMultipartUploadResult`. Comes with status 200 before it is known whether all went well,
/// so an `Error` may stand in its place.
package struct S3CompletedUpload: Sendable, Hashable {
    package let location: String
    package let bucket: String
    package let key: S3Key
    package let tag: S3EntityTag

    static let root = "CompleteMultipartUploadResult"

    package init(location: String, bucket: String, key: S3Key, tag: S3EntityTag) {
        self.location = location
        self.bucket = bucket
        self.key = key
        self.tag = tag
    }

    package init(_ bytes: [UInt8]) throws(S3DocumentFailure) {
        let root = try XMLReader.read(bytes, root: Self.root)
        self.init(
            location: root.text("Location") ?? "", bucket: root.text("Bucket") ?? "",
            key: try root.optionalKey("Key", .none) ?? .empty,
            tag: S3EntityTag(try root.required("ETag")))
    }

    /// - Parameter hasDeclaration: false: the declaration and spaces have been sent ahead.
    package func rendered(hasDeclaration: Bool = true) -> [UInt8] {
        var writer = XMLWriter(hasDeclaration: hasDeclaration)
        writer.element(Self.root, namespace: XMLWriter.namespace) { writer in
            writer.leaf("Location", location)
            writer.leaf("Bucket", bucket)
            writer.leaf("Key", key.text)
            writer.leaf("ETag", tag.text)
        }
        return writer.bytes
    }
}

/// `CopyObjectResult` and `CopyPartResult`
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
package struct S3CopyResult: Sendable, Hashable {
    package let tag: S3EntityTag
    package let modified: S3Timestamp
    package let isPart: Bool

    package init(tag: S3EntityTag, modified: S3Timestamp, isPart: Bool = false) {
        self.tag = tag
        self.modified = modified
        self.isPart = isPart
    }

    private static func root(isPart: Bool) -> String {
        isPart ? "CopyPartResult" : "CopyObjectResult"
    }

    package init(_ bytes: [UInt8], isPart: Bool = false) throws(S3DocumentFailure) {
        let root = try XMLReader.read(bytes, root: Self.root(isPart: isPart))
        self.init(
            tag: S3EntityTag(try root.required("ETag")), modified: try root.time("LastModified"),
            isPart: isPart)
    }

    /// - Parameter hasDeclaration: false: it has been sent already.
    package func rendered(hasDeclaration: Bool = true) -> [UInt8] {
        var writer = XMLWriter(hasDeclaration: hasDeclaration)
        writer.element(Self.root(isPart: isPart), namespace: XMLWriter.namespace) { writer in
            writer.leaf("LastModified", modified.text)
            writer.leaf("ETag", tag.text)
        }
        return writer.bytes
    }
}
