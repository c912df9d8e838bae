// SPDX-License-Identifier: Apache-2.0
import AgentProtocol
import CLinux
import Glibc
package import Ports

/// The agent behind its Unix socket. Speaks the lines of `Registration`.
package struct LocalNodeAgent: NodeAgent {
    /// For the answer (milliseconds): the enrolment walks the node's processes.
    package static let answerMillisecondsMax: Int32 = 5000

    private let path: String

    package init(path: String) { self.path = path }

    package mutating func register() throws(NodeAgentFailure) -> NodeRegistration {
        let connection = clinux_local_connect(path)
        guard connection >= 0 else { throw Self.failure(connecting: -connection) }
        defer { close(connection) }
        let limited = clinux_set_timeouts(connection, Self.answerMillisecondsMax)
        guard limited == 0 else { throw .systemCall("setsockopt", errorNumber: -limited) }
        try send(Registration.request, on: connection)
        switch Registration.answer(try line(from: connection)) {
        case .success(let answer):
            return NodeRegistration(enrolment: answer.enrolment, tier: answer.tier)
        case .failure(let refusal): throw .refused(reason: refusal.rawValue)
        case nil: throw .malformed
        }
    }

    private static func failure(connecting number: Int32) -> NodeAgentFailure {
        switch number {
        case ENOENT, ECONNREFUSED, ENOTDIR, EAGAIN: .absent(errorNumber: number)
        default: .systemCall("connect", errorNumber: number)
        }
    }

    private func send(_ text: String, on connection: Int32) throws(NodeAgentFailure) {
        let bytes = Array(text.utf8)
        // Shorter than any socket's buffer: as a whole or not at all.
        guard Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
        else { throw .systemCall("send", errorNumber: errno) }
    }

    private func line(from connection: Int32) throws(NodeAgentFailure) -> String {
        var bytes = [UInt8](repeating: 0, count: Registration.lineBytesMax)
        var count = 0
        while true {
            let got = bytes.withUnsafeMutableBytes {
                read(connection, $0.baseAddress.map { $0 + count }, $0.count - count)
            }
            if got < 0 && errno == EINTR { continue }
            if got < 0 && errno == EAGAIN { throw .timedOut }
            guard got > 0 else { throw .malformed }
            count += got
            if let end = bytes[..<count].firstIndex(of: UInt8(ascii: "\n")) {
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            guard count < bytes.count else { throw .malformed }
        }
    }
}
