// SPDX-License-Identifier: Apache-2.0
internal import Foundation
import Glibc

/// A bare TCP connection to a server on loopback, which sends whatever it likes.
package final class Stranger: Sendable {
    /// Nothing here waits longer for the server; so late, it is stuck.
    private static let secondsMax = 120

    private let descriptor: Int32

    /// - Parameter receiveBufferBytes: what the kernel keeps of what is not read; nil: as it likes.
    package init(port: Int, receiveBufferBytes: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var time = timeval(tv_sec: Self.secondsMax, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        var one: Int32 = 1
        setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one,
            socklen_t(MemoryLayout<Int32>.size))
        if var bytes = receiveBufferBytes {
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
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
    package func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
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

    /// Sends what is taken at once.
    ///
    /// - Returns: how many bytes; nil: the server has closed the connection.
    package func sendWhatFits(_ bytes: [UInt8]) -> Int? {
        let flags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
        let count = bytes.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, flags)
        }
        guard count < 0 else { return count }
        return errno == EAGAIN ? 0 : nil
    }

    /// Whether nothing has come that was not read.
    package var hasNothing: Bool {
        var byte: UInt8 = 0
        let flags = Int32(MSG_PEEK | MSG_DONTWAIT)
        return recv(descriptor, &byte, 1, flags) < 0 && errno == EAGAIN
    }

    /// What comes until the server closes; nil: it does not.
    package func everything() async -> String? {
        await aside {
            var answer: [UInt8] = []
            while let part = self.part() {
                guard !part.isEmpty else { return String(decoding: answer, as: UTF8.self) }
                answer += part
            }
            return nil
        }
    }

    /// One answer whose body ends with a line's end.
    package func answer() async -> String? {
        await aside {
            var answer = ""
            while !answer.contains("\r\n\r\n") || !answer.hasSuffix("\n")
                || answer.hasSuffix("\r\n\r\n")
            {
                guard let part = self.part(), !part.isEmpty else { return nil }
                answer += String(decoding: part, as: UTF8.self)
            }
            return answer
        }
    }

    /// What comes until it ends so; nil: it does not before the server closes.
    package func text(until end: String) async -> String? {
        await aside {
            var text = ""
            while !text.hasSuffix(end) {
                guard let part = self.part(upTo: 1), !part.isEmpty else { return nil }
                text += String(decoding: part, as: UTF8.self)
            }
            return text
        }
    }

    /// How many bytes come, up to so many; fewer: the server has closed.
    package func count(upTo most: Int) async -> Int {
        await aside {
            var count = 0
            while count < most, let part = self.part(upTo: min(65_536, most - count)),
                !part.isEmpty
            {
                count += part.count
            }
            return count
        }
    }

    /// On a thread of its own: whoever waits for the server in one of the pool's keeps it from
    /// answering.
    package func aside<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: work()) }
        }
    }

    /// Empty: the server has closed, in whatever way; nil: nothing came.
    private func part(upTo most: Int = 65_536) -> [UInt8]? {
        var part = [UInt8](repeating: 0, count: most)
        let count = recv(descriptor, &part, part.count, 0)
        if count < 0 { return errno == ECONNRESET || errno == EPIPE ? [] : nil }
        return Array(part[..<count])
    }
}

extension String {
    /// Of an HTTP answer.
    package var statusCode: Int? { split(separator: " ").dropFirst().first.flatMap { Int($0) } }
}
