// SPDX-License-Identifier: Apache-2.0

/// Parses one response in place while its bytes arrive.
///
/// The caller keeps all bytes of the response in one buffer, calls `received` after each read
/// with the whole buffer, and drops what the action says it need not keep. Chunk framing is
/// removed by moving the body down inside the buffer. Offsets count from the buffer's start, so
/// the buffer may be moved to a larger one between calls.
package struct HTTPResponseStateMachine: Sendable {
    /// What the caller does next.
    package enum Action: Sendable, Equatable {
        /// Keep the first `keeping` bytes, read more behind them. `expecting`: how many more
        /// bytes the response is known to need at least.
        case read(keeping: Int, expecting: Int)
        /// The response is complete and stands in the first `keeping` bytes.
        case finished(HTTPResponse, keeping: Int)
    }

    private enum State: Sendable, Equatable {
        case head
        /// Until `end`.
        case sized(end: Int)
        case untilClose
        case chunkSize
        case chunkData(remaining: Int)
        case chunkEnd
        case trailer(fields: Int)
        case finished
    }

    private let limits: HTTPLimits
    private var state = State.head
    private var status = 0
    private var fields: [HTTPResponse.Field] = []
    private var isPersistent = true
    private var bodyStart = 0
    /// End of the de-framed body so far.
    private var bodyEnd = 0

    package init(limits: HTTPLimits) { self.limits = limits }

    /// Takes everything received so far.
    ///
    /// - Parameters:
    ///   - bytes: kept bytes and, behind them, new ones.
    ///   - isEnd: the stream ended, properly closed.
    package mutating func received(
        _ bytes: UnsafeMutableRawBufferPointer, isEnd: Bool
    ) throws(HTTPFormatFailure) -> Action {
        precondition(state != .finished, "a finished response takes no more bytes")
        if state == .head {
            guard try head(UnsafeRawBufferPointer(bytes).bytes) else {
                guard !isEnd else { throw .truncated }
                return .read(keeping: bytes.count, expecting: 1)
            }
        }
        switch state {
        case .sized(let end): return try sized(count: bytes.count, end: end, isEnd: isEnd)
        case .untilClose: return try untilClose(count: bytes.count, isEnd: isEnd)
        default: return try chunked(bytes, isEnd: isEnd)
        }
    }

    // MARK: - Head

    /// Returns whether the head is complete.
    private mutating func head(_ bytes: RawSpan) throws(HTTPFormatFailure) -> Bool {
        var start = 0
        while true {
            guard let end = Self.headEnd(bytes, from: start) else {
                guard bytes.byteCount <= limits.headBytesMax else {
                    throw .headTooLarge(limitBytes: limits.headBytesMax)
                }
                return false
            }
            guard end <= limits.headBytesMax else {
                throw .headTooLarge(limitBytes: limits.headBytesMax)
            }
            var reader = HTTPHeadReader(offset: start)
            let line = try reader.statusLine(in: bytes)
            fields = try reader.fields(in: bytes, limit: limits.headerCountMax)
            status = line.status
            guard (100...199).contains(status) else {
                bodyStart = end
                bodyEnd = end
                try frame(bytes, isVersion10: line.isVersion10)
                return true
            }
            // Interim responses (RFC 9110, section 15.2) precede the real one and count as part
            // of its head, or they could go on for ever; switching protocols was never asked for.
            guard status != 101 else { throw .malformed(reason: "protocol switch") }
            start = end
        }
    }

    /// Offset just after the empty line.
    private static func headEnd(_ bytes: RawSpan, from start: Int) -> Int? {
        var offset = start
        while offset + 4 <= bytes.byteCount {
            if bytes[byte: offset] == 13, bytes[byte: offset + 1] == 10,
                bytes[byte: offset + 2] == 13, bytes[byte: offset + 3] == 10
            {
                return offset + 4
            }
            offset += 1
        }
        return nil
    }

    /// Decides how the body ends (RFC 9112, section 6.3).
    private mutating func frame(
        _ bytes: RawSpan, isVersion10: Bool
    ) throws(HTTPFormatFailure) {
        let connection = try tokens(of: "connection", in: bytes)
        isPersistent = !connection.contains("close")
        if isVersion10 { isPersistent = connection.contains("keep-alive") }
        let codings = try tokens(of: "transfer-encoding", in: bytes)
        let length = try contentLength(bytes)
        if status == 204 || status == 304 {
            state = .sized(end: bodyStart)
        } else if !codings.isEmpty {
            // Both framings in one message are an attempt at smuggling.
            guard length == nil else { throw .malformed(reason: "two framings") }
            guard codings == ["chunked"], !isVersion10 else {
                throw .malformed(reason: "transfer coding")
            }
            state = .chunkSize
        } else if let length {
            guard length <= limits.bodyBytesMax else {
                throw .bodyTooLarge(limitBytes: limits.bodyBytesMax)
            }
            state = .sized(end: bodyStart + length)
        } else {
            isPersistent = false
            state = .untilClose
        }
    }

    /// All members of a list field, lower case.
    private func tokens(
        of name: String, in bytes: RawSpan
    ) throws(HTTPFormatFailure) -> [String] {
        var found: [String] = []
        for field in fields where field.name == name {
            found += try HTTPHeadReader.tokens(field.value, in: bytes)
        }
        return found
    }

    private func contentLength(_ bytes: RawSpan) throws(HTTPFormatFailure) -> Int? {
        let values = try tokens(of: "content-length", in: bytes)
        guard let first = values.first else { return nil }
        guard values.allSatisfy({ $0 == first }), !first.isEmpty,
            first.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { throw .malformed(reason: "Content-Length") }
        // More digits than Int holds is more than any limit.
        guard let length = Int(first) else {
            throw .bodyTooLarge(limitBytes: limits.bodyBytesMax)
        }
        return length
    }

    // MARK: - Body

    private mutating func sized(
        count: Int, end: Int, isEnd: Bool
    ) throws(HTTPFormatFailure) -> Action {
        guard count >= end else {
            guard !isEnd else { throw .truncated }
            return .read(keeping: count, expecting: end - count)
        }
        // Bytes behind the answer to the only request sent belong to nothing.
        guard count == end else { throw .malformed(reason: "bytes after the body") }
        bodyEnd = end
        return finish()
    }

    private mutating func untilClose(
        count: Int, isEnd: Bool
    ) throws(HTTPFormatFailure) -> Action {
        guard count - bodyStart <= limits.bodyBytesMax else {
            throw .bodyTooLarge(limitBytes: limits.bodyBytesMax)
        }
        bodyEnd = count
        return isEnd ? finish() : .read(keeping: count, expecting: 1)
    }

    private mutating func chunked(
        _ bytes: UnsafeMutableRawBufferPointer, isEnd: Bool
    ) throws(HTTPFormatFailure) -> Action {
        var offset = bodyEnd
        while state != .finished {
            guard let next = try chunkStep(bytes, from: offset) else { break }
            offset = next
        }
        if state == .finished {
            guard offset == bytes.count else { throw .malformed(reason: "bytes after the body") }
            return finish()
        }
        guard !isEnd else { throw .truncated }
        // The unread tail moves down behind the body, so framing never fills the buffer.
        let tail = bytes.count - offset
        if offset > bodyEnd {
            for index in 0..<tail { bytes[bodyEnd + index] = bytes[offset + index] }
        }
        if case .chunkData(let remaining) = state {
            return .read(keeping: bodyEnd + tail, expecting: remaining + 2)
        }
        return .read(keeping: bodyEnd + tail, expecting: 1)
    }

    /// Handles one element of the framing. Returns the offset behind it; nil: more is needed.
    private mutating func chunkStep(
        _ bytes: UnsafeMutableRawBufferPointer, from offset: Int
    ) throws(HTTPFormatFailure) -> Int? {
        let span = UnsafeRawBufferPointer(bytes).bytes
        switch state {
        case .chunkSize:
            guard let line = try Self.line(span, from: offset) else { return nil }
            let size = try Self.chunkSize(span, line)
            guard size <= limits.bodyBytesMax - (bodyEnd - bodyStart) else {
                throw .bodyTooLarge(limitBytes: limits.bodyBytesMax)
            }
            state = size == 0 ? .trailer(fields: 0) : .chunkData(remaining: size)
            return line.upperBound + 2
        case .chunkData(let remaining):
            let count = min(remaining, bytes.count - offset)
            guard count > 0 else { return nil }
            for index in 0..<count { bytes[bodyEnd + index] = bytes[offset + index] }
            bodyEnd += count
            state = count == remaining ? .chunkEnd : .chunkData(remaining: remaining - count)
            return offset + count
        case .chunkEnd:
            guard let line = try Self.line(span, from: offset) else { return nil }
            guard line.isEmpty else { throw .malformed(reason: "chunk end") }
            state = .chunkSize
            return line.upperBound + 2
        case .trailer(let count):
            guard let line = try Self.line(span, from: offset) else { return nil }
            guard count <= limits.headerCountMax else {
                throw .tooManyFields(limit: limits.headerCountMax)
            }
            state = line.isEmpty ? .finished : .trailer(fields: count + 1)
            return line.upperBound + 2
        case .head, .sized, .untilClose, .finished: return nil
        }
    }

    /// Longest chunk-size line or trailer field (bytes).
    private static let lineBytesMax = 256

    /// The bytes before the next CRLF; nil when it has not arrived.
    private static func line(
        _ bytes: RawSpan, from start: Int
    ) throws(HTTPFormatFailure) -> Range<Int>? {
        var offset = start
        while offset < bytes.byteCount, offset - start <= lineBytesMax {
            if bytes[byte: offset] == 10 { throw .malformed(reason: "bare line feed") }
            if bytes[byte: offset] == 13 {
                guard offset + 1 < bytes.byteCount else { return nil }
                guard bytes[byte: offset + 1] == 10 else { throw .malformed(reason: "line end") }
                return start..<offset
            }
            offset += 1
        }
        guard offset - start <= lineBytesMax else { throw .malformed(reason: "line too long") }
        return nil
    }

    /// Hexadecimal digits, up to eight, before an extension that is ignored.
    private static func chunkSize(
        _ bytes: RawSpan, _ line: Range<Int>
    ) throws(HTTPFormatFailure) -> Int {
        var size = 0
        var digits = 0
        for offset in line {
            let byte = bytes[byte: offset]
            let value: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = byte - UInt8(ascii: "A") + 10
            case UInt8(ascii: ";") where digits > 0: return size
            default: throw .malformed(reason: "chunk size")
            }
            size = size << 4 | Int(value)
            digits += 1
            guard digits <= 8 else { throw .malformed(reason: "chunk size") }
        }
        guard digits > 0 else { throw .malformed(reason: "chunk size") }
        return size
    }

    private mutating func finish() -> Action {
        state = .finished
        let response = HTTPResponse(
            status: status, fields: fields, body: bodyStart..<bodyEnd, isPersistent: isPersistent)
        return .finished(response, keeping: bodyEnd)
    }
}
