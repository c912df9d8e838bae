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

/// Gives each caller a copy, as a vault does.
private struct CopyingCustodian: KeyCustodian {
    let inner: TestCustodian
    let arena: SecretArena

    private func copy(_ block: SecretBlock) throws(KeyCustodyFailure) -> SecretBlock {
        let bytes = block.withBytes { $0.withUnsafeBytes { [UInt8]($0) } }
        let copy = SecretBlock(32, in: arena) { $0.copyBytes(from: bytes) }
        guard let copy else { throw .memoryExhausted }
        return copy
    }

    func newKey() throws(KeyCustodyFailure) -> SecretBlock { try inner.newKey() }

    func wrap(
        _ key: SecretBlock, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> String {
        try await inner.wrap(try copy(key), name: name, context: context)
    }

    func unwrap(
        _ ciphertext: String, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> SecretBlock {
        try copy(try await inner.unwrap(ciphertext, name: name, context: context))
    }
}

@Suite struct `Keys that are held` {
    @Test(arguments: KeyRingSettings.Mode.allCases)
    func `keys are forgotten when their time is over`(
        _ mode: KeyRingSettings.Mode
    ) async throws {
        let world = try World { $0.keys.mode = mode }
        for number in 0..<10 { try await Client(world).put("key\(number)", [1]) }
        let id = try await Client(world).createUpload("upload")
        let custodian = CopyingCustodian(inner: world.custodian, arena: world.arena)
        let proxy = world.replica(world.store, custodian: custodian)
        let client = Client(world, proxy)
        let before = world.arena.statistics.liveBlocks
        for number in 0..<10 { #expect(try await client.get("key\(number)").status == 200) }
        _ = try await client.send("GET", "upload", query: [("uploadId", id)])
        #expect(world.arena.statistics.liveBlocks > before)
        world.clock.advance(3 * 3600)
        // As the program does now and then.
        proxy.forgetEndedKeys()
        #expect(world.arena.statistics.liveBlocks == before)
    }
}

@Suite struct `Buckets and their tables` {
    @Test(arguments: KeyRingSettings.Mode.allCases)
    func `a bucket that clients have emptied can be deleted`(
        _ mode: KeyRingSettings.Mode
    ) async throws {
        let world = try World { $0.keys.mode = mode }
        let client = Client(world)
        try await client.put("key", [1])
        #expect(try await client.send("DELETE", "key").status == 204)
        let list = try await client.send("GET", query: [("list-type", "2")])
        #expect(try S3ObjectList(list.body, isSecond: true).objects == [])
        let reply = try await client.send("DELETE")
        #expect(reply.status == 204, "\(reply.text)")
    }

    /// Somebody empties the bucket at the store, as an administrator may; the proxies run on.
    @Test(arguments: [10, 301, 3000])
    func `what is written after the table was lost can be read`(_ later: Int64) async throws {
        let world = try World()
        let client = Client(world)
        try await client.put("old", [1])
        let bucket = world.bucket
        for name in world.storedKeys {
            let key = try world.key(name)
            world.storage.withServer { server in
                server.tamper(ObjectLocation(bucket, key)) { $0 = [] }
            }
        }
        #expect(world.storedKeys == [])
        world.clock.advance(later)
        #expect(try await client.put("new", [2]).status == 200)
        world.clock.advance(301)
        #expect(try await client.put("newer", [3]).status == 200)
        let other = Client(world, world.replica())
        let get = try await other.get("new")
        #expect(get.status == 200, "\(get.text)")
    }

    @Test func `lists of versions do not name what is the proxy's own`() async throws {
        let world = try World(hasVersions: true)
        let client = Client(world)
        try await client.put("key", [1])
        let list = try await client.send(
            "GET", query: [("versions", ""), ("max-keys", "1")])
        #expect(!list.text.contains(".cloudtaser"), "\(list.text)")
    }
}

@Suite struct `Times of keys` {
    /// docs: writes end "within confirmationTime (five minutes) in mode epoch, at once in mode
    /// object", reads within an hour. Parts went on for up to two.
    @Test func `parts end with the vault as other writes do`() async throws {
        let world = try World()
        let other = Client(world, world.replica())
        let first = try await Client(world).createUpload("first")
        let second = try await Client(world).createUpload("second")
        try await other.part("first", first, 1, content(10))
        world.custodian.fail(.vault(.sealed(host: "vault")))
        // With the key that was fetched an hour ago; the upload's own is then kept for another.
        world.clock.advance(3590)
        try await other.part("second", second, 1, content(10))
        world.clock.advance(600)
        #expect(try await other.send("PUT", "key", [:], [1]).status == 503)
        let part = try await other.send(
            "PUT", "second", query: [("partNumber", "2"), ("uploadId", second)], [:], [1])
        #expect(part.status == 503, "\(part.text)")
    }

    /// docs, "Rotation": "wrap the tables anew: rewrap --bucket NAME. It touches no object".
    @Test(arguments: KeyRingSettings.Mode.allCases)
    func `what the page says of rotation holds in both modes`(
        _ mode: KeyRingSettings.Mode
    ) async throws {
        let world = try World { $0.keys.mode = mode }
        try await Client(world).put("key", [1])
        world.custodian.rotate()
        let report =
            mode == .epoch
            ? await world.proxy.rewrapKeys(of: world.bucket)
            : await world.proxy.rewrapObjects(of: world.bucket)
        #expect(report.rewrapped == 1 && report.failed == 0 && report.stopped == nil)
        world.custodian.forgetOldVersions()
        #expect(try await Client(world, world.replica()).get("key").status == 200)
    }

    @Test func `older versions are not wrapped anew, and are lost with the vault's version`()
        async throws
    {
        let world = try World(hasVersions: true) { $0.keys.mode = .object }
        let client = Client(world)
        let old = try #require(try await client.put("key", [1])["x-amz-version-id"])
        try await client.put("key", [2])
        world.custodian.rotate()
        let report = await world.proxy.rewrapObjects(of: world.bucket)
        #expect(report.failed == 0 && report.stopped == nil)
        world.custodian.forgetOldVersions()
        let other = Client(world, world.replica())
        #expect(try await other.get("key").status == 200)
        // LIM: docs/reference/s3-proxy.md says so.
        #expect(try await other.send("GET", "key", query: [("versionId", old)]).status == 403)
    }
}
