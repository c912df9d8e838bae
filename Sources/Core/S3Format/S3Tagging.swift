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
        let root = try XMLReader.read(bytes, root: Self.root)
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
            tagging = try S3Tagging(bytes)
        } catch { throw S3Error(error) }
        try tagging.check()
        return tagging
    }

    package static let header = "x-amz-tagging"

    /// What a client sends as a header: as a query, `a=b&c=d`.
    package static func request(header: String) throws(S3Error) -> S3Tagging {
        let query: S3Query
        do throws(S3Error) { query = try S3Query(values: header) } catch {
            throw S3Error(
                .invalidArgument,
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then "
                    + "URLEncoded URL query parameters without tag name duplicates.")
        }
        let tagging = S3Tagging(
            tags: query.parameters.map { Tag(key: $0.name, value: $0.value) })
        try tagging.check()
        return tagging
    }

    package var headerValue: String {
        tags.map {
            PercentEncoding.encoded($0.key.utf8, keepsSlash: false) + "="
                + PercentEncoding.encoded($0.value.utf8, keepsSlash: false)
        }.joined(separator: "&")
    }

    private func check() throws(S3Error) {
        guard tags.count <= S3Limits.tagsMax else {
            throw S3Error(.badRequest, "Object tags cannot be greater than \(S3Limits.tagsMax)")
        }
        let keys = Set(tags.map { Array($0.key.utf8) })
        guard keys.count == tags.count,
            tags.allSatisfy({
                (1...S3Limits.tagKeyCharactersMax).contains($0.key.utf16.count)
                    && $0.value.utf16.count <= S3Limits.tagValueCharactersMax
            })
        else { throw S3Error(.invalidTag) }
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
