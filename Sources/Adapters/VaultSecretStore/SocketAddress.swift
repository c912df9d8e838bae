// SPDX-License-Identifier: Apache-2.0
import Glibc

/// An IPv4 or IPv6 address with a port.
struct SocketAddress: Equatable {
    /// 4 or 16 bytes, network order.
    let bytes: [UInt8]
    var port: UInt16

    var family: Int32 { bytes.count == 4 ? AF_INET : AF_INET6 }

    init(bytes: [UInt8], port: UInt16) {
        precondition(bytes.count == 4 || bytes.count == 16, "an address has 4 or 16 bytes")
        self.bytes = bytes
        self.port = port
    }

    /// A numeric address (`127.0.0.1`, `::1`), or nil.
    init?(numeric text: String, port: UInt16) {
        var storage = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &storage) == 1 {
            self.init(bytes: Array(storage.prefix(4)), port: port)
        } else if inet_pton(AF_INET6, text, &storage) == 1 {
            self.init(bytes: storage, port: port)
        } else {
            return nil
        }
    }

    /// Hands the address to a system call.
    func withSocketAddress<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        if bytes.count == 4 {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes) }
            return Self.generic(&address, body)
        }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
        return Self.generic(&address, body)
    }

    private static func generic<Address, Result>(
        _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }
}

/// A socket that is closed with its owner.
struct Socket: ~Copyable {
    let descriptor: Int32

    /// A non-blocking, close-on-exec socket connected to `address`.
    ///
    /// - Parameter kind: `SOCK_STREAM` or `SOCK_DGRAM`.
    init(
        kind: __socket_type, connectingTo address: SocketAddress, deadline: Deadline,
        atMost milliseconds: Int? = nil
    ) throws(SocketFailure) {
        let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let made = socket(address.family, Int32(kind.rawValue) | flags, 0)
        guard made >= 0 else { throw .systemCall(errorNumber: errno) }
        if kind == SOCK_STREAM {
            // Requests are small and each waits for its answer: Nagle's algorithm would hold the
            // second record of a flight back until the peer's delayed acknowledgement.
            var yes: Int32 = 1
            setsockopt(
                made, Int32(IPPROTO_TCP), TCP_NODELAY, &yes,
                socklen_t(MemoryLayout<Int32>.size))
        }
        do throws(SocketFailure) {
            try Self.connect(made, to: address, deadline: deadline, atMost: milliseconds)
        } catch {
            close(made)
            throw error
        }
        descriptor = made
    }

    deinit { close(descriptor) }

    private static func connect(
        _ descriptor: Int32, to address: SocketAddress, deadline: Deadline,
        atMost milliseconds: Int?
    ) throws(SocketFailure) {
        let result = address.withSocketAddress { Glibc.connect(descriptor, $0, $1) }
        if result == 0 { return }
        guard errno == EINPROGRESS || errno == EINTR else {
            throw .systemCall(errorNumber: errno)
        }
        switch deadline.wait(for: descriptor, events: POLLOUT, atMost: milliseconds) {
        case .ready: break
        case .timedOut: throw .timedOut
        case .interrupted: throw .interrupted
        }
        var errorNumber: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &errorNumber, &length) == 0 else {
            throw .systemCall(errorNumber: errno)
        }
        guard errorNumber == 0 else { throw .systemCall(errorNumber: errorNumber) }
    }
}

/// Why a socket could not be connected.
enum SocketFailure: Error, Equatable {
    case timedOut
    case interrupted
    case systemCall(errorNumber: Int32)
}
