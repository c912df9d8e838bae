// SPDX-License-Identifier: Apache-2.0
package import ServedHTTP

/// Why a body cannot be read further or an answer not be sent further. A body that failed with
/// `tooSlow` or `malformed` can still be answered; the connection ends after that answer.
package enum StreamFailure: Error, Sendable, Hashable {
    /// The other side has gone, or the server has ended the connection.
    case disconnected
    /// The body came too slowly, or the answer was not taken in time.
    case tooSlow
    /// The body breaks the rules of its framing.
    case malformed(RequestRefusal)
    /// A part of the answer that cannot be sent; the answer is as it was before.
    case answerRefused(ResponseRefusal)
    /// The task was cancelled.
    case cancelled
    /// The request is over, or two tasks read or write at once.
    case misused
}

/// A request as it is handed to whoever answers it.
package struct ServedRequest: Sendable, Hashable {
    package var head: RequestHead
    package var length: RequestFraming.Length
    /// IP address and port of the other side, for logs: `192.0.2.1:4711`.
    package var remoteAddress: String

    package init(head: RequestHead, length: RequestFraming.Length, remoteAddress: String) {
        self.head = head
        self.length = length
        self.remoteAddress = remoteAddress
    }
}

/// The body of a request, pulled by whoever answers it.
///
/// Contract:
/// - The bytes come in their order, without the framing; nothing is lost or repeated, whatever
///   pieces the network makes of them.
/// - While nobody pulls, no more than a bounded number of bytes is taken from the network.
/// - The first pull answers `Expect: 100-continue`, unless the answer has begun.
/// - nil comes only after the whole body: one that breaks off ends with a failure.
/// - One task pulls at a time. After the handler has returned every pull fails with `misused`:
///   nobody gets bytes of the next request.
package protocol RequestBody: Sendable {
    /// - Parameter most: at least 1. The answer may have fewer bytes, never none.
    /// - Returns: the next bytes; nil: there are no more.
    func next(upTo most: Int) async throws(StreamFailure) -> [UInt8]?
}

/// What became of a head that was to be sent.
package enum HeadOutcome: Sendable, Hashable {
    /// The other side gets it.
    case sent
    /// While the work was kept alive a head and the body's opening have gone out. This head is not
    /// seen; the body goes on.
    case kept
}

/// The way of an answer to the other side.
///
/// Contract:
/// - The order is `head`, any number of `write`, `end`. What breaks it is `answerRefused`.
/// - With `Content-Length` the body has to have exactly so many bytes; otherwise it is sent in
///   chunks. `Connection` and `Transfer-Encoding` are the server's.
/// - The answer to HEAD, 204 and 304 have no body: what is written is dropped.
/// - `write` returns when there is room for the next bytes: no more than a bounded number of bytes
///   waits for the network.
/// - The head goes out with the first bytes of the body or with the end.
/// - An answer that does not reach `end` is cut: the connection closes, and the other side sees
///   that something is missing. So it is when the handler returns early. A handler that returns
///   before any head is answered for with 500.
/// - One task writes at a time. After the handler has returned everything fails with `misused`.
package protocol ResponseWriter: Sendable {
    @discardableResult
    func head(_ head: ResponseHead) async throws(StreamFailure) -> HeadOutcome

    func write(_ bytes: [UInt8]) async throws(StreamFailure)

    /// - Parameter trailers: sent after a body in chunks, dropped otherwise.
    func end(trailers: [HeaderField]) async throws(StreamFailure)

    /// Closes the connection so that a client never takes what it got for a whole answer.
    func abort() async

    /// Before `head`, for long work: when `interval` has passed without a head, `head` and
    /// `opening` are sent, and a space after each interval until the answer goes on. A failure of
    /// the work has to be told in the body then.
    ///
    /// - Parameters:
    ///   - head: without `Content-Length`.
    ///   - opening: the body's first bytes; a format that lets no space stand in front puts its
    ///     beginning here.
    func keepAlive(
        every interval: Duration, _ head: ResponseHead, opening: [UInt8]
    ) async throws(StreamFailure)
}

/// Answers requests.
///
/// Contract: it is called once for each request, for those of one connection one after the other.
/// The task is cancelled when the connection is lost; what has to be finished all the same is not
/// begun in this task.
package protocol RequestHandler: Sendable {
    func handle(
        _ request: ServedRequest, body: any RequestBody, response: any ResponseWriter
    ) async
}
