// SPDX-License-Identifier: Apache-2.0
import ServedHTTP
import Testing

private func fields(_ pairs: KeyValuePairs<String, String>) -> [HeaderField] {
    pairs.map { HeaderField($0.key, $0.value) }
}

private func text(_ action: ResponseStateMachine.HeadAction) -> String? {
    guard case .send(let bytes) = action else { return nil }
    return String(decoding: bytes, as: UTF8.self)
}

@Suite("An answer's framing") struct ResponseTests {
    @Test func `with a length has so many bytes`() throws {
        var machine = ResponseStateMachine(method: "GET")
        let head = ResponseHead(
            status: 206, fields: fields(["ETag": "\"a\"", "Content-Length": "5"]))
        #expect(
            text(try machine.head(head, closes: false))
                == "HTTP/1.1 206 Partial Content\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\n")
        #expect(try machine.body(3) == .plain)
        #expect(throws: ResponseRefusal.bodyTooLong) { try machine.body(3) }
        #expect(throws: ResponseRefusal.bodyTooShort) { try machine.end(trailers: []) }
        #expect(try machine.body(2) == .plain)
        #expect(try machine.end(trailers: fields(["a": "b"])) == [])
        #expect(machine.isOver)
        #expect(throws: ResponseRefusal.outOfOrder) { try machine.end(trailers: []) }
        #expect(throws: ResponseRefusal.outOfOrder) { try machine.body(0) }
        #expect(throws: ResponseRefusal.outOfOrder) { try machine.head(head, closes: false) }
    }

    @Test func `without a length has chunks`() throws {
        var machine = ResponseStateMachine(method: "GET")
        #expect(throws: ResponseRefusal.outOfOrder) { try machine.body(1) }
        #expect(
            text(try machine.head(ResponseHead(status: 299), closes: true))
                == "HTTP/1.1 299 \r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        #expect(try machine.body(1) == .chunk)
        // An empty chunk would be the end.
        #expect(try machine.body(0) == .drop)
        #expect(throws: ResponseRefusal.fieldInvalid) {
            try machine.end(trailers: fields(["a": "b\r\nc: d"]))
        }
        let end = try machine.end(trailers: fields(["x-sum": "1"]))
        #expect(end == Array("0\r\nx-sum: 1\r\n\r\n".utf8))
        #expect(ResponseStateMachine.chunkStart(65_536) == Array("10000\r\n".utf8))
    }

    @Test func `to HEAD, 204 and 304 has no body`() throws {
        for (method, status, length) in [
            ("HEAD", 200, "7"), ("HEAD", 200, nil), ("GET", 304, "7"), ("GET", 304, nil),
            ("PUT", 204, nil),
        ] as [(String, Int, String?)] {
            var machine = ResponseStateMachine(method: method)
            let lengths = length.map { [HeaderField("Content-Length", $0)] } ?? []
            let head = text(
                try machine.head(ResponseHead(status: status, fields: lengths), closes: false))
            #expect(head?.contains("chunked") == false)
            #expect(head?.contains("Content-Length: 7") == (length != nil))
            #expect(try machine.body(100) == .drop)
            #expect(try machine.end(trailers: []) == [])
        }
    }

    @Test(
        arguments: [
            ([HeaderField("A", "b\r\nSet-Cookie: c")], .fieldInvalid),
            ([HeaderField("A", "b\n")], .fieldInvalid),
            ([HeaderField("A", "\u{0}")], .fieldInvalid),
            ([HeaderField("A b", "c")], .fieldInvalid), ([HeaderField("", "c")], .fieldInvalid),
            ([HeaderField("A:", "c")], .fieldInvalid), ([HeaderField("É", "c")], .fieldInvalid),
            ([HeaderField("connection", "close")], .fieldInvalid),
            ([HeaderField("Transfer-Encoding", "chunked")], .fieldInvalid),
            ([HeaderField("Content-Length", "+1")], .lengthInvalid),
            (
                [HeaderField("Content-Length", "1"), HeaderField("content-length", "1")],
                .lengthInvalid
            ),
        ] as [([HeaderField], ResponseRefusal)])
    func `is not broken apart by its fields`(
        _ fields: [HeaderField], _ expected: ResponseRefusal
    ) throws {
        var machine = ResponseStateMachine(method: "GET")
        #expect(throws: expected) {
            try machine.head(ResponseHead(status: 200, fields: fields), closes: false)
        }
        // It is as it was before.
        #expect(!machine.hasBegun)
        let good = ResponseHead(status: 200, fields: [HeaderField("A", "é\t b")])
        #expect(text(try machine.head(good, closes: false))?.contains("\r\nA: é\t b\r\n") == true)
    }

    @Test func `has a final status`() throws {
        for (status, isTaken) in [(199, false), (200, true), (599, true), (600, false)] {
            var machine = ResponseStateMachine(method: "GET")
            let head = try? machine.head(ResponseHead(status: status), closes: false)
            #expect((head != nil) == isTaken)
        }
        var machine = ResponseStateMachine(method: "GET")
        #expect(throws: ResponseRefusal.lengthInvalid) {
            try machine.head(
                ResponseHead(status: 204, fields: fields(["Content-Length": "0"])), closes: false)
        }
    }

    @Test func `goes on after it was kept alive`() throws {
        var machine = ResponseStateMachine(method: "POST")
        #expect(machine.keepAliveIsDue(closes: false) == nil)
        let kept = ResponseHead(status: 200, fields: fields(["Content-Type": "application/xml"]))
        try machine.keepAlive(kept, opening: Array("<?xml?>".utf8))
        #expect(!machine.hasBegun)
        let first = machine.keepAliveIsDue(closes: false)
        #expect(
            String(decoding: first ?? [], as: UTF8.self)
                == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                + "Content-Type: application/xml\r\n\r\n8\r\n<?xml?> \r\n")
        #expect(machine.keepAliveIsDue(closes: false) == Array("1\r\n \r\n".utf8))
        // The body waits for the head, which is told that it is late.
        #expect(throws: ResponseRefusal.outOfOrder) { try machine.body(1) }
        #expect(try machine.head(ResponseHead(status: 404), closes: false) == .kept)
        #expect(machine.keepAliveIsDue(closes: false) == nil)
        #expect(try machine.body(1) == .chunk)
        #expect(try machine.end(trailers: []) == Array("0\r\n\r\n".utf8))
    }

    @Test func `needs no keeping alive when it is in time`() throws {
        var machine = ResponseStateMachine(method: "POST")
        try machine.keepAlive(ResponseHead(status: 200), opening: [])
        let head = ResponseHead(status: 404, fields: fields(["Content-Length": "0"]))
        #expect(text(try machine.head(head, closes: false))?.hasPrefix("HTTP/1.1 404") == true)
        #expect(machine.keepAliveIsDue(closes: false) == nil)
        #expect(throws: ResponseRefusal.outOfOrder) {
            try machine.keepAlive(ResponseHead(status: 200), opening: [])
        }
        // Without chunks a space would be one of the body's bytes.
        for (method, head) in [
            ("HEAD", ResponseHead(status: 200)), ("GET", ResponseHead(status: 204)),
        ] {
            var other = ResponseStateMachine(method: method)
            #expect(throws: ResponseRefusal.outOfOrder) {
                try other.keepAlive(head, opening: [])
            }
        }
        var other = ResponseStateMachine(method: "GET")
        #expect(throws: ResponseRefusal.lengthInvalid) {
            try other.keepAlive(
                ResponseHead(status: 200, fields: fields(["content-length": "1"])), opening: [])
        }
    }
}

@Suite("The rate of a body") struct RateMeterTests {
    @Test func `is too slow when a window brings too little, to the byte`() {
        for (bytes, isTooSlow) in [(999, true), (1000, false)] {
            var meter = RateMeter(window: .seconds(10), bytesMin: 1000)
            #expect(meter.begin(at: .zero) == .seconds(10))
            meter.received(bytes)
            #expect(meter.check(at: .seconds(9)) == (false, .seconds(1)))
            let (isSlow, next) = meter.check(at: .seconds(10))
            #expect(isSlow == isTooSlow)
            #expect(next == (isTooSlow ? nil : .seconds(10)))
        }
    }

    @Test func `counts only while somebody waits`() {
        var meter = RateMeter(window: .seconds(10), bytesMin: 1000)
        _ = meter.begin(at: .zero)
        meter.end(at: .seconds(6))
        // An hour of work on what came.
        #expect(meter.check(at: .seconds(3600)) == (false, nil))
        #expect(meter.begin(at: .seconds(3600)) == .seconds(4))
        #expect(meter.check(at: .seconds(3603)) == (false, .seconds(1)))
        #expect(meter.check(at: .seconds(3604)) == (true, nil))
    }

    @Test func `is not saved up, and drops do not help`() {
        var meter = RateMeter(window: .seconds(10), bytesMin: 1000)
        _ = meter.begin(at: .zero)
        meter.received(1_000_000)
        #expect(meter.check(at: .seconds(10)) == (false, .seconds(10)))
        for second in 10..<20 {
            meter.received(1)
            meter.end(at: .seconds(second))
            _ = meter.begin(at: .seconds(second))
        }
        #expect(meter.check(at: .seconds(20)).isTooSlow)
        // Who asked too late is asked at the next wait.
        var late = RateMeter(window: .seconds(10), bytesMin: 1000)
        _ = late.begin(at: .zero)
        late.end(at: .seconds(30))
        #expect(late.begin(at: .seconds(30)) == .zero)
        #expect(late.check(at: .seconds(30)).isTooSlow)
    }
}
