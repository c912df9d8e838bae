// SPDX-License-Identifier: Apache-2.0
import MemoryScan
import ObjectKeyPorts
import S3Proxy
import SecretMemory
import Synchronization
import Testing

/// Makes keys that nobody else has, in secret memory, and keeps them.
private final class KeepingCustodian: KeyCustodian {
    private let inner: TestCustodian
    private let arena: SecretArena
    private let kept = Mutex<[SecretBlock]>([])

    init(_ world: World) {
        inner = world.custodian
        arena = world.arena
    }

    var keys: [SecretBlock] { kept.withLock { $0 } }

    func newKey() throws(KeyCustodyFailure) -> SecretBlock {
        let block = SecretBlock(32, in: arena) { room in
            for index in room.indices { room[index] = UInt8.random(in: .min ... .max) }
        }
        guard let block else { throw .memoryExhausted }
        kept.withLock { $0.append(block) }
        return block
    }

    func wrap(
        _ key: SecretBlock, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> String {
        try await inner.wrap(key, name: name, context: context)
    }

    func unwrap(
        _ ciphertext: String, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> SecretBlock {
        try await inner.unwrap(ciphertext, name: name, context: context)
    }
}

@Suite struct `Copies of data keys and epoch keys` {
    /// What the cipher derives from them is looked for in `CryptoObjectCipherTests`.
    @Test(arguments: KeyRingSettings.Mode.allCases)
    func `requests leave none outside of secret memory`(
        _ mode: KeyRingSettings.Mode
    ) async throws {
        let world = try World { $0.keys.mode = mode }
        let custodian = KeepingCustodian(world)
        let client = Client(world, world.replica(world.store, custodian: custodian))
        let large = content(5 << 20)
        try await client.put("key", content(200_000), ["x-amz-meta-a": "b"])
        let id = try await client.createUpload("upload")
        let parts = [
            try await client.part("upload", id, 1, large),
            try await client.part("upload", id, 2, content(9)),
        ]
        #expect(try await client.complete("upload", id, parts).status == 200)
        // Another replica has to unwrap them.
        let reader = Client(world, world.replica(world.store, custodian: custodian))
        #expect(try await reader.get("key").body == content(200_000))
        #expect(try await reader.get("upload").body == large + content(9))
        #expect(try await reader.send("GET", query: [("list-type", "2")]).status == 200)

        let scanner = try HeapScanner()
        let keys = custodian.keys
        #expect(keys.count == (mode == .epoch ? 3 : 2))
        for (index, key) in keys.enumerated() {
            try key.withBytes { key in
                try scanner.addNeedle("key \(index)", byteCount: 32) { room in
                    key.withUnsafeBytes { room.copyMemory(from: $0) }
                }
            }
        }
        let report = try scanner.scan()
        #expect(report.hits == [])
        #expect(try scanner.needlesInSecretMemory(with: keys[0]).count == keys.count)
        // The control: one that somebody copies is found.
        let copy = keys[0].withBytes { $0.withUnsafeBytes { [UInt8]($0) } }
        #expect(try scanner.scan().hits.map(\.needle) == ["key 0"])
        #expect(copy.count == 32)
    }
}
