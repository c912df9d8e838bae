// SPDX-License-Identifier: Apache-2.0
internal import EventPorts
import Glibc
package import SocketAddresses

/// Where a sink connects to. Names are not looked up: a sink must not wait for a name server, and
/// a collector is on the node or has an address.
package enum SinkAddress: Sendable, Equatable {
    case unix(path: String)
    case internet(SocketAddress)

    /// The longest path that fits a socket's address (bytes).
    package static let pathBytesMax = 107

    /// `127.0.0.1`, `::1`, `[::1]` or `localhost`, with the port; nil for anything else.
    package init?(host: String, port: UInt16) {
        var name = host == "localhost" ? "127.0.0.1" : host
        if name.hasPrefix("["), name.hasSuffix("]") { name = String(name.dropFirst().dropLast()) }
        guard let address = SocketAddress(numeric: name, port: port) else { return nil }
        self = .internet(address)
    }

    /// nil when the path is empty or too long.
    package init?(path: String) {
        guard (1...Self.pathBytesMax).contains(path.utf8.count) else { return nil }
        self = .unix(path: path)
    }

    var family: Int32 {
        switch self {
        case .unix: AF_UNIX
        case .internet(let address): address.family
        }
    }

    /// Hands the address to a system call.
    func withSocketAddress<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        switch self {
        case .unix(let path): SocketAddress.withUnixAddress(path, body)
        case .internet(let address): address.withSocketAddress(body)
        }
    }
}

/// A connected, non-blocking socket, closed with its owner.
struct SinkSocket: ~Copyable {
    private let descriptor: Int32

    init(
        _ kind: __socket_type, to address: SinkAddress, deadline: SocketDeadline,
        sendBufferBytes: Int32? = nil
    ) throws(EventSinkFailure) {
        descriptor = try Self.connected(kind, address, deadline)
        if var bytes = sendBufferBytes {
            setsockopt(
                descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    deinit { close(descriptor) }

    private static func connected(
        _ kind: __socket_type, _ address: SinkAddress, _ deadline: SocketDeadline
    ) throws(EventSinkFailure) -> Int32 {
        let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let made = socket(address.family, Int32(kind.rawValue) | flags, 0)
        guard made >= 0 else { throw .unreachable(errorNumber: errno) }
        if let failure = connect(made, address, deadline) {
            close(made)
            throw failure
        }
        return made
    }

    private static func connect(
        _ descriptor: Int32, _ address: SinkAddress, _ deadline: SocketDeadline
    ) -> EventSinkFailure? {
        if address.withSocketAddress({ Glibc.connect(descriptor, $0, $1) }) == 0 { return nil }
        guard errno == EINPROGRESS || errno == EINTR else {
            return .unreachable(errorNumber: errno)
        }
        guard deadline.wait(for: descriptor, events: POLLOUT) else { return .timedOut }
        var errorNumber: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &errorNumber, &length) == 0 else {
            return .unreachable(errorNumber: errno)
        }
        return errorNumber == 0 ? nil : .unreachable(errorNumber: errorNumber)
    }

    /// Whether the other side has closed its end.
    var isClosed: Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 0
    }

    /// Sends all bytes; as one datagram where the socket is one of datagrams.
    func send(_ bytes: [UInt8], deadline: SocketDeadline) -> EventSinkFailure? {
        var offset = 0
        repeat {
            let sent = bytes[offset...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent >= 0 {
                offset += sent
            } else if errno == EAGAIN || errno == ENOBUFS {
                guard deadline.wait(for: descriptor, events: POLLOUT) else { return .timedOut }
            } else if errno != EINTR {
                return .broken(errorNumber: errno)
            }
        } while offset < bytes.count
        return nil
    }

    /// Receives into the buffer from `start`; 0: the stream ended.
    func receive(
        into buffer: inout [UInt8], from start: Int, deadline: SocketDeadline
    ) throws(EventSinkFailure) -> Int {
        while true {
            let got = buffer.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress?.advanced(by: start), $0.count - start, 0)
            }
            if got >= 0 { return got }
            guard errno == EAGAIN || errno == EINTR else { throw .broken(errorNumber: errno) }
            guard deadline.wait(for: descriptor, events: POLLIN) else { throw .timedOut }
        }
    }
}
