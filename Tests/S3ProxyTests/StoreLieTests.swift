// SPDX-License-Identifier: Apache-2.0
import CryptoHasher
import CryptoObjectCipher
import ObjectKeyPorts
import ObjectStorePorts
import Ports
import S3Format
import S3Proxy
import SealedObject
import SecretMemory
import SimulatedStorage
import Synchronization
import Testing

private let partBytes = Int(S3Limits.partBytesMin)

/// A store that lies in a few places.
private struct LyingStore: ForwardingObjectStore {
    let store: any ObjectStore
    /// Of what a read says, by key.
    var size: (@Sendable (String, Int64) -> Int64)?
    var page: (@Sendable (ObjectQuery) -> ObjectListPage?)?
    var ignoresConditionsOfReads = false
    var beforeRead: (@Sendable (String) -> Void)?
    var deletesNothing = false

    func read<Outcome: Sendable>(
        _ version: ObjectVersion, _ range: S3ByteRange?, _ conditions: S3Conditions,
        _ receive: (ObjectAnswer, any ObjectStream) async throws(ObjectStoreFailure) -> Outcome
    ) async throws(ObjectStoreFailure) -> Outcome {
        beforeRead?(version.location.key.text)
        return try await store.read(
            version, range, ignoresConditionsOfReads ? .none : conditions
        ) { answer, stream throws(ObjectStoreFailure) in
            let head = answer.head
            let size = self.size?(version.location.key.text, head.size) ?? head.size
            let lie = ObjectAnswer(
                head: ObjectHead(
                    size: size, tag: head.tag, modified: head.modified, versionID: head.versionID,
                    attributes: head.attributes, passedOn: head.passedOn), part: answer.part)
            return try await receive(lie, stream)
        }
    }

    func list(
        _ bucket: S3Bucket, _ query: ObjectQuery
    ) async throws(ObjectStoreFailure) -> ObjectListPage {
        if let page = page?(query) { return page }
        return try await store.list(bucket, query)
    }

    func delete(
        _ entries: [S3DeleteRequest.Entry], in bucket: S3Bucket
    ) async throws(ObjectStoreFailure) -> [ObjectDeletionOutcome] {
        guard deletesNothing else { return try await store.delete(entries, in: bucket) }
        return entries.map {
            ObjectDeletionOutcome(
                entry: $0, result: .success(ObjectDeletion(versionID: nil, isMarker: false)))
        }
    }
}

extension World {
    func replica(
        _ store: any ObjectStore, custodian: (any KeyCustodian)? = nil,
        cipherMemory: SecretArena? = nil,
        _ change: (inout S3ProxyPolicy) -> Void = { _ in }
    ) -> S3Proxy<CryptoObjectCipher> {
        var settings = self.settings
        change(&settings)
        return S3Proxy(
            S3ProxyParts(
                store: store, custodian: custodian ?? self.custodian,
                credentials: TestCredentials(), salts: self.custodian, clock: clock,
                digests: CryptoHasher(),
                cipher: CryptoObjectCipher(keyMemory: cipherMemory ?? arena), keyMemory: arena),
            settings)
    }

    var uploadCount: Int {
        let bucket = bucket
        return storage.withServer { $0.buckets[bucket]?.uploads.count ?? -1 }
    }
}

@Suite struct `A store that lies` {
    @Test func `a size near the largest number does not end the proxy`() async throws {
        let world = try World()
        let lying = LyingStore(
            store: world.store, size: { key, size in key.contains("/spool/") ? .max : size })
        let client = Client(world, world.replica(lying))
        let id = try await client.createUpload("key")
        let part = try await client.part("key", id, 1, content(10))
        let reply = try await client.complete("key", id, [part])
        #expect(reply.status >= 400)
    }

    @Test func `a list that never ends does not keep a completion for ever`() async throws {
        let world = try World()
        let calls = Mutex(0)
        let key = try world.key(".cloudtaser/ct1/uploads/x")
        let object = S3ListedObject(
            key: key, modified: S3Timestamp(secondsSince1970: 0), tag: S3EntityTag("\"x\""),
            size: 1,
            storageClass: "STANDARD")
        let lying = LyingStore(
            store: world.store,
            page: { query in
                guard query.prefix.text.contains("uploads/") else { return nil }
                let count = calls.withLock { calls in
                    calls += 1
                    return calls
                }
                // The test has to end.
                return ObjectListPage(
                    objects: [object], commonPrefixes: [], next: count < 5000 ? "more" : nil)
            }, deletesNothing: true)
        let client = Client(world, world.replica(lying))
        let id = try await client.createUpload("key")
        let part = try await client.part("key", id, 1, content(10))
        let reply = try await client.complete("key", id, [part])
        #expect(reply.status == 200)
        #expect(calls.withLock { $0 } < 100)
    }

    @Test func `a list that goes round does not keep rewrap for ever`() async throws {
        let world = try World()
        try await Client(world).put("key", [1])
        let calls = Mutex(0)
        let object = S3ListedObject(
            key: try world.key("key"), modified: S3Timestamp(secondsSince1970: 0),
            tag: S3EntityTag("\"x\""), size: 1, storageClass: "STANDARD")
        let lying = LyingStore(
            store: world.store,
            page: { _ in
                let count = calls.withLock { calls in
                    calls += 1
                    return calls
                }
                return ObjectListPage(
                    objects: [object], commonPrefixes: [], next: count < 2000 ? "more" : nil)
            })
        _ = await world.replica(lying).rewrapObjects(of: world.bucket)
        #expect(calls.withLock { $0 } < 10)
    }

    /// As stores of the simple dialect may.
    @Test func `an overwrite is not taken for a change where conditions are ignored`()
        async throws
    {
        let world = try World()
        let client = Client(world)
        try await client.put("key", content(100_000, seed: 1))
        let first = try world.stored("key")
        try await client.put("key", content(100_000, seed: 2))
        let location = ObjectLocation(world.bucket, try world.key("key"))
        let done = Mutex(false)
        let lying = LyingStore(
            store: world.store, ignoresConditionsOfReads: true,
            beforeRead: { key in
                let isFirst = done.withLock { done in
                    guard key == "key", !done else { return false }
                    done = true
                    return true
                }
                guard isFirst else { return }
                world.storage.withServer { server in server.tamper(location) { $0 = [first] } }
            })
        let get = try await Client(world, world.replica(lying)).get("key", range: "bytes=-70000")
        #expect(done.withLock { $0 })
        #expect(get.status == 206, "\(get.text)")
    }
}

@Suite struct `Review, semantics` {
    @Test(arguments: [false, true])
    func `a copy keeps its source's tags`(_ isInParts: Bool) async throws {
        let world = try World()
        let client = Client(world)
        let tags = ["x-amz-tagging": "project=blue"]
        if isInParts {
            let id = try await client.createUpload("key", tags)
            let part = try await client.part("key", id, 1, content(100))
            #expect(try await client.complete("key", id, [part]).status == 200)
        } else {
            try await client.put("key", content(100), tags)
        }
        func tagging(_ key: String) async throws -> [String] {
            let reply = try await client.send("GET", key, query: [("tagging", "")])
            return try S3Tagging(reply.body).tags.map { "\($0.key)=\($0.value)" }
        }
        #expect(try await tagging("key") == ["project=blue"])
        let copied = try await client.send("PUT", "copy", ["x-amz-copy-source": "/bucket/key"])
        #expect(copied.status == 200)
        #expect(try await tagging("copy") == ["project=blue"])
        let report = await world.proxy.rewrapObjects(of: world.bucket)
        #expect(report.failed == 0)
        #expect(try await tagging("key") == ["project=blue"])
    }

    @Test func `a completion whose answer the client lost is done again`() async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key")
        let part = try await client.part("key", id, 1, content(10))
        #expect(try await client.complete("key", id, [part]).status == 200)
        let again = try await client.complete("key", id, [part])
        #expect(again.status == 200, "\(again.text)")
    }

    @Test func `an object may be given another storage class where it is`() async throws {
        let world = try World()
        let client = Client(world)
        try await client.put("key", content(10))
        let moved = try await client.send(
            "PUT", "key",
            ["x-amz-copy-source": "/bucket/key", "x-amz-storage-class": "STANDARD_IA"])
        #expect(moved.status == 200, "\(moved.text)")
    }

    @Test func `a part is still there when a completion without it has failed`() async throws {
        let world = try World()
        let client = Client(world)
        try await client.put("key", [1])
        let id = try await client.createUpload("key")
        let parts = [
            try await client.part("key", id, 1, content(partBytes)),
            try await client.part("key", id, 2, content(partBytes, seed: 2)),
        ]
        let failed = try await client.send(
            "POST", "key", query: [("uploadId", id)], ["if-none-match": "*"],
            S3CompleteRequest(parts: [parts[0]]).rendered())
        #expect(failed.code == "PreconditionFailed")
        let reply = try await client.complete("key", id, parts)
        #expect(reply.status == 200, "\(reply.text)")
    }

    @Test(arguments: ["copy", "part"])
    func `a client is kept waiting while much is copied`(_ what: String) async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key")
        let parts = [
            try await client.part("key", id, 1, content(partBytes)),
            try await client.part("key", id, 2, content(10)),
        ]
        #expect(try await client.complete("key", id, parts, keepsAlive: true).wasKept)
        var query: [(String, String)] = []
        if what == "part" {
            query = [("partNumber", "1"), ("uploadId", try await client.createUpload("other"))]
        }
        let reply = try await client.send(
            "PUT", "other", query: query, ["x-amz-copy-source": "/bucket/key"], keepsAlive: true)
        #expect(reply.status == 200)
        #expect(reply.wasKept)
    }

    @Test func `parts whose numbers do not ascend are named so`() async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key")
        let one = try await client.part("key", id, 1, content(partBytes))
        let two = try await client.part("key", id, 2, content(partBytes))
        #expect(try await client.complete("key", id, [two, one]).code == "InvalidPartOrder")
    }

    @Test func `a list of parts goes on behind a record that cannot be read`() async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key")
        for number in 1...2 { try await client.part("key", id, number, content(10)) }
        let record = try #require(world.storedKeys.first { $0.contains("/parts/00001") })
        try world.tamper(record) { $0.content = Array("x".utf8) }
        let list = try await client.send(
            "GET", "key", query: [("max-parts", "1"), ("uploadId", id)])
        #expect(try S3PartList(list.body).isTruncated)
    }
}

@Suite struct `Clients that go` {
    /// The server cancels the task when the connection is lost.
    private func canceled(
        _ world: World, at verb: ObjectStoreCall.Verb, key: String? = nil
    ) -> Client {
        Client(
            world,
            world.replica(faults: { call in
                if call.verb == verb, key.map({ call.key?.text.contains($0) == true }) ?? true {
                    withUnsafeCurrentTask { $0?.cancel() }
                }
                return nil
            }))
    }

    @Test func `nothing is left of a copy whose client has gone`() async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key")
        let part = try await client.part("key", id, 1, content(10))
        #expect(try await client.complete("key", id, [part]).status == 200)
        #expect(world.uploadCount == 0)
        let gone = canceled(world, at: .copyPart)
        await Task {
            _ = try? await gone.send("PUT", "copy", ["x-amz-copy-source": "/bucket/key"])
        }.value
        // As the program does now and then.
        await gone.proxy.tidy()
        #expect(world.uploadCount == 0)
    }

    @Test func `nothing is left of an upload that its client never heard of`() async throws {
        let world = try World()
        try await Client(world).put("warm", [1])
        let gone = canceled(world, at: .put, key: "/state")
        await Task {
            _ = try? await gone.send("POST", "key", query: [("uploads", "")])
        }.value
        await gone.proxy.tidy()
        #expect(world.uploadCount == 0)
    }
}
