// SPDX-License-Identifier: Apache-2.0
internal import ObjectKeyPorts
internal import ObjectServerPorts
internal import ObjectStorePorts
internal import Ports
internal import S3Format
internal import S3Proxy
internal import SimulatedStorage
internal import SimulationEngine

/// One incarnation of the proxy: as the program puts it together, before a store that fails.
final class ObjectReplica: @unchecked Sendable {
    private static let callsMax = 256

    let calls: SimulatedMailbox<ObjectCall>
    let clock: SimulatedClock
    /// Under way, by number.
    private(set) var running: [Int: ObjectCall] = [:]
    private var number = 0
    private let proxy: S3Proxy<SimulatedCipher>
    private let handler: any RequestHandler
    private let run: SimulationRun
    private let name: String

    init(_ context: ComponentContext, _ world: ObjectWorld) {
        let run = context.run
        self.run = run
        name = context.name
        clock = context.clock
        calls = SimulatedMailbox(capacity: Self.callsMax, in: run)
        let faults = ObjectStoreFaults(
            run: run, clock: context.clock, latency: world.plan.latency)
        let store = WatchedStore(
            store: faults.store(world.storage, chunkBytes: world.plan.chunkBytes), run: run,
            failed: { [weak world] in world?.upsetHappened() })
        let tampering = world.tampering
        proxy = S3Proxy(
            S3ProxyParts(
                store: tampering.wrapStore(store),
                custodian: tampering.wrapCustodian(ObjectCustodian(world.vault, context.clock)),
                credentials: world.credentials, salts: tampering.wrapSalts(world.salts),
                clock: context.clock, digests: SimulatedDigests(),
                cipher: SimulatedCipher { run.report($0) }, keyMemory: world.vault.arena),
            world.plan.settings(of: context.name))
        handler = tampering.wrapHandler(proxy)
    }

    func work() async {
        await withDiscardingTaskGroup { group in
            while let call = await calls.receive() {
                group.addTask { await self.serve(call) }
            }
        }
    }

    private func serve(_ call: ObjectCall) async {
        number += 1
        let own = number
        running[own] = call
        if !call.isGone {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { [self] in
                    await handler.handle(
                        call.request, body: ObjectCallBody(call, clock),
                        response: ObjectCallWriter(call, clock))
                }
                // The connection's loss cancels the work.
                group.addTask { _ = await call.gone.receive() }
                await group.next()
                group.cancelAll()
            }
        }
        running[own] = nil
        end(call)
        call.answer.send(call.reply)
        if own % 32 == 0 { tellMetrics() }
    }

    private func end(_ call: ObjectCall) {
        guard let write = call.write else { return }
        let outcome = call.outcome
        if outcome == .unknown { run.marks.hit("object-proxy.unknown") }
        run.report(ObjectWriteEnded(write, outcome))
    }

    /// It is gone, with everything in its memory.
    func crashed() {
        var left = running.sorted { $0.key < $1.key }.map(\.value)
        running = [:]
        while let call = calls.takeFirst() { left.append(call) }
        for call in left {
            call.isGone = true
            end(call)
            call.answer.send(ObjectReply())
        }
    }

    func tellMetrics() {
        run.report(SinkWritten(.metrics, principal: name, text: proxy.metricsPage))
    }
}

/// Tells the oracles all that a store gets to see.
struct WatchedStore: ForwardingObjectStore {
    let store: any ObjectStore
    let run: SimulationRun
    /// Called when a read fails: whoever waits for the same is told only then.
    let failed: @Sendable () -> Void

    func read<Outcome: Sendable>(
        _ version: ObjectVersion, _ range: S3ByteRange?, _ conditions: S3Conditions,
        _ receive: (ObjectAnswer, any ObjectStream) async throws(ObjectStoreFailure) -> Outcome
    ) async throws(ObjectStoreFailure) -> Outcome {
        do throws(ObjectStoreFailure) {
            return try await store.read(version, range, conditions, receive)
        } catch {
            if error.isTransient { failed() }
            throw error
        }
    }

    private func tell(_ location: ObjectLocation, _ text: String) {
        run.report(
            SinkWritten(
                .network, stream: "calls", principal: "store",
                text: "\(location.bucket.name) \(location.key.text) \(text)\n"))
    }

    private func tell(_ location: ObjectLocation, _ write: ObjectWrite) {
        var words: [String] = [write.attributes.contentType ?? ""]
        words += write.attributes.metadata.entries.map { "\($0.name)=\($0.value)" }
        words += write.tagging?.tags.map { "\($0.key)=\($0.value)" } ?? []
        words += write.passedOn.map { "\($0.name)=\($0.value)" }
        tell(location, words.joined(separator: " "))
    }

    private func watched(_ body: ObjectBody, _ location: ObjectLocation) -> ObjectBody {
        ObjectBody(
            WatchedSource(source: body.source, stream: location.key.text, run: run),
            length: body.length)
    }

    func put(
        _ location: ObjectLocation, _ body: ObjectBody, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        tell(location, write)
        return try await store.put(location, watched(body, location), write)
    }

    func copy(
        _ source: ObjectVersion, _ conditions: S3Conditions, to location: ObjectLocation,
        _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        tell(location, write)
        return try await store.copy(source, conditions, to: location, write)
    }

    func createUpload(
        _ location: ObjectLocation, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectUpload {
        tell(location, write)
        return try await store.createUpload(location, write)
    }

    func uploadPart(
        _ upload: ObjectUpload, _ number: Int, _ body: ObjectBody
    ) async throws(ObjectStoreFailure) -> S3EntityTag {
        try await store.uploadPart(upload, number, watched(body, upload.location))
    }
}

private final class WatchedSource: ObjectSource {
    private let source: any ObjectSource
    private let stream: String
    private let run: SimulationRun

    init(source: any ObjectSource, stream: String, run: SimulationRun) {
        self.source = source
        self.stream = stream
        self.run = run
    }

    func next() async throws(ObjectSourceFailure) -> [UInt8]? {
        let chunk = try await source.next()
        if let chunk {
            run.report(
                SinkWritten(.network, stream: stream, principal: "store", bytes: chunk))
        }
        return chunk
    }
}
