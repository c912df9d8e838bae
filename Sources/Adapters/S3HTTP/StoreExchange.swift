// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStorePorts
internal import Synchronization

/// One request and what comes back, as a delegate of async-http-client. Its sequences would cost
/// changes of threads: it pulls them in a task of its own. Here the task that asks the source
/// writes, on the event loop if it runs there, and what comes is taken on the event loop.
///
/// A chunk is written when all before it have left. So async-http-client never asks for a pause:
/// it would forget who waits for its end when the request fails, or is answered meanwhile.
final class StoreExchange: HTTPClientResponseDelegate {
    typealias Response = Void

    /// What is kept of an answer. Of a refusal it is the start, as far as it comes.
    enum Reading: Sendable {
        /// The head of a success.
        case head
        /// All of a success, which has so many bytes at most.
        case document(bytesMax: Int)
        /// All, whatever the status says.
        case all(bytesMax: Int)
        /// A success goes through a pipe.
        case stream(AnswerPipe)
    }

    struct State {
        var result: Result<StoreAnswer, any Error>?
        /// Who waits for `result`.
        var waiter: CheckedContinuation<Void, Never>?
        var task: HTTPClient.Task<Void>?
        var head: HTTPResponseHead?
        var body: [UInt8] = []
        var timer: Scheduled<Void>?
        /// Nothing is taken any more.
        var isOver = false
        /// async-http-client is done with it.
        var hasEnded = false

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
    private let reading: Reading

    init(on loop: any EventLoop, _ reading: Reading) {
        self.loop = loop
        self.reading = reading
    }

    /// Sends the head, and the first chunk behind it.
    ///
    /// - Parameter length: bytes of the body; nil: it has none, or the request has its own.
    func begin(
        _ request: HTTPClient.Request, by client: HTTPClient, length: Int64? = nil,
        first: [UInt8] = [], isLast: Bool = true
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
            return state.isOver
        }
        if isOver { task.cancel() }
        task.futureResult.whenComplete { self.ended($0) }
    }

    // MARK: - The result

    /// What came back; or a failure of the body's source, of the network, or of time.
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
        let task = state.withLock { state in
            state.isOver = true
            return state.task
        }
        resolve(result)
        if case .stream(let pipe) = reading {
            pipe.finish(result.flatMap { _ in .failure(ObjectStoreFailure.cancelled) })
        }
        // Of no effect when it is over.
        task?.cancel()
    }

    private func resolve(_ result: Result<StoreAnswer, any Error>) {
        let (waiter, giver, timer) = state.withLock { state in
            state.result = state.result ?? result
            state.first = nil
            return (state.waiter.take(), state.giver.take(), state.timer.take())
        }
        waiter?.resume()
        giver?.resume()
        timer?.cancel()
    }

    /// Ends it with a failure, unless the status has been heard and says enough.
    func fail(_ error: any Error) {
        let head = state.withLock { $0.head }
        guard let head, !kept(head.status).isStrict else { return end(.failure(error)) }
        end(.success(answer(head)))
    }

    private func answer(_ head: HTTPResponseHead) -> StoreAnswer {
        StoreAnswer(
            status: Int(head.status.code), headers: head.headers,
            body: state.withLock { $0.body })
    }

    private func ended(_ result: Result<Void, any Error>) {
        let (head, ending, isResolved, timer) = state.withLock { state in
            // The task and the timer know this object: it would never go, or only in time.
            state.task = nil
            state.writer = nil
            state.hasEnded = true
            return (state.head, state.ending.take(), state.result != nil, state.timer.take())
        }
        timer?.cancel()
        ending?.fail(HTTPClientError.requestStreamCancelled)
        if isResolved {
            if case .stream(let pipe) = reading { pipe.finish(result) }
            return
        }
        switch result {
        case .failure(let error):
            state.withLock { $0.body = [] }
            fail(error)
        case .success:
            guard let head else { return fail(HTTPClientError.cancelled) }
            end(.success(answer(head)))
        }
    }

    // MARK: - The answer, on the event loop

    /// Whether a failure in the middle is one of the whole, and how many bytes are kept.
    private func kept(_ status: HTTPResponseStatus) -> (isStrict: Bool, bytesMax: Int) {
        let isSuccess = S3HTTP.isSuccess(Int(status.code))
        switch reading {
        case .all(let most): return (true, most)
        case .document(let most) where isSuccess: return (true, most)
        default: return (false, S3HTTP.errorBytesMax)
        }
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
        if case .stream = reading, S3HTTP.isSuccess(Int(head.status.code)) {
            resolve(.success(answer(head)))
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(
        task: HTTPClient.Task<Void>, _ buffer: ByteBuffer
    ) -> EventLoopFuture<Void> {
        let (head, isResolved) = state.withLock { ($0.head, $0.result != nil) }
        if isResolved, case .stream(let pipe) = reading { return pipe.give(buffer, on: loop) }
        let (isStrict, most) = kept(head?.status ?? .ok)
        let (isTooMuch, isAll) = state.withLock { state in
            state.moved = .now
            guard state.body.count + buffer.readableBytes <= most else {
                state.body = []
                return (true, false)
            }
            state.body.append(contentsOf: buffer.readableBytesView)
            return (false, !state.isWhole && state.body.count == head?.contentLength)
        }
        if isTooMuch {
            let failure = ObjectStoreFailure.responseTooLarge(limit: most)
            if isStrict { end(.failure(failure)) } else { fail(failure) }
        } else if isAll, let head {
            end(.success(answer(head)))
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) {}

    /// How long a refusal is read that comes before the body's end.
    private static let earlyAnswerTime = TimeAmount.seconds(1)

    private func answeredEarly(_ head: HTTPResponseHead) {
        guard head.status.code >= 300 else {
            return end(
                .failure(
                    ObjectStoreFailure.responseMalformed(detail: "a success before the body's end"))
            )
        }
        if head.contentLength == 0 { return end(.success(answer(head))) }
        // async-http-client does not tell the end of such an answer, but for one that comes with
        // the last bytes.
        setTimer(
            loop.scheduleTask(in: Self.earlyAnswerTime) { self.end(.success(self.answer(head))) })
    }

    // MARK: - Time

    /// Ends it at some time.
    func limit(_ time: Duration, _ failure: ObjectStoreFailure) {
        setTimer(loop.scheduleTask(in: TimeAmount(time)) { self.end(.failure(failure)) })
    }

    /// Ends a stream that stands still because nothing comes. Whoever reads may take any time.
    ///
    /// - Parameter rest: of that time, until the first look.
    func watch(
        _ pipe: AnswerPipe, _ time: Duration, _ failure: ObjectStoreFailure, rest: Duration? = nil
    ) {
        // Of a small answer everything is there.
        guard !pipe.isOver else { return }
        setTimer(
            loop.scheduleTask(in: TimeAmount(rest ?? time)) {
                let waited = pipe.waiting ?? .zero
                guard waited < time else { return self.end(.failure(failure)) }
                self.watch(pipe, time, failure, rest: time - waited)
            })
    }

    /// Instead of the one before; it goes with the end.
    func setTimer(_ timer: Scheduled<Void>) {
        let old = state.withLock { state in
            guard !state.isOver, !state.hasEnded else { return timer as Scheduled<Void>? }
            defer { state.timer = timer }
            return state.timer
        }
        old?.cancel()
    }
}

extension HTTPResponseHead {
    fileprivate var contentLength: Int? {
        headers.first(name: "content-length").flatMap { Int($0) }
    }
}
