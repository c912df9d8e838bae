// SPDX-License-Identifier: Apache-2.0
import ObjectKeyPorts
import ObjectStorePorts
import Ports
import S3Format
import S3Proxy
import SealedObject
import SimulatedStorage
import Testing

@Suite struct `Wrapping anew` {
    @Test func `gives the table's keys the vault's latest version, and touches no object`()
        async throws
    {
        let world = try World()
        let client = Client(world)
        try await client.put("key", [1])
        let before = try world.stored("key")
        let same = await world.proxy.rewrapKeys(of: world.bucket)
        #expect(same.seen == 1 && same.unchanged == 1 && same.rewrapped == 0)
        world.custodian.rotate()
        let report = await world.proxy.rewrapKeys(of: world.bucket)
        #expect(report.seen == 1 && report.rewrapped == 1 && report.stopped == nil)
        world.custodian.forgetOldVersions()
        #expect(try await Client(world, world.replica()).get("key").body == [1])
        let after = try world.stored("key")
        #expect(after.content == before.content && after.attributes == before.attributes)
    }

    @Test func `is needed before the vault gives a version up`() async throws {
        let world = try World()
        try await Client(world).put("key", [1])
        world.custodian.rotate()
        world.custodian.forgetOldVersions()
        let get = try await Client(world, world.replica()).get("key")
        #expect(get.code == "InvalidObjectState")
        #expect(get.text.contains("min_decryption_version"), "it says what to do")
    }

    @Test func `leaves alone what may be there unsealed`() async throws {
        let world = try World {
            $0.keys.mode = .object
            guard let bucket = S3Bucket("bucket"), let prefix = S3Key("open/") else { return }
            $0.passThrough = [PassThrough(bucket: bucket, prefix: prefix)]
        }
        let client = Client(world)
        for key in ["open/plain", "open/sealed", "plain"] { try await client.put(key, [1]) }
        for key in ["open/plain", "plain"] {
            try world.tamper(key) { $0.attributes.metadata = .empty }
        }
        let report = await world.proxy.rewrapObjects(of: world.bucket)
        #expect(report.seen == 2 && report.rewrapped == 1)
        #expect(report.failures.map(\.key.text) == ["plain"])
    }

    @Test func `of objects moves them to the mode of now, and goes on where it was ended`()
        async throws
    {
        let world = try World()
        let client = Client(world)
        for number in 0..<5 {
            try await client.put("key\(number)", content(100), ["x-amz-meta-a": "b"])
        }
        let id = try await client.createUpload("parts")
        let part = try await client.part("parts", id, 1, content(7))
        _ = try await client.complete("parts", id, [part])
        try world.tamper("key1") { $0.attributes.metadata = .empty }
        let replica = world.replica(settings: { $0.keys.mode = .object })
        var pages = 0
        let report = await replica.rewrapObjects(of: world.bucket, after: try world.key("key0")) {
            _ in pages += 1
        }
        #expect(report.seen == 5 && report.rewrapped == 4 && pages == 1)
        #expect(report.failures.map(\.key.text) == ["key1"])
        #expect(report.failures.first?.reason.hasPrefix("InvalidObjectState: ") == true)
        #expect(report.last?.text == "parts" && report.stopped == nil)
        let other = Client(world, world.replica())
        for key in ["key0", "key2", "parts"] {
            let version = ObjectLocation(world.bucket, try world.key(key)).latest
            let inspection = try await Inspection(version, in: world.store)
            #expect((inspection.wrap == .epoch) == (key == "key0"), "\(key)")
            #expect(inspection.isInParts == (key == "parts"))
            #expect(try await other.get(key).body == content(key == "parts" ? 7 : 100))
        }
        #expect(try await other.get("key2")["x-amz-meta-a"] == "b")
    }

    @Test func `ends when the vault is away, and says where`() async throws {
        let world = try World { $0.keys.mode = .object }
        let client = Client(world)
        for number in 0..<3 { try await client.put("key\(number)", [1]) }
        world.custodian.fail(.vault(.sealed(host: "vault")))
        let report = await world.replica().rewrapObjects(of: world.bucket)
        #expect(report.stopped != nil && report.seen == 1 && report.last == nil)
        world.custodian.fail(nil)
        #expect(await world.replica().rewrapObjects(of: world.bucket).rewrapped == 3)
    }
}

@Suite struct `Inspecting an object` {
    @Test func `shows what the store may know, without a key`() async throws {
        let world = try World()
        try await Client(world).put("key", content(100), ["x-amz-meta-a": "canary"])
        world.custodian.fail(.vault(.sealed(host: "vault")))
        let calls = world.custodian.calls
        let version = ObjectLocation(world.bucket, try world.key("key")).latest
        let inspection = try await Inspection(version, in: world.store)
        #expect(inspection.contentBytes == 100 && inspection.storedBytes == 196)
        #expect(inspection.hasSealedHeaders && inspection.problem == nil)
        #expect(!inspection.lines.joined().contains("canary"))
        #expect(world.custodian.calls == calls)
    }

    @Test func `says why an object is none of the proxy's`() async throws {
        let world = try World()
        try await Client(world).put("key", content(100))
        try world.tamper("key") { $0.attributes.metadata = .empty }
        let version = ObjectLocation(world.bucket, try world.key("key")).latest
        let inspection = try await Inspection(version, in: world.store)
        #expect(inspection.wrap == nil && inspection.problem?.contains("x-amz-meta-ct1") == true)
        #expect(inspection.lines.last?.hasPrefix("sealed            no: ") == true)
    }
}
