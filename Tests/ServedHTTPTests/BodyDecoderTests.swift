// SPDX-License-Identifier: Apache-2.0
import ServedHTTP
import TestKit
import Testing

/// What a decoder finds in `pieces`.
private func decode(
    _ pieces: [[UInt8]], _ length: RequestFraming.Length = .chunked, upTo most: Int = .max
) throws(RequestRefusal) -> (body: [UInt8], isOver: Bool, left: [UInt8]) {
    var decoder = BodyDecoder(length)
    var body: [UInt8] = []
    var left: [UInt8] = []
    for piece in pieces {
        var offset = 0
        steps: while true {
            switch try decoder.next(in: piece.span.bytes, from: &offset, upTo: most) {
            case .body(let range):
                precondition(!range.isEmpty && range.count <= most)
                body += piece[range]
            case .more:
                precondition(offset == piece.count)
                break steps
            case .end:
                left += piece[offset...]
                break steps
            }
        }
    }
    return (body, decoder.isOver, left)
}

private func decode(
    _ text: String, _ length: RequestFraming.Length = .chunked
) throws(RequestRefusal) -> (body: String, isOver: Bool, left: String) {
    let (body, isOver, left) = try decode([Array(text.utf8)], length)
    return (String(decoding: body, as: UTF8.self), isOver, String(decoding: left, as: UTF8.self))
}

@Suite("A request's body") struct BodyDecoderTests {
    @Test func `ends where its length says`() throws {
        #expect(try decode("abcGET", .bytes(3)) == ("abc", true, "GET"))
        #expect(try decode("ab", .bytes(3)) == ("ab", false, ""))
        #expect(try decode("GET", .bytes(0)) == ("", true, "GET"))
        #expect(BodyDecoder(.bytes(0)).isOver && BodyDecoder(.bytes(7)).remainingBytes == 7)
        #expect(BodyDecoder(.chunked).remainingBytes == nil)
    }

    @Test func `is put together from chunks`() throws {
        #expect(try decode("3\r\nabc\r\n0\r\n\r\nGET") == ("abc", true, "GET"))
        #expect(try decode("0\r\n\r\n") == ("", true, ""))
        #expect(try decode("0003;a=\"b;\u{e9}\"\r\nabc\r\n00;x\r\n\r\n") == ("abc", true, ""))
        #expect(try decode("A\r\n0123456789\r\na\r\n0123456789\r\n").isOver == false)
        // A chunk's content is not looked at.
        #expect(try decode("5\r\n0\r\n\r\n\r\n0\r\n\r\n") == ("0\r\n\r\n", true, ""))
        #expect(try decode("1\r\na\r\n0\r\nA: b\r\nc:\r\n\r\nGET") == ("a", true, "GET"))
    }

    @Test(
        arguments: [
            ("\r\n", .chunkMalformed), ("g\r\n", .chunkMalformed), (" 1\r\na\r\n", .chunkMalformed),
            ("1 \r\na\r\n", .chunkMalformed), ("0x1\r\na\r\n", .chunkMalformed),
            ("+1\r\na\r\n", .chunkMalformed), ("-1\r\na\r\n", .chunkMalformed),
            (";a\r\n", .chunkMalformed), ("1\na\n", .chunkMalformed), ("1\ra\r\n", .chunkMalformed),
            ("1;a\nb\r\na\r\n", .chunkMalformed), ("1;a\r\r\n", .chunkMalformed),
            ("1;\u{0}\r\n", .chunkMalformed), ("1\r\nab\r\n", .chunkMalformed),
            ("1\r\na\n", .chunkMalformed), ("1\r\na\rb", .chunkMalformed),
            ("1\r\na0\r\n\r\n", .chunkMalformed), ("1000000000000000\r\n", .chunkMalformed),
            ("0\r\n\n", .fieldMalformed), ("0\r\n a: b\r\n", .fieldMalformed),
            ("0\r\na : b\r\n", .fieldMalformed), ("0\r\na\r\n\r\n", .fieldMalformed),
            ("0\r\n: b\r\n", .fieldMalformed), ("0\r\na: \u{0}\r\n", .fieldMalformed),
            ("0\r\na: b\n\r\n", .fieldMalformed), ("0\r\na: b\rc", .lineEndMalformed),
            ("0\r\n\rx", .lineEndMalformed),
        ] as [(String, RequestRefusal)])
    func `is refused where its chunks are malformed`(
        _ text: String, _ expected: RequestRefusal
    ) {
        #expect(throws: expected) { try decode(text) }
        // Whole chunks before it change nothing.
        #expect(throws: expected) { try decode("2\r\nab\r\n\(text)") }
        #expect(throws: expected) { try decode(text.utf8.map { [$0] }) }
    }

    @Test func `keeps the limits of its framing`() throws {
        func extended(_ count: Int) -> String {
            "1;\(String(repeating: "x", count: count - 2))\r\na\r\n0\r\n\r\n"
        }
        let line = BodyDecoder.chunkLineBytesMax
        #expect(try decode(extended(line)).isOver)
        #expect(throws: RequestRefusal.chunkLineTooLong(limit: line)) {
            try decode(extended(line + 1))
        }
        let digits = String(repeating: "f", count: BodyDecoder.chunkSizeDigitsMax)
        #expect(try decode("\(digits)\r\nabc") == ("abc", false, ""))
        #expect(throws: RequestRefusal.chunkMalformed) { try decode("\(digits)f\r\nabc") }
        func trailers(_ count: Int) -> String {
            "0\r\na:\(String(repeating: "x", count: count - 6))\r\n\r\n"
        }
        let most = BodyDecoder.trailerBytesMax
        #expect(try decode(trailers(most)).isOver)
        #expect(throws: RequestRefusal.trailersTooLarge(limit: most)) {
            try decode(trailers(most + 1))
        }
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `is the same however it is cut apart`(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let body = (0..<Int.random(in: 0...3000, using: &random)).map { _ in
            UInt8.random(in: .min ... .max, using: &random)
        }
        var sent: [UInt8] = []
        var rest = body[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 1...700, using: &random))
            rest = rest.dropFirst(chunk.count)
            sent += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk
            sent += Array("\r\n".utf8)
        }
        sent += Array("0\r\n\r\n".utf8)
        for length in [.chunked, .bytes(body.count)] as [RequestFraming.Length] {
            let bytes = (length == .chunked ? sent : body) + Array("next".utf8)
            var pieces: [[UInt8]] = []
            var left = bytes[...]
            while !left.isEmpty {
                let piece = left.prefix(Int.random(in: 1...300, using: &random))
                left = left.dropFirst(piece.count)
                pieces.append(Array(piece))
            }
            let most = Int.random(in: 1...500, using: &random)
            let found = try decode(pieces, length, upTo: most)
            #expect(found == (body, true, Array("next".utf8)))
        }
    }

    @Test func `that is garbage never traps`() {
        var random = SeededGenerator(seed: 7)
        let likely = Array("0123456789abcdefF;:= \t\r\r\r\n\n\n\u{0}x".utf8)
        var refused = 0
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                likely.randomElement(using: &random) ?? 0
            }
            do {
                let (body, _, left) = try decode([bytes])
                #expect(body.count + left.count <= bytes.count)
            } catch { refused += 1 }
            _ = try? read(Array("GET / HTTP/1.1\r\nHost: a\r\n".utf8) + bytes)
            _ = try? read(bytes)
        }
        #expect(refused > 10_000)
    }
}
