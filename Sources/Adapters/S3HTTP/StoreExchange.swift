// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStorePorts
internal import Synchronization

/// One request and what comes back, as a delegate of async-http-client. Its sequences would cost
/// two changes of threads for each chunk: it pulls them in a task of its own, on other threads.
/// Here the task that asks the source writes, on the event loop if it runs there.
///
/// A chunk is written when all before it have left. So async-http-client never asks for a pause:
/// it would forget who waits for its end when the request fails, or is answered meanwhile.
final class StoreExchange: HTTPClientResponseDelegate {
    typealias Response = Void

    struct State {
        var result: Result<StoreAnswer, any Error>?
        /// Who waits for `result`.
        var waiter: CheckedContinuation<Void, Never>?
        var task: HTTPClient.Task<Void>?
        var head: HTTPResponseHead?
        var body: [UInt8] = []
        var timer: Scheduled<Void>?

        // MARK: The request's body

        /// Since the request has a connection.
        var writer: HTTPClient.Body.StreamWriter?
        /// Ends the body; it is whole when this succeeds.
        var ending: EventLoopPromise<Void>?
        /// What is written when there is a writer.
        var first: (bytes: ByteBuffer, isLast: Bool)?
        /// Bytes that were given and that the network has not taken.
        var outstanding = 0
        /// The last chunk was handed over.
        var isWhole = false
        /// The source has been asked, and has not answered yet.
        var isAsking = false
        /// Who waits for `outstanding` to become 0.
        var giver: CheckedContinuation<Void, Never>?
        /// When something last moved.
        var moved = ContinuousClock.now

        /// Nothing is sent any more.
        var isClosed: Bool { result != nil || head != nil }
    }

    let loop: any EventLoop
    let state = Mutex(State())

    init(on loop: any EventLoop) { self.loop = loop }

    /// Sends the head, and the first chunk behind it.
    ///
    /// - Parameter length: bytes of the body; nil: it has none, or the request has its own.
    func begin(
        _ request: HTTPClient.Request, by client: HTTPClient, length: Int64?, first: [UInt8] = [],
        isLast: Bool = true
    ) {
        var request = request
        if let length {
            let bytes = ByteBuffer(bytes: first)
            state.withLock { state in
                state.first = (bytes, isLast)
                state.outstanding = bytes.readableBytes
                state.moved = .now
            }
            request.body = .stream(contentLength: length) { self.started($0) }
        } else {
            state.withLock { $0.isWhole = true }
        }
        let task = client.execute(request: request, delegate: self, eventLoop: .delegate(on: loop))
        let isOver = state.withLock { state in
            state.task = task
            return state.result != nil
        }
        if isOver { task.cancel() }
        task.futureResult.whenComplete { self.ended($0) }
    }

    // MARK: - The answer

    /// What came back; a failure of the body's source, of the network, or of time.
    func answer() async -> Result<StoreAnswer, any Error> {
        while true {
            if let result = state.withLock({ $0.result }) { return result }
            await withCheckedContinuation { continuation in
                let isThere = state.withLock { state in
                    if state.result == nil { state.waiter = continuation }
                    return state.result != nil
                }
                if isThere { continuation.resume() }
            }
        }
    }

    /// Ends it, unless it has ended; nothing of a body that is not whole makes it so later.
    func end(_ result: Result<StoreAnswer, any Error>) {
        let old = state.withLock { state in
            let old = state
            state.result = state.result ?? result
            (state.waiter, state.giver, state.timer) = (nil, nil, nil)
            state.first = nil
            return old
        }
        old.waiter?.resume()
        old.giver?.resume()
        old.timer?.cancel()
        // Of no effect when it is over.
        old.task?.cancel()
    }

    func didReceiveHead(
        task: HTTPClient.Task<Void>, _ head: HTTPResponseHead
    ) -> EventLoopFuture<Void> {
        let (isEarly, giver) = state.withLock { state in
            state.head = head
            state.moved = .now
            return (!state.isWhole, state.giver.take())
        }
        giver?.resume()
        if isEarly { answeredEarly(head) }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(
        task: HTTPClient.Task<Void>, _ buffer: ByteBuffer
    ) -> EventLoopFuture<Void> {
        let (isTooMuch, isAll) = state.withLock { state in
            state.moved = .now
            guard state.body.count + buffer.readableBytes <= S3HTTP.errorBytesMax else {
                state.body = []
                return (true, false)
            }
            state.body.append(contentsOf: buffer.readableBytesView)
            return (false, !state.isWhole && state.body.count == state.head?.contentLength)
        }
        if isTooMuch || isAll { settle(Self.nothing) }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) {}

    /// Ends it with the answer, as far as its body has come: the status has been heard.
    ///
    /// - Parameter result: if there is not even a head.
    func settle(_ result: Result<StoreAnswer, any Error>) {
        let answer = state.withLock { state in
            state.head.map { head in
                StoreAnswer(
                    status: Int(head.status.code), headers: head.headers, body: state.body)
            }
        }
        end(answer.map { .success($0) } ?? result)
    }

    private func ended(_ result: Result<Void, any Error>) {
        state.withLock { $0.ending.take() }?.fail(HTTPClientError.requestStreamCancelled)
        switch result {
        case .success: settle(Self.nothing)
        case .failure(let error):
            state.withLock { $0.body = [] }
            settle(.failure(error))
        }
    }

    private static let nothing = Result<StoreAnswer, any Error>.failure(
        ObjectStoreFailure.responseMalformed(detail: "no answer"))

    /// How long a refusal is read that comes before the body's end.
    private static let earlyAnswerTime = TimeAmount.seconds(1)

    private func answeredEarly(_ head: HTTPResponseHead) {
        guard head.status.code >= 300 else {
            return end(
                .failure(
                    ObjectStoreFailure.responseMalformed(detail: "a success before the body's end"))
            )
        }
        if head.contentLength == 0 { return settle(Self.nothing) }
        // async-http-client does not tell the end of such an answer, but for one that comes with
        // the last bytes.
        let timer = loop.scheduleTask(in: Self.earlyAnswerTime) { self.settle(Self.nothing) }
        state.withLock { state in
            let old = state.timer
            state.timer = timer
            return old
        }?.cancel()
    }
}

extension HTTPResponseHead {
    fileprivate var contentLength: Int? {
        headers.first(name: "content-length").flatMap { Int($0) }
    }
}
