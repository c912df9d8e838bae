// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
internal import Ports
internal import SocketAddresses

/// Asks the configured servers for A and AAAA records, over UDP and, when the answer was cut
/// short, over TCP.
struct DNSClient {
    let configuration: ResolverConfiguration
    let serverPort: UInt16

    /// Largest datagram taken: no EDNS is offered, so servers keep to 512 (RFC 1035, 4.2.1).
    private static let datagramBytesMax = 4096

    /// IPv4 first: a loopback or cluster vault seldom has a routed IPv6 address.
    /// Empty when no candidate name has an address.
    func addresses(
        of host: String, port: UInt16, deadline: Deadline
    ) throws(SecretStoreFailure) -> [SocketAddress] {
        for name in configuration.candidates(for: host) {
            var found: [SocketAddress] = []
            var exists = true
            for type in [DNSMessage.RecordType.address4, .address6] where exists {
                switch ask(name, type, deadline: deadline) {
                case .addresses(let list):
                    found += list.map { SocketAddress(bytes: $0, port: port) }
                case .noSuchName: exists = false
                case .serverFailure, .truncated, nil: break
                }
                guard !deadline.isInterrupted else { throw .interrupted }
                guard !deadline.hasPassed else {
                    throw .timedOut(host: host, seconds: deadline.seconds)
                }
            }
            if !found.isEmpty { return found }
        }
        return []
    }

    /// The first conclusive answer of any server; the last inconclusive one otherwise.
    private func ask(
        _ name: String, _ type: DNSMessage.RecordType, deadline: Deadline
    ) -> DNSMessage.Answer? {
        var last: DNSMessage.Answer?
        for _ in 0..<configuration.attempts {
            for server in configuration.servers {
                guard let address = SocketAddress(numeric: server, port: serverPort),
                    let query = Self.query(name, type)
                else { continue }
                var answer = overUDP(query, to: address, deadline: deadline)
                if answer == .truncated {
                    answer = overTCP(query, to: address, deadline: deadline)
                }
                switch answer {
                case .addresses, .noSuchName: return answer
                case .serverFailure, .truncated: last = answer
                case nil: break
                }
            }
        }
        return last
    }

    /// The identifier and, being a fresh socket, the source port are unpredictable.
    private static func query(_ name: String, _ type: DNSMessage.RecordType) -> [UInt8]? {
        var identifier: UInt16 = 0
        let result = withUnsafeMutableBytes(of: &identifier) { bytes in
            clinux_random(bytes.baseAddress, bytes.count)
        }
        guard result == 0 else { return nil }
        return DNSMessage.query(identifier: identifier, name: name, type: type)
    }

    private func overUDP(
        _ query: [UInt8], to address: SocketAddress, deadline: Deadline
    ) -> DNSMessage.Answer? {
        guard
            let socket = try? Socket(
                kind: SOCK_DGRAM, connectingTo: address, deadline: deadline)
        else { return nil }
        guard send(socket.descriptor, query, query.count, 0) == query.count else { return nil }
        let limit = Deadline(secondsFromNow: configuration.timeoutSeconds)
        var datagram = [UInt8](repeating: 0, count: Self.datagramBytesMax)
        while !limit.hasPassed, !deadline.hasPassed {
            let milliseconds = configuration.timeoutSeconds * 1000
            guard
                deadline.wait(for: socket.descriptor, events: POLLIN, atMost: milliseconds)
                    == .ready
            else { return nil }
            let count = recv(socket.descriptor, &datagram, datagram.count, 0)
            guard count > 0 else {
                if errno == EINTR || errno == EAGAIN { continue }
                return nil
            }
            if let answer = DNSMessage.answer(Array(datagram.prefix(count)), to: query) {
                return answer
            }
        }
        return nil
    }

    /// Two bytes of length before each message (RFC 7766, section 8).
    private func overTCP(
        _ query: [UInt8], to address: SocketAddress, deadline: Deadline
    ) -> DNSMessage.Answer? {
        let milliseconds = configuration.timeoutSeconds * 1000
        guard
            let socket = try? Socket(
                kind: SOCK_STREAM, connectingTo: address, deadline: deadline,
                atMost: milliseconds)
        else { return nil }
        let message = [UInt8(query.count >> 8), UInt8(query.count & 0xFF)] + query
        let flags = Int32(MSG_NOSIGNAL)
        guard send(socket.descriptor, message, message.count, flags) == message.count else {
            return nil
        }
        var received: [UInt8] = []
        var part = [UInt8](repeating: 0, count: Self.datagramBytesMax)
        while true {
            if received.count >= 2 {
                let length = Int(received[0]) << 8 | Int(received[1])
                if received.count >= 2 + length {
                    return DNSMessage.answer(Array(received[2..<2 + length]), to: query)
                }
            }
            guard
                deadline.wait(for: socket.descriptor, events: POLLIN, atMost: milliseconds)
                    == .ready
            else { return nil }
            let count = recv(socket.descriptor, &part, part.count, 0)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { return nil }
            received.append(contentsOf: part.prefix(count))
        }
    }
}
