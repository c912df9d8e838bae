// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventPorts
import EventSinks
import Foundation
import TestKit
import Testing

/// The collector of Tests/Support, which is not ours: Python's HTTP server and JSON reader.
private final class Collector {
    struct Request: Decodable {
        let bodies: [String]
        let problems: [String]
    }

    let port: UInt16
    private let process = Process()
    private let output = Pipe()
    private var pending = Data()

    init(_ behaviours: String...) throws {
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            ["python3", Checkout.root + "Tests/Support/otlp-collector.py"] + behaviours
        process.standardOutput = output
        try process.run()
        var data = Data()
        let first = Self.line(output.fileHandleForReading, &data)
        pending = data
        port = try #require(first?.split(separator: " ").last.flatMap { UInt16($0) })
    }

    /// Not SIGTERM: the threads of a test may have it blocked, and a child inherits that.
    deinit { kill(process.processIdentifier, SIGKILL) }

    func next() throws -> Request {
        let line = try #require(Self.line(output.fileHandleForReading, &pending))
        return try JSONDecoder().decode(Request.self, from: Data(line.utf8))
    }

    private static func line(_ handle: FileHandle, _ pending: inout Data) -> String? {
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                defer { pending = Data(pending[(end + 1)...]) }
                return String(decoding: pending[..<end], as: UTF8.self)
            }
            let more = handle.availableData
            guard !more.isEmpty else { return nil }
            pending += more
        }
    }
}

@Suite struct `Events by OTLP` {
    private func sink(_ collector: Collector, timeout: Duration = .seconds(5)) throws
        -> OTLPEventSink
    {
        try #require(OTLPEventSink(host: "127.0.0.1", port: collector.port, timeout: timeout))
    }

    @Test func `reach a collector as it wants them, line by line`() throws {
        let collector = try Collector("200")
        var sink = try sink(collector)
        let lines = Sample.lines(5, object: "/tmp/é\u{1b}\"\\")
        #expect(sink.deliver(Array(lines[..<3])) == EventDelivery(taken: 3))
        #expect(sink.deliver(Array(lines[3...])) == EventDelivery(taken: 2))
        var bodies: [String] = []
        for _ in 0..<2 {
            let request = try collector.next()
            #expect(request.problems == [])
            bodies += request.bodies
        }
        // Byte for byte: the chain can be checked behind the collector.
        #expect(bodies == lines.map { String(decoding: $0.bytes, as: UTF8.self) })
    }

    @Test func `wait when the collector asks for it`() throws {
        let collector = try Collector("503:7", "429", "504:Thu, 26 Nov 2026 09:00:00 GMT", "200")
        var sink = try sink(collector)
        let lines = Sample.lines(2)
        for (status, pause) in [(503, Duration.seconds(7)), (429, nil), (504, nil)] {
            #expect(
                sink.deliver(lines)
                    == EventDelivery(
                        taken: 0, failure: .throttled(status: status, retryAfter: pause)))
        }
        #expect(sink.deliver(lines) == EventDelivery(taken: 2), "the same lines, later")
    }

    @Test func `are counted when the collector refuses them for good`() throws {
        let collector = try Collector("400", "413", "500", "301", "partial:2", "partial:99")
        var sink = try sink(collector)
        let lines = Sample.lines(3)
        for _ in 0..<4 { #expect(sink.deliver(lines) == EventDelivery(taken: 3, lost: 3)) }
        #expect(sink.deliver(lines) == EventDelivery(taken: 3, lost: 2))
        #expect(sink.deliver(lines) == EventDelivery(taken: 3, lost: 3))
    }

    @Test(arguments: ["close", "garbage", "endless"])
    func `survive a collector that does not speak`(behaviour: String) throws {
        let collector = try Collector(behaviour, "200")
        var sink = try sink(collector)
        let lines = Sample.lines(2)
        let delivery = sink.deliver(lines)
        #expect(delivery.taken == 0 && delivery.lost == 0 && delivery.failure != nil)
        #expect(sink.deliver(lines) == EventDelivery(taken: 2), "positive control")
    }

    @Test func `wait for a slow collector no longer than allowed`() throws {
        let collector = try Collector("slow")
        var sink = try sink(collector, timeout: .milliseconds(300))
        let start = ContinuousClock.now
        #expect(sink.deliver(Sample.lines(1)) == EventDelivery(taken: 0, failure: .timedOut))
        #expect(ContinuousClock.now - start < .seconds(3))
    }

    @Test func `find no collector`() throws {
        var sink = try #require(OTLPEventSink(host: "127.0.0.1", port: 1))
        #expect(
            sink.deliver(Sample.lines(1))
                == EventDelivery(taken: 0, failure: .unreachable(errorNumber: ECONNREFUSED)))
    }

    @Test func `take addresses and paths that fit a request`() {
        #expect(OTLPEventSink(host: "::1") != nil)
        #expect(OTLPEventSink(host: "collector") == nil)
        for path in ["", "v1/logs", "/a b", "/a\r\nX: y", "/é"] {
            #expect(OTLPEventSink(host: "::1", path: path) == nil)
        }
        let longest = "/" + String(repeating: "a", count: OTLPEventSink.pathBytesMax - 1)
        #expect(OTLPEventSink(host: "::1", path: longest) != nil)
        #expect(OTLPEventSink(host: "::1", path: longest + "a") == nil)
    }
}
