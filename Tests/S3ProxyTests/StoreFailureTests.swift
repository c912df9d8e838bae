// SPDX-License-Identifier: Apache-2.0
import CryptoObjectCipher
import ObjectStorePorts
import S3Format
import S3Proxy
import SimulatedStorage
import Synchronization
import Testing

private let partBytes = Int(S3Limits.partBytesMin)

/// What the simulator's scenario `object-proxy` found, each for itself.
@Suite struct `A store that fails` {
    private static let lost = ObjectStoreFailure.connectionLost(host: "store")

    @Test func `is not taken for an object that was changed`() async throws {
        let world = try World()
        try await Client(world).put("key", content(10))
        let replica = world.replica(faults: { call in
            let isTable = call.verb == .read && call.key?.text.contains("ct1/keys/") == true
            return isTable ? .before(.responseMalformed(detail: "no XML")) : nil
        })
        let reply = try await Client(world, replica).get("key")
        #expect(reply.status == 503 && reply.code == "ServiceUnavailable", "\(reply.text)")
        #expect(try await Client(world, world.replica()).get("key").body == content(10))
    }

    /// A replica before a store where somebody overwrites `key` with the other of two contents
    /// whenever a read of it begins, so many times.
    private func overtaken(
        _ world: World, times: Int
    ) async throws -> (Client, left: @Sendable () -> Int) {
        let client = Client(world)
        try await client.put("key", content(100_000, seed: 1))
        let first = try world.stored("key")
        try await client.put("key", content(100_000, seed: 2))
        let versions = Mutex([first, try world.stored("key")])
        let left = Mutex(times)
        let location = ObjectLocation(world.bucket, try world.key("key"))
        let replica = world.replica(faults: { call in
            guard call.verb == .read, call.key == location.key else { return nil }
            let isOver = left.withLock { left in
                left -= 1
                return left < 0
            }
            guard !isOver else { return nil }
            let next = versions.withLock { versions in
                versions.swapAt(0, 1)
                return versions[1]
            }
            world.storage.withServer { server in server.tamper(location) { $0 = [next] } }
            return nil
        })
        return (Client(world, replica), { left.withLock { $0 } })
    }

    @Test(arguments: [1, 2, 3])
    func `does not fail a client for a condition that it did not set`(_ times: Int) async throws {
        let world = try World()
        let (client, left) = try await overtaken(world, times: times)
        let reply = try await client.get("key", range: "bytes=-70000")
        #expect(reply.status == 206 && reply.isWhole, "\(reply.text)")
        let seed: UInt64 = times % 2 == 1 ? 1 : 2
        #expect(reply.body == Array(content(100_000, seed: seed).suffix(70_000)))
        #expect(left() < 0)
    }

    @Test func `says so when an object changes all the time`() async throws {
        let world = try World()
        let (client, left) = try await overtaken(world, times: 1000)
        let reply = try await client.get("key", range: "bytes=-70000")
        #expect(reply.status == 503, "\(reply.text)")
        #expect(left() > 900)
    }

    /// A replica that never hears what came of its first call of a kind.
    private func losingFirst(
        _ verb: ObjectStoreCall.Verb, _ world: World
    ) -> S3Proxy<CryptoObjectCipher> {
        let fails = Mutex(true)
        return world.replica(faults: { call in
            let isFirst =
                call.verb == verb
                && fails.withLock { fails in
                    defer { fails = false }
                    return fails
                }
            return isFirst ? .answerLost(Self.lost) : nil
        })
    }

    @Test func `leaves nothing of an upload whose abort was not answered`() async throws {
        let world = try World()
        let replica = losingFirst(.abortUpload, world)
        let client = Client(world, replica)
        let id = try await client.createUpload("key")
        try await client.part("key", id, 1, content(10))
        let query = [("uploadId", id)]
        #expect(try await client.send("DELETE", "key", query: query).status == 503)
        #expect(world.storedKeys.contains { $0.contains("uploads") })
        #expect(try await client.send("DELETE", "key", query: query).code == "NoSuchUpload")
        #expect(world.storedKeys.filter { $0.contains("uploads") } == [])
    }

    @Test func `leaves nothing of an upload that is completed and overwritten`() async throws {
        let world = try World()
        let replica = world.replica(faults: { call in
            call.verb == .completeUpload ? .answerLost(Self.lost) : nil
        })
        let client = Client(world)
        let id = try await client.createUpload("key")
        let part = try await client.part("key", id, 1, content(10))
        #expect(try await Client(world, replica).complete("key", id, [part]).status == 503)
        // Whether it went through is not known while the store does not say what is there.
        let silent = world.replica(faults: { call in
            call.verb == .head ? .before(Self.lost) : nil
        })
        #expect(try await Client(world, silent).complete("key", id, [part]).status == 503)
        try await client.put("key", content(5))
        #expect(world.storedKeys.contains { $0.contains("uploads") })
        #expect(try await client.complete("key", id, [part]).code == "NoSuchUpload")
        #expect(world.storedKeys.filter { $0.contains("uploads") } == [])
        #expect(try await client.get("key").body == content(5))
    }

    @Test func `loses no part from lists when a completion fails`() async throws {
        let world = try World()
        let replica = world.replica(faults: { call in
            call.verb == .completeUpload ? .before(Self.lost) : nil
        })
        let client = Client(world)
        let id = try await client.createUpload("key")
        let part = try await client.part("key", id, 3, content(10))
        #expect(try await Client(world, replica).complete("key", id, [part]).status == 503)
        let list = try await client.send("GET", "key", query: [("uploadId", id)])
        let listed = try S3PartList(list.body).parts
        #expect(listed.map(\.number) == [3])
        #expect(listed.map(\.tag) == [part.tag])
        #expect(listed.map(\.size) == [10])
        #expect(try await client.complete("key", id, [part]).status == 200)
        #expect(try await client.get("key").body == content(10))
    }

    /// One that was given up may write its record after a later one has written its own.
    @Test func `lists the attempt at a part that the store has`() async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key")
        try await client.part("key", id, 1, content(partBytes, seed: 1))
        let record = try #require(world.storedKeys.first { $0.contains("/parts/00001") })
        let late = try world.stored(record).content
        let second = try await client.part("key", id, 1, content(partBytes, seed: 2))
        try world.tamper(record) { $0.content = late }
        let list = try await client.send("GET", "key", query: [("uploadId", id)])
        #expect(try S3PartList(list.body).parts.map(\.tag) == [second.tag])
        #expect(try await client.complete("key", id, [second]).status == 200)
    }

    @Test(arguments: [true, false])
    func `clears away later what it could not when an upload was completed`(
        _ completesAgain: Bool
    ) async throws {
        let world = try World()
        let replica = losingFirst(.deleteSeveral, world)
        let client = Client(world, replica)
        let id = try await client.createUpload("key")
        let part = try await client.part("key", id, 1, content(partBytes))
        // Not listed yet when the first list is made.
        let record = try #require(world.storedKeys.first { $0.contains("/parts/00001") })
        let late = try world.stored(record)
        #expect(try await client.complete("key", id, [part]).status == 200)
        let location = ObjectLocation(world.bucket, try world.key(record))
        world.storage.withServer { $0.tamper(location) { $0 = [late] } }
        #expect(world.storedKeys.contains { $0.contains("uploads") })
        if completesAgain {
            #expect(try await client.complete("key", id, [part]).status == 200)
        } else {
            await replica.tidy()
        }
        #expect(world.storedKeys.filter { $0.contains("uploads") } == [])
        #expect(try await client.get("key").body == content(partBytes))
    }

    @Test func `gives up clearing away what can never be`() async throws {
        let world = try World()
        let count = Mutex(0)
        let replica = world.replica(faults: { call in
            guard call.verb == .deleteSeveral else { return nil }
            count.withLock { $0 += 1 }
            return .before(Self.lost)
        })
        let client = Client(world, replica)
        let id = try await client.createUpload("key")
        let part = try await client.part("key", id, 1, content(10))
        #expect(try await client.complete("key", id, [part]).status == 200)
        for _ in 0..<20 { await replica.tidy() }
        // Once at first, and as often as it tries.
        #expect(count.withLock { $0 } == 11)
    }

    @Test func `takes smaller parts where the settings say so`() async throws {
        let world = try World { $0.partBytesMin = 3 }
        world.storage.withServer { $0.partBytesMin = 3 }
        let client = Client(world)
        let id = try await client.createUpload("key")
        let parts = [
            try await client.part("key", id, 1, [1, 2, 3]),
            try await client.part("key", id, 2, [4]),
        ]
        #expect(try await client.complete("key", id, parts).status == 200)
        #expect(try await client.get("key").body == [1, 2, 3, 4])
        let other = try await client.createUpload("key")
        let small = [
            try await client.part("key", other, 1, [1, 2]),
            try await client.part("key", other, 2, [4]),
        ]
        #expect(try await client.complete("key", other, small).code == "EntityTooSmall")
    }
}
