// SPDX-License-Identifier: Apache-2.0
import SealedObject
import SecretMemory
import Testing

@testable import CryptoObjectCipher

@Suite struct `Memory for keys` {
    private let dataKey = (0..<32).map { UInt8($0) }

    private func arena(_ bytes: Int = 1 << 20) throws -> SecretArena {
        try SecretArena(bytes: bytes, minimumTier: .ordinary)
    }

    /// As docs/adr/0022-key-schedules-in-the-callers-memory.md has them.
    @Test func `is 576 bytes for a stream, and 656 while keys are derived`() throws {
        let arena = try arena()
        let cipher = CryptoObjectCipher(keyMemory: arena)
        #expect(CryptoObjectCipher.streamBytes == 640)
        #expect(CryptoObjectCipher.derivationBytes == 656)
        var held: [CryptoObjectCipher.SealingKey] = []
        for _ in 0..<256 {
            let secret = try cipher.secret(dataKey.span.bytes)
            let pseudorandom = try cipher.extract(secret, salt: nil)
            held.append(try cipher.expandToSeal(pseudorandom, info: []))
        }
        #expect(arena.statistics.liveBytes == 256 * 576)
        held = []
        #expect(held.isEmpty && arena.statistics.liveBytes == 0)
    }

    /// The footer's key has the longest way from the data key.
    @Test func `has room for a footer`() throws {
        let arena = try arena()
        let cipher = CryptoObjectCipher(keyMemory: arena)
        let salt = Octets32(InlineArray(repeating: 1))
        let sealed = try cipher.sealWhole(
            [1, 2, 3], dataKey: dataKey.span.bytes, identity: .footer, salt: salt)
        let opened = try cipher.openWhole(
            sealed.span.bytes, dataKey: dataKey.span.bytes, identity: .footer)
        #expect(opened == [1, 2, 3])
        let most = CryptoObjectCipher.streamBytes + CryptoObjectCipher.derivationBytes
        #expect(arena.statistics.peakBytes <= most, "\(arena.statistics)")
        #expect(arena.statistics.liveBytes == 0 && arena.statistics.refused == 0)
    }

    /// Wherever it ends: a failure and nothing left behind. With enough of it, it works.
    @Test func `ends in a failure when it is used up`() throws {
        var outcomes: [SealedObjectFailure?] = []
        for granules in 0..<100 {
            let arena = try arena(4_096)
            let cipher = CryptoObjectCipher(keyMemory: arena)
            let free = granules * SecretArena.granuleBytes
            let rest = try #require(SecretBlock(4_096 - free, in: arena, fill: { _ in }))
            do throws(SealedObjectFailure) {
                _ = try SealerStateMachine(
                    cipher, dataKey: dataKey.span.bytes, identity: .object,
                    salt: Octets32(InlineArray(repeating: 1)))
                outcomes.append(nil)
            } catch { outcomes.append(error) }
            #expect(arena.statistics.liveBytes == rest.count)
        }
        let works = try #require(outcomes.firstIndex(of: nil))
        #expect(outcomes[..<works].allSatisfy { $0 == .memoryExhausted })
        #expect(outcomes[works...].allSatisfy { $0 == nil })
        let most = CryptoObjectCipher.streamBytes + CryptoObjectCipher.derivationBytes
        #expect(works * SecretArena.granuleBytes <= most)
    }
}
