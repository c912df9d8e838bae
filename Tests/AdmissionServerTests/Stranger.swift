// SPDX-License-Identifier: Apache-2.0
import AdmissionServer
import Foundation
import Glibc
import Testing

/// A bare TCP connection to a server on loopback, which sends whatever it likes.
final class Stranger: Sendable {
    /// Nothing here waits longer for the server; so late, it is stuck.
    static let secondsMax = 120

    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var time = timeval(tv_sec: Self.secondsMax, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafeBytes(of: &address) { bytes in
            connect(
                descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                socklen_t(bytes.count))
        }
        guard result == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    }

    deinit { close(descriptor) }

    /// - Returns: false: the server has closed the connection.
    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// What comes until the server closes; nil: it does not.
    func everything() async -> String? { await aside { self.readAll() } }

    /// One answer whose body ends with a line's end.
    func answer() async -> String? { await aside { self.readOne() } }

    /// On a thread of its own: whoever waits for the server in one of the pool's keeps it from
    /// answering.
    private func aside(_ work: @escaping @Sendable () -> String?) async -> String? {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: work()) }
        }
    }

    private func readAll() -> String? {
        var answer: [UInt8] = []
        while true {
            guard let part = part() else { return nil }
            guard !part.isEmpty else { return String(decoding: answer, as: UTF8.self) }
            answer += part
        }
    }

    private func readOne() -> String? {
        var answer = ""
        while !answer.contains("\r\n\r\n") || !answer.hasSuffix("\n")
            || answer.hasSuffix("\r\n\r\n")
        {
            guard let part = part(), !part.isEmpty else { return nil }
            answer += String(decoding: part, as: UTF8.self)
        }
        return answer
    }

    /// Empty: the server has closed, in whatever way; nil: nothing came.
    private func part() -> [UInt8]? {
        var part = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &part, part.count, 0)
        if count < 0 { return errno == ECONNRESET || errno == EPIPE ? [] : nil }
        return Array(part[..<count])
    }
}

extension String {
    /// Of an HTTP answer.
    var statusCode: Int? { split(separator: " ").dropFirst().first.flatMap { Int($0) } }
}
