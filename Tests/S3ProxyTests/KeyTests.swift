// SPDX-License-Identifier: Apache-2.0
import ObjectKeyPorts
import ObjectStorePorts
import Ports
import S3Format
import S3Proxy
import SealedObject
import SimulatedStorage
import Testing

@Suite struct `The keys of objects` {
    private static let outage = KeyCustodyFailure.vault(.sealed(host: "vault"))

    @Test(arguments: KeyRingSettings.Mode.allCases)
    func `are asked of the vault as seldom as the mode allows`(
        _ mode: KeyRingSettings.Mode
    ) async throws {
        let world = try World { $0.keys.mode = mode }
        let client = Client(world)
        for number in 0..<5 { try await client.put("key\(number)", [1, 2, 3]) }
        #expect(world.custodian.calls == (mode == .epoch ? 1 : 5))
        let other = Client(world, world.replica())
        for number in 0..<5 {
            for _ in 0..<2 { #expect(try await other.get("key\(number)").body == [1, 2, 3]) }
        }
        // The other replica fetches the epoch's key once, or each object's once.
        #expect(world.custodian.calls == (mode == .epoch ? 2 : 10))
        let table = world.storedKeys.filter { $0.hasPrefix(".cloudtaser/ct1/keys/e1.") }
        #expect(table.count == (mode == .epoch ? 1 : 0))
    }

    @Test func `are new for each epoch`() async throws {
        let world = try World { $0.keys.epochTime = .seconds(100) }
        let client = Client(world)
        try await client.put("one", [1])
        world.clock.advance(99)
        try await client.put("two", [1])
        world.clock.advance(1)
        try await client.put("three", [1])
        let references = try ["one", "two", "three"].map {
            try KeyEnvelope(try world.stored($0).attributes.metadata["ct1"]).keyReference
        }
        #expect(references[0] == references[1] && references[1] != references[2])
    }

    @Test(arguments: KeyRingSettings.Mode.allCases)
    func `end with the vault: at once for writing, later for reading`(
        _ mode: KeyRingSettings.Mode
    ) async throws {
        let world = try World {
            $0.keys.mode = mode
            $0.keys.confirmationTime = .seconds(30)
            $0.keys.lifetime = .seconds(600)
        }
        let client = Client(world)
        try await client.put("key", [1])
        #expect(try await client.get("key").status == 200)
        world.custodian.fail(Self.outage)
        world.clock.advance(30)
        let put = try await client.send("PUT", "other", [:], [1])
        #expect(put.status == 503 && put.code == "ServiceUnavailable")
        #expect(try await client.get("key").body == [1])
        // A replica that has nothing in its memory has nothing to read with.
        let other = Client(world, world.replica())
        #expect(try await other.get("key").status == 503)
        world.clock.advance(571)
        #expect(try await client.get("key").status == 503)
        #expect(try await client.get("other").code == "NoSuchKey")
        world.custodian.fail(nil)
        #expect(try await client.send("PUT", "other", [:], [1]).status == 200)
        #expect(try await client.get("key").body == [1])
    }

    @Test func `are not used before the table has them`() async throws {
        let world = try World()
        let replica = world.replica(faults: { call in
            call.verb == .put && call.key?.text.hasPrefix(".cloudtaser/") == true
                ? .before(.serverError(status: 500)) : nil
        })
        let put = try await Client(world, replica).send("PUT", "key", [:], [1])
        #expect(put.status == 503)
        #expect(world.storedKeys == [])
    }

    @Test func `are refused out of a table that was changed`() async throws {
        let world = try World()
        let client = Client(world)
        try await client.put("key", [1])
        let entry = try #require(world.storedKeys.first { $0.contains("/keys/") })
        let other = Client(world, world.replica())
        for content in ["vault:v1:number99", "", "x", String(repeating: "x", count: 10_000)] {
            let before = try world.stored(entry)
            try world.tamper(entry) { $0.content = Array(content.utf8) }
            let get = try await other.get("key")
            #expect(get.status == 403 && get.code == "InvalidObjectState", "\(content.prefix(20))")
            try world.tamper(entry) { $0 = before }
        }
        #expect(try await other.get("key").body == [1])
        // Without its table's entry the object is lost: so says the documentation.
        let bucket = world.bucket
        let key = try world.key(entry)
        world.storage.withServer { server in
            server.tamper(ObjectLocation(bucket, key)) { $0 = [] }
        }
        #expect(try await Client(world, world.replica()).get("key").code == "InvalidObjectState")
    }

    @Test func `do not come from a place that the store names`() async throws {
        let world = try World()
        let client = Client(world)
        try await client.put("key", [1])
        let envelope = try KeyEnvelope(try world.stored("key").attributes.metadata["ct1"])
        for reference in [
            "../../key", "e1.", "e1.x", "key", "e1." + String(repeating: "/", count: 43),
        ] {
            let forged = try KeyEnvelope(
                content: envelope.content, keyReference: reference, wrap: envelope.wrap)
            try world.tamper("key") {
                $0.attributes.metadata = S3Metadata(entries: [.init("ct1", forged.text)])
            }
            #expect(try await client.get("key").code == "InvalidObjectState", "\(reference)")
        }
    }

    @Test func `are made once for all who write at the same time`() async throws {
        let world = try World()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<50 {
                group.addTask { try await Client(world).put("key\(number)", [UInt8(number)]) }
            }
            try await group.waitForAll()
        }
        #expect(world.custodian.calls == 1)
        for number in 0..<50 {
            #expect(try await Client(world).get("key\(number)").body == [UInt8(number)])
        }
    }

    @Test func `are replaced when the vault no longer unwraps them`() async throws {
        let world = try World { $0.keys.confirmationTime = .seconds(10) }
        let client = Client(world)
        try await client.put("key", [1])
        world.custodian.forgetWrapped()
        world.clock.advance(10)
        try await client.put("other", [2])
        #expect(try await Client(world, world.replica()).get("other").body == [2])
        #expect(world.storedKeys.filter { $0.contains("/keys/") }.count == 2)
    }
}
