// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AgentSockets
import Foundation
import Glibc
import Ports
import Synchronization

/// A folder with a socket's path, a clock that a test moves on, and what the host changes of its
/// thread put back.
final class SocketBench: Sendable {
    let folder: String
    var path: String { folder + "/agent.sock" }
    private let ahead = Mutex<UInt64>(0)
    private let mask: sigset_t

    init() {
        var template = Array("/tmp/agent-sockets-XXXXXX".utf8CString)
        folder = String(cString: mkdtemp(&template))
        // Other users register, too.
        chmod(folder, 0o755)
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, nil, &before)
        mask = before
    }

    deinit {
        var before = mask
        pthread_sigmask(SIG_SETMASK, &before, nil)
        try? FileManager.default.removeItem(atPath: folder)
    }

    func advance(_ milliseconds: UInt64) { ahead.withLock { $0 += milliseconds * 1_000_000 } }

    func now() -> MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let real = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        return MonotonicTime(nanoseconds: real + ahead.withLock { $0 })
    }

    func soon(_ milliseconds: Int = 5000) -> MonotonicTime {
        now().advanced(by: .milliseconds(milliseconds))
    }

    func host(
        port: UInt16? = nil, records: Int32 = -1
    ) throws(AgentSocketFailure) -> RunningHost {
        RunningHost(
            try LinuxAgentHost(
                path: path, observation: port.map { ("127.0.0.1", $0) }, records: records,
                clock: { [self] in now() }))
    }

    func connect() -> Peer { Peer(path: path) }

    /// A port that nobody had a moment ago.
    static func freePort() -> UInt16 {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(listener, $0, length)
                _ = getsockname(listener, $0, &length)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }
}

/// The host behind a reference: an expectation cannot hold what is not to be copied.
final class RunningHost {
    private var host: LinuxAgentHost

    init(_ host: consuming LinuxAgentHost) { self.host = host }

    func next(until deadline: MonotonicTime) throws -> AgentInput {
        try host.next(until: deadline)
    }

    func answer(_ connection: AgentConnection, _ text: String) { host.answer(connection, text) }

    func isConnected(_ connection: AgentConnection) -> Bool { host.isConnected(connection) }
}

/// One that connects and speaks.
final class Peer {
    let descriptor: Int32
    let isConnected: Bool

    init(path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        isConnected = Self.connect(descriptor, &address)
    }

    init(port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = port.bigEndian
        isConnected = Self.connect(descriptor, &address)
    }

    private var hasLeft = false

    deinit { leave() }

    private static func connect<Address>(_ descriptor: Int32, _ address: inout Address) -> Bool {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size)) == 0
            }
        }
    }

    func say(_ text: String) { say(Array(text.utf8)) }

    func say(_ bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// All until the host closes the connection; nil when it is still open after `milliseconds`.
    func hear(within milliseconds: Int32 = 2000) -> String? {
        var text: [UInt8] = []
        while true {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, milliseconds) > 0 else { return nil }
            var bytes = [UInt8](repeating: 0, count: 4096)
            let got = recv(descriptor, &bytes, bytes.count, 0)
            guard got > 0 else { return String(decoding: text, as: UTF8.self) }
            text += bytes.prefix(got)
        }
    }

    /// What has come by now. Returns whether the host has closed the connection.
    func take(into heard: inout [UInt8]) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            guard got > 0 else { return got == 0 || errno != EAGAIN }
            heard += bytes.prefix(got)
        }
    }

    func leave() {
        guard !hasLeft else { return }
        hasLeft = true
        close(descriptor)
    }
}
