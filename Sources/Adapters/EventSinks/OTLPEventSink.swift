// SPDX-License-Identifier: Apache-2.0
package import EnforcementEvents
package import EventPorts
import Glibc
import HTTPFormat
import JSONFormat

/// Events to an OpenTelemetry collector on the node: OTLP/HTTP logs in JSON, one POST for each
/// batch, over plain HTTP.
package struct OTLPEventSink: EventSink {
    package static let answerBytesMax = 64 << 10
    package static let pathBytesMax = 256

    package let name: String
    package let batchLinesMax = 64
    package let batchBytesMax = 512 << 10
    private let address: SinkAddress
    private let host: String
    private let path: String
    private let service: String
    private let encoding: EventEncoding
    private let timeout: Duration

    /// - Parameters:
    ///   - host: an address or `localhost`.
    ///   - path: printable ASCII that begins with `/`.
    ///   - timeout: for one `deliver`, connecting and the answer included.
    /// - Returns: nil when the host or the path is none.
    package init?(
        name: String = "otlp", host: String, port: UInt16 = 4318, path: String = "/v1/logs",
        service: String = "cloudtaser-agent", encoding: EventEncoding = .native,
        timeout: Duration = .seconds(10)
    ) {
        let isPath =
            path.hasPrefix("/") && path.utf8.count <= Self.pathBytesMax
            && path.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        guard isPath, let address = SinkAddress(host: host, port: port) else { return nil }
        self.name = name
        self.address = address
        if address.family == AF_INET6, !host.hasPrefix("[") {
            self.host = "[\(host)]:\(port)"
        } else {
            self.host = "\(host):\(port)"
        }
        self.path = path
        self.service = service
        self.encoding = encoding
        self.timeout = timeout
    }

    package mutating func deliver(_ lines: [EventLine]) -> EventDelivery {
        do throws(EventSinkFailure) {
            let answer = try post(OTLPLogs.request(lines, service: service, encoding: encoding))
            switch answer.status {
            case 200...299:
                return EventDelivery(taken: lines.count, lost: min(answer.rejected, lines.count))
            case 429, 502, 503, 504:
                // The ones that the protocol allows to try again.
                return EventDelivery(
                    taken: 0,
                    failure: .throttled(status: answer.status, retryAfter: answer.retryAfter))
            default: return EventDelivery(taken: lines.count, lost: lines.count)
            }
        } catch {
            return EventDelivery(taken: 0, failure: error)
        }
    }

    private struct Answer {
        let status: Int
        let retryAfter: Duration?
        /// `partialSuccess.rejectedLogRecords`.
        let rejected: Int
    }

    private func post(_ body: [UInt8]) throws(EventSinkFailure) -> Answer {
        let deadline = SocketDeadline(after: timeout)
        let socket = try SinkSocket(SOCK_STREAM, to: address, deadline: deadline)
        let head =
            "POST \(path) HTTP/1.1\r\nHost: \(host)\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n"
        let failure = socket.send(Array(head.utf8) + body, deadline: deadline)
        // A collector that refuses early answers and closes while we still send: its answer is
        // worth more than the error.
        do throws(EventSinkFailure) {
            return try Self.answer(socket, deadline)
        } catch {
            throw failure ?? error
        }
    }

    private static func answer(
        _ socket: borrowing SinkSocket, _ deadline: SocketDeadline
    ) throws(EventSinkFailure) -> Answer {
        let limits = HTTPLimits(bodyBytesMax: answerBytesMax)
        var machine = HTTPResponseStateMachine(limits: limits)
        var buffer = [UInt8](repeating: 0, count: limits.headBytesMax + answerBytesMax + 4096)
        var count = 0
        while true {
            guard count < buffer.count else { throw .answerMalformed }
            let got = try socket.receive(into: &buffer, from: count, deadline: deadline)
            count += got
            switch step(&machine, &buffer, count, isEnd: got == 0) {
            case .read(let keeping, _)?: count = keeping
            case .finished(let response, _)?: return parsed(response, buffer)
            case nil: throw .answerMalformed
            }
        }
    }

    private static func step(
        _ machine: inout HTTPResponseStateMachine, _ buffer: inout [UInt8], _ count: Int,
        isEnd: Bool
    ) -> HTTPResponseStateMachine.Action? {
        buffer.withUnsafeMutableBytes { bytes in
            try? machine.received(.init(rebasing: bytes[..<count]), isEnd: isEnd)
        }
    }

    private static func parsed(_ response: HTTPResponse, _ buffer: [UInt8]) -> Answer {
        let asked = buffer.withUnsafeBytes { response.publicText(of: "retry-after", in: $0.bytes) }
        // A date would need a clock that both sides agree on; the backoff does without.
        let seconds = asked.flatMap { Int64($0) }
        return Answer(
            status: response.status, retryAfter: seconds.map { .seconds(max($0, 0)) },
            rejected: rejected(Array(buffer[response.body])))
    }

    private static func rejected(_ body: [UInt8]) -> Int {
        body.withUnsafeBytes { bytes in
            let document = bytes.bytes
            guard let root = try? JSONFormat.check(document),
                let value = try? JSONFormat.value(
                    at: ["partialSuccess", "rejectedLogRecords"], from: root, in: document)
            else { return 0 }
            // A number or, as Protocol Buffers write 64 bits, a string of digits.
            let isText = value.kind == .string
            let digits = bytes[
                value.range.lowerBound + (isText ? 1 : 0)..<value.range.upperBound
                    - (isText ? 1 : 0)]
            return max(Int(String(decoding: digits, as: UTF8.self)) ?? 0, 0)
        }
    }
}
