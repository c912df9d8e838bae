// SPDX-License-Identifier: Apache-2.0
import Foundation
import S3Format
import TestKit
import Testing

@Suite struct `What boto3 sends` {
    /// What docs/reference/s3-operations.md says of each operation.
    static let page: [String: String] = {
        let path = Checkout.root + "docs/reference/s3-operations.md"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        var rows: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard cells.count >= 4, cells[1].hasPrefix("`") else { continue }
            for name in cells[1].split(separator: ",") {
                rows[name.trimmingCharacters(in: CharacterSet(charactersIn: "` "))] = cells[2]
            }
        }
        return rows
    }()

    /// The same request under another name of boto3.
    static let aliases = [
        "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
        "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
        "GetBucketNotification": "GetBucketNotificationConfiguration",
        "PutBucketNotification": "PutBucketNotificationConfiguration",
        // Without parameters nothing tells them apart.
        "ListDirectoryBuckets": "ListBuckets",
    ]

    @Test func `is recorded whole`() {
        #expect(RecordedRequest.all.count > 400)
        #expect(Set(RecordedRequest.all.map(\.operation)).count > 100)
    }

    @Test func `is one of the operations, or refused as the page says`() {
        for recorded in RecordedRequest.all where ["minimal", "virtual"].contains(recorded.case) {
            let name = Self.aliases[recorded.operation] ?? recorded.operation
            let outcome: String
            do throws(S3Error) {
                let request = try recorded.parsed()
                outcome = request.operation.isPassedThrough ? "passed on" : "done here"
                #expect(request.operation.rawValue == name)
                if request.operation != .listBuckets {
                    #expect(request.target.bucket == S3Bucket("bucket"))
                }
                if let key = request.target.key { #expect(key.text == "key") }
            } catch {
                outcome = "\(error.status) \(error.code.rawValue)"
            }
            #expect(Self.page[name] == outcome, "\(recorded.operation) \(recorded.case)")
        }
    }

    @Test func `covers every operation, and so does the page`() {
        let recorded = Set(
            RecordedRequest.all.map { Self.aliases[$0.operation] ?? $0.operation })
        for operation in S3Operation.allCases {
            #expect(recorded.contains(operation.rawValue), "\(operation)")
            #expect(Self.page[operation.rawValue] != nil, "\(operation)")
        }
    }

    @Test func `names keys byte for byte`() throws {
        let wanted = RecordedRequest.all.filter { $0.key != nil && $0.case != "prefix" }
        #expect(wanted.count > 100)
        for recorded in wanted {
            let request = try recorded.parsed()
            let key =
                recorded.operation == "CopyObject"
                ? request.copySource?.key : request.target.key
            #expect(key == recorded.key.flatMap { S3Key($0) }, "\(recorded.path)")
        }
    }

    @Test func `names prefixes byte for byte`() throws {
        let wanted = RecordedRequest.all.filter { $0.case == "prefix" }
        #expect(wanted.count > 30)
        for recorded in wanted {
            let list = try S3ObjectListRequest(try recorded.parsed())
            let key = recorded.key.flatMap { S3Key($0) }
            #expect(list.prefix == key)
            #expect(list.delimiter == S3Key("/"))
            #expect(list.encoding == .url)
            guard case .second(let startAfter, nil, false) = list.form else {
                Issue.record("another form: \(list.form)")
                continue
            }
            #expect(startAfter == key)
        }
    }

    @Test func `deletes the keys that it was given`() throws {
        let recorded = try #require(RecordedRequest.named("DeleteObjects", "keys"))
        let request = try S3DeleteRequest(Array(try #require(recorded.body).utf8))
        let keys = RecordedRequest.all.filter { $0.case == "key" }.compactMap(\.key)
            .filter { !$0.contains("\u{1}") }
        #expect(request.entries.map(\.key) == keys.compactMap { S3Key($0) })
        #expect(!request.isQuiet)
        let quiet = try #require(RecordedRequest.named("DeleteObjects", "quiet")?.body)
        let second = try S3DeleteRequest(Array(quiet.utf8))
        #expect(second.isQuiet)
        #expect(
            second.entries == [
                .init(key: "a"), .init(key: "b&<>\"'", versionID: "v1"),
                .init(key: "c", tag: S3EntityTag("\"e\"")),
            ])
    }

    @Test func `says everything that there is to say`() throws {
        let get = try #require(RecordedRequest.named("GetObject", "everything")).parsed()
        #expect(get.versionID == "v1")
        #expect(get.query["response-content-disposition"] == "attachment; filename=\"a b.txt\"")
        #expect(get.headers["range"].flatMap { S3ByteRange(header: $0) } == .from(0, through: 9))
        let conditions = S3Conditions(get.headers, now: 0)
        #expect(conditions.ifMatch == .some([S3EntityTag("\"e\"")]))
        #expect(conditions.ifNoneMatch == .some([S3EntityTag("\"f\"")]))
        #expect(conditions.ifModifiedSince == 1_795_748_645)
        #expect(conditions.ifUnmodifiedSince == 1_795_748_645)
        let put = try #require(RecordedRequest.named("PutObject", "everything")).parsed()
        let metadata = try S3Metadata(put.headers)
        #expect(metadata["name"] == "value")
        #expect(metadata["other-name"] == "with  spaces")
        #expect(S3Conditions(put.headers, now: 0).ifNoneMatch == .any)
        let copy = try #require(RecordedRequest.named("CopyObject", "everything")).parsed()
        #expect(copy.copySource?.versionID == "v1")
        #expect(copy.copySource?.key.text == "a b")
        let source = S3Conditions(
            copy.headers, prefix: S3Conditions.copySourcePrefix, now: 0)
        #expect(source.ifMatch == .some([S3EntityTag("\"e\"")]))
        #expect(source.ifUnmodifiedSince == 1_795_748_645)
        #expect(S3Conditions(copy.headers, now: 0) == .none)
    }

    @Test func `uploads parts`() throws {
        let part = try #require(RecordedRequest.named("UploadPart", "last")).parsed()
        #expect(part.uploadID == "u/+=")
        #expect(part.partNumber == 10_000)
        let copy = try #require(RecordedRequest.named("UploadPartCopy", "range")).parsed()
        #expect(
            try S3ByteRange.copySource(try #require(copy.headers["x-amz-copy-source-range"]))
                == 0..<5_242_880)
        let complete = try #require(RecordedRequest.named("CompleteMultipartUpload", "parts"))
        let document = try S3CompleteRequest(Array(try #require(complete.body).utf8))
        #expect(document.parts.map(\.number) == [1, 2])
        #expect(document.parts.map(\.tag.text) == ["\"e1\"", "\"e2\""])
        #expect(document.parts[1].checksums == [.init("ChecksumCRC32", "AAAAAA==")])
        let list = try #require(RecordedRequest.named("ListParts", "everything")).parsed()
        let parts = try S3PartListRequest(list.query)
        #expect(parts.marker == 3)
        #expect(parts.maxParts == 7)
    }

    @Test func `lists`() throws {
        let first = try S3ObjectListRequest(
            try #require(RecordedRequest.named("ListObjects", "everything")).parsed())
        #expect(first.form == .first(marker: "a b/c"))
        #expect(first.maxKeys == 7)
        let second = try S3ObjectListRequest(
            try #require(RecordedRequest.named("ListObjectsV2", "everything")).parsed())
        #expect(
            second.form
                == .second(startAfter: "a", continuation: "1+/=", wantsOwner: true))
        let versions = try S3VersionListRequest(
            try #require(RecordedRequest.named("ListObjectVersions", "everything")).parsed().query)
        #expect(versions.keyMarker.text == "b")
        #expect(versions.versionMarker == "v")
        let uploads = try S3UploadListRequest(
            try #require(RecordedRequest.named("ListMultipartUploads", "everything"))
                .parsed().query)
        #expect(uploads.uploadMarker == "u")
        #expect(uploads.maxUploads == 7)
    }

    @Test func `is presigned`() throws {
        let presigned = RecordedRequest.all.filter {
            $0.case.hasPrefix("presigned") && $0.query.contains("X-Amz-Signature")
        }
        #expect(presigned.count == 7)
        for recorded in presigned {
            let request = try recorded.parsed()
            #expect(request.operation.rawValue == recorded.operation)
            #expect(request.target.key?.text == "a b")
        }
    }

    @Test func `may not be what only the proxy may say`() throws {
        for name in ["reserved metadata", "reserved metadata, other case"] {
            let recorded = try #require(RecordedRequest.named("PutObject", name))
            #expect(code { () throws(S3Error) in try recorded.parsed() } == .invalidArgument)
        }
        let plain = try #require(RecordedRequest.named("PutObject", "everything"))
        #expect(code { () throws(S3Error) in try plain.parsed() } == nil)
        for operation in ["PutObject", "GetObject"] {
            let recorded = try #require(RecordedRequest.named(operation, "customer key"))
            #expect(code { () throws(S3Error) in try recorded.parsed() } == .notImplemented)
        }
    }
}
