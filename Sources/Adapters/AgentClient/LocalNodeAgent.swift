// SPDX-License-Identifier: Apache-2.0
import AgentProtocol
import CLinux
import Glibc
package import Ports

/// The agent behind its Unix socket. Speaks the lines of `Registration`.
package struct LocalNodeAgent: NodeAgent {
    /// For connecting and the answer together (milliseconds): the enrolment walks the node's
    /// processes.
    package static let answerMillisecondsMax: Int32 = 5000

    private let path: String
    private let millisecondsMax: Int32

    package init(path: String, millisecondsMax: Int32 = Self.answerMillisecondsMax) {
        self.path = path
        self.millisecondsMax = millisecondsMax
    }

    package mutating func register() throws(NodeAgentFailure) -> NodeRegistration {
        let end = Self.milliseconds() + Int64(millisecondsMax)
        let connection = clinux_local_connect(path, millisecondsMax)
        guard connection >= 0 else { throw Self.failure(connecting: -connection) }
        defer { close(connection) }
        try send(Registration.request, on: connection)
        switch Registration.answer(try line(from: connection, until: end)) {
        case .success(let answer):
            return NodeRegistration(enrolment: answer.enrolment, tier: answer.tier)
        case .failure(let refusal): throw .refused(reason: refusal.rawValue)
        case nil: throw .malformed
        }
    }

    private static func failure(connecting number: Int32) -> NodeAgentFailure {
        switch number {
        case ENOENT, ECONNREFUSED, ENOTDIR: .absent(errorNumber: number)
        // So many wait to be accepted that the time was over.
        case EAGAIN: .timedOut
        default: .systemCall("connect", errorNumber: number)
        }
    }

    private func send(_ text: String, on connection: Int32) throws(NodeAgentFailure) {
        let bytes = Array(text.utf8)
        // Shorter than any socket's buffer: as a whole or not at all.
        guard Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
        else { throw errno == EPIPE ? .gone : .systemCall("send", errorNumber: errno) }
    }

    private func line(
        from connection: Int32, until end: Int64
    ) throws(NodeAgentFailure) -> String {
        var bytes = [UInt8](repeating: 0, count: Registration.lineBytesMax)
        var count = 0
        while count < bytes.count {
            try Self.wait(for: connection, until: end)
            let got = bytes.withUnsafeMutableBytes {
                recv(
                    connection, $0.baseAddress.map { $0 + count }, $0.count - count,
                    Int32(MSG_DONTWAIT))
            }
            if got < 0 && (errno == EINTR || errno == EAGAIN) { continue }
            guard got >= 0 || errno == ECONNRESET else {
                throw .systemCall("recv", errorNumber: errno)
            }
            guard got > 0 else { throw .gone }
            count += got
            if let end = bytes[..<count].firstIndex(of: UInt8(ascii: "\n")) {
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
        }
        throw .malformed
    }

    /// The whole answer has one limit, however it trickles in.
    private static func wait(for connection: Int32, until end: Int64) throws(NodeAgentFailure) {
        let rest = end - milliseconds()
        guard rest > 0 else { throw .timedOut }
        var entry = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
        // An interrupted wait is begun anew by the caller.
        _ = poll(&entry, 1, Int32(clamping: rest))
    }

    private static func milliseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }
}

extension NodeAgentFailure {
    /// The agent ended, or was ended, before it had answered; its successor may answer.
    fileprivate static let gone = NodeAgentFailure.absent(errorNumber: ECONNRESET)
}
