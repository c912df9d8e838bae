// SPDX-License-Identifier: Apache-2.0
import Glibc
internal import SocketAddresses

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
