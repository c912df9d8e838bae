// SPDX-License-Identifier: Apache-2.0
internal import ObjectServerPorts
internal import Ports
internal import S3Format
internal import ServedHTTP
internal import SimulationEngine

/// What a client got.
struct ObjectReply: Sendable {
    var status = 0
    var fields: [HeaderField] = []
    var body: [UInt8] = []
    /// Nothing is missing.
    var isWhole = false

    subscript(name: String) -> String? { fields.values(of: name).first }

    /// S3's code of a failure, also of one that a client was told of in the body of a 200.
    var code: String? {
        guard isWhole, status >= 300 || body.starts(with: S3ErrorDocument.declaration) else {
            return nil
        }
        return (try? S3ErrorDocument(body))?.code
    }
}

/// One request on its way through a replica.
final class ObjectCall: @unchecked Sendable {
    enum Kind { case read, put, copy, delete, complete, other }

    let kind: Kind
    let request: ServedRequest
    let answer: SimulatedMailbox<ObjectReply>
    /// The client has left.
    let gone: SimulatedMailbox<Void>
    /// Of the oracle; nil: it changes no object.
    let write: Int?
    var reply = ObjectReply()
    var isGone = false
    private(set) var isBodyOver: Bool
    fileprivate let body: [UInt8]
    fileprivate var offset = 0
    fileprivate let run: SimulationRun

    init(
        _ kind: Kind, _ request: ServedRequest, _ body: [UInt8], write: Int?,
        in run: SimulationRun
    ) {
        self.kind = kind
        self.request = request
        self.body = body
        self.write = write
        self.run = run
        answer = SimulatedMailbox(capacity: 1, in: run)
        gone = SimulatedMailbox(capacity: 4, in: run)
        isBodyOver = kind != .put && kind != .complete
    }

    func leave() {
        isGone = true
        gone.send(())
    }

    /// What became of what was to be written, when nothing works on it any more.
    var outcome: ObjectWriteEnded.Outcome {
        guard isBodyOver else { return .none }
        guard reply.isWhole else { return .unknown }
        guard let code = reply.code else { return reply.status < 300 ? .acknowledged : .unknown }
        return ["ServiceUnavailable", "InternalError"].contains(code) ? .unknown : .none
    }

    fileprivate func next(_ most: Int) -> [UInt8]? {
        guard offset < body.count else {
            isBodyOver = true
            return nil
        }
        let piece = Array(body[offset..<min(offset + most, body.count)])
        offset += piece.count
        return piece
    }
}

/// The body of a call as a slow network brings it. Fault classes: `client.slow`, `client.gone`.
final class ObjectCallBody: RequestBody, @unchecked Sendable {
    private static let pieceBytes = 48_000
    private let call: ObjectCall
    private let clock: SimulatedClock

    init(_ call: ObjectCall, _ clock: SimulatedClock) {
        self.call = call
        self.clock = clock
    }

    func next(upTo most: Int) async throws(StreamFailure) -> [UInt8]? {
        try await call.pause("body", clock)
        return call.next(min(most, Self.pieceBytes))
    }
}

extension ObjectCall {
    fileprivate func pause(_ site: String, _ clock: SimulatedClock) async throws(StreamFailure) {
        if run.faults.fires("client.slow", site: site) {
            let pause = run.choices.draw(in: 10...4000, label: "client/pause")
            await clock.sleep(for: .milliseconds(pause))
        }
        if run.faults.fires("client.gone", site: site) {
            run.marks.hit("object-proxy.client-gone")
            leave()
        }
        if Task.isCancelled { throw .cancelled }
        if isGone { throw .disconnected }
    }
}

/// Holds an answer to the rules of the port, and gives it to the client when it is over.
final class ObjectCallWriter: ResponseWriter, @unchecked Sendable {
    private let call: ObjectCall
    private let clock: SimulatedClock
    private var machine: ResponseStateMachine
    private var kept: (until: MonotonicTime, head: ResponseHead, opening: [UInt8])?

    init(_ call: ObjectCall, _ clock: SimulatedClock) {
        self.call = call
        self.clock = clock
        machine = ResponseStateMachine(method: call.request.head.method)
    }

    func head(_ head: ResponseHead) async throws(StreamFailure) -> HeadOutcome {
        try await call.pause("answer", clock)
        if let kept, clock.monotonic() >= kept.until, machine.keepAliveIsDue(closes: false) != nil {
            call.run.marks.hit("object-proxy.kept")
            call.reply.status = kept.head.status
            call.reply.fields = kept.head.fields
            call.reply.body = kept.opening + [0x20]
        }
        do {
            guard case .send = try machine.head(head, closes: false) else { return .kept }
        } catch { throw .answerRefused(error) }
        call.reply.status = head.status
        call.reply.fields = head.fields
        return .sent
    }

    func write(_ bytes: [UInt8]) async throws(StreamFailure) {
        try await call.pause("answer", clock)
        do {
            guard try machine.body(bytes.count) != .drop else { return }
        } catch { throw .answerRefused(error) }
        call.reply.body += bytes
    }

    func end(trailers: [HeaderField]) async throws(StreamFailure) {
        try await call.pause("answer", clock)
        do { _ = try machine.end(trailers: trailers) } catch { throw .answerRefused(error) }
        call.reply.isWhole = true
    }

    func abort() async {}

    func keepAlive(
        every interval: Duration, _ head: ResponseHead, opening: [UInt8]
    ) async throws(StreamFailure) {
        do { try machine.keepAlive(head, opening: opening) } catch { throw .answerRefused(error) }
        kept = (clock.monotonic().advanced(by: interval), head, opening)
    }
}
