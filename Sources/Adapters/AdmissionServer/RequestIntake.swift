// SPDX-License-Identifier: Apache-2.0

/// Takes one request after the other apart, and decides about each part at once: nothing is read
/// further than it takes to refuse it.
struct RequestIntake {
    struct Head {
        var method: String
        /// Path and query.
        var target: String
        var contentType: String?
        /// As the request says; nil: it comes in chunks, or there is no body.
        var contentLength: Int?
    }

    enum Action: Equatable {
        /// More is to come.
        case more
        /// The whole request is there.
        case answer(path: String, body: [UInt8])
        /// At once. The rest of the request is not read, so the connection ends.
        case refuse(ServedAnswer)
        /// It came after a refusal.
        case ignore
    }

    private enum State {
        case head
        case body(path: String, [UInt8])
        case refused
    }

    private let routes: [String: ServedRoute]
    private let limits: ServerLimits
    private var state = State.head

    init(routes: [String: ServedRoute], limits: ServerLimits) {
        self.routes = routes
        self.limits = limits
    }

    /// Bytes of the body that came so far.
    var bufferedBytes: Int {
        if case .body(_, let bytes) = state { bytes.count } else { 0 }
    }

    mutating func head(_ head: Head) -> Action {
        let path = String(head.target.prefix { $0 != "?" })
        guard let route = routes[path] else {
            let known = routes.keys.sorted().joined(separator: ", ")
            return refuse(404, "nothing is served here; there is \(known)")
        }
        guard head.method == route.method.rawValue else {
            return refuse(405, "use \(route.method.rawValue)")
        }
        if let wanted = route.contentType {
            let given = head.contentType?.prefix { $0 != ";" } ?? ""
            guard given.lowercased() == wanted else {
                return refuse(415, "send Content-Type: \(wanted)")
            }
        }
        guard head.contentLength ?? 0 <= limits.bodyBytesMax else { return refuseLength() }
        state = .body(path: path, [])
        return .more
    }

    /// - Parameter hasRoom: whether so many bytes may be kept.
    mutating func body(
        _ part: some Collection<UInt8>, hasRoom: (Int) -> Bool
    ) -> Action {
        guard case .body(let path, var bytes) = state else { return .ignore }
        // Not held twice while it grows.
        state = .refused
        guard bytes.count + part.count <= limits.bodyBytesMax else { return refuseLength() }
        guard hasRoom(part.count) else {
            return refuse(503, "too much is being received at the moment; try again")
        }
        bytes.append(contentsOf: part)
        state = .body(path: path, bytes)
        return .more
    }

    mutating func end() -> Action {
        guard case .body(let path, let bytes) = state else { return .ignore }
        state = .head
        return .answer(path: path, body: bytes)
    }

    /// The bytes are no HTTP, or its head breaks a bound.
    mutating func unreadable(isHeadTooLarge: Bool) -> Action {
        if case .refused = state { return .ignore }
        return isHeadTooLarge
            ? refuse(431, "the head is larger than \(limits.headerBytesMax) bytes")
            : refuse(400, "this is no HTTP/1.1 request")
    }

    mutating func timeIsOver() -> Action {
        if case .refused = state { return .ignore }
        return refuse(408, "the request did not arrive within \(limits.requestTime)")
    }

    private mutating func refuseLength() -> Action {
        refuse(413, "the body is larger than \(limits.bodyBytesMax) bytes")
    }

    private mutating func refuse(_ status: Int, _ line: String) -> Action {
        state = .refused
        return .refuse(ServedAnswer(status, line))
    }
}
