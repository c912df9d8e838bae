// SPDX-License-Identifier: Apache-2.0
import AgentProtocol
import CLinux
import Glibc
package import Ports

/// The agent behind its Unix socket. Speaks as `Registration` and `ScanRequest` say.
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
        switch Registration.answer(try ask(Array(Registration.request.utf8))) {
        case .success(let answer):
            return NodeRegistration(
                enrolment: answer.enrolment, tier: answer.tier, canScan: answer.canScan)
        case .failure(let refusal): throw .refused(reason: refusal.rawValue)
        case nil: throw .malformed
        }
    }

    package mutating func scan(_ scan: OutputScan) throws(NodeAgentFailure) {
        let request: ScanRequest
        do throws(ScanRequest.Refusal) {
            request = try ScanRequest(
                address: scan.index.address, length: scan.index.byteCount, rules: scan.rules,
                bitmap: scan.index.bitmap)
        } catch { throw .refused(reason: Registration.Refusal.malformed.rawValue) }
        switch Registration.scanAnswer(try ask(request.bytes)) {
        case .success: return
        case .failure(let refusal): throw .refused(reason: refusal.rawValue)
        case nil: throw .malformed
        }
    }

    /// One request on a connection of its own, and the line that comes back.
    private func ask(_ request: [UInt8]) throws(NodeAgentFailure) -> String {
        let end = Self.milliseconds() + Int64(millisecondsMax)
        let connection = clinux_local_connect(path, millisecondsMax)
        guard connection >= 0 else { throw Self.failure(connecting: -connection) }
        defer { close(connection) }
        do throws(NodeAgentFailure) {
            try send(request, on: connection, until: end)
        } catch {
            // Who refuses by the first line need not read the rest: its answer may be there.
            guard error == .gone else { throw error }
            return try line(from: connection, until: end)
        }
        return try line(from: connection, until: end)
    }

    private static func failure(connecting number: Int32) -> NodeAgentFailure {
        switch number {
        case ENOENT, ECONNREFUSED, ENOTDIR: .absent(errorNumber: number)
        // So many wait to be accepted that the time was over.
        case EAGAIN: .timedOut
        default: .systemCall("connect", errorNumber: number)
        }
    }

    private func send(
        _ bytes: [UInt8], on connection: Int32, until end: Int64
    ) throws(NodeAgentFailure) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    connection, $0.baseAddress.map { $0 + sent }, $0.count - sent,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count < 0 && (errno == EINTR || errno == EAGAIN) {
                try Self.wait(for: connection, POLLOUT, until: end)
                continue
            }
            guard count >= 0 else {
                throw [EPIPE, ECONNRESET].contains(errno)
                    ? .gone : .systemCall("send", errorNumber: errno)
            }
            sent += count
        }
    }

    private func line(
        from connection: Int32, until end: Int64
    ) throws(NodeAgentFailure) -> String {
        var bytes = [UInt8](repeating: 0, count: Registration.lineBytesMax)
        var count = 0
        while count < bytes.count {
            try Self.wait(for: connection, POLLIN, until: end)
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

    /// Request and answer have one limit together, however they trickle.
    private static func wait(
        for connection: Int32, _ events: Int32, until end: Int64
    ) throws(NodeAgentFailure) {
        let rest = end - milliseconds()
        guard rest > 0 else { throw .timedOut }
        var entry = pollfd(fd: connection, events: Int16(events), revents: 0)
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
