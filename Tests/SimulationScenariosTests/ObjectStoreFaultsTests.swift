// SPDX-License-Identifier: Apache-2.0
import ObjectStorePorts
import S3Format
import SimulatedStorage
import SimulationEngine
import SimulationScenarios
import Synchronization
import Testing

/// Clients of a store that fails, with nothing between: whatever the failures say of their effect
/// is true, and what was stored is what is read.
final class StoreClient: @unchecked Sendable {
    /// A client that does one thing wrong.
    enum Mistake: CaseIterable, Sendable {
        /// Takes a write whose effect is unknown for one without effect.
        case takesUnknownForNone
        /// Takes what came of a read that broke off for all of it.
        case takesBeginningsForAll
    }

    static let chunkBytes = 16
    private let run: SimulationRun
    private let storage: SimulatedStorage
    private let mistake: Mistake?
    private let location: ObjectLocation
    /// What may be there: one content for certain, or several.
    private var possible: Set<[UInt8]?> = [nil]
    private var number = 0

    init(
        _ run: SimulationRun, _ storage: SimulatedStorage, _ location: ObjectLocation,
        _ mistake: Mistake?
    ) {
        self.run = run
        self.storage = storage
        self.location = location
        self.mistake = mistake
    }

    func work(_ clock: SimulatedClock) async {
        let faults = ObjectStoreFaults(run: run, clock: clock)
        let store = faults.store(storage, chunkBytes: Self.chunkBytes)
        for _ in 0..<40 {
            switch run.choices.draw(below: 4, label: "client/step") {
            case 0: await put(store)
            case 1: await delete(store)
            default: await read(store)
            }
        }
        run.heal()
        await put(store)
        await read(store)
    }

    private func put(_ store: SimulatedObjectStore) async {
        number += 1
        let size = run.choices.draw(in: 0...100, label: "client/size")
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &+ number &* 7) }
        do throws(ObjectStoreFailure) {
            _ = try await store.put(
                location, ObjectBody(SliceSource(bytes), length: Int64(size)), ObjectWrite())
            possible = [bytes]
            run.marks.hit("objects.stored")
        } catch { failed(error, with: bytes) }
    }

    private func delete(_ store: SimulatedObjectStore) async {
        do throws(ObjectStoreFailure) {
            _ = try await store.delete(location.latest, .none)
            possible = [nil]
        } catch { failed(error, with: nil) }
    }

    private func failed(_ failure: ObjectStoreFailure, with outcome: [UInt8]?) {
        guard failure.effect == .unknown, mistake != .takesUnknownForNone else { return }
        run.marks.hit("objects.unknown")
        possible.insert(outcome)
    }

    private func read(_ store: SimulatedObjectStore) async {
        let received = Mutex<[UInt8]>([])
        let found: [UInt8]?
        do throws(ObjectStoreFailure) {
            found = try await store.read(location.latest, nil, .none) {
                (_, stream) async throws(ObjectStoreFailure) in
                while let chunk = try await stream.next() { received.withLock { $0 += chunk } }
                return received.withLock { $0 }
            }
        } catch .noSuchKey {
            found = nil
        } catch {
            run.marks.hit("objects.read-failed")
            let beginning = received.withLock { $0 }
            guard !beginning.isEmpty else { return }
            run.marks.hit("objects.broke-off")
            guard mistake == .takesBeginningsForAll else { return }
            found = beginning
        }
        guard possible.contains(found) else {
            return run.oracles.report("objects", "something else is there than can be")
        }
        // One look tells which it was.
        possible = [found]
    }
}

private final class SliceSource: ObjectSource {
    private let rest: Mutex<ArraySlice<UInt8>>

    init(_ bytes: [UInt8]) { rest = Mutex(bytes[...]) }

    func next() async throws(ObjectSourceFailure) -> [UInt8]? {
        rest.withLock { rest in
            guard !rest.isEmpty else { return nil }
            let chunk = Array(rest.prefix(StoreClient.chunkBytes))
            rest = rest.dropFirst(chunk.count)
            return chunk
        }
    }
}

@Suite struct `Faults of the simulated store` {
    private func campaign(_ mistake: StoreClient.Mistake?, seeds: UInt64) throws -> [RunResult] {
        let bucket = try #require(S3Bucket("bucket"))
        let location = ObjectLocation(bucket, try #require(S3Key("key")))
        return (1...seeds).map { seed in
            SimulationRunner().run(
                named: "objects", limits: RunLimits(duration: .seconds(2000)), seed: seed
            ) { run in
                let storage = SimulatedStorage()
                storage.withServer { $0.addBucket(bucket, hasVersions: false) }
                let client = StoreClient(run, storage, location, mistake)
                run.spawn("client") { await client.work($0.clock) }
            }
        }
    }

    @Test func `do what they say, and nothing else`() throws {
        let results = try campaign(nil, seeds: 150)
        for result in results { #expect(result.findings.isEmpty, "seed \(result.seed)") }
        let marks = results.reduce(into: Set<String>()) { $0.formUnion($1.marks.keys) }
        #expect(
            marks.isSuperset(of: [
                "objects.stored", "objects.unknown", "objects.read-failed", "objects.broke-off",
            ]))
        let fired = results.reduce(into: Set<String>()) { $0.formUnion($1.faults.keys) }
        #expect(
            fired.isSuperset(of: [
                "objects.slow-down", "objects.unreachable", "objects.answer-lost",
                "objects.server-error", "objects.timed-out", "objects.reset", "objects.truncated",
                "objects.slow",
            ]))
    }

    @Test(arguments: StoreClient.Mistake.allCases)
    func `find out who does not heed them`(_ mistake: StoreClient.Mistake) throws {
        #expect(try campaign(mistake, seeds: 150).contains { !$0.findings.isEmpty })
    }

    @Test func `are the same for the same seed`() throws {
        #expect(try campaign(nil, seeds: 5).map(\.hash) == campaign(nil, seeds: 5).map(\.hash))
    }
}
