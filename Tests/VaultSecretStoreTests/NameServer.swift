// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// A small DNS server on a loopback port, over UDP and TCP, for the resolver's tests.
final class NameServer: Sendable {
    /// What is known of one name.
    struct Entry: Sendable {
        /// 4 or 16 bytes each.
        var addresses: [[UInt8]] = []
        /// A name to which it leads; its addresses are given under that name.
        var alias: String?
        /// Answer over UDP with the truncation bit and nothing else.
        var isTruncated = false
        /// Response code instead of an answer.
        var failure: UInt8?
        /// Say nothing at all to this many questions.
        var ignored = 0
        /// Send a datagram with a wrong identifier first.
        var isSpoofed = false
    }

    private struct State {
        var entries: [String: Entry]
        var questions: [String] = []
    }

    let port: UInt16
    private let datagrams: Int32
    private let streams: Int32
    private let state: Mutex<State>
    private let threads: Mutex<[pthread_t]>

    /// - Parameter entries: by lower-case name.
    init(_ entries: [String: Entry]) throws {
        let (datagrams, streams, port) = try Self.bindBoth()
        (self.datagrams, self.streams, self.port) = (datagrams, streams, port)
        state = Mutex(State(entries: entries))
        threads = Mutex([])
        start { $0.serveDatagrams() }
        start { $0.serveStreams() }
    }

    /// Names and types asked for, in order: `name A`, with `/tcp` behind those over TCP.
    var questions: [String] { state.withLock { $0.questions } }

    func stop() {
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        guard !running.isEmpty else { return }
        shutdown(datagrams, Int32(SHUT_RDWR))
        shutdown(streams, Int32(SHUT_RDWR))
        for thread in running { pthread_join(thread, nil) }
        close(datagrams)
        close(streams)
    }

    // MARK: - Answers

    private func answers(to query: [UInt8], overTCP: Bool) -> [[UInt8]] {
        var labels: [String] = []
        var offset = 12
        while offset < query.count, query[offset] != 0 {
            let length = Int(query[offset])
            labels.append(
                String(decoding: query[offset + 1..<offset + 1 + length], as: UTF8.self))
            offset += 1 + length
        }
        let name = labels.joined(separator: ".").lowercased()
        let isAddress4 = query[offset + 2] == 1
        let entry = state.withLock { state in
            let shown = "\(name) \(isAddress4 ? "A" : "AAAA")"
            state.questions.append(shown + (overTCP ? "/tcp" : ""))
            let entry = state.entries[name]
            if (entry?.ignored ?? 0) > 0 { state.entries[name]?.ignored -= 1 }
            return entry
        }
        let question = Array(query[12..<offset + 5])
        guard let entry else { return [reply(query, question, code: 3)] }
        if entry.ignored > 0 { return [] }
        if let code = entry.failure { return [reply(query, question, code: code)] }
        if entry.isTruncated, !overTCP {
            return [reply(query, question, code: 0, isTruncated: true)]
        }
        var records: [[UInt8]] = []
        if let alias = entry.alias {
            let target = alias.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + $0.utf8 }
            records.append(record(type: 5, data: target + [0]))
        }
        for address in entry.addresses where address.count == (isAddress4 ? 4 : 16) {
            records.append(record(type: isAddress4 ? 1 : 28, data: address))
        }
        var replies = [reply(query, question, code: 0, records: records)]
        if entry.isSpoofed {
            var spoof = reply(
                query, question, code: 0, records: [record(type: 1, data: [6, 6, 6, 6])])
            spoof[1] ^= 1
            replies.insert(spoof, at: 0)
        }
        return replies
    }

    private func record(type: UInt8, data: [UInt8]) -> [UInt8] {
        // The name is a pointer to the question's.
        [0xC0, 12, 0, type, 0, 1, 0, 0, 0, 60, UInt8(data.count >> 8), UInt8(data.count & 255)]
            + data
    }

    private func reply(
        _ query: [UInt8], _ question: [UInt8], code: UInt8, isTruncated: Bool = false,
        records: [[UInt8]] = []
    ) -> [UInt8] {
        [query[0], query[1], isTruncated ? 0x83 : 0x81, 0x80 | code, 0, 1, 0]
            + [UInt8(records.count), 0, 0, 0, 0] + question + records.flatMap { $0 }
    }

    // MARK: - Sockets

    private func serveDatagrams() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var peer = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let descriptor = datagrams
            let count = withUnsafeMutablePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(descriptor, &buffer, buffer.count, 0, $0, &length)
                }
            }
            guard count > 16 else { return }
            for answer in answers(to: Array(buffer.prefix(count)), overTCP: false) {
                _ = withUnsafePointer(to: &peer) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        sendto(descriptor, answer, answer.count, 0, $0, length)
                    }
                }
            }
        }
    }

    private func serveStreams() {
        while true {
            let connection = accept(streams, nil, nil)
            guard connection >= 0 else { return }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(connection, &buffer, buffer.count, 0)
            if count > 18 {
                for answer in answers(to: Array(buffer[2..<count]), overTCP: true) {
                    // In two parts: the reader must put them together.
                    let bytes = [UInt8(answer.count >> 8), UInt8(answer.count & 255)] + answer
                    _ = send(connection, Array(bytes.prefix(5)), 5, Int32(MSG_NOSIGNAL))
                    _ = send(
                        connection, Array(bytes.dropFirst(5)), bytes.count - 5,
                        Int32(MSG_NOSIGNAL))
                }
            }
            close(connection)
        }
    }

    private final class Body {
        let server: NameServer
        let body: @Sendable (NameServer) -> Void
        init(_ server: NameServer, _ body: @escaping @Sendable (NameServer) -> Void) {
            self.server = server
            self.body = body
        }
    }

    private func start(_ body: @escaping @Sendable (NameServer) -> Void) {
        let argument = Unmanaged.passRetained(Body(self, body)).toOpaque()
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                body.body(body.server)
                return nil
            }, argument)
        precondition(result == 0, "a test machine has threads to give")
        threads.withLock { $0.append(thread) }
    }

    /// A UDP and a TCP socket on the same free port.
    private static func bindBoth() throws -> (Int32, Int32, UInt16) {
        for _ in 0..<50 {
            let streams = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            if let port = bindLoopback(streams, port: 0),
                bindLoopback(datagrams, port: port) != nil, listen(streams, 8) == 0
            {
                return (datagrams, streams, port)
            }
            close(streams)
            close(datagrams)
        }
        throw NameServerFailure()
    }

    private static func bindLoopback(_ descriptor: Int32, port: UInt16) -> UInt16? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        return isBound ? UInt16(bigEndian: address.sin_port) : nil
    }
}

/// No port was free for both protocols.
struct NameServerFailure: Error {}
