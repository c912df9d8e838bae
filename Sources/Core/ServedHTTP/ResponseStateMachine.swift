// SPDX-License-Identifier: Apache-2.0

/// Why a part of an answer is not sent.
package enum ResponseRefusal: Error, Sendable, Hashable {
    /// Not 200 to 599.
    case statusInvalid
    /// A name or a value that would break the head apart, or a field that is the server's.
    case fieldInvalid
    /// Several, or no decimal number.
    case lengthInvalid
    /// The body is longer than its `Content-Length`.
    case bodyTooLong
    /// The body is shorter than its `Content-Length`.
    case bodyTooShort
    /// A second head, a body before the head or after the end, keeping alive after the head.
    case outOfOrder
}

/// Frames one answer (RFC 9112, sections 4, 6 and 7): a body that is not complete is never sent so
/// that it looks complete.
package struct ResponseStateMachine: Sendable {
    package enum HeadAction: Sendable, Equatable {
        case send([UInt8])
        /// While the work was kept alive a head has gone out; this one is not sent.
        case kept
    }

    package enum BodyAction: Sendable, Equatable {
        /// As it is.
        case plain
        /// As a chunk.
        case chunk
        /// This answer has no body: nothing.
        case drop
    }

    private enum Body {
        case length(remaining: Int)
        case chunked
        /// Answers to HEAD, 204, 304.
        case none
    }

    private enum State {
        case head
        case keptAlive(ResponseHead, opening: [UInt8])
        case body(Body, isKept: Bool)
        case over
    }

    private let isForHead: Bool
    private var state = State.head

    /// - Parameter method: of the request.
    package init(method: String) { isForHead = method == "HEAD" }

    /// Whether a head has gone out.
    package var hasBegun: Bool {
        switch state {
        case .head, .keptAlive: false
        case .body, .over: true
        }
    }

    package var isOver: Bool { if case .over = state { true } else { false } }

    /// - Parameter closes: the connection ends after this answer.
    package mutating func head(
        _ head: ResponseHead, closes: Bool
    ) throws(ResponseRefusal) -> HeadAction {
        if case .body(let body, isKept: true) = state {
            state = .body(body, isKept: false)
            return .kept
        }
        guard !hasBegun else { throw .outOfOrder }
        let (body, bytes) = try begin(head, closes: closes)
        state = .body(body, isKept: false)
        return .send(bytes)
    }

    package mutating func body(_ count: Int) throws(ResponseRefusal) -> BodyAction {
        guard case .body(let body, isKept: false) = state else { throw .outOfOrder }
        switch body {
        case .none: return .drop
        case .chunked: return count == 0 ? .drop : .chunk
        case .length(let remaining):
            guard count <= remaining else { throw .bodyTooLong }
            state = .body(.length(remaining: remaining - count), isKept: false)
            return .plain
        }
    }

    /// - Parameter trailers: sent after chunks; dropped otherwise (RFC 9110, section 6.5).
    /// - Returns: what ends the body.
    package mutating func end(trailers: [HeaderField]) throws(ResponseRefusal) -> [UInt8] {
        guard case .body(let body, isKept: false) = state else { throw .outOfOrder }
        switch body {
        case .none: break
        case .length(let remaining): guard remaining == 0 else { throw .bodyTooShort }
        case .chunked:
            let bytes = Array("0\r\n".utf8) + (try Self.lines(trailers)) + Array("\r\n".utf8)
            state = .over
            return bytes
        }
        state = .over
        return []
    }

    // MARK: - Keeping alive

    /// From now on `keepAliveIsDue` begins this answer.
    ///
    /// - Parameters:
    ///   - head: without `Content-Length`.
    ///   - opening: the body's first bytes, before any space.
    package mutating func keepAlive(
        _ head: ResponseHead, opening: [UInt8]
    ) throws(ResponseRefusal) {
        guard case .head = state else { throw .outOfOrder }
        guard head.fields.values(of: "Content-Length").isEmpty else { throw .lengthInvalid }
        let (body, _) = try begin(head, closes: false)
        guard case .chunked = body else { throw .outOfOrder }
        state = .keptAlive(head, opening: opening)
    }

    /// - Returns: what shows that the work goes on; nil: the answer itself has begun, and nothing
    ///   more is due.
    package mutating func keepAliveIsDue(closes: Bool) -> [UInt8]? {
        switch state {
        case .keptAlive(let head, let opening):
            guard let (body, bytes) = try? begin(head, closes: closes) else { return nil }
            state = .body(body, isKept: true)
            return bytes + Self.chunk(opening + [space])
        case .body(_, isKept: true): return Self.chunk([space])
        default: return nil
        }
    }

    private static func chunk(_ bytes: [UInt8]) -> [UInt8] {
        chunkStart(bytes.count) + bytes + chunkEnd
    }

    /// Before a chunk of so many bytes.
    package static func chunkStart(_ count: Int) -> [UInt8] {
        Array((String(count, radix: 16) + "\r\n").utf8)
    }

    package static let chunkEnd = Array("\r\n".utf8)

    // MARK: - Heads

    private func begin(
        _ head: ResponseHead, closes: Bool
    ) throws(ResponseRefusal) -> (Body, [UInt8]) {
        guard (200...599).contains(head.status) else { throw .statusInvalid }
        let lengths = head.fields.values(of: "Content-Length")
        let length = lengths.first.flatMap(RequestFraming.decimal)
        guard lengths.isEmpty || (lengths.count == 1 && length != nil) else {
            throw .lengthInvalid
        }
        var text = "HTTP/1.1 \(head.status) \(Self.phrases[head.status] ?? "")\r\n"
        let body: Body
        if head.status == 204 {
            guard lengths.isEmpty else { throw .lengthInvalid }
            body = .none
        } else if head.status == 304 || isForHead {
            body = .none
        } else if let length {
            body = .length(remaining: length)
        } else {
            body = .chunked
            text += "Transfer-Encoding: chunked\r\n"
        }
        if closes { text += "Connection: close\r\n" }
        return (body, Array(text.utf8) + (try Self.lines(head.fields)) + Array("\r\n".utf8))
    }

    private static func lines(_ fields: [HeaderField]) throws(ResponseRefusal) -> [UInt8] {
        var bytes: [UInt8] = []
        for field in fields {
            guard !field.name.isEmpty, field.name.utf8.allSatisfy(isTokenByte),
                field.value.utf8.allSatisfy(isFieldByte),
                !isSame(field.name, "Connection"), !isSame(field.name, "Transfer-Encoding")
            else { throw .fieldInvalid }
            bytes += Array(field.name.utf8) + Array(": ".utf8) + Array(field.value.utf8)
            bytes += Array("\r\n".utf8)
        }
        return bytes
    }

    /// Reason phrases (RFC 9110, section 15). Another status goes without, as RFC 9112 allows.
    private static let phrases = [
        200: "OK", 201: "Created", 204: "No Content", 206: "Partial Content",
        301: "Moved Permanently", 304: "Not Modified", 307: "Temporary Redirect",
        400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
        408: "Request Timeout", 409: "Conflict", 411: "Length Required",
        412: "Precondition Failed", 413: "Content Too Large", 414: "URI Too Long",
        416: "Range Not Satisfiable", 417: "Expectation Failed",
        431: "Request Header Fields Too Large", 500: "Internal Server Error",
        501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
        504: "Gateway Timeout", 505: "HTTP Version Not Supported",
    ]
}
