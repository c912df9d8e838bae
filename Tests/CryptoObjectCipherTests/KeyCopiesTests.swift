// SPDX-License-Identifier: Apache-2.0
import MemoryScan
import SealedObject
import SecretMemory
import Testing

@testable import CryptoObjectCipher

/// Where keys are while they are used and afterwards. One at a time: they scan all of the process.
@Suite(.serialized) struct `Copies of keys` {
    private let arena: SecretArena
    private let cipher: CryptoObjectCipher
    private let names = [
        "data key", "pseudorandom key", "pseudorandom key's end", "chunk key", "round keys",
    ]

    init() throws {
        arena = try SecretArena(bytes: 64 << 10, minimumTier: .ordinary)
        cipher = CryptoObjectCipher(keyMemory: arena)
    }

    /// Seals and opens a chunk, and hands the keys out that this took.
    private func used(
        _ dataKey: SecretBlock, _ cipher: CryptoObjectCipher
    ) throws -> [any Sendable] {
        let secret = try dataKey.withBytes { try cipher.secret($0) }
        let pseudorandom = try cipher.extract(secret, salt: KeyCopies.salt)
        let key = try cipher.expandToSeal(pseudorandom, info: KeyCopies.info)
        _ = try cipher.expandInClear(pseudorandom, info: [])
        let plain = [UInt8](repeating: 1, count: 65_536)
        var sealed = [UInt8](repeating: 0, count: plain.count + 16)
        var opened = [UInt8](repeating: 0, count: plain.count)
        try sealed.withUnsafeMutableBytes {
            try cipher.seal(plain.span.bytes, key, nonce: .single, authenticating: [], into: $0)
        }
        try opened.withUnsafeMutableBytes {
            try cipher.open(sealed.span.bytes, key, nonce: .single, authenticating: [], into: $0)
        }
        #expect(opened == plain)
        return [secret, pseudorandom, key]
    }

    /// Looks while what was made is still there.
    @inline(never) private func holding(
        _ make: () throws -> [any Sendable], _ look: () throws -> Void
    ) throws {
        let held = try farDown { try make() }
        try look()
        withExtendedLifetime(held) {}
    }

    /// As `CryptoObjectCipher` says of itself: none in ordinary memory.
    @Test func `are in secret memory only`() throws {
        let dataKey = try randomKey(in: arena)
        let copies = try KeyCopies(cipher, dataKey)
        #expect(arena.statistics.liveBytes == 32)
        try holding({ try used(dataKey, cipher) }) {
            let (found, inSecret) = (
                try copies.found(), try copies.scanner.needlesInSecretMemory(with: dataKey)
            )
            #expect(found == [:])
            #expect(Set(inSecret) == Set(names))
            #expect(arena.statistics.liveBytes == 32 + 2 * 64 + 576)
        }
        // When they are gone.
        #expect(try copies.found() == [:])
        #expect(try copies.scanner.needlesInSecretMemory(with: dataKey) == ["data key"])
        #expect(arena.statistics.liveBytes == 32)
    }

    /// The control: the same by an arena that has nothing left and answers from the heap.
    @Test func `would be found on the heap`() throws {
        let spilling = try SecretArena(
            bytes: 4_096, minimumTier: .ordinary, whenExhausted: .spill)
        let all = SecretBlock(spilling.statistics.capacityBytes, in: spilling, fill: { _ in })
        #expect(all != nil)
        let dataKey = try randomKey(in: arena)
        let copies = try KeyCopies(cipher, dataKey)
        let expected = names.map { (KeyCopies.Copy(key: $0, place: .heap), 1) }
        try holding({ try used(dataKey, CryptoObjectCipher(keyMemory: spilling)) }) {
            let found = try copies.found()
            #expect(found == Dictionary(uniqueKeysWithValues: expected))
        }
        #expect(try copies.found() == [:])
    }
}
