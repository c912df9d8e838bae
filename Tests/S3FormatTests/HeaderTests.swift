// SPDX-License-Identifier: Apache-2.0
import S3Format
import Testing

@Suite struct `Ranges` {
    @Test(arguments: [
        ("bytes=0-9", S3ByteRange?.some(.from(0, through: 9))),
        ("bytes=5-", .from(5, through: nil)),
        ("bytes=-5", .last(5)), ("bytes=-0", .last(0)), ("Bytes = 1-1 ", .from(1, through: 1)),
        ("bytes=0-99999999999999999999", .from(0, through: .max)),
        ("bytes=99999999999999999999-", .from(.max, through: nil)),
        ("bytes=0-1,5-6", nil), ("bytes=0-1,", nil), ("bytes=9-0", nil), ("bytes=-", nil),
        ("bytes=", nil), ("bytes", nil), ("", nil), ("bytes=a-b", nil), ("bytes=0", nil),
        ("bytes=--1", nil), ("bytes=+0-1", nil), ("bytes=0-1-2", nil), ("items=0-1", nil),
        ("bytes=0-1,bytes=2-3", nil), ("bytes=٠-١", nil),
    ])
    func `are one range or none`(_ header: String, _ wanted: S3ByteRange?) {
        #expect(S3ByteRange(header: header) == wanted)
    }

    @Test(arguments: [
        (S3ByteRange.from(0, through: 9), Int64(100), S3ByteRange.Resolution.part(0..<10)),
        (.from(0, through: 99), 100, .part(0..<100)), (.from(0, through: 100), 100, .part(0..<100)),
        (.from(99, through: nil), 100, .part(99..<100)),
        (.from(100, through: nil), 100, .unsatisfiable),
        (.from(5, through: .max), 100, .part(5..<100)), (.last(1), 100, .part(99..<100)),
        (.last(100), 100, .part(0..<100)), (.last(101), 100, .part(0..<100)),
        (.last(.max), 1, .part(0..<1)), (.last(0), 100, .unsatisfiable),
        (.from(0, through: nil), 0, .unsatisfiable), (.last(1), 0, .unsatisfiable),
        (.from(0, through: nil), .max, .part(0..<Int64.max)),
        (.from(.max, through: .max), .max, .unsatisfiable),
    ])
    func `are a part of an object or none of it`(
        _ range: S3ByteRange, _ size: Int64, _ wanted: S3ByteRange.Resolution
    ) {
        #expect(range.resolved(size: size) == wanted)
    }

    @Test func `say what they are`() {
        for text in ["bytes=0-9", "bytes=5-", "bytes=-5"] {
            #expect(S3ByteRange(header: text)?.header == text)
        }
        #expect(S3ByteRange.contentRange(0..<10, size: 100) == "bytes 0-9/100")
        let refusal = S3ByteRange.from(100, through: nil).refusal(size: 7)
        #expect(refusal.status == 416)
        #expect(refusal.details.map(\.value) == ["bytes=100-", "7"])
    }

    @Test func `of a copy's source have both ends`() throws {
        #expect(try S3ByteRange.copySource("bytes=0-0") == 0..<1)
        for text in ["bytes=0-", "bytes=-1", "bytes=1-0", "bytes=0-1,2-3", "0-1", ""] {
            #expect(
                code { () throws(S3Error) in try S3ByteRange.copySource(text) }
                    == .invalidArgument)
        }
        #expect(
            code { () throws(S3Error) in
                try S3ByteRange.copySource("bytes=0-\(Int64.max)")
            } == .invalidArgument)
    }
}

@Suite struct `Conditions` {
    static let tag = S3EntityTag("\"e\"")

    private func conditions(_ headers: [String: String]) -> S3Conditions {
        S3Conditions(
            S3Headers(headers.map { S3Headers.Field($0.key, $0.value) }), now: 1_800_000_000)
    }

    /// Modified at second 784111777: Sun, 06 Nov 1994 08:49:37 GMT.
    @Test(
        arguments: [
            (["If-Match": "\"e\""], S3Conditions.Verdict.proceed), (["If-Match": "e"], .proceed),
            (["If-Match": "\"f\""], .failed), (["If-Match": "*"], .proceed),
            (["If-Match": "\"f\", \"e\""], .proceed), (["If-Match": "W/\"e\""], .proceed),
            (["If-None-Match": "\"e\""], .notModified), (["If-None-Match": "\"f\""], .proceed),
            (["If-None-Match": "*"], .notModified),
            (["If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"], .notModified),
            (["If-Modified-Since": "Sun, 06 Nov 1994 08:49:36 GMT"], .proceed),
            (["If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"], .proceed),
            (["If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:36 GMT"], .failed),
            (["If-Modified-Since": "yesterday"], .proceed),
            (
                ["If-Match": "\"e\"", "If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:36 GMT"],
                .proceed
            ),
            (
                ["If-None-Match": "\"f\"", "If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"],
                .proceed
            ),
            (["If-Match": "\"e\"", "If-None-Match": "\"e\""], .notModified), ([:], .proceed),
            (["If-Match": ","], .proceed),
        ] as [([String: String], S3Conditions.Verdict)])
    func `of reads`(_ headers: [String: String], _ wanted: S3Conditions.Verdict) {
        let found = conditions(headers)
        #expect(found.verdict(tag: Self.tag, modified: 784_111_777) == wanted)
        let copied = found.copyVerdict(tag: Self.tag, modified: 784_111_777)
        #expect(copied == (wanted == .proceed ? .proceed : .failed))
    }

    @Test func `of writes`() {
        for (headers, tag, wanted) in [
            (["If-None-Match": "*"], nil, S3Conditions.Verdict.proceed),
            (["If-None-Match": "*"], Self.tag, .failed),
            (["If-Match": "\"e\""], Self.tag, .proceed),
            (["If-Match": "\"f\""], Self.tag, .failed), (["If-Match": "\"e\""], nil, .failed),
            (["If-Match": "*"], nil, .failed), ([:], nil, .proceed), ([:], Self.tag, .proceed),
        ] as [([String: String], S3EntityTag?, S3Conditions.Verdict)] {
            #expect(conditions(headers).writeVerdict(tag: tag) == wanted)
        }
    }

    @Test func `are passed on as they came`() {
        let all = S3Conditions(
            ifMatch: .some([S3EntityTag("\"a,b\""), S3EntityTag("\"c\"")]), ifNoneMatch: .any,
            ifModifiedSince: 1, ifUnmodifiedSince: 784_111_777)
        for prefix in ["", S3Conditions.copySourcePrefix] {
            let headers = S3Headers(all.headers(prefix: prefix))
            #expect(headers.fields.count == 4)
            #expect(S3Conditions(headers, prefix: prefix, now: 0) == all)
        }
        #expect(S3Conditions.none.headers().isEmpty)
    }

    @Test func `compare tags byte for byte`() {
        #expect(!S3EntityTag("\"\u{212A}\"").matches(S3EntityTag("\"K\"")))
        #expect(S3EntityTag("e").quoted == "\"e\"")
        #expect(S3EntityTag("\"e\"").quoted == "\"e\"")
        #expect(S3EntityTag("\"").bare == "\"")
    }
}

@Suite struct `Copy sources` {
    @Test(arguments: [
        ("abc/key", "key", String?.none), ("/abc/key", "key", nil), ("abc/a/b", "a/b", nil),
        ("abc%2Fkey", "key", nil), ("%2Fabc%2Fkey", "key", nil), ("abc/a%3Fb", "a?b", nil),
        ("abc//key", "/key", nil), ("abc/key?versionId=v1", "key", "v1"),
        ("abc/key?versionId=a%2Bb", "key", "a+b"), ("abc/key?versionId=", "key", nil),
        ("abc/a+b", "a+b", nil), ("abc/a%252Fb", "a%2Fb", nil),
    ])
    func `name an object`(_ header: String, _ key: String, _ version: String?) throws {
        let source = try S3CopySource(header)
        #expect(source.bucket.name == "abc")
        #expect(source.key.text == key)
        #expect(source.versionID == version)
    }

    @Test(arguments: [
        "", "/", "abc", "abc/", "/abc/", "ab/key", "abc/%zz", "abc/%ff", "abc/a?b",
        "abc/key?versionId=a&x=b", "abc/key?versionid=a",
        "arn:aws:s3:eu-central-1:123456789012:accesspoint/name/object/key",
        "abc/" + String(repeating: "k", count: 1025),
    ])
    func `that name none are refused`(_ header: String) {
        #expect(code { () throws(S3Error) in try S3CopySource(header) } == .invalidArgument)
    }
}

@Suite struct `Metadata` {
    private func metadata(_ headers: KeyValuePairs<String, String>) throws(S3Error) -> S3Metadata {
        try S3Metadata(S3Headers(headers.map { S3Headers.Field($0.key, $0.value) }))
    }

    @Test func `is what stands behind the prefix`() throws {
        let found = try metadata([
            "X-Amz-Meta-B": " b ", "x-amz-meta-a": "", "content-type": "c", "x-amz-meta-b": "d",
            "x-amz-meta-u": "ü",
        ])
        #expect(found.entries == [.init("a", ""), .init("b", "b,d"), .init("u", "ü")])
        #expect(S3Headers(found.headers)["x-amz-meta-b"] == "b,d")
    }

    @Test func `is as large as it may be, and no larger`() throws {
        let value = String(repeating: "v", count: S3Limits.metadataBytesMax - 4)
        #expect(try metadata(["x-amz-meta-name": value]).entries.count == 1)
        #expect(
            code { () throws(S3Error) in try metadata(["x-amz-meta-name": value + "v"]) }
                == .metadataTooLarge)
        #expect(
            code { () throws(S3Error) in
                try metadata(["x-amz-meta-name": value, "x-amz-meta-a": ""])
            } == .metadataTooLarge)
    }

    @Test func `holds nothing that ends a header`() {
        for value in ["a\r\nb", "a\nb", "a\u{0}", "\u{7F}"] {
            #expect(
                code { () throws(S3Error) in try metadata(["x-amz-meta-a": value]) }
                    == .invalidArgument)
        }
        #expect(
            code { () throws(S3Error) in try metadata(["x-amz-meta-": "a"]) } == .invalidArgument)
        #expect(
            code { () throws(S3Error) in try metadata(["x-amz-meta-ct1": "a"]) }
                == .invalidArgument)
    }
}

@Suite struct `Dates` {
    /// 2026-11-27
    static let now: Int64 = 1_795_737_600

    @Test(arguments: [
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", "Sun Nov 06 08:49:37 1994", "Mon, 06 Nov 1994 08:49:37 GMT",
    ])
    func `have three forms`(_ text: String) {
        #expect(HTTPDate.seconds(text, now: Self.now) == 784_111_777)
    }

    @Test(arguments: [
        "", "Sun", "Sun,", "06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 00:00:00 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT", "Sun, 06 Nov 1994 +8:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 6 08:49:37 94",
        "Sün, 06 Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT and more",
    ])
    func `of other forms are none`(_ text: String) {
        #expect(HTTPDate.seconds(text, now: Self.now) == nil)
    }

    @Test(arguments: [
        ("Sunday, 06-Nov-76 00:00:00 GMT", 2076), ("Sunday, 06-Nov-77 00:00:00 GMT", 1977),
        ("Sunday, 06-Nov-00 00:00:00 GMT", 2000), ("Sunday, 06-Nov-26 00:00:00 GMT", 2026),
    ])
    func `with two digits are of the nearest century`(_ text: String, _ year: Int) throws {
        let seconds = try #require(HTTPDate.seconds(text, now: Self.now))
        #expect(S3Timestamp(secondsSince1970: seconds).text.hasPrefix(String(year)))
    }

    @Test func `come back`() {
        let last: Int64 = 253_402_300_799  // 9999-12-31T23:59:59Z
        #expect(HTTPDate.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.text(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
        for seconds in stride(from: -62_167_219_200, through: last, by: 86_400 * 97 + 3607) {
            #expect(HTTPDate.seconds(HTTPDate.text(seconds), now: 0) == seconds)
            let time = S3Timestamp(millisecondsSince1970: seconds * 1000 + 7)
            #expect(S3Timestamp(time.text) == time)
        }
        #expect(HTTPDate.seconds(HTTPDate.text(last), now: 0) == last)
    }

    @Test(arguments: [
        ("2009-10-12T17:50:30.000Z", Int64?.some(1_255_369_830_000)),
        ("2009-10-12T17:50:30Z", 1_255_369_830_000), ("2009-10-12T17:50:30.5Z", 1_255_369_830_500),
        ("2009-10-12T17:50:30.123456789Z", 1_255_369_830_123),
        ("2009-10-12T17:50:30.Z", nil), ("2009-10-12T17:50:30.000", nil),
        ("2009-10-12 17:50:30.000Z", nil), ("2009-13-12T17:50:30.000Z", nil),
        ("2009-10-12T17:50:30.00aZ", nil), ("2009-10-12T17:50:30,000Z", nil), ("", nil),
        ("２009-10-12T17:50:30Z", nil),
    ])
    func `of documents are read`(_ text: String, _ wanted: Int64?) {
        #expect(S3Timestamp(text)?.millisecondsSince1970 == wanted)
    }
}
