// SPDX-License-Identifier: Apache-2.0
import S3Format
import TestKit
import Testing

private func read(_ text: String, bytesMax: Int = 1 << 20) throws(S3DocumentFailure) -> XMLElement {
    try XMLReader.read(Array(text.utf8), bytesMax: bytesMax)
}

private func isRefused(_ text: String) -> Bool { (try? read(text)) == nil }

@Suite struct `XML documents` {
    @Test(arguments: [
        ("<a/>", XMLElement(name: "a")), ("<a></a>", XMLElement(name: "a")),
        ("<a>b</a>", XMLElement(name: "a", text: "b")),
        (" <a > b </a > ", XMLElement(name: "a", text: " b ")),
        (
            "<a>\n <b>1</b>\n <c/>\n</a>",
            XMLElement(
                name: "a", children: [.init(name: "b", text: "1"), XMLElement(name: "c")])
        ),
        (
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- x --><a><!-- <b> -->c</a><!---->",
            XMLElement(name: "a", text: "c")
        ),
        ("<?xml version='1.0'?><a/>", XMLElement(name: "a")),
        ("\u{FEFF}<a/>", XMLElement(name: "a")),
        ("  \n<?xml version=\"1.0\"?><a/>", .init(name: "a")),
        ("<s3:a xmlns:s3='urn:x'><s3:b/></s3:a>", .init(name: "a", children: [.init(name: "b")])),
        (
            "<a xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\" b='\"'>c</a>",
            .init(name: "a", text: "c")
        ),
        ("<a>&amp;&lt;&gt;&quot;&apos;</a>", .init(name: "a", text: "&<>\"'")),
        ("<a>&#65;&#x42;&#x0043;&#13;&#xA;&#1;</a>", .init(name: "a", text: "ABC\r\n\u{1}")),
        ("<a>&#x1F600;</a>", .init(name: "a", text: "😀")),
        ("<a>a\r\nb\rc\nd</a>", .init(name: "a", text: "a\nb\nc\nd")),
        ("<a>&amp;amp;</a>", .init(name: "a", text: "&amp;")),
        ("<a>]]></a>", .init(name: "a", text: "]]>")),
    ])
    func `are read`(_ text: String, _ wanted: XMLElement) throws {
        #expect(try read(text) == wanted)
    }

    @Test(arguments: [
        "", " ", "a", "<", "<a", "<a>", "<a><b></a></b>", "</a>", "<a></b>", "<a/><b/>", "<a/>b",
        "b<a/>",
        "<a>b<c/></a>", "<a><c/>b</a>", "<a b></a>", "<a b=c></a>", "<a b='></a>", "<a b='<'></a>",
        "<a b='c'd='e'/>", "<a/ >", "< a/>", "<a></ a>", "<1é/>", "<1/>", "<-a/>", "<.a/>",
        "<a:1/>", "<:a/>", "<a:/>", "<a:b:c/>",
        "<!DOCTYPE a><a/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "<?php a?><a/>", "<a><?b c?></a>",
        "<a><![CDATA[b]]></a>", "<a>&b;</a>", "<a>&</a>", "<a>&amp</a>", "<a>&#0;</a>",
        "<a>&#x0;</a>",
        "<a>&#xD800;</a>", "<a>&#x110000;</a>", "<a>&#;</a>", "<a>&#x;</a>", "<a>&#-1;</a>",
        "<a>&#+65;</a>", "<a>&#00000000065;</a>", "<a>&#x41</a>", "<a>\u{1}</a>", "<a>\u{0}</a>",
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>", "<?xml version=\"1.0\"",
        "<a><!-- -- --></a>",
        "<a><!-- ", "<!-- --", "<a/><!-- ", "<a/><?xml version='1.0'?>",
        "<?xml version='1.0'?><?xml?><a/>",
    ])
    func `of other forms are refused`(_ text: String) {
        #expect(isRefused(text))
    }

    @Test func `that are no UTF-8 are refused`() {
        for bytes: [UInt8] in [
            [0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xC0, 0x80], [0xF4, 0x90, 0x80, 0x80],
        ] {
            let document = Array("<a>".utf8) + bytes + Array("</a>".utf8)
            #expect((try? XMLReader.read(document, bytesMax: 100)) == nil)
        }
        #expect((try? XMLReader.read(Array("<a>é</a>".utf8), bytesMax: 100)) != nil)
    }

    @Test func `are as large as they may be, and no larger`() throws {
        _ = try read("<a>bc</a>", bytesMax: 9)
        #expect(throws: S3DocumentFailure.self) { try read("<a>bcd</a>", bytesMax: 9) }
        func nested(_ depth: Int) -> String {
            String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
        }
        _ = try read(nested(S3Limits.documentDepthMax))
        #expect(isRefused(nested(S3Limits.documentDepthMax + 1)))
        let name = String(repeating: "n", count: S3Limits.elementNameBytesMax)
        _ = try read("<\(name)/>")
        #expect(isRefused("<n\(name)/>"))
        let attributes = (0..<S3Limits.attributesMax).map { " b\($0)=''" }.joined()
        _ = try read("<a\(attributes)/>")
        #expect(isRefused("<a\(attributes) c=''/>"))
        #expect(isRefused("<a b='\(String(repeating: "c", count: S3Limits.tagBytesMax))'/>"))
        let spaces = String(repeating: " ", count: S3Limits.tagBytesMax)
        _ = try read("<?xml\(spaces)?><a/>")
        #expect(isRefused("<?xml \(spaces)?><a/>"))
        let children = String(repeating: "<b/>", count: S3Limits.documentElementsMax - 1)
        #expect(try read("<a>\(children)</a>").children.count == S3Limits.documentElementsMax - 1)
        #expect(isRefused("<a><b/>\(children)</a>"))
    }

    @Test func `of garbage never trap`() {
        var generator = SeededGenerator(seed: 0x5333_584D)
        let pieces = [
            "<", ">", "/", "</", "/>", "<a>", "</a>", "<a", "&", "#", ";", "x", "&#x", "&amp;",
            "<!--",
            "-->", "--", "<?xml", "?>", "=", "'", "\"", ":", " ", "\r", "\n", "é", "\u{FEFF}",
            "<![CDATA[",
            "<!DOCTYPE", "<Key>", "</Key>", "0", "-1", "99999999999999999999",
        ]
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...24, using: &generator)
            let text = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }
            _ = try? read(text.joined())
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            _ = try? XMLReader.read(bytes, bytesMax: 100)
        }
    }

    @Test func `that are damaged never trap`() {
        var generator = SeededGenerator(seed: 0x5333_4441)
        for document in SampleDocument.all {
            for _ in 0..<50 {
                var bytes = document.bytes
                for _ in 0...Int.random(in: 0...3, using: &generator) {
                    let index = Int.random(in: 0..<bytes.count, using: &generator)
                    switch Int.random(in: 0...2, using: &generator) {
                    case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                    case 1: bytes.removeSubrange(index..<min(bytes.count, index + 9))
                    default: bytes.insert(contentsOf: bytes[..<min(9, bytes.count)], at: index)
                    }
                    if bytes.isEmpty { bytes = [0x3C] }
                }
                document.readAgain(bytes)
            }
        }
    }
}

@Suite struct `Garbage` {
    /// No request, however it looks, traps.
    @Test func `never traps a request`() {
        var generator = SeededGenerator(seed: 0x5333_5245)
        let pieces = [
            "/", "//", "bucket", "key", "%", "%2F", "%00", "%ff", "?", "&", "=", "acl", "uploadId",
            "uploads",
            "partNumber", "list-type", "2", "prefix", "x-amz-meta-ct1", "X-Amz-Signature",
            "versionId", "é", " ",
            "+", "..", "\u{0}", ".cloudtaser/", "max-keys", "-1", "x-amz-copy-source", ":", "[",
            "s3.test",
        ]
        func text() -> String {
            let count = Int.random(in: 0...8, using: &generator)
            return (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
        }
        let rules = S3Rules(domains: ["s3.test", ""])
        for _ in 0..<30_000 {
            let method = S3Fuzz.methods.randomElement(using: &generator) ?? ""
            let fields = ["host", "x-amz-copy-source", "range", "if-match", "x-amz-meta-a"].map {
                S3Headers.Field($0, text())
            }
            let headers = S3Headers(fields.filter { !$0.value.isEmpty })
            let found = try? S3Request(
                method: method, path: "/" + text(), rawQuery: text(), headers: headers, rules: rules
            )
            if let found { S3Fuzz.look(found) }
            _ = headers["range"].flatMap { S3ByteRange(header: $0) }?.resolved(size: 7)
            _ = HTTPDate.seconds(text(), now: .max)
            _ = S3Timestamp(text())
            _ = try? S3ByteRange.copySource("bytes=" + text())
        }
    }

    @Test func `is a date at any time`() {
        for seconds in [Int64.min / 2000, -1, 0, 1, Int64.max / 2000] {
            _ = HTTPDate.text(seconds)
            _ = S3Timestamp(secondsSince1970: seconds).text
            _ = HTTPDate.seconds("Sunday, 06-Nov-94 08:49:37 GMT", now: seconds)
        }
    }
}

private enum S3Fuzz {
    static let methods = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", ""]

    static func look(_ request: S3Request) {
        _ = try? S3ObjectListRequest(request)
        _ = try? S3VersionListRequest(request.query)
        _ = try? S3UploadListRequest(request.query)
        _ = try? S3PartListRequest(request.query)
        _ = try? S3Metadata(request.headers)
        _ = S3Conditions(request.headers, now: 0)
        _ = request.copySource?.headerValue
    }
}
