// SPDX-License-Identifier: Apache-2.0
internal import Checksums
internal import ObjectServerPorts
internal import Ports
internal import RequestSignature
internal import S3Format
internal import ServedHTTP
internal import SimulationEngine

/// One client of `ObjectProxyScenario`: signs as S3's clients do, and judges what it is told.
final class ObjectClient: @unchecked Sendable {
    /// How long an answer is waited for.
    static let patience = Duration.seconds(20)
    static let keys = ["a", "b/c", "d e+f%", "größe"]

    let world: ObjectWorld
    let clock: SimulatedClock
    var run: SimulationRun { world.run }

    init(_ world: ObjectWorld, _ clock: SimulatedClock) {
        self.world = world
        self.clock = clock
    }

    // MARK: - What it does

    func work() async {
        while clock.monotonic() < MonotonicTime(nanoseconds: 0).advanced(by: ObjectWorld.healTime) {
            let pause = run.choices.draw(in: 100...9_000, label: "workload/pause")
            await clock.sleep(for: .milliseconds(pause))
            let key = run.choices.pick(Self.keys, label: "workload/key")
            switch run.choices.draw(below: 14, label: "workload/step") {
            case 0, 1: await get(key)
            case 2, 3, 4: await put(key)
            case 5, 6: await getRange(key)
            case 7: await head(key)
            case 8: await list()
            case 9: await delete(key)
            case 10: await copy(key)
            case 11: await sendWrongly(key)
            default: await upload(key)
            }
        }
    }

    func drawSize() -> Int {
        switch run.choices.draw(below: 8, label: "workload/size") {
        case 0: run.choices.draw(in: 0...32, label: "workload/bytes")
        case 5: run.choices.draw(in: 65_000...66_100, label: "workload/bytes")
        case 6, 7: run.choices.draw(in: 0...150_000, label: "workload/bytes")
        default: run.choices.draw(in: 0...3_000, label: "workload/bytes")
        }
    }

    func put(_ key: String) async {
        let content = world.newContent(drawSize())
        world.guardHashes(of: content.bytes)
        for _ in 0..<2 {
            let write = world.begin(key, content.value)
            let reply = await send(
                .put, "PUT", key, fields: fields(of: content), content.bytes, write: write)
            judgeRequest(reply)
            if reply?.status == 200 { run.marks.hit("object-proxy.put") }
            guard reply?.code == "ServiceUnavailable" || reply?.code == "SlowDown" else { return }
        }
    }

    func fields(of content: ObjectContent) -> [String: String] {
        [
            "x-amz-meta-content": String(content.number),
            "x-amz-meta-note": ObjectWorld.text(world.secret),
            "content-type": "text/plain", "x-amz-tagging": "kind=test",
        ]
    }

    private func delete(_ key: String) async {
        let write = world.begin(key, .absent)
        let reply = await send(.delete, "DELETE", key, write: write)
        if reply?.status == 204 { run.marks.hit("object-proxy.deleted") }
    }

    private func copy(_ key: String) async {
        let source = run.choices.pick(Self.keys, label: "workload/source")
        guard source != key else { return }
        let write = world.begin(key, .copy(of: source))
        let path = RequestTarget(path: Array("/\(world.bucket.name)/\(source)".utf8), query: [])
        let reply = await send(
            .copy, "PUT", key, fields: ["x-amz-copy-source": path.encoded], write: write)
        if reply?.status == 200 { run.marks.hit("object-proxy.copied") }
    }

    /// With a key that is none, which must change nothing.
    private func sendWrongly(_ key: String) async {
        let content = world.newContent(20)
        let write = world.begin(key, content.value)
        var secret = world.credentials.secret
        secret[0] ^= 1
        let reply = await send(
            .put, "PUT", key, fields: fields(of: content), content.bytes, write: write,
            secret: secret)
        judgeRequest(reply, hasRightKey: false)
    }

    // MARK: - Sending

    /// nil: nobody answers, or not in time.
    func send(
        _ kind: ObjectCall.Kind, _ method: String, _ key: String = "",
        query: [(String, String)] = [], fields: [String: String] = [:], _ body: [UInt8] = [],
        write: Int? = nil, secret: [UInt8]? = nil, to replica: String? = nil
    ) async -> ObjectReply? {
        let name = replica ?? run.choices.pick(world.plan.replicas, label: "workload/replica")
        guard let request = request(method, key, query, fields, body, secret),
            let replica = world.replica(name)
        else {
            if let write { run.report(ObjectWriteEnded(write, .none)) }
            return nil
        }
        let call = ObjectCall(kind, request.head, request.body, write: write, in: run)
        guard replica.calls.send(call) else {
            if let write { run.report(ObjectWriteEnded(write, .none)) }
            return nil
        }
        let reply = await call.answer.receive(until: run.now.advanced(by: Self.patience))
        if reply == nil {
            run.marks.hit("object-proxy.waited-in-vain")
            call.leave()
        }
        if let reply, reply.status >= 300 {
            run.report(
                SinkWritten(.network, stream: "errors", principal: "client", bytes: reply.body))
        }
        return call.isGone ? nil : reply
    }

    private func request(
        _ method: String, _ key: String, _ query: [(String, String)], _ fields: [String: String],
        _ body: [UInt8], _ secret: [UInt8]?
    ) -> (head: ServedRequest, body: [UInt8])? {
        let digests = SimulatedDigests()
        let payload: Payload
        switch body.isEmpty ? 0 : run.choices.draw(below: 4, label: "workload/payload") {
        case 1: payload = .unsigned
        case 2:
            payload = .chunked(
                ChunkedPayload(isSigned: true, decodedByteCount: body.count, trailer: nil))
        case 3:
            payload = .chunked(
                ChunkedPayload(isSigned: false, decodedByteCount: body.count, trailer: .crc32c))
        default: payload = .literal(world.digest(body))
        }
        let signer = RequestSigner(
            accessKeyID: ObjectCredentials.accessKeyID, region: ObjectPlan.region, digests,
            keyMemory: world.vault.arena)
        let target = RequestTarget(
            path: Array("/\(world.bucket.name)\(key.isEmpty ? "" : "/" + key)".utf8),
            query: query.map { QueryItem($0.0, $0.1) })
        let key = secret ?? world.credentials.secret
        let signed = try? signer.sign(
            method: method, target,
            fields: [RequestField("host", "proxy.sim")]
                + fields.sorted { $0.key < $1.key }.map { RequestField($0.key, $0.value) },
            payload: payload, now: clock.secondsSince1970(),
            secret: key.span.bytes)
        guard let signed else { return nil }
        let framed = Self.framed(body, payload, signed, digests)
        let head = ServedHTTP.RequestHead(
            method: method, target: Array(signed.head.target.utf8),
            fields: signed.head.fields.map { HeaderField($0.name, $0.value) },
            authority: "proxy.sim")
        let request = ServedRequest(
            head: head, length: .bytes(framed.count), remoteAddress: "192.0.2.1:4711")
        return (request, framed)
    }

    private static func framed(
        _ body: [UInt8], _ payload: Payload, _ signed: SignedRequest, _ digests: SimulatedDigests
    ) -> [UInt8] {
        guard case .chunked(let chunked) = payload else { return body }
        var encoder = ChunkedBodyEncoder(chunked, chain: signed.chain, digests)
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: body.count, by: 65_536) {
            let chunk = Array(body[start..<min(start + 65_536, body.count)])
            bytes += encoder.head(of: chunk.span.bytes) + chunk + ChunkedBodyEncoder.lineEnd
        }
        return bytes + encoder.end()
    }

    /// Its clock is so wrong that it is let in nowhere.
    var isSkewed: Bool { abs(clock.skew.offsetSeconds) > ObjectRequestOracle.skewMax }

    /// Whether it was let in as it deserves; what nobody answered says nothing.
    func judgeRequest(_ reply: ObjectReply?, hasRightKey: Bool = true) {
        guard let reply, reply.isWhole else { return }
        let refusals = ["RequestTimeTooSkewed", "SignatureDoesNotMatch", "InvalidAccessKeyId"]
        run.report(
            ObjectRequestJudged(
                secondsApart: clock.skew.offsetSeconds, hasRightKey: hasRightKey,
                wasRefused: refusals.contains(reply.code ?? "")))
    }
}
