// SPDX-License-Identifier: Apache-2.0
import HTTPFormat
import TestKit
import Testing

/// Feeds a response to the state machine in pieces, as a connection would.
struct Feed {
    var limits = HTTPLimits(bodyBytesMax: 1000)
    /// Sizes of the pieces, the last one repeated.
    var pieces: [Int] = [Int.max]

    /// The status, persistence and body; throws what the machine throws.
    func run(_ text: String) throws -> (response: HTTPResponse, kept: [UInt8]) {
        var machine = HTTPResponseStateMachine(limits: limits)
        var rest = Array(text.utf8)[...]
        var kept: [UInt8] = []
        var sizes = pieces[...]
        while true {
            let size = sizes.count > 1 ? sizes.removeFirst() : sizes.first ?? 1
            let piece = rest.prefix(size)
            rest = rest.dropFirst(piece.count)
            kept += piece
            let isEnd = piece.isEmpty
            let action = try kept.withUnsafeMutableBytes { bytes in
                try machine.received(bytes, isEnd: isEnd)
            }
            switch action {
            case .read(let keeping, let expecting):
                #expect(expecting > 0)
                #expect(keeping <= kept.count)
                kept.removeLast(kept.count - keeping)
            case .finished(let response, let keeping):
                kept.removeLast(kept.count - keeping)
                return (response, kept)
            }
        }
    }

    func body(_ text: String) throws -> String {
        let (response, kept) = try run(text)
        return String(decoding: kept[response.body], as: UTF8.self)
    }
}

@Suite("HTTP responses") struct HTTPResponseTests {
    static let sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello"
    static let chunked =
        "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: Chunked\r\n\r\n"
        + "5\r\nhello\r\n7;x=y\r\n, world\r\n00\r\nTrailer: z\r\n\r\n"
    static let untilClose = "HTTP/1.1 200 OK\r\n\r\nhello"
    static let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    @Test func `status, fields and a sized body are located`() throws {
        let (response, kept) = try Feed().run(Self.sized)
        #expect(response.status == 200)
        #expect(response.isPersistent)
        #expect(response.fields.map(\.name) == ["content-length", "x-a"])
        #expect(kept.withUnsafeBytes { response.publicText(of: "x-a", in: $0.bytes) } == "b")
        #expect(kept.withUnsafeBytes { response.publicText(of: "none", in: $0.bytes) } == nil)
        #expect(try Feed().body(Self.sized) == "hello")
    }

    @Test(arguments: [sized, chunked, untilClose, interim])
    func `a response split at any byte parses as the whole does`(_ text: String) throws {
        let whole = try Feed().body(text)
        let status = try Feed().run(text).response.status
        for cut in 1..<text.utf8.count {
            let feed = Feed(pieces: [cut, Int.max])
            #expect(try feed.body(text) == whole)
            #expect(try feed.run(text).response.status == status)
        }
        #expect(try Feed(pieces: [1]).body(text) == whole)
        #expect(
            whole == (text == Self.chunked ? "hello, world" : text == Self.interim ? "" : "hello"))
    }

    @Test(arguments: [sized, chunked, interim])
    func `a response cut short at any byte is truncated`(_ text: String) {
        for end in 0..<text.utf8.count {
            let part = String(decoding: Array(text.utf8.prefix(end)), as: UTF8.self)
            #expect(throws: HTTPFormatFailure.truncated) { try Feed().run(part) }
        }
    }

    @Test func `random chunk sizes in random pieces give the body back`() throws {
        var generator = SeededGenerator(seed: 0xC10D)
        for _ in 0..<300 {
            let body = (0..<Int.random(in: 0...400, using: &generator)).map { _ in
                UInt8.random(in: 32...126, using: &generator)
            }
            var text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            var rest = body[...]
            while !rest.isEmpty {
                let chunk = rest.prefix(Int.random(in: 1...60, using: &generator))
                text += String(chunk.count, radix: 16) + "\r\n"
                text += String(decoding: chunk, as: UTF8.self) + "\r\n"
                rest = rest.dropFirst(chunk.count)
            }
            text += "0\r\n\r\n"
            let pieces = (0..<20).map { _ in Int.random(in: 1...50, using: &generator) }
            #expect(try Feed(pieces: pieces).body(text) == String(decoding: body, as: UTF8.self))
        }
    }

    @Test(arguments: [
        "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 600 No\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 101 Switching\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\n: empty\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n", "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ng\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n;x\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n000000001\r\nx\r\n0\r\n\r\n",
    ])
    func `what is not HTTP is malformed, whole or byte by byte`(_ text: String) {
        for pieces in [[Int.max], [1]] {
            #expect {
                try Feed(pieces: pieces).run(text)
            } throws: { error in
                guard case .malformed = error as? HTTPFormatFailure else { return false }
                return true
            }
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx",
    ])
    func `bytes that come along after the body are refused`(_ text: String) {
        #expect(throws: HTTPFormatFailure.malformed(reason: "bytes after the body")) {
            try Feed().run(text)
        }
    }

    @Test func `a body at the limit is taken and one above is refused, in every framing`() throws {
        let feed = Feed(limits: HTTPLimits(bodyBytesMax: 10))
        let head = "HTTP/1.1 200 OK\r\n"
        func sized(_ count: Int) -> String {
            head + "Content-Length: \(count)\r\n\r\n" + String(repeating: "x", count: count)
        }
        func chunked(_ count: Int) -> String {
            let half = String(repeating: "x", count: 5)
            let rest = String(repeating: "x", count: count - 5)
            return head + "Transfer-Encoding: chunked\r\n\r\n5\r\n\(half)\r\n"
                + String(count - 5, radix: 16) + "\r\n\(rest)\r\n0\r\n\r\n"
        }
        func untilClose(_ count: Int) -> String {
            head + "\r\n" + String(repeating: "x", count: count)
        }
        for make in [sized, chunked, untilClose] {
            #expect(try feed.body(make(10)).count == 10)
            #expect(throws: HTTPFormatFailure.bodyTooLarge(limitBytes: 10)) {
                try feed.run(make(11))
            }
        }
        #expect(throws: HTTPFormatFailure.bodyTooLarge(limitBytes: 10)) {
            try feed.run(head + "Content-Length: 99999999999999999999\r\n\r\n")
        }
    }

    @Test func `head size and field count have limits, at N and N + 1`() throws {
        let line = "HTTP/1.1 200 OK\r\n"
        let fields = "Content-Length: 0\r\nA: b\r\n"
        let size = (line + fields + "\r\n").utf8.count
        func feed(bytes: Int = 4096, fields: Int = 64) -> Feed {
            Feed(
                limits: HTTPLimits(
                    headBytesMax: bytes, headerCountMax: fields, bodyBytesMax: 10))
        }
        #expect(try feed(bytes: size).body(line + fields + "\r\n") == "")
        #expect(throws: HTTPFormatFailure.headTooLarge(limitBytes: size - 1)) {
            try feed(bytes: size - 1).run(line + fields + "\r\n")
        }
        #expect(throws: HTTPFormatFailure.headTooLarge(limitBytes: size)) {
            try feed(bytes: size).run(line + fields + fields)
        }
        // Interim responses count too.
        let interim = "HTTP/1.1 103 Early Hints\r\n\r\n"
        #expect(throws: HTTPFormatFailure.headTooLarge(limitBytes: size)) {
            try feed(bytes: size).run(interim + line + fields + "\r\n")
        }
        let both = size + interim.utf8.count
        #expect(try feed(bytes: both).body(interim + line + fields + "\r\n") == "")
        #expect(try feed(fields: 2).body(line + fields + "\r\n") == "")
        #expect(throws: HTTPFormatFailure.tooManyFields(limit: 1)) {
            try feed(fields: 1).run(line + fields + "\r\n")
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\n\r\n", false), ("HTTP/1.1 204 No\r\n\r\n", true),
        ("HTTP/1.1 304\r\nContent-Length: 7\r\n\r\n", true),
    ])
    func `persistence follows version, Connection and framing`(
        _ text: String, _ isPersistent: Bool
    ) throws {
        let (response, _) = try Feed().run(text)
        #expect(response.isPersistent == isPersistent)
        #expect(response.body.isEmpty)
    }

    @Test func `random bytes never crash the parser`() {
        var generator = SeededGenerator(seed: 7)
        let alphabet = Array("HTP/1. 20\r\n:;abcfTr-Chunked,0".utf8)
        for _ in 0..<3000 {
            let noise = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator) ?? 0
            }
            let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".prefix(
                Int.random(in: 0...47, using: &generator))
            let whole = String(text) + String(decoding: noise, as: UTF8.self)
            // In pieces, bytes after the end may not have come yet; the body is the same.
            if let body = try? Feed().body(whole) {
                #expect((try? Feed(pieces: [3, 1]).body(whole)) == body)
            }
        }
    }
}
