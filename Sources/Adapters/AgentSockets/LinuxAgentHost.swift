// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
import AgentProtocol
import CLinux
import Glibc
package import Ports

/// The agent's sockets, its signals and the programs' ring in one poll(2).
package struct LinuxAgentHost: AgentHost, ~Copyable {
    /// Connections open at once, on both sockets; further ones wait to be accepted.
    package static let connectionsMax = 64
    /// A peer that has not said its line or request by then is dropped.
    package static let speechLimit = Duration.seconds(5)
    /// For a peer to take its answer.
    package static let answerLimit = Duration.seconds(5)
    /// Bytes of a request on the registration socket.
    package static let requestBytesMax = AgentRequest.byteCountMax
    /// For the answer to "does another agent serve there" (milliseconds).
    private static let connectMillisecondsMax: Int32 = 1000
    /// Bytes of a request's head.
    package static let headBytesMax = 4096

    private let registration: Int32
    private let observation: Int32
    private let signals: Int32
    /// Readable while records wait; owned by who made it.
    private let records: Int32
    private let path: String
    private let clock: @Sendable () -> MonotonicTime
    private static let peek = Int32(MSG_PEEK | MSG_DONTWAIT)
    private var connections: [AgentConnection: Connection] = [:]
    private var last: AgentConnection = 0
    private var ready: [AgentInput] = []

    struct Connection {
        let descriptor: Int32
        let isRegistration: Bool
        let peer: AgentPeer
        /// For its line; then, for its answer.
        var deadline: MonotonicTime
        var received: [UInt8] = []
        /// Its line was handed over and its answer is awaited.
        var isAsked = false
        /// Of its answer; not empty: it waits for the peer to take it.
        var unsent: ArraySlice<UInt8> = []
    }

    /// - Parameters:
    ///   - path: of the registration socket; a socket that nobody listens on is replaced.
    ///   - address: numeric, of the observation port; nil: no port.
    ///   - records: descriptor that is readable while records wait.
    package init(
        path: String, observation: (address: String, port: UInt16)?, records: Int32,
        clock: @escaping @Sendable () -> MonotonicTime
    ) throws(AgentSocketFailure) {
        let blocked = try Self.blockSignals()
        let local: Int32
        let remote: Int32
        do throws(AgentSocketFailure) { local = try Self.listen(path) } catch {
            Glibc.close(blocked)
            throw error
        }
        do throws(AgentSocketFailure) { remote = try Self.listen(observation) } catch {
            Glibc.close(blocked)
            Glibc.close(local)
            unlink(path)
            throw error
        }
        self.path = path
        self.records = records
        self.clock = clock
        signals = blocked
        registration = local
        self.observation = remote
    }

    private static func listen(
        _ observation: (address: String, port: UInt16)?
    ) throws(AgentSocketFailure) -> Int32 {
        guard let observation else { return -1 }
        let listener = clinux_tcp_listen(observation.address, observation.port)
        guard listener >= 0 else {
            let place = "\(observation.address):\(observation.port)"
            throw .cannotListen(place, errorNumber: -listener)
        }
        return listener
    }

    deinit {
        for connection in connections.values { Glibc.close(connection.descriptor) }
        Glibc.close(registration)
        unlink(path)
        if observation >= 0 { Glibc.close(observation) }
        Glibc.close(signals)
    }

    private static func blockSignals() throws(AgentSocketFailure) -> Int32 {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let descriptor = clinux_signal_descriptor(&set)
        guard descriptor >= 0 else {
            throw .systemCall("signalfd", errorNumber: -descriptor)
        }
        return descriptor
    }

    /// Every user's containers may register: the file's mode lets them.
    private static func listen(_ path: String) throws(AgentSocketFailure) -> Int32 {
        let there = clinux_local_connect(path, connectMillisecondsMax)
        if there >= 0 { Glibc.close(there) }
        // Too busy to answer is there, too.
        guard there < 0, there != -EAGAIN else { throw .anotherAgent(path) }
        // What is no socket refuses as well, and is nobody's leftover.
        if there == -ECONNREFUSED, isSocket(path) { unlink(path) }
        let listener = clinux_local_listen(path, 0o666)
        guard listener >= 0 else { throw .cannotListen(path, errorNumber: -listener) }
        return listener
    }

    private static func isSocket(_ path: String) -> Bool {
        var facts = stat()
        return lstat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFSOCK
    }

    // MARK: AgentHost

    package mutating func next(
        until deadline: MonotonicTime
    ) throws(AgentHostFailure) -> AgentInput {
        while true {
            if !ready.isEmpty { return ready.removeFirst() }
            dropSilent()
            let now = clock()
            if now >= deadline { return .deadline }
            try poll(for: min(now.duration(to: deadline), .seconds(1)))
        }
    }

    package mutating func answer(_ connection: AgentConnection, _ text: String) {
        guard let known = connections[connection], known.unsent.isEmpty else { return }
        connections[connection]?.unsent = Array(text.utf8)[...]
        connections[connection]?.deadline = clock().advanced(by: Self.answerLimit)
        send(connection)
    }

    /// As much of its answer as the peer takes now; a long one goes in several steps.
    private mutating func send(_ id: AgentConnection) {
        guard let known = connections[id] else { return }
        let count = known.unsent.withUnsafeBytes {
            Glibc.send(known.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 || count < 0 && errno == EAGAIN else { return drop(id) }
        let rest = known.unsent.dropFirst(max(0, count))
        guard !rest.isEmpty else { return drop(id) }
        connections[id]?.unsent = rest
    }

    package mutating func isConnected(_ connection: AgentConnection) -> Bool {
        guard let known = connections[connection], known.unsent.isEmpty else { return false }
        var byte: UInt8 = 0
        let got = recv(known.descriptor, &byte, 1, Self.peek)
        return got > 0 || got < 0 && errno == EAGAIN
    }

    // MARK: Events

    private mutating func poll(for time: Duration) throws(AgentHostFailure) {
        let order = connections.keys.sorted()
        let accepts = connections.count < Self.connectionsMax
        var watched = [signals, records, accepts ? registration : -1, accepts ? observation : -1]
        watched += order.map { connections[$0]?.descriptor ?? -1 }
        var entries = watched.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        for (index, id) in order.enumerated() where connections[id]?.unsent.isEmpty == false {
            entries[4 + index].events = Int16(POLLOUT)
        }
        let milliseconds = Int32(
            clamping: time.components.seconds * 1000
                + time.components.attoseconds / 1_000_000_000_000_000 + 1)
        let count = Glibc.poll(&entries, nfds_t(entries.count), milliseconds)
        guard count >= 0 || errno == EINTR else {
            throw .systemCall("poll", errorNumber: errno)
        }
        guard count > 0 else { return }
        if entries[0].revents != 0 { takeSignal() }
        if entries[1].revents != 0 { ready.append(.records) }
        if entries[2].revents != 0 { accept(from: registration, isRegistration: true) }
        if entries[3].revents != 0 { accept(from: observation, isRegistration: false) }
        for (entry, id) in zip(entries.dropFirst(4), order) where entry.revents != 0 { read(id) }
    }

    private mutating func takeSignal() {
        var code: Int32 = 0
        switch clinux_signal_read(signals, &code) {
        case SIGHUP: ready.append(.reload)
        case let signal where signal > 0: ready.append(.end(signal: signal))
        default: break
        }
    }

    private mutating func accept(from listener: Int32, isRegistration: Bool) {
        let descriptor = clinux_accept(listener)
        guard descriptor >= 0 else { return }
        var process: pid_t = 0
        var user: UInt32 = 0
        if isRegistration, clinux_peer(descriptor, &process, &user) != 0 {
            Glibc.close(descriptor)
            return
        }
        last += 1
        connections[last] = Connection(
            descriptor: descriptor, isRegistration: isRegistration,
            peer: AgentPeer(process: process, user: user),
            deadline: clock().advanced(by: Self.speechLimit))
    }

    private mutating func read(_ id: AgentConnection) {
        if connections[id]?.unsent.isEmpty == false { return send(id) }
        guard var connection = connections[id], !connection.isAsked else {
            // Said more than its line, or left: the answer shows it.
            drop(id)
            return
        }
        let limit = connection.isRegistration ? Self.requestBytesMax : Self.headBytesMax
        var block = [UInt8](repeating: 0, count: limit)
        let got = Glibc.read(connection.descriptor, &block, limit - connection.received.count)
        guard got > 0 else {
            if got == 0 || errno != EAGAIN { drop(id) }
            return
        }
        connection.received += block.prefix(got)
        let input = Speech.input(id, connection)
        connection.isAsked = input != nil
        connections[id] = connection
        if let input {
            ready.append(input)
        } else if connection.received.count >= limit {
            drop(id)
        }
    }

    private mutating func dropSilent() {
        let now = clock()
        for (id, connection) in connections where connection.deadline <= now {
            // Who waits for the agent is not silent.
            if !connection.isAsked || !connection.unsent.isEmpty { drop(id) }
        }
    }

    private mutating func drop(_ id: AgentConnection) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        Glibc.close(connection.descriptor)
    }
}

/// What a connection has said, once it is complete.
enum Speech {
    static func input(
        _ id: AgentConnection, _ connection: LinuxAgentHost.Connection
    ) -> AgentInput? {
        connection.isRegistration
            ? isComplete(connection.received)
                ? .registration(id, connection.peer, request: connection.received) : nil
            : request(connection.received).map { .request(id, method: $0, path: $1) }
    }

    static func isComplete(_ bytes: [UInt8]) -> Bool { AgentRequest.read(bytes) != .incomplete }

    /// Method and target of an HTTP request whose head has ended (RFC 9112, section 3).
    static func request(_ bytes: [UInt8]) -> (String, String)? {
        let end = Array("\r\n\r\n".utf8)
        guard bytes.count >= end.count,
            (0...bytes.count - end.count).contains(where: {
                bytes[$0..<$0 + end.count].elementsEqual(end)
            })
        else { return nil }
        let words = bytes.prefix { $0 != end[0] }.split(separator: UInt8(ascii: " "))
        guard words.count == 3 else { return ("", "") }
        return (
            String(decoding: words[0], as: UTF8.self), String(decoding: words[1], as: UTF8.self)
        )
    }
}

package enum AgentSocketFailure: Error, Sendable, Equatable {
    case cannotListen(String, errorNumber: Int32)
    /// Somebody answers at the registration socket already.
    case anotherAgent(String)
    case systemCall(String, errorNumber: Int32)
}
