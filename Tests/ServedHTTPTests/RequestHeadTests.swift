// SPDX-License-Identifier: Apache-2.0
import ServedHTTP
import TestKit
import Testing

/// What a reader makes of a head that comes whole.
func read(
    _ text: String, limits: HeadLimits = HeadLimits()
) throws(RequestRefusal) -> (head: RequestHead, byteCount: Int)? {
    try read(Array(text.utf8), limits: limits)
}

func read(
    _ bytes: [UInt8], limits: HeadLimits = HeadLimits()
) throws(RequestRefusal) -> (head: RequestHead, byteCount: Int)? {
    var reader = RequestHeadReader(limits: limits)
    return try reader.read(bytes.span.bytes)
}

/// The refusal of the head or of its framing; nil: it is taken, or not whole.
func refusal(_ text: String, limits: HeadLimits = HeadLimits()) -> RequestRefusal? {
    do {
        guard let head = try read(text, limits: limits)?.head else { return nil }
        _ = try RequestFraming(of: head)
        return nil
    } catch { return error }
}

private func framing(_ fields: String) throws -> RequestFraming {
    let head = try #require(try read("PUT / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")).head
    return try RequestFraming(of: head)
}

@Suite("A request's head") struct RequestHeadTests {
    @Test func `is read as it was sent`() throws {
        let text =
            "PUT /b/%2e%2E//k%20+?b=&a=%2f&a HTTP/1.1\r\nhOST: b.example:9000\r\n"
            + "x-amz-meta-a:  two  words \t\r\nX-Amz-Meta-A: é\r\nempty:\r\n\r\nGET"
        let (head, byteCount) = try #require(try read(text))
        #expect(head.method == "PUT")
        #expect(head.target == Array("/b/%2e%2E//k%20+?b=&a=%2f&a".utf8))
        #expect(head.pathAndQuery == head.target[...])
        #expect(head.authority == "b.example:9000")
        #expect(
            head.fields == [
                HeaderField("hOST", "b.example:9000"), HeaderField("x-amz-meta-a", "two  words"),
                HeaderField("X-Amz-Meta-A", "é"), HeaderField("empty", ""),
            ])
        #expect(head.fields.values(of: "X-AMZ-META-a") == ["two  words", "é"])
        #expect(byteCount == text.utf8.count - 3)
    }

    @Test func `is the same however it is cut apart`() throws {
        let bytes = Array("\r\nGET /a?b HTTP/1.1\r\nHost: a\r\nA: b\r\nA: c\r\n\r\n".utf8)
        let whole = try #require(try read(bytes))
        for first in 0..<bytes.count {
            var reader = RequestHeadReader(limits: HeadLimits())
            #expect(try reader.read(Array(bytes[..<first]).span.bytes) == nil)
            // A CR alone may still be the end of anything.
            #expect(reader.hasBegun == (first > 1))
            let (head, byteCount) = try #require(try reader.read(bytes.span.bytes))
            #expect(head == whole.head && byteCount == whole.byteCount)
        }
        var reader = RequestHeadReader(limits: HeadLimits())
        for count in 0..<bytes.count {
            #expect(try reader.read(Array(bytes[..<count]).span.bytes) == nil)
        }
        #expect(try reader.read(bytes.span.bytes)?.head == whole.head)
    }

    @Test(arguments: [
        ("http://b.example/k?q HTTP/1.1\r\nHost: B.example", "/k?q"),
        ("HTTPS://a:1?q HTTP/1.1\r\nHost: a:1", "?q"),
        ("http://a HTTP/1.1\r\nHost: a", ""),
        ("//a/b HTTP/1.1\r\nHost: a", "//a/b"),
        ("/http://x/ HTTP/1.1\r\nHost: a", "/http://x/"),
    ])
    func `may have a target in the absolute form`(_ rest: String, _ path: String) throws {
        let head = try #require(try read("GET \(rest)\r\n\r\n")).head
        #expect(String(decoding: head.pathAndQuery, as: UTF8.self) == path)
    }

    @Test(
        arguments: [
            ("GET  / HTTP/1.1", .requestLineMalformed), (" GET / HTTP/1.1", .requestLineMalformed),
            ("GET / HTTP/1.1 ", .requestLineMalformed), ("GET /", .requestLineMalformed),
            ("GET / HTTP/1.1x", .requestLineMalformed), ("G(T / HTTP/1.1", .requestLineMalformed),
            ("GET /\u{0} HTTP/1.1", .requestLineMalformed),
            ("GET /\t HTTP/1.1", .targetMalformed), ("GET /é HTTP/1.1", .targetMalformed),
            ("\u{16}\u{3}\u{1}", .requestLineMalformed),
            ("\(String(repeating: "G", count: 33)) / HTTP/1.1", .requestLineMalformed),
            ("GET / HTTP/1.0", .versionUnsupported), ("GET / HTTP/2.0", .versionUnsupported),
            ("GET / http/1.1", .requestLineMalformed), ("PRI * HTTP/2.0", .versionUnsupported),
            ("OPTIONS * HTTP/1.1", .targetMalformed), ("CONNECT a:1 HTTP/1.1", .targetMalformed),
            ("GET /a#b HTTP/1.1", .targetMalformed), ("GET http:///a HTTP/1.1", .targetMalformed),
            ("GET ftp://a/ HTTP/1.1", .targetMalformed), ("GET a HTTP/1.1", .targetMalformed),
            ("GET http://b/ HTTP/1.1", .hostsDisagree),
            ("GET http://u@a/ HTTP/1.1", .hostsDisagree),
            ("GET http://a:80/ HTTP/1.1", .hostsDisagree),
            ("\r\n\r\nGET / HTTP/1.1", .requestLineMalformed),
        ] as [(String, RequestRefusal)])
    func `has a strict first line`(_ line: String, _ expected: RequestRefusal) {
        #expect(refusal("\(line)\r\nHost: a\r\n\r\n") == expected)
        // The control: the rest of the request is in order.
        #expect(refusal("GET / HTTP/1.1\r\nHost: a\r\n\r\n") == nil)
    }

    @Test(
        arguments: [
            ("A : b", .fieldMalformed), ("A\t: b", .fieldMalformed), (": b", .fieldMalformed),
            ("A", .fieldMalformed), ("A b: c", .fieldMalformed), ("(A): b", .fieldMalformed),
            ("É: b", .fieldMalformed),
            ("A: b\r\n c", .fieldMalformed), ("A: b\r\n\tc: d", .fieldMalformed),
            (" A: b", .fieldMalformed), ("A: \u{0}", .fieldMalformed),
            ("A: b\u{7F}", .fieldMalformed), ("A: \u{B}", .fieldMalformed),
            ("A: b\nC: d", .lineEndMalformed), ("A: b\rC: d", .lineEndMalformed),
            ("A: b\r\r\nC: d", .lineEndMalformed), ("A\nB: c", .lineEndMalformed),
        ] as [(String, RequestRefusal)])
    func `has strict fields, first or later`(_ line: String, _ expected: RequestRefusal) {
        #expect(refusal("GET / HTTP/1.1\r\n\(line)\r\nHost: a\r\n\r\n") == expected)
        #expect(refusal("GET / HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n") == expected)
        #expect(refusal("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n") == nil)
    }

    @Test func `is not repaired where it is no UTF-8`() throws {
        let start = Array("GET / HTTP/1.1\r\nHost: a\r\nA: ".utf8)
        let end = Array("\r\n\r\n".utf8)
        #expect(throws: RequestRefusal.fieldMalformed) { try read(start + [0xE9] + end) }
        #expect(try read(start + [0xC3, 0xA9] + end)?.head.fields.values(of: "a") == ["é"])
    }

    @Test(arguments: [
        "", "Host: a\r\nHost: a\r\n", "Host: a\r\nhost: b\r\n", "Host:\r\n", "Host: a b\r\n",
        "Host: a/b\r\n", "Host: u@a\r\n", "Host: a\\b\r\n", "Host: é\r\n",
    ])
    func `names one host`(_ fields: String) {
        #expect(refusal("GET / HTTP/1.1\r\nA: b\r\n\(fields)\r\n") == .hostMalformed)
    }

    @Test func `keeps its limits to the byte`() throws {
        var limits = HeadLimits()
        limits.headBytesMax = 200
        limits.fieldCountMax = 3
        limits.targetBytesMax = 50
        func target(_ count: Int) -> String {
            "GET /\(String(repeating: "x", count: count - 1)) HTTP/1.1\r\nHost: a\r\n\r\n"
        }
        #expect(refusal(target(50), limits: limits) == nil)
        #expect(try read(target(50), limits: limits) != nil)
        #expect(refusal(target(51), limits: limits) == .targetTooLong(limit: 50))
        // The end of the line is not waited for.
        #expect(
            refusal("GET /\(String(repeating: "x", count: 100))", limits: limits)
                == .targetTooLong(limit: 50))
        let most = "GET / HTTP/1.1\r\nHost: a\r\n"
        func head(_ count: Int) -> String {
            let rest = count - most.utf8.count - "A: \r\n\r\n".utf8.count
            return "\(most)A: \(String(repeating: "x", count: rest))\r\n\r\n"
        }
        #expect(try read(head(200), limits: limits)?.byteCount == 200)
        #expect(refusal(head(201), limits: limits) == .headTooLarge(limit: 200))
        #expect(
            refusal(String(head(300).dropLast(4)), limits: limits) == .headTooLarge(limit: 200))
        func fields(_ count: Int) -> String {
            most + String(repeating: "A: b\r\n", count: count - 1) + "\r\n"
        }
        #expect(try read(fields(3), limits: limits) != nil)
        #expect(refusal(fields(4), limits: limits) == .tooManyFields(limit: 3))
    }
}

@Suite("A request's framing") struct RequestFramingTests {
    @Test func `is a length, chunks, or nothing`() throws {
        #expect(try framing("").length == .bytes(0))
        #expect(try framing("Content-Length: 0\r\n").length == .bytes(0))
        #expect(try framing("content-length: 0012\r\n").length == .bytes(12))
        let most = String(repeating: "9", count: RequestFraming.lengthDigitsMax)
        #expect(try framing("Content-Length: \(most)\r\n").length == .bytes(Int(most) ?? 0))
        #expect(try framing("Transfer-Encoding: Chunked\r\n").length == .chunked)
    }

    @Test(
        arguments: [
            ("Content-Length: 1\r\nTransfer-Encoding: chunked", .lengthAndCoding),
            ("Transfer-Encoding: chunked\r\nContent-Length: 1", .lengthAndCoding),
            ("Transfer-Encoding: identity\r\nContent-Length: 1", .lengthAndCoding),
            ("Content-Length: 1\r\nContent-Length: 1", .lengthMalformed),
            ("Content-Length: 1\r\ncontent-length: 2", .lengthMalformed),
            ("Content-Length: 1, 1", .lengthMalformed), ("Content-Length: 1,", .lengthMalformed),
            ("Content-Length: +1", .lengthMalformed), ("Content-Length: -1", .lengthMalformed),
            ("Content-Length: 0x1", .lengthMalformed), ("Content-Length: 1 1", .lengthMalformed),
            ("Content-Length: ", .lengthMalformed), ("Content-Length: 1.0", .lengthMalformed),
            ("Content-Length: ١", .lengthMalformed),
            ("Content-Length: 1000000000000000000", .lengthMalformed),
            ("Transfer-Encoding: gzip", .codingUnsupported),
            ("Transfer-Encoding: gzip, chunked", .codingUnsupported),
            ("Transfer-Encoding: chunked, gzip", .codingUnsupported),
            ("Transfer-Encoding: chunked, chunked", .codingUnsupported),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .codingUnsupported),
            ("Transfer-Encoding: identity", .codingUnsupported),
            ("Transfer-Encoding: xchunked", .codingUnsupported),
            ("Transfer-Encoding: \"chunked\"", .codingUnsupported),
            ("Transfer-Encoding: chunked;a=b", .codingUnsupported),
            ("Transfer-Encoding: \u{B}chunked", .fieldMalformed),
            ("Transfer-Encoding:\r\n chunked", .fieldMalformed),
            ("Transfer-Encoding : chunked", .fieldMalformed),
            ("Content-Length\t: 1", .fieldMalformed),
            ("Expect: 200-ok", .expectationUnknown),
            ("Expect: 100-continue\r\nExpect: 100-continue", .expectationUnknown),
            ("Expect: 100-continue, x", .expectationUnknown),
        ] as [(String, RequestRefusal)])
    func `is never read in two ways`(_ fields: String, _ expected: RequestRefusal) {
        #expect(refusal("PUT / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n") == expected)
    }

    @Test func `says what is expected and what ends`() throws {
        let expecting = "Expect: 100-Continue\r\n"
        #expect(try framing("Content-Length: 1\r\n\(expecting)").expectsContinue)
        #expect(try framing("Transfer-Encoding: chunked\r\n\(expecting)").expectsContinue)
        // An empty body is one that botocore wants a 100 for.
        #expect(try framing("Content-Length: 0\r\n\(expecting)").expectsContinue)
        // Nothing is to come.
        #expect(try !framing(expecting).expectsContinue)
        #expect(try !framing("Content-Length: 1\r\n").expectsContinue)
        for (fields, closes) in [
            ("", false), ("Connection: keep-alive\r\n", false), ("Connection: close\r\n", true),
            ("Connection: a, Close\r\n", true), ("Connection: a\r\nConnection: close ,b\r\n", true),
            ("Connection: closed\r\n", false),
        ] { #expect(try framing(fields).closes == closes, "\(fields)") }
    }
}
