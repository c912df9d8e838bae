// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventPorts
import EventSinks
import Foundation
import Testing

@Suite struct `Events on a descriptor` {
    private func pipe() throws -> (reader: Int32, writer: Int32) {
        var ends: [Int32] = [0, 0]
        try #require(Foundation.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    private func read(_ descriptor: Int32, _ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = Foundation.read(descriptor, &bytes, count)
        return Array(bytes.prefix(max(got, 0)))
    }

    @Test func `come as lines`() throws {
        let (reader, writer) = try pipe()
        defer {
            close(reader)
            close(writer)
        }
        let lines = Sample.lines(3)
        var sink = StreamEventSink(descriptor: writer)
        #expect(sink.deliver(lines) == EventDelivery(taken: 3))
        let wanted = lines.flatMap { $0.bytes + [UInt8(ascii: "\n")] }
        #expect(read(reader, 1 << 16) == wanted)
    }

    @Test func `wait for a slow reader no longer than allowed, and never repeat part of a line`()
        throws
    {
        let (reader, writer) = try pipe()
        defer {
            close(reader)
            close(writer)
        }
        // A pipe of one page, and lines longer than it.
        let setPipeSize: Int32 = 1031
        try #require(fcntl(writer, setPipeSize, 4096) == 4096)
        let lines = Sample.longLines(4)
        try #require(lines.allSatisfy { $0.bytes.count > 4096 })
        let wanted = lines.flatMap { $0.bytes + [UInt8(ascii: "\n")] }
        var sink = StreamEventSink(descriptor: writer, timeout: .milliseconds(20))
        var rest = lines
        var got: [UInt8] = []
        var timeouts = 0
        for _ in 0..<100 where !rest.isEmpty {
            let delivery = sink.deliver(rest)
            rest.removeFirst(delivery.taken)
            if delivery.failure == .timedOut { timeouts += 1 }
            got += read(reader, 1000)
        }
        #expect(timeouts > 0, "positive control: the reader is slow")
        _ = fcntl(reader, F_SETFL, O_NONBLOCK)
        while case let more = read(reader, 1 << 16), !more.isEmpty { got += more }
        #expect(got == wanted)
    }

    @Test func `outlive a reader that is gone`() throws {
        let (reader, writer) = try pipe()
        defer { close(writer) }
        close(reader)
        var sink = StreamEventSink(descriptor: writer)
        #expect(
            sink.deliver(Sample.lines(2))
                == EventDelivery(taken: 0, failure: .broken(errorNumber: EPIPE)))
    }

    @Test func `find a full medium full`() throws {
        let full = open("/dev/full", O_WRONLY)
        try #require(full >= 0)
        defer { close(full) }
        var sink = StreamEventSink(descriptor: full)
        #expect(
            sink.deliver(Sample.lines(2))
                == EventDelivery(taken: 0, failure: .full(errorNumber: ENOSPC)))
    }
}
