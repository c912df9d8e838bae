// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Sockets of this machine; the receiver is this process, too.
extension LeakAttack {
    private static let stream = Int32(SOCK_STREAM.rawValue)
    private static let datagram = Int32(SOCK_DGRAM.rawValue)
    /// MSG_ZEROCOPY and SO_ZEROCOPY (asm-generic/socket.h).
    private static let zerocopyFlag: Int32 = 0x400_0000
    private static let zerocopyOption: Int32 = 60

    func overUnix(_ type: __socket_type, _ call: (Int32) -> [Int]) -> LeakReport {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(type.rawValue), 0, &ends) == 0 else {
            return Self.unavailable()
        }
        defer { for end in ends { close(end) } }
        return judge(call(ends[0]), value) {
            recv(ends[1], $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
        }
    }

    /// - Parameters:
    ///   - port: to listen at; 0: any.
    ///   - wanted: what is to arrive; nil: the value.
    func overTCP(
        port: UInt16 = 0, wanting wanted: [UInt8]? = nil, _ call: (Int32) -> [Int]
    ) -> LeakReport {
        let listener = socket(AF_INET, Self.stream, 0)
        let sender = socket(AF_INET, Self.stream, 0)
        defer {
            close(listener)
            close(sender)
        }
        var one: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        guard let place = bound(listener, port), listen(listener, 1) == 0,
            connects(sender, place)
        else { return Self.unavailable() }
        let receiver = accept(listener, nil, nil)
        guard receiver >= 0 else { return Self.unavailable() }
        defer { close(receiver) }
        Self.limitWait(receiver)
        return judge(call(sender), wanted ?? value) { recv(receiver, $0.baseAddress, $0.count, 0) }
    }

    func overUDP(
        connected: Bool = true, _ call: (Int32, sockaddr_in) -> Int
    ) -> LeakReport {
        let receiver = socket(AF_INET, Self.datagram, 0)
        let sender = socket(AF_INET, Self.datagram, 0)
        defer {
            close(receiver)
            close(sender)
        }
        guard let place = bound(receiver, 0), !connected || connects(sender, place) else {
            return Self.unavailable()
        }
        Self.limitWait(receiver)
        return judge([call(sender, place)], value) {
            recv(receiver, $0.baseAddress, $0.count, 0)
        }
    }

    func sendTo(_ socket: Int32, _ place: sockaddr_in) -> Int {
        var place = place
        return withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(socket, value, value.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// The first of two datagrams is harmless: no hook is asked about the second.
    func secondMessage() -> LeakReport {
        let receiver = socket(AF_INET, Self.datagram, 0)
        let sender = socket(AF_INET, Self.datagram, 0)
        defer {
            close(receiver)
            close(sender)
        }
        guard let place = bound(receiver, 0), connects(sender, place) else {
            return Self.unavailable()
        }
        Self.limitWait(receiver)
        let harmless = [UInt8](repeating: UInt8(ascii: "."), count: value.count)
        let sent = Int(clinux_send_two(sender, harmless, value, value.count))
        if sent == 2 {
            var first = [UInt8](repeating: 0, count: value.count)
            _ = recv(receiver, &first, first.count, 0)
        }
        return judge([sent == 2 ? sent : min(sent, -1)], value) {
            recv(receiver, $0.baseAddress, $0.count, 0)
        }
    }

    func many(_ socket: Int32, _ count: UInt32) -> Int {
        value.withUnsafeBytes {
            Int(clinux_send_messages(socket, $0.baseAddress, $0.count, count))
        }
    }

    func message(_ socket: Int32) -> Int {
        value.withUnsafeBytes { bytes in
            var part = iovec(
                iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                iov_len: bytes.count)
            return withUnsafeMutablePointer(to: &part) { parts in
                var header = msghdr()
                header.msg_iov = parts
                header.msg_iovlen = 1
                return sendmsg(socket, &header, 0)
            }
        }
    }

    func zerocopy(_ socket: Int32) -> Int {
        var one: Int32 = 1
        guard setsockopt(socket, SOL_SOCKET, Self.zerocopyOption, &one, 4) == 0 else { return -1 }
        return send(socket, value, value.count, Self.zerocopyFlag)
    }

    // MARK: Addresses

    private func bound(_ socket: Int32, _ port: UInt16) -> sockaddr_in? {
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = port.bigEndian
        place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, size) == 0 && getsockname(socket, $0, &size) == 0
            }
        }
        return isBound ? place : nil
    }

    private func connects(_ socket: Int32, _ place: sockaddr_in) -> Bool {
        var place = place
        return withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// What does not arrive within two seconds does not arrive.
    private static func limitWait(_ socket: Int32) {
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(
            socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
}
