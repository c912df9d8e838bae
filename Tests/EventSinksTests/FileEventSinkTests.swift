// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventIntegrity
import EventPorts
import EventSinks
import Foundation
import Testing

@Suite(.serialized) struct `A file of events` {
    private let folder: TestFolder
    private let path: String

    init() throws {
        folder = try TestFolder()
        path = folder.path + "/events"
    }

    private func sink(
        bytesMax: Int = 1 << 20, kept: Int = 2,
        synchronization: FileEventSink.Synchronization = .never
    ) -> FileEventSink {
        FileEventSink(
            settings: .init(
                path: path, bytesMax: bytesMax, filesKept: kept, synchronization: synchronization))
    }

    @Test func `holds the lines and is closed to others`() throws {
        let lines = Sample.lines(5)
        var sink = sink(synchronization: .eachBatch)
        #expect(sink.deliver(Array(lines[..<3])) == EventDelivery(taken: 3))
        #expect(sink.deliver(Array(lines[3...])) == EventDelivery(taken: 2))
        #expect(try folder.lines("events") == lines.map(\.bytes))
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        #expect(FileEventSink.end(path: path).link == lines[4].link)
    }

    @Test func `is rotated before it would grow too large, and the oldest goes`() throws {
        let lines = Sample.lines(10)
        let two = lines[0].bytes.count + lines[1].bytes.count + 2
        #expect(lines.allSatisfy { $0.bytes.count == lines[0].bytes.count })
        var sink = sink(bytesMax: two)
        #expect(sink.deliver(lines) == EventDelivery(taken: 10))
        #expect(try folder.lines("events") == lines[8...].map(\.bytes))
        #expect(try folder.lines("events.1") == lines[6..<8].map(\.bytes))
        #expect(try folder.lines("events.2") == lines[4..<6].map(\.bytes))
        #expect(!folder.isThere("events.3"))

        var less = FileEventSink(
            settings: .init(
                path: folder.path + "/less", bytesMax: two - 1, filesKept: 1,
                synchronization: .never))
        #expect(less.deliver(Array(lines[..<2])) == EventDelivery(taken: 2))
        #expect(try folder.lines("less") == [lines[1].bytes])
        #expect(try folder.lines("less.1") == [lines[0].bytes])

        var single = FileEventSink(
            settings: .init(
                path: folder.path + "/single", bytesMax: 1, filesKept: 0, synchronization: .never))
        #expect(single.deliver(Array(lines[..<2])) == EventDelivery(taken: 2))
        #expect(try folder.lines("single") == [lines[1].bytes])
        #expect(!folder.isThere("single.1"))
    }

    @Test func `goes on where it was left, with a torn line closed`() throws {
        let lines = Sample.lines(4)
        var first = sink()
        #expect(first.deliver(Array(lines[..<2])).taken == 2)
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(lines[2].bytes.prefix(40)))
        try handle.close()
        let torn = Array(lines[2].bytes.prefix(40))
        #expect(FileEventSink.end(path: path) == .init(link: lines[1].link, torn: [torn]))
        var second = sink()
        #expect(second.deliver([lines[2]]).taken == 1)
        let read = try folder.lines("events")
        #expect(
            read == [
                lines[0].bytes, lines[1].bytes, Array(lines[2].bytes.prefix(40)), lines[2].bytes,
            ])
        #expect(FileEventSink.end(path: path) == .init(link: lines[2].link))
    }

    @Test func `knows its end after crashes without a whole line between, up to a limit`() throws {
        let lines = Sample.lines(1)
        func end(after text: String) throws -> EventLogEnd {
            let bytes = lines[0].bytes + Array(("\n" + text).utf8)
            try Data(bytes).write(to: URL(filePath: path))
            return FileEventSink.end(path: path)
        }
        #expect(try end(after: "") == .init(link: lines[0].link))
        let two = [Array("{\"a".utf8), Array("{\"b".utf8)]
        #expect(try end(after: "{\"a\n{\"b") == .init(link: lines[0].link, torn: two))
        let many = (0...EventLogEnd.tornMax).map { "x\($0)" }.joined(separator: "\n")
        #expect(try end(after: many).torn.count == EventLogEnd.tornMax)
        // Longer than what is read back: neither the line nor the part's beginning is known.
        let long = String(repeating: "x", count: 3 * EventLimits.encodedLineBytesMax)
        #expect(try end(after: long) == .init())
    }

    @Test func `knows its last line in OCSF, too`() throws {
        let lines = Sample.longLines(2)
        var sink = FileEventSink(settings: .init(path: path, encoding: .ocsf))
        #expect(sink.deliver(lines).taken == 2)
        #expect(FileEventSink.end(path: path) == .init(link: lines[1].link))
        #expect(
            try folder.lines("events").map { EventEncoding.chainLine(in: $0) }
                == lines.map(\.bytes))
    }

    @Test func `says why its end cannot be read`() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(FileEventSink.end(path: path).errorNumber == EINVAL)
    }

    @Test func `knows its last line after a rotation, too`() throws {
        let lines = Sample.lines(2)
        #expect(FileEventSink.end(path: path).link == nil)
        var sink = sink()
        #expect(sink.deliver(lines).taken == 2)
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        #expect(FileEventSink.end(path: path).link == lines[1].link)
        try Data().write(to: URL(filePath: path))
        #expect(FileEventSink.end(path: path).link == lines[1].link)
    }

    @Test func `is made anew when somebody moved it away`() throws {
        let lines = Sample.lines(2)
        var sink = sink()
        #expect(sink.deliver([lines[0]]).taken == 1)
        try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
        #expect(sink.deliver([lines[1]]).taken == 1)
        #expect(try folder.lines("events") == [lines[1].bytes])
        #expect(try folder.lines("events.old") == [lines[0].bytes])
    }

    @Test func `is not written through a link, nor to what is no file, and can come later`() throws
    {
        let target = folder.path + "/target"
        try Data().write(to: URL(filePath: target))
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
        var sink = sink()
        let line = Sample.lines(1)
        #expect(
            sink.deliver(line)
                == EventDelivery(taken: 0, failure: .unreachable(errorNumber: ELOOP)))
        #expect(try Data(contentsOf: URL(filePath: target)).isEmpty)
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(
            sink.deliver(line)
                == EventDelivery(taken: 0, failure: .unreachable(errorNumber: EISDIR)))
        try FileManager.default.removeItem(atPath: path)
        #expect(mkfifo(path, 0o600) == 0)
        #expect(
            sink.deliver(line)
                == EventDelivery(taken: 0, failure: .unreachable(errorNumber: EINVAL)))
        try FileManager.default.removeItem(atPath: path)
        #expect(sink.deliver(line) == EventDelivery(taken: 1))
    }

    /// A file-size limit, far above what any other test of this process writes: the file is sparse
    /// up to just below it. The kernel then writes a part of the line, and fails.
    @Test func `takes back what found no room, and has the line when there is room again`() throws {
        let lines = Sample.lines(3)
        let limit = 1 << 40
        var before = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before)
        defer { setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before) }
        var small = rlimit(rlim_cur: rlim_t(limit), rlim_max: before.rlim_max)
        try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &small) == 0)

        let start = limit - lines[0].bytes.count - 1 - lines[1].bytes.count / 2
        let descriptor = open(path, O_RDWR | O_CREAT, 0o600)
        defer { close(descriptor) }
        try #require(ftruncate(descriptor, off_t(start - 1)) == 0)
        var feed = UInt8(ascii: "\n")
        try #require(pwrite(descriptor, &feed, 1, off_t(start - 1)) == 1)
        var sink = sink(bytesMax: .max)
        #expect(
            sink.deliver(lines) == EventDelivery(taken: 1, failure: .full(errorNumber: EFBIG)))
        var status = stat()
        fstat(descriptor, &status)
        #expect(Int(status.st_size) == start + lines[0].bytes.count + 1, "half a line was left")
        #expect(FileEventSink.end(path: path).link == lines[0].link)
        // Room again.
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before)
        #expect(sink.deliver(Array(lines[1...])) == EventDelivery(taken: 2))
        #expect(FileEventSink.end(path: path).link == lines[2].link)
    }
}
