// SPDX-License-Identifier: Apache-2.0
import ObjectStorePorts
import S3Format
import SimulatedStorage
import Synchronization
import Testing

/// Gives chunks that are already there.
private final class ChunkSource: ObjectSource {
    private let chunks: Mutex<[[UInt8]]>

    init(_ chunks: [[UInt8]]) { self.chunks = Mutex(chunks) }

    func next() async throws(ObjectSourceFailure) -> [UInt8]? {
        chunks.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }
}

/// A storage with one bucket, and a plan of failures.
private final class Stage: Sendable {
    struct Plan {
        var fault: SimulatedObjectStoreFault?
        /// At this edge of a chunk the connection breaks.
        var edge: Int?
        var failure = ObjectStoreFailure.connectionLost(host: "store.sim")
        var calls: [ObjectStoreCall] = []
        var edges: [Int] = []
    }

    let storage = SimulatedStorage()
    let plan = Mutex(Plan())
    let bucket: S3Bucket
    let location: ObjectLocation

    init(hasVersions: Bool = false) throws {
        bucket = try #require(S3Bucket("bucket"))
        location = ObjectLocation(bucket, try #require(S3Key("key")))
        storage.withServer { [bucket] in $0.addBucket(bucket, hasVersions: hasVersions) }
    }

    /// Four bytes a chunk.
    var store: SimulatedObjectStore {
        SimulatedObjectStore(
            storage, chunkBytes: 4, now: { 1_795_737_600 },
            begin: { [self] call in
                plan.withLock {
                    $0.calls.append(call)
                    return $0.fault
                }
            },
            edge: { [self] _, count in
                plan.withLock {
                    $0.edges.append(count)
                    return $0.edge == count ? $0.failure : nil
                }
            })
    }

    func body(_ text: String) -> ObjectBody {
        let bytes = Array(text.utf8)
        let chunks = stride(from: 0, to: bytes.count, by: 4).map {
            Array(bytes[$0..<min($0 + 4, bytes.count)])
        }
        return ObjectBody(ChunkSource(chunks), length: Int64(bytes.count))
    }

    @discardableResult
    func put(_ text: String, _ key: String = "key") async throws -> ObjectWritten {
        let location = ObjectLocation(bucket, try #require(S3Key(key)))
        return try await store.put(location, body(text), ObjectWrite())
    }

    /// What is stored, without the port.
    var content: String? {
        let key = location.key
        return storage.withServer { [bucket] in
            $0.buckets[bucket]?.objects[key]?.last?.content.map {
                String(decoding: $0, as: UTF8.self)
            }
        }
    }

    func read() async throws -> String {
        try await store.read(location.latest, nil, .none) {
            (_, stream) async throws(ObjectStoreFailure) in
            var bytes: [UInt8] = []
            while let chunk = try await stream.next() { bytes += chunk }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    func failing(_ fault: SimulatedObjectStoreFault?, edge: Int? = nil) {
        plan.withLock {
            $0.fault = fault
            $0.edge = edge
        }
    }
}

@Suite struct `Planned failures of the simulated store` {
    static let lost = ObjectStoreFailure.connectionLost(host: "store.sim")
    static let busy = ObjectStoreFailure.slowDown(retryAfterSeconds: 1)

    @Test func `before a call leave everything as it was`() async throws {
        let stage = try Stage()
        try await stage.put("first")
        stage.failing(.before(Self.busy))
        await #expect(throws: Self.busy) { try await stage.put("second") }
        await #expect(throws: Self.busy) {
            try await stage.store.delete(stage.location.latest, .none)
        }
        await #expect(throws: Self.busy) { try await stage.read() }
        #expect(stage.content == "first")
        stage.failing(nil)
        #expect(try await stage.read() == "first")
    }

    @Test func `after a call leave it done`() async throws {
        let stage = try Stage()
        stage.failing(.answerLost(Self.lost))
        await #expect(throws: Self.lost) { try await stage.put("first") }
        #expect(stage.content == "first")
        #expect(Self.lost.effect == .unknown)
        await #expect(throws: Self.lost) {
            try await stage.store.delete(stage.location.latest, .none)
        }
        #expect(stage.content == nil)
        // What the server itself refuses is told as that: there was an answer to lose.
        await #expect(throws: ObjectStoreFailure.noSuchKey) { try await stage.read() }
    }

    @Test func `at any edge of an upload leave nothing`() async throws {
        for edge in 0...4 {
            let stage = try Stage()
            stage.failing(nil, edge: edge)
            if edge == 4 {
                try await stage.put("abcdefghijkl")
                #expect(stage.content == "abcdefghijkl", "the control: three chunks, edges 0 to 3")
            } else {
                await #expect(throws: Self.lost) { try await stage.put("abcdefghijkl") }
                #expect(stage.content == nil)
            }
        }
    }

    @Test func `at any edge of a read give a beginning, and never an end`() async throws {
        let stage = try Stage()
        try await stage.put("abcdefghijkl")
        for edge in 0...3 {
            stage.failing(nil, edge: edge)
            let (text, again) = try await stage.store.read(stage.location.latest, nil, .none) {
                (_, stream) async throws(ObjectStoreFailure) in
                var bytes: [UInt8] = []
                var failures: [ObjectStoreFailure] = []
                while failures.count < 2 {
                    do throws(ObjectStoreFailure) {
                        guard let chunk = try await stream.next() else { break }
                        bytes += chunk
                    } catch { failures.append(error) }
                }
                return (String(decoding: bytes, as: UTF8.self), failures)
            }
            #expect(text == String("abcdefghijkl".prefix(4 * edge)))
            #expect(again == [Self.lost, Self.lost], "the same again")
        }
        stage.failing(nil)
        #expect(try await stage.read() == "abcdefghijkl")
    }

    @Test func `at an edge of a part leave the part that was there`() async throws {
        let stage = try Stage()
        let upload = try await stage.store.createUpload(stage.location, ObjectWrite())
        let tag = try await stage.store.uploadPart(upload, 1, stage.body("old"))
        stage.failing(nil, edge: 1)
        await #expect(throws: Self.lost) {
            try await stage.store.uploadPart(upload, 1, stage.body("new and longer"))
        }
        stage.failing(nil)
        _ = try await stage.store.completeUpload(upload, [.init(number: 1, tag: tag)], .none)
        #expect(stage.content == "old")
    }

    @Test func `have lists show what was`() async throws {
        let stage = try Stage()
        for index in 0..<12 { try await stage.put("x", "key-\(index + 10)") }
        for (changes, count) in [(0, 12), (1, 11), (3, 9), (8, 4), (9, 4), (100, 4)] {
            stage.failing(.stale(changes: changes))
            let page = try await stage.store.list(stage.bucket, ObjectQuery())
            #expect(page.objects.count == count, "\(changes) changes ago")
            let versions = try await stage.store.listVersions(stage.bucket, ObjectMarkerQuery())
            #expect(versions.versions.count == count)
            // Reads never lag.
            let last = try #require(S3Key("key-21"))
            _ = try await stage.store.head(
                ObjectLocation(stage.bucket, last).latest, .none)
        }
    }

    @Test func `see each call and each chunk, in order, and none ahead of its reader`() async throws
    {
        let stage = try Stage()
        try await stage.put("abcdefghijkl")
        #expect(stage.plan.withLock { $0.edges } == [0, 1, 2, 3, 3])
        stage.plan.withLock { $0.edges = [] }
        _ = try await stage.store.read(stage.location.latest, nil, .none) {
            (_, stream) async throws(ObjectStoreFailure) in
            #expect(stage.plan.withLock { $0.edges } == [])
            _ = try await stream.next()
            #expect(stage.plan.withLock { $0.edges } == [0])
            _ = try await stream.next()
            #expect(stage.plan.withLock { $0.edges } == [0, 1])
        }
        #expect(stage.plan.withLock { $0.edges } == [0, 1], "the rest was not fetched")
        let calls = stage.plan.withLock { $0.calls }
        #expect(calls.map(\.verb) == [.put, .read])
        #expect(calls.allSatisfy { $0.key?.text == "key" && $0.bucket == stage.bucket })
    }

    @Test func `end a stream with its read`() async throws {
        let stage = try Stage()
        try await stage.put("abcdefgh")
        let kept = try await stage.store.read(stage.location.latest, nil, .none) {
            (_, stream) async throws(ObjectStoreFailure) in
            _ = try await stream.next()
            return stream
        }
        await #expect(throws: ObjectStoreFailure.cancelled) { try await kept.next() }
    }

    @Test func `are told apart by what they may have done`() {
        for failure in [
            ObjectStoreFailure.timedOut(host: "h"), .connectionLost(host: "h"), .cancelled,
            .serverError(status: 500), .responseMalformed(detail: ""), .responseTooLarge(limit: 1),
        ] { #expect(failure.effect == .unknown) }
        for failure in [
            ObjectStoreFailure.unreachable(host: "h", detail: ""),
            .slowDown(retryAfterSeconds: nil),
            .sourceFailed, .lengthMismatch(declared: 1, received: 2), .preconditionFailed,
            .noSuchBucket, .accessDenied, .invalidPart, .conflict,
        ] { #expect(failure.effect == .none) }
        #expect(ObjectStoreFailure.slowDown(retryAfterSeconds: 1).isTransient)
        #expect(!ObjectStoreFailure.preconditionFailed.isTransient)
    }
}

@Suite struct `Whoever runs the simulated store` {
    @Test func `changes, swaps and takes back what is in it`() async throws {
        let stage = try Stage(hasVersions: true)
        try await stage.put("first")
        try await stage.put("second")
        stage.storage.withServer { [location = stage.location] in
            $0.tamper(location) { versions in versions.removeLast() }
        }
        #expect(try await stage.read() == "first", "rolled back")
        stage.storage.withServer { [location = stage.location] in
            $0.tamper(location) { versions in
                versions[0].content = Array("fir".utf8)
            }
        }
        #expect(try await stage.read() == "fir", "truncated, and the length fits")
        try await stage.put("other", "other")
        stage.storage.withServer { [bucket = stage.bucket, location = stage.location] in
            guard let other = S3Key("other"),
                let content = $0.buckets[bucket]?.objects[other]?.last?.content
            else { return }
            $0.tamper(location) { versions in versions[versions.count - 1].content = content }
        }
        #expect(try await stage.read() == "other", "swapped")
        stage.storage.withServer { [location = stage.location] in
            $0.tamper(location) { versions in versions = [] }
        }
        await #expect(throws: ObjectStoreFailure.noSuchKey) { try await stage.read() }
    }

    @Test func `does the same each time`() async throws {
        var tags: [[S3EntityTag]] = []
        for _ in 0..<2 {
            let stage = try Stage(hasVersions: true)
            var run: [S3EntityTag] = []
            for index in 0..<5 { run.append(try await stage.put("\(index)").tag) }
            tags.append(run)
        }
        #expect(tags[0] == tags[1])
        #expect(Set(tags[0]).count == 5)
        #expect(tags[0].allSatisfy { $0.bare.utf8.count == 32 })
    }

    @Test func `gives pages and takes deletions of a bounded size`() async throws {
        let stage = try Stage()
        let wrong = ObjectStoreFailure.refused(code: "InvalidArgument", status: 400)
        for count in [0, -1, S3Limits.pageEntriesMax + 1] {
            await #expect(throws: wrong) {
                try await stage.store.list(stage.bucket, ObjectQuery(entriesMax: count))
            }
            await #expect(throws: wrong) {
                try await stage.store.listVersions(
                    stage.bucket, ObjectMarkerQuery(entriesMax: count))
            }
        }
        let start = ObjectQuery.Start.continuation("of another store")
        await #expect(throws: wrong) {
            try await stage.store.list(stage.bucket, ObjectQuery(start: start))
        }
        let entry = S3DeleteRequest.Entry(key: stage.location.key)
        let most = [S3DeleteRequest.Entry](repeating: entry, count: S3Limits.deleteKeysMax)
        #expect(try await stage.store.delete(most, in: stage.bucket).count == most.count)
        for entries in [[], most + [entry]] {
            await #expect(throws: ObjectStoreFailure.refused(code: "MalformedXML", status: 400)) {
                try await stage.store.delete(entries, in: stage.bucket)
            }
        }
    }

    @Test func `may take smaller parts`() async throws {
        let stage = try Stage()
        for (least, isEnough) in [(Int64(4), false), (3, true)] {
            stage.storage.withServer { $0.partBytesMin = least }
            let upload = try await stage.store.createUpload(stage.location, ObjectWrite())
            let first = try await stage.store.uploadPart(upload, 1, stage.body("abc"))
            let second = try await stage.store.uploadPart(upload, 2, stage.body("d"))
            let parts = [
                S3NamedPart(number: 1, tag: first), S3NamedPart(number: 2, tag: second),
            ]
            if isEnough {
                _ = try await stage.store.completeUpload(upload, parts, .none)
                #expect(stage.content == "abcd")
            } else {
                await #expect(throws: ObjectStoreFailure.partTooSmall) {
                    try await stage.store.completeUpload(upload, parts, .none)
                }
            }
        }
    }
}
