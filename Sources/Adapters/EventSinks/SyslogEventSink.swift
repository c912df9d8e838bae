// SPDX-License-Identifier: Apache-2.0
package import EnforcementEvents
package import EventPorts
import Glibc

/// Events to a syslog daemon (RFC 5424): over a Unix datagram socket, UDP, or TCP with octet
/// counting (RFC 6587). Not over TLS.
///
/// Nothing is acknowledged in syslog: what a datagram's way or a broken connection swallows after
/// it was sent is not counted here. The chain shows it to whoever verifies the receiver's log.
package struct SyslogEventSink: EventSink, ~Copyable {
    package enum Transport: Sendable, Equatable {
        /// `/dev/log`, as a datagram socket.
        case unix(SinkAddress)
        case udp(SinkAddress)
        case tcp(SinkAddress)
    }

    package let name: String
    package let batchLinesMax = 128
    package let batchBytesMax = 256 << 10
    private let transport: Transport
    private let message: SyslogMessage
    private let encoding: EventEncoding
    private let timeout: Duration
    private let sendBufferBytes: Int32?
    private var socket: SinkSocket?

    /// - Parameters:
    ///   - timeout: for one `deliver`, connecting included.
    ///   - sendBufferBytes: SO_SNDBUF; nil: as the kernel has it. A message larger than the buffer
    ///     of a Unix datagram socket cannot be sent, and is counted as lost.
    package init(
        name: String = "syslog", transport: Transport, message: SyslogMessage,
        encoding: EventEncoding = .native, timeout: Duration = .seconds(5),
        sendBufferBytes: Int32? = nil
    ) {
        self.name = name
        self.transport = transport
        self.message = message
        self.encoding = encoding
        self.timeout = timeout
        self.sendBufferBytes = sendBufferBytes
    }

    package mutating func deliver(_ lines: [EventLine]) -> EventDelivery {
        let deadline = SocketDeadline(after: timeout)
        if socket?.isClosed == true { socket = nil }
        for (index, line) in lines.enumerated() {
            guard let failure = send(line, deadline) else { continue }
            if failure == .broken(errorNumber: EMSGSIZE) {
                // No datagram of this size gets through, ever. What was sent before it is told
                // first, so that the loss is of this one line.
                return index == 0
                    ? EventDelivery(taken: 1, lost: 1) : EventDelivery(taken: index)
            }
            // A stream may hold a part of the message: it cannot go on behind that.
            socket = nil
            return EventDelivery(taken: index, failure: failure)
        }
        return EventDelivery(taken: lines.count)
    }

    private mutating func send(_ line: EventLine, _ deadline: SocketDeadline) -> EventSinkFailure? {
        do throws(EventSinkFailure) {
            switch transport {
            case .unix(let address), .udp(let address):
                if socket == nil {
                    socket = try SinkSocket(
                        SOCK_DGRAM, to: address, deadline: deadline,
                        sendBufferBytes: sendBufferBytes)
                }
                return socket?.send(message.bytes(line, encoding: encoding), deadline: deadline)
            case .tcp(let address):
                if socket == nil {
                    socket = try SinkSocket(
                        SOCK_STREAM, to: address, deadline: deadline,
                        sendBufferBytes: sendBufferBytes)
                }
                return socket?.send(message.frame(line, encoding: encoding), deadline: deadline)
            }
        } catch {
            return error
        }
    }
}
