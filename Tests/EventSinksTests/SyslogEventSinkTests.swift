// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventPorts
import EventSinks
import Foundation
import Testing

/// A syslog message taken apart by the grammar of RFC 5424, section 6.
private struct Parsed: Equatable {
    let priority: Int
    let time: String
    let host: String
    let application: String
    let process: String
    let identifier: String
    let text: [UInt8]

    init?(_ message: [UInt8]) {
        let printable = #"([\x21-\x7e]{1,%})"#
        func name(_ length: Int) -> String { printable.replacing("%", with: String(length)) }
        let time = #"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d))"#
        let pattern =
            "^<(\\d{1,3})>1 \(time) \(name(255)) \(name(48)) \(name(128)) \(name(32)) - "
        guard let expression = try? NSRegularExpression(pattern: pattern),
            case let head = String(decoding: message.prefix(600), as: Unicode.ASCII.self),
            let match = expression.firstMatch(
                in: head, range: NSRange(head.startIndex..., in: head))
        else { return nil }
        let parts = (1..<match.numberOfRanges).map {
            (head as NSString).substring(with: match.range(at: $0))
        }
        priority = Int(parts[0]) ?? -1
        guard priority <= 191 else { return nil }
        self.time = parts[1]
        host = parts[2]
        application = parts[3]
        process = parts[4]
        identifier = parts[5]
        var rest = Array(message[match.range.length...])
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        if rest.starts(with: mark) {
            rest.removeFirst(3)
            guard String(validating: rest, as: UTF8.self) != nil else { return nil }
        } else if rest.contains(where: { $0 >= 0x80 }) {
            return nil
        }
        text = rest
    }
}

/// A socket that listens.
private final class Listener {
    let descriptor: Int32
    let port: UInt16

    init(_ kind: __socket_type, path: String? = nil) throws {
        descriptor = socket(path == nil ? AF_INET : AF_UNIX, Int32(kind.rawValue), 0)
        try #require(descriptor >= 0)
        if let path {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            try #require(Self.bound(descriptor, &address))
            port = 0
            return
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        try #require(Self.bound(descriptor, &address))
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &length)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        if kind == SOCK_STREAM { try #require(listen(descriptor, 4) == 0) }
    }

    deinit { close(descriptor) }

    private static func bound<Address>(_ descriptor: Int32, _ address: inout Address) -> Bool {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<Address>.size)) == 0
            }
        }
    }

    /// A connection; -1 when none comes.
    func accepted() -> Int32 {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 2000) > 0 ? accept(descriptor, nil, nil) : -1
    }

    func receive(_ from: Int32? = nil, count: Int = 1 << 17) -> [UInt8] {
        var entry = pollfd(fd: from ?? descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 2000) > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        let got = recv(from ?? descriptor, &bytes, count, 0)
        return Array(bytes.prefix(max(got, 0)))
    }
}

@Suite struct `Events by syslog` {
    private let message = SyslogMessage(
        facility: .audit, host: "node-1", application: "cloudtaser-agent", processID: 42)

    private func sink(
        _ transport: SyslogEventSink.Transport, timeout: Duration = .seconds(2)
    ) -> SyslogEventSink {
        SyslogEventSink(transport: transport, message: message, timeout: timeout)
    }

    private func address(_ listener: Listener) throws -> SinkAddress {
        try #require(SinkAddress(host: "127.0.0.1", port: listener.port))
    }

    @Test func `are messages by the standard's grammar`() throws {
        let line = Sample.lines(1)[0]
        let parsed = try #require(Parsed(message.bytes(line, encoding: .native)))
        // Audit (13) and warning (4).
        #expect(parsed.priority == 13 * 8 + 4)
        #expect(parsed.time == "2026-09-21T14:13:20.123456Z")
        #expect(parsed.host == "node-1" && parsed.application == "cloudtaser-agent")
        #expect(parsed.process == "42" && parsed.identifier == "PROCMEM_READ")
        #expect(parsed.text == line.bytes)
        #expect(
            Parsed(message.bytes(Sample.lines(1, object: "/tmp/é")[0], encoding: .native)) != nil)
        #expect(Parsed(message.bytes(line, encoding: .ocsf)) != nil)
        #expect(Parsed(Array("<13>Nov 26 09:00:00 a b".utf8)) == nil, "positive control")
        for type in EventType.allCases { #expect(type.rawValue.utf8.count <= 32) }
    }

    @Test func `have headers that hold, whatever the machine is called`() throws {
        let line = Sample.lines(1)[0]
        let long = String(repeating: "a", count: 300)
        for (host, wanted) in [
            ("", "-"), ("a b\n", "a?b?"), ("é", "??"),
            (long, String(repeating: "a", count: SyslogMessage.hostBytesMax)),
        ] {
            let message = SyslogMessage(
                facility: .local0, host: host, application: long, processID: 1)
            let parsed = try #require(Parsed(message.bytes(line, encoding: .native)))
            #expect(parsed.host == wanted)
            #expect(parsed.application.utf8.count == SyslogMessage.applicationBytesMax)
        }
    }

    @Test func `go over UDP, one a datagram`() throws {
        let listener = try Listener(SOCK_DGRAM)
        let lines = Sample.lines(3)
        var sink = sink(.udp(try address(listener)))
        #expect(sink.deliver(lines) == EventDelivery(taken: 3))
        for line in lines { #expect(Parsed(listener.receive())?.text == line.bytes) }
    }

    @Test func `go over a Unix socket, and again when the daemon comes back`() throws {
        let folder = try TestFolder()
        let path = folder.path + "/log"
        let lines = Sample.lines(3)
        var sink = sink(.unix(try #require(SinkAddress(path: path))))
        #expect(
            sink.deliver(lines)
                == EventDelivery(taken: 0, failure: .unreachable(errorNumber: ENOENT)))
        do {
            let listener = try Listener(SOCK_DGRAM, path: path)
            #expect(sink.deliver([lines[0]]) == EventDelivery(taken: 1))
            #expect(Parsed(listener.receive())?.text == lines[0].bytes)
        }
        #expect(
            sink.deliver([lines[1]])
                == EventDelivery(taken: 0, failure: .broken(errorNumber: ECONNREFUSED)))
        try FileManager.default.removeItem(atPath: path)
        let listener = try Listener(SOCK_DGRAM, path: path)
        #expect(sink.deliver([lines[1]]) == EventDelivery(taken: 1))
        #expect(Parsed(listener.receive())?.text == lines[1].bytes)
    }

    @Test func `wait for a daemon that does not read no longer than allowed`() throws {
        let folder = try TestFolder()
        let path = folder.path + "/log"
        let listener = try Listener(SOCK_DGRAM, path: path)
        var sink = sink(.unix(try #require(SinkAddress(path: path))), timeout: .milliseconds(100))
        let lines = Sample.lines(1000)
        let start = ContinuousClock.now
        let delivery = sink.deliver(lines)
        #expect(ContinuousClock.now - start < .seconds(2))
        #expect(delivery.failure == .timedOut && delivery.taken < 1000 && delivery.lost == 0)
        for line in lines[..<delivery.taken] {
            #expect(Parsed(listener.receive())?.text == line.bytes)
        }
    }

    @Test func `that no datagram can hold are counted, one by one`() throws {
        let folder = try TestFolder()
        let path = folder.path + "/log"
        let listener = try Listener(SOCK_DGRAM, path: path)
        let small = Sample.lines(3)
        let large = Sample.lines(
            1, object: String(repeating: "\u{1b}", count: EventLimits.objectBytesMax))
        var sink = SyslogEventSink(
            transport: .unix(try #require(SinkAddress(path: path))), message: message,
            encoding: .ocsf, sendBufferBytes: 2304)
        #expect(sink.deliver([small[0], large[0], small[1]]) == EventDelivery(taken: 1))
        #expect(sink.deliver([large[0], small[1]]) == EventDelivery(taken: 1, lost: 1))
        #expect(sink.deliver([small[1]]) == EventDelivery(taken: 1))
        for line in small[..<2] {
            #expect(Parsed(listener.receive())?.text == line.bytes(as: .ocsf))
        }
        var roomy = SyslogEventSink(
            transport: .unix(try #require(SinkAddress(path: path))), message: message,
            encoding: .ocsf)
        #expect(roomy.deliver(large) == EventDelivery(taken: 1), "positive control")
    }

    @Test func `go over TCP with their length before them`() throws {
        let listener = try Listener(SOCK_STREAM)
        let lines = Sample.lines(3, object: "/tmp/é")
        var sink = sink(.tcp(try address(listener)))
        #expect(sink.deliver(lines) == EventDelivery(taken: 3))
        let peer = listener.accepted()
        defer { close(peer) }
        var bytes = listener.receive(peer)
        for line in lines {
            let digits = bytes.prefix { $0 != UInt8(ascii: " ") }
            let count = try #require(Int(String(decoding: digits, as: UTF8.self)))
            let frame = Array(bytes.dropFirst(digits.count + 1).prefix(count))
            #expect(Parsed(frame)?.text == line.bytes)
            bytes.removeFirst(digits.count + 1 + count)
        }
        #expect(bytes == [])
    }

    @Test func `connect anew after the server hung up`() throws {
        let listener = try Listener(SOCK_STREAM)
        let lines = Sample.lines(2)
        var sink = sink(.tcp(try address(listener)))
        #expect(sink.deliver([lines[0]]) == EventDelivery(taken: 1))
        let first = listener.accepted()
        _ = listener.receive(first)
        close(first)
        usleep(50_000)
        #expect(sink.deliver([lines[1]]) == EventDelivery(taken: 1))
        let second = listener.accepted()
        defer { close(second) }
        let frame = listener.receive(second)
        #expect(Parsed(Array(frame.drop { $0 != 0x20 }.dropFirst()))?.text == lines[1].bytes)
    }

    @Test func `find a server that is not there, or that does not read`() throws {
        var gone: SinkAddress?
        do { gone = try address(Listener(SOCK_STREAM)) }
        var sink = sink(.tcp(try #require(gone)))
        #expect(
            sink.deliver(Sample.lines(1))
                == EventDelivery(taken: 0, failure: .unreachable(errorNumber: ECONNREFUSED)))
        let listener = try Listener(SOCK_STREAM)
        var slow = self.sink(.tcp(try address(listener)), timeout: .milliseconds(100))
        let lines = [EventLine](repeating: Sample.lines(1)[0], count: 20_000)
        let delivery = slow.deliver(lines)
        #expect(delivery.failure == .timedOut && delivery.taken < lines.count)
    }

    @Test func `take addresses and no names`() {
        #expect(SinkAddress(host: "localhost", port: 1) == SinkAddress(host: "127.0.0.1", port: 1))
        #expect(SinkAddress(host: "[::1]", port: 1) == SinkAddress(host: "::1", port: 1))
        #expect(SinkAddress(host: "::1", port: 1) != nil)
        for host in ["", "collector", "1.2.3", "300.1.1.1"] {
            #expect(SinkAddress(host: host, port: 1) == nil)
        }
        let longest = String(repeating: "a", count: SinkAddress.pathBytesMax)
        #expect(SinkAddress(path: longest) != nil)
        #expect(SinkAddress(path: longest + "a") == nil && SinkAddress(path: "") == nil)
    }
}
