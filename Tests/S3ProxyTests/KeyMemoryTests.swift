// SPDX-License-Identifier: Apache-2.0
import CryptoObjectCipher
import S3Proxy
import SecretMemory
import SimulatedStorage
import Testing

@Suite struct `Memory for derived keys` {
    /// All blocks that an arena still has.
    private func taken(_ arena: SecretArena) -> [SecretBlock] {
        var blocks: [SecretBlock] = []
        while let block = SecretBlock(SecretArena.granuleBytes, in: arena, fill: { _ in }) {
            blocks.append(block)
        }
        return blocks
    }

    @Test(arguments: KeyRingSettings.Mode.allCases)
    func `says that it has no memory for keys`(_ mode: KeyRingSettings.Mode) async throws {
        let world = try World { $0.keys.mode = mode }
        try await Client(world).put("key", content(70_000))
        let memory = try SecretArena(bytes: 4_096, minimumTier: .ordinary)
        let client = Client(world, world.replica(world.store, cipherMemory: memory))
        let id = try await client.createUpload("upload")
        let before = try world.stored("key").content
        var blocks = taken(memory)
        #expect(memory.statistics.liveBytes == 4_096)
        for reply in [
            try await client.get("key"), try await client.send("HEAD", "key"),
            try await client.send("PUT", "key", [:], content(9)),
            try await client.send(
                "PUT", "upload", query: [("partNumber", "1"), ("uploadId", id)], [:], content(9)),
        ] {
            #expect(reply.status == 503, "\(reply.text)")
            #expect(reply.code == "SlowDown" || reply.body.isEmpty)
        }
        #expect(try world.stored("key").content == before)
        // The control: the same when it has some again, and all of it is given back.
        blocks = []
        #expect(blocks.isEmpty)
        #expect(try await client.get("key").body == content(70_000))
        #expect(try await client.send("PUT", "key", [:], content(9)).status == 200)
        #expect(memory.statistics.liveBytes == 0)
    }
}
