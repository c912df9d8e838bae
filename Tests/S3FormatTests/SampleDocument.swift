// SPDX-License-Identifier: Apache-2.0
import S3Format

/// A document of each kind, with keys that are hard to get right.
struct SampleDocument: Sendable {
    /// Of its file, without the ending.
    let name: String
    let bytes: [UInt8]
    /// Whether reading gives back what was written.
    let comesBack: Bool
    let readAgain: @Sendable ([UInt8]) -> Void

    private init<Document: Equatable & Sendable, Failure: Error>(
        _ name: String, _ document: Document, _ bytes: [UInt8],
        _ read: @escaping @Sendable ([UInt8]) throws(Failure) -> Document
    ) {
        self.name = name
        self.bytes = bytes
        comesBack = (try? read(bytes)) == document
        readAgain = { bytes in _ = try? read(bytes) }
    }

    static let time = S3Timestamp(millisecondsSince1970: 1_795_737_600_123)
    static let tag = S3EntityTag("\"0123-1\"")
    static let owner = S3Owner(id: "id", displayName: "a & b")
    /// Without those that XML 1.0 cannot hold, for the parser of others.
    static let plainKeys = S3Key.awkward.filter { key in
        !key.text.unicodeScalars.contains {
            $0.value < 0x20 && ![9, 10, 13].contains($0.value)
                || $0.value > 0xFFFD && $0.value < 0x10000
        }
    }

    static let all: [SampleDocument] = lists + uploads + others

    private static func objects(_ keys: [S3Key]) -> [S3ListedObject] {
        keys.enumerated().map { index, key in
            S3ListedObject(
                key: key, modified: time, tag: tag, size: Int64(index),
                owner: index == 0 ? owner : nil)
        }
    }

    private static func list(
        _ name: String, _ encoding: S3KeyEncoding, _ form: S3ObjectList.Form, isSecond: Bool
    ) -> SampleDocument {
        let keys = encoding == .url ? S3Key.awkward : plainKeys
        let list = S3ObjectList(
            bucket: "bucket", prefix: "a b+%2F", delimiter: "/ &", maxKeys: 7,
            encoding: encoding, isTruncated: true, form: form, objects: objects(keys),
            commonPrefixes: keys)
        return SampleDocument(name, list, list.rendered()) { bytes throws(S3DocumentFailure) in
            try S3ObjectList(bytes, isSecond: isSecond)
        }
    }

    private static let lists: [SampleDocument] = {
        let first = S3ObjectList.Form.first(marker: "m & n", next: "n\nx")
        let second = S3ObjectList.Form.second(
            startAfter: "s & t", continuation: "c+/=", next: "n<>")
        let versions = S3VersionList(
            bucket: "bucket", prefix: "p q", delimiter: "/",
            keyMarker: "k l", versionMarker: "v", nextKeyMarker: "n o",
            nextVersionMarker: "w", encoding: .url, isTruncated: true,
            versions: S3Key.awkward.enumerated().map { index, key in
                S3ListedVersion(
                    key: key, versionID: index == 0 ? "null" : "v\(index)",
                    isLatest: index.isMultiple(of: 2), modified: time,
                    content: index.isMultiple(of: 3)
                        ? .deleteMarker
                        : .object(tag: tag, size: Int64(index), storageClass: "STANDARD"),
                    owner: index == 1 ? owner : nil)
            }, commonPrefixes: S3Key.awkward)
        return [
            list("list-1", .none, first, isSecond: false),
            list("list-1-url", .url, first, isSecond: false),
            list("list-2", .none, second, isSecond: true),
            list("list-2-url", .url, second, isSecond: true),
            SampleDocument("versions", versions, versions.rendered()) {
                bytes throws(S3DocumentFailure) in try S3VersionList(bytes)
            },
        ]
    }()

    private static let uploads: [SampleDocument] = {
        let uploads = S3UploadList(
            bucket: "bucket", prefix: "p", delimiter: "/",
            keyMarker: "k", uploadMarker: "u", nextKeyMarker: "n",
            nextUploadMarker: "w", maxUploads: 9, encoding: .url, isTruncated: true,
            uploads: S3Key.awkward.map {
                S3ListedUpload(
                    key: $0, uploadID: "u/+=", initiated: time, initiator: owner, owner: owner)
            }, commonPrefixes: S3Key.awkward)
        let parts = S3PartList(
            bucket: "bucket", key: "a & b", uploadID: "u", marker: 1, nextMarker: 10_000,
            maxParts: 2, isTruncated: true, initiator: owner, owner: owner,
            parts: [
                .init(number: 2, tag: tag, size: 5_242_880, modified: time),
                .init(number: 10_000, tag: tag, size: .max, modified: time),
            ])
        let created = S3CreatedUpload(bucket: "bucket", key: "a & b", uploadID: "u+/=")
        let request = S3CompleteRequest(parts: [
            .init(number: 1, tag: tag),
            .init(number: 10_000, tag: tag, checksums: [.init("ChecksumCRC32", "AAAAAA==")]),
        ])
        let completed = S3CompletedUpload(
            location: "http://h/b?c&d", bucket: "bucket", key: "a & b", tag: tag)
        return [
            SampleDocument("uploads", uploads, uploads.rendered()) {
                bytes throws(S3DocumentFailure) in try S3UploadList(bytes)
            },
            SampleDocument("parts", parts, parts.rendered()) {
                bytes throws(S3DocumentFailure) in try S3PartList(bytes)
            },
            SampleDocument("created", created, created.rendered()) {
                bytes throws(S3DocumentFailure) in try S3CreatedUpload(bytes)
            },
            SampleDocument("complete-request", request, request.rendered()) {
                bytes throws(S3Error) in try S3CompleteRequest(bytes)
            },
            SampleDocument("completed", completed, completed.rendered()) {
                bytes throws(S3DocumentFailure) in try S3CompletedUpload(bytes)
            },
        ]
    }()

    private static let others: [SampleDocument] = {
        let copy = S3CopyResult(tag: tag, modified: time)
        let part = S3CopyResult(tag: tag, modified: time, isPart: true)
        let delete = S3DeleteRequest(
            entries: plainKeys.enumerated().map { index, key in
                .init(
                    key: key, versionID: index == 1 ? "v" : nil, tag: index == 2 ? tag : nil)
            }, isQuiet: true)
        let deleted = S3DeleteResult(
            entries: [
                .deleted(key: "a", versionID: "v", isMarker: true, marker: "m"),
                .failed(
                    key: "b & c", versionID: "v", code: "AccessDenied", message: "No <>"),
            ]
                + plainKeys.map {
                    .deleted(key: $0, versionID: nil, isMarker: false, marker: nil)
                })
        let tagging = S3Tagging(tags: [.init(key: "a&", value: ""), .init(key: "é", value: " ")])
        let attributes = S3AttributesDocument(
            tag: S3EntityTag("0123-1"), size: 7, storageClass: "STANDARD_IA")
        let error = S3Error(
            .invalidRange, "It's <not> & \"there\"", details: [.init("ActualObjectSize", "7")]
        ).document(resource: "/bucket/a&b", requestID: "R", hostID: "H==")
        return [
            SampleDocument("copy", copy, copy.rendered()) {
                bytes throws(S3DocumentFailure) in try S3CopyResult(bytes)
            },
            SampleDocument("copy-part", part, part.rendered()) {
                bytes throws(S3DocumentFailure) in try S3CopyResult(bytes, isPart: true)
            },
            SampleDocument("delete-request", delete, delete.rendered()) {
                bytes throws(S3Error) in try S3DeleteRequest(bytes)
            },
            SampleDocument("deleted", deleted, deleted.rendered()) {
                bytes throws(S3DocumentFailure) in try S3DeleteResult(bytes)
            },
            SampleDocument("tagging", tagging, tagging.rendered()) {
                bytes throws(S3DocumentFailure) in try S3Tagging(bytes)
            },
            SampleDocument("attributes", attributes, attributes.rendered()) {
                bytes throws(S3DocumentFailure) in try S3AttributesDocument(bytes)
            },
            SampleDocument("error", error, error.rendered()) {
                bytes throws(S3DocumentFailure) in try S3ErrorDocument(bytes)
            },
        ]
    }()
}
