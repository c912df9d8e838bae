// SPDX-License-Identifier: Apache-2.0
package import EnforcementEvents
package import EventPorts
import Glibc

/// Lines on a descriptor, standard output most of the time: a pipe that the container's runtime
/// reads, a terminal or a file.
package struct StreamEventSink: EventSink {
    package let name: String
    package let batchLinesMax = 256
    package let batchBytesMax = 256 << 10
    private let descriptor: Int32
    private let encoding: EventEncoding
    private let timeout: Duration
    /// A line that was written in part, and how much of it.
    private var begun: (link: EventLink, offset: Int)?

    /// - Parameters:
    ///   - descriptor: stays the caller's; neither closed nor made non-blocking, since others may
    ///     share it.
    ///   - timeout: how long one `deliver` may wait for the reader.
    package init(
        name: String = "stdout", descriptor: Int32 = STDOUT_FILENO,
        encoding: EventEncoding = .native, timeout: Duration = .seconds(5)
    ) {
        self.name = name
        self.descriptor = descriptor
        self.encoding = encoding
        self.timeout = timeout
    }

    package mutating func deliver(_ lines: [EventLine]) -> EventDelivery {
        let deadline = SocketDeadline(after: timeout)
        for (index, line) in lines.enumerated() {
            let bytes = line.bytes(as: encoding) + [UInt8(ascii: "\n")]
            var offset = begun?.link == line.link ? begun?.offset ?? 0 : 0
            while offset < bytes.count {
                guard deadline.wait(for: descriptor, events: POLLOUT) else {
                    return stop(at: index, line, offset, .timedOut)
                }
                // A pipe that is ready takes PIPE_BUF bytes without blocking (pipe(7)), unless
                // somebody else who writes to it is faster.
                let chunk = bytes[offset..<min(offset + Int(PIPE_BUF), bytes.count)]
                let written = withBlockedSignal(SIGPIPE) {
                    chunk.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                }
                if written < 0, errno == EINTR || errno == EAGAIN { continue }
                guard written >= 0 else {
                    return stop(at: index, line, offset, Self.failure(errno))
                }
                offset += written
            }
            begun = nil
        }
        return EventDelivery(taken: lines.count)
    }

    private mutating func stop(
        at index: Int, _ line: EventLine, _ offset: Int, _ failure: EventSinkFailure
    ) -> EventDelivery {
        begun = offset > 0 ? (line.link, offset) : nil
        return EventDelivery(taken: index, failure: failure)
    }

    private static func failure(_ errorNumber: Int32) -> EventSinkFailure {
        switch errorNumber {
        case ENOSPC, EDQUOT, EFBIG: .full(errorNumber: errorNumber)
        default: .broken(errorNumber: errorNumber)
        }
    }
}
