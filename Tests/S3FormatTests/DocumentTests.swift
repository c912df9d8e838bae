// SPDX-License-Identifier: Apache-2.0
import Foundation
import S3Format
import TestKit
import Testing

/// A document of moto, as `Tests/s3format/answers.py` recorded it.
private struct RecordedAnswer: Decodable {
    let document: String
    let xml: String
    let keys: [String]?

    static let all: [RecordedAnswer] = {
        let path = Checkout.root + "Fixtures/s3-requests/answers.jsonl"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").dropFirst().compactMap {
            try? JSONDecoder().decode(RecordedAnswer.self, from: Data($0.utf8))
        }
    }()

    static func bytes(_ document: String) throws -> [UInt8] {
        Array(try #require(all.first { $0.document == document }).xml.utf8)
    }
}

@Suite struct `S3's documents` {
    @Test func `come back as they were written`() {
        #expect(SampleDocument.all.count == 17)
        for document in SampleDocument.all { #expect(document.comesBack, "\(document.name)") }
    }

    /// What botocore makes of these files is checked by `Tests/s3format/documents.py`.
    @Test func `are written as they are committed`() throws {
        let folder = Checkout.root + "Fixtures/s3-requests/documents/"
        for document in SampleDocument.all {
            let url = URL(filePath: folder + document.name + ".xml")
            if ProcessInfo.processInfo.environment["CLOUDTASER_WRITE_DOCUMENTS"] != nil {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true)
                try Data(document.bytes).write(to: url)
            }
            #expect(try Data(contentsOf: url) == Data(document.bytes), "\(document.name)")
        }
    }

    @Test func `of moto are read`() throws {
        for answer in RecordedAnswer.all where answer.document.hasPrefix("ListBucketResult") {
            let list = try S3ObjectList(
                Array(answer.xml.utf8), isSecond: answer.document.hasSuffix("2"))
            #expect(list.objects.map(\.key) == answer.keys?.compactMap { S3Key($0) })
            #expect(list.objects.allSatisfy { $0.size == 4 && $0.tag.text.hasPrefix("\"841a") })
            let again = try S3ObjectList(
                list.rendered(), isSecond: answer.document.hasSuffix("2"))
            #expect(again == list)
        }
        let versions = try S3VersionList(RecordedAnswer.bytes("ListVersionsResult"))
        #expect(versions.versions.contains { $0.content == .deleteMarker && $0.isLatest })
        #expect(versions.versions.filter { $0.key.text == "plain" }.count == 3)
        #expect(
            try S3CreatedUpload(RecordedAnswer.bytes("InitiateMultipartUploadResult")).key.text
                == "other")
        let parts = try S3PartList(RecordedAnswer.bytes("ListPartsResult"))
        #expect(parts.parts.map(\.number) == [1, 2])
        let uploads = try S3UploadList(RecordedAnswer.bytes("ListMultipartUploadsResult"))
        #expect(uploads.uploads.map(\.key.text).sorted() == ["other", "parts"])
        let completed = try S3CompletedUpload(RecordedAnswer.bytes("CompleteMultipartUploadResult"))
        #expect(completed.tag.text.hasSuffix("-1\""))
        _ = try S3CopyResult(RecordedAnswer.bytes("CopyObjectResult"))
        _ = try S3CopyResult(RecordedAnswer.bytes("CopyPartResult"), isPart: true)
        let tagging = try S3Tagging(RecordedAnswer.bytes("Tagging"))
        #expect(tagging.tags == [.init(key: "k", value: "v")])
        let deleted = try S3DeleteResult(RecordedAnswer.bytes("DeleteResult"))
        #expect(deleted.entries.count == 2)
        let error = try S3ErrorDocument(RecordedAnswer.bytes("Error"))
        #expect(error.known == .noSuchKey)
        #expect(error.details.contains(.init("Key", "none")))
    }

    @Test func `may be an Error instead`() throws {
        let error = Array("<Error><Code>SlowDown</Code><Message>m</Message></Error>".utf8)
        for read: @Sendable () throws -> Any in [
            { try S3CompletedUpload(error) }, { try S3CopyResult(error) },
            { try S3ObjectList(error, isSecond: true) }, { try S3DeleteResult(error) },
        ] {
            do {
                _ = try read()
                Issue.record("an Error was read as a result")
            } catch let failure as S3DocumentFailure {
                guard case .error(let document) = failure else {
                    Issue.record("\(failure)")
                    continue
                }
                #expect(document.known == .slowDown)
            }
        }
        #expect(throws: S3DocumentFailure.self) {
            try S3ErrorDocument(Array("<Error><Message>m</Message></Error>".utf8))
        }
        let other = try S3ErrorDocument(Array("<Error><Code>Strange</Code></Error>".utf8))
        #expect(other.known == nil)
    }

    @Test(arguments: [
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key></Key><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><MaxKeys>many</MaxKeys></ListBucketResult>",
        "<ListBucketResult><MaxKeys>-1</MaxKeys></ListBucketResult>",
        "<ListBucketResult><IsTruncated>perhaps</IsTruncated></ListBucketResult>",
        "<ListBucketResult><EncodingType>base64</EncodingType></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Prefix>%zz</Prefix></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Prefix>%ff</Prefix></ListBucketResult>",
        "<ListBucketResult><CommonPrefixes/></ListBucketResult>", "<Other/>",
    ])
    func `that say nothing sensible are refused`(_ text: String) {
        #expect(throws: S3DocumentFailure.self) {
            try S3ObjectList(Array(text.utf8), isSecond: true)
        }
    }

    @Test func `that are encoded with a plus are read as others`() throws {
        let text =
            "<ListBucketResult><EncodingType>url</EncodingType><Prefix>a+b%2B%20</Prefix>"
            + "</ListBucketResult>"
        let list = try S3ObjectList(Array(text.utf8), isSecond: true)
        #expect(list.prefix.text == "a b+ ")
        #expect(S3KeyEncoding.url.encoded(list.prefix) == "a%20b%2B%20")
    }

    // MARK: - Requests

    private func complete(_ numbers: [Int]) -> [UInt8] {
        S3CompleteRequest(
            parts: numbers.map { S3NamedPart(number: $0, tag: SampleDocument.tag) }
        ).rendered()
    }

    @Test func `complete uploads with parts that ascend`() throws {
        let all = Array(S3Limits.partNumbers)
        #expect(try S3CompleteRequest(complete(all)).parts.map(\.number) == all)
        for (numbers, wanted) in [
            ([], S3ErrorCode.malformedXML), ([0], .malformedXML), ([10_001], .malformedXML),
            ([2, 1], .invalidPartOrder), ([1, 1], .invalidPartOrder),
        ] {
            #expect(
                code { () throws(S3Error) in try S3CompleteRequest(complete(numbers)) } == wanted)
        }
        func one(_ part: String) -> String {
            "<CompleteMultipartUpload><Part>\(part)</Part></CompleteMultipartUpload>"
        }
        let whole = one("<PartNumber>1</PartNumber><ETag>e</ETag>")
        #expect(try S3CompleteRequest(Array(whole.utf8)).parts.count == 1)
        for text in [
            one("<PartNumber>1</PartNumber>"), one("<ETag>e</ETag>"),
            "<CompleteMultipartUpload>", "<Delete/>", "<Error><Code>a</Code></Error>",
        ] {
            #expect(
                code { () throws(S3Error) in try S3CompleteRequest(Array(text.utf8)) }
                    == .malformedXML)
        }
    }

    private func delete(_ count: Int) -> [UInt8] {
        S3DeleteRequest(entries: (0..<count).map { .init(key: "k\($0)") }).rendered()
    }

    @Test func `delete as many as they may, and no more`() throws {
        let most = S3Limits.deleteKeysMax
        #expect(try S3DeleteRequest(delete(most)).entries.count == most)
        let long = String(repeating: "k", count: S3Limits.keyBytesMax)
        func object(_ content: String) -> [UInt8] {
            Array("<Delete><Object>\(content)</Object></Delete>".utf8)
        }
        #expect(try S3DeleteRequest(object("<Key>\(long)</Key>")).entries.count == 1)
        for bytes in [
            delete(0), delete(most + 1), object("<Key>k\(long)</Key>"), object(""),
            object("<Key></Key>"), object("<Key>a</Key><Size>1</Size>"),
            object("<Key>a</Key><LastModifiedTime>x</LastModifiedTime>"),
        ] {
            #expect(code { () throws(S3Error) in try S3DeleteRequest(bytes) } == .malformedXML)
        }
        let large = [UInt8](repeating: 0x20, count: S3Limits.documentBytesMax) + delete(1)
        #expect(code { () throws(S3Error) in try S3DeleteRequest(large) } == .malformedXML)
        #expect(try S3DeleteRequest(Array(large.dropFirst(delete(1).count))).entries.count == 1)
    }

    /// Whatever a page or request may hold is within the limits: counted from a few entries,
    /// because each costs the same.
    @Test func `fit when they are as large as S3 lets them be`() throws {
        let worst = String(repeating: "\u{1F}", count: S3Limits.keyBytesMax)
        let key = try #require(S3Key(worst))
        let identifier = String(repeating: "v", count: 64)
        let version = S3ListedVersion(
            key: key, versionID: identifier, isLatest: true, modified: SampleDocument.time,
            content: .object(tag: SampleDocument.tag, size: .max, storageClass: "GLACIER_IR"),
            owner: S3Owner(id: identifier, displayName: identifier))
        let checksums = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"].map {
            S3Error.Detail("Checksum" + $0, String(repeating: "A", count: 44))
        }
        let part = S3NamedPart(
            number: 1, tag: S3EntityTag("\"" + String(repeating: "e", count: 200) + "\""),
            checksums: checksums)
        func versions(_ count: Int) -> [UInt8] {
            let all = [S3ListedVersion](repeating: version, count: count)
            return S3VersionList(bucket: "bucket", versions: all).rendered()
        }
        func deletions(_ count: Int) -> [UInt8] {
            let entry = S3DeleteRequest.Entry(key: key, versionID: identifier)
            return S3DeleteRequest(entries: .init(repeating: entry, count: count)).rendered()
        }
        func parts(_ count: Int) -> [UInt8] {
            S3CompleteRequest(parts: .init(repeating: part, count: count)).rendered()
        }
        for (render, most) in [
            (versions, S3Limits.pageEntriesMax), (deletions, S3Limits.deleteKeysMax),
            (parts, S3Limits.partNumbers.upperBound),
        ] as [((Int) -> [UInt8], Int)] {
            let (one, two) = (render(1), render(2))
            func elements(_ bytes: [UInt8]) -> Int {
                String(decoding: bytes, as: UTF8.self).components(separatedBy: "</").count - 1
            }
            #expect(one.count + (two.count - one.count) * most <= S3Limits.documentBytesMax)
            #expect(
                elements(one) + (elements(two) - elements(one)) * most
                    <= S3Limits.documentElementsMax)
        }
        #expect(try S3VersionList(versions(2)).versions == [version, version])
        #expect(try S3DeleteRequest(deletions(2)).entries.count == 2)
    }

    @Test func `tag by a header, too`() throws {
        let tagging = try S3Tagging.request(header: "a=b+c&d%26=%3D&e=&f&\u{e9}=1")
        #expect(
            tagging.tags == [
                .init(key: "a", value: "b c"), .init(key: "d&", value: "="),
                .init(key: "e", value: ""), .init(key: "f", value: ""),
                .init(key: "\u{e9}", value: "1"),
            ])
        #expect(try S3Tagging.request(header: tagging.headerValue) == tagging)
        #expect(try S3Tagging.request(header: "").tags.isEmpty)
        for (header, wanted) in [
            ("a=%zz", S3ErrorCode.invalidArgument), ("a=1&a=2", .invalidArgument),
            ("=a", .invalidTag), ((0...10).map { "k\($0)=" }.joined(separator: "&"), .badRequest),
        ] {
            #expect(
                code { () throws(S3Error) in try S3Tagging.request(header: header) } == wanted)
        }
    }

    @Test func `tell attributes that were asked for`() throws {
        let recorded = try #require(RecordedRequest.named("GetObjectAttributes", "minimal"))
        #expect(try S3AttributeName.request(try recorded.parsed().headers) == [.tag, .size])
        for text in ["", ",", "ETag,Other", "etag", "ETag;ObjectSize"] {
            let headers = S3Headers([.init(S3AttributeName.header, text)])
            #expect(
                code { () throws(S3Error) in try S3AttributeName.request(headers) }
                    == .invalidArgument)
        }
        #expect(
            code { () throws(S3Error) in try S3AttributeName.request(S3Headers()) }
                == .invalidArgument)
    }

    @Test func `tag as much as they may, and no more`() throws {
        func tagging(_ tags: [(String, String)]) -> [UInt8] {
            S3Tagging(tags: tags.map { .init(key: $0.0, value: $0.1) }).rendered()
        }
        let ten = (0..<S3Limits.tagsMax).map { ("k\($0)", "v") }
        #expect(try S3Tagging.request(tagging(ten)).tags.count == 10)
        #expect(try S3Tagging.request(tagging([])).tags.isEmpty)
        let key = String(repeating: "k", count: S3Limits.tagKeyCharactersMax)
        let value = String(repeating: "v", count: S3Limits.tagValueCharactersMax)
        #expect(try S3Tagging.request(tagging([(key, value)])).tags.count == 1)
        for (tags, wanted) in [
            (ten + [("k", "v")], S3ErrorCode.badRequest), ([(key + "k", "")], .invalidTag),
            ([("k", value + "v")], .invalidTag), ([("", "v")], .invalidTag),
            ([("k", "v"), ("k", "w")], .invalidTag),
        ] {
            #expect(
                code { () throws(S3Error) in try S3Tagging.request(tagging(tags)) } == wanted)
        }
        // Two keys that look alike are two.
        #expect(
            try S3Tagging.request(tagging([("\u{e9}", ""), ("e\u{301}", "")])).tags.count == 2)
    }
}

@Suite struct `Errors` {
    @Test func `have statuses and words of their own`() {
        for code in S3ErrorCode.allCases {
            #expect([400, 403, 404, 405, 409, 411, 412, 416, 500, 501, 503].contains(code.status))
            #expect(code.message != code.rawValue, "\(code) has no message")
        }
        #expect(S3ErrorCode.slowDown.status == 503)
        #expect(S3ErrorCode.noSuchKey.status == 404)
    }

    @Test func `say what is wrong with a document, not what is in it`() {
        let text = "<Delete><Object><Key>secret</Key><secret>secret</secret></Object></Delete>"
        do throws(S3Error) {
            _ = try S3DeleteRequest(Array(text.utf8))
            Issue.record("it was read")
        } catch {
            #expect(!error.message.contains("secret"))
            #expect(error.message.contains("not supported"))
        }
    }
}

@Suite struct `Keys` {
    @Test func `are equal and sorted byte by byte`() {
        let one: S3Key = "\u{e9}"
        let two: S3Key = "e\u{301}"
        #expect(one.text == two.text, "the control: strings are equal")
        #expect(one != two)
        #expect(Set([one, two]).count == 2)
        #expect(two < one)
        #expect("Z" < ("a" as S3Key))
        #expect("\u{FFFF}" < ("\u{10000}" as S3Key))
        #expect("a" < ("a/" as S3Key))
    }

    @Test func `are UTF-8 without NUL`() {
        #expect(S3Key(String("a\u{0}")) == nil)
        #expect(S3Key(bytes: [0xFF]) == nil)
        #expect(S3Key(bytes: [0xED, 0xA0, 0x80]) == nil)
        #expect(S3Key(String("")) == .empty)
    }

    @Test func `have common prefixes`() {
        let slash: S3Key = "/"
        func common(_ key: String, _ prefix: String, _ delimiter: String = "/") -> String? {
            guard let key = S3Key(key), let prefix = S3Key(prefix),
                let delimiter = S3Key(delimiter)
            else { return nil }
            return key.commonPrefix(prefix, delimiter: delimiter)?.text
        }
        #expect(common("a/b/c", "") == "a/")
        #expect(common("a/b/c", "a/") == "a/b/")
        #expect(common("a/b/c", "a") == "a/")
        #expect(common("a/b", "a/") == nil)
        #expect(common("a/b", "b") == nil)
        #expect(common("/a", "") == "/")
        #expect(common("axxbxxc", "a", "xx") == "axx")
        #expect(common("a/b", "", "") == nil)
        #expect(slash.commonPrefix(.empty, delimiter: slash) == slash)
    }
}
