// SPDX-License-Identifier: Apache-2.0

/// `Tagging`, of requests and answers
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html).
package struct S3Tagging: Sendable, Hashable {
    package struct Tag: Sendable, Hashable {
        package let key: String
        package let value: String

        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    package let tags: [Tag]

    static let root = "Tagging"

    package init(tags: [Tag]) { self.tags = tags }

    /// What a server sends.
    package init(_ bytes: [UInt8]) throws(S3DocumentFailure) {
        try self.init(bytes, bytesMax: S3Limits.answerDocumentBytesMax)
    }

    private init(_ bytes: [UInt8], bytesMax: Int) throws(S3DocumentFailure) {
        let root = try XMLReader.read(bytes, root: Self.root, bytesMax: bytesMax)
        guard let set = root.first("TagSet") else { throw .malformed("Tagging has no TagSet") }
        self.init(
            tags: try set.entries("Tag") { element throws(S3DocumentFailure) in
                Tag(key: try element.required("Key"), value: try element.required("Value"))
            })
    }

    /// What a client sends.
    package static func request(_ bytes: [UInt8]) throws(S3Error) -> S3Tagging {
        let tagging: S3Tagging
        do throws(S3DocumentFailure) {
            tagging = try S3Tagging(bytes, bytesMax: S3Limits.requestDocumentBytesMax)
        } catch { throw S3Error(error) }
        guard tagging.tags.count <= S3Limits.tagsMax else {
            throw S3Error(.badRequest, "Object tags cannot be greater than \(S3Limits.tagsMax)")
        }
        let keys = Set(tagging.tags.map { Array($0.key.utf8) })
        guard keys.count == tagging.tags.count,
            tagging.tags.allSatisfy({
                (1...S3Limits.tagKeyCharactersMax).contains($0.key.utf16.count)
                    && $0.value.utf16.count <= S3Limits.tagValueCharactersMax
            })
        else { throw S3Error(.invalidTag) }
        return tagging
    }

    package func rendered() -> [UInt8] {
        var writer = XMLWriter()
        writer.element(Self.root, namespace: XMLWriter.namespace) { writer in
            writer.element("TagSet") { writer in
                for tag in tags {
                    writer.element("Tag") { writer in
                        writer.leaf("Key", tag.key)
                        writer.leaf("Value", tag.value)
                    }
                }
            }
        }
        return writer.bytes
    }
}
