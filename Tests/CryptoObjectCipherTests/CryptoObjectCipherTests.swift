// SPDX-License-Identifier: Apache-2.0
import SealedObject
import SecretMemory
import Testing

@testable import CryptoObjectCipher

@Suite struct `The cipher by swift-crypto` {
    private let arena: SecretArena
    private let cipher: CryptoObjectCipher
    private let secret = (0..<32).map { UInt8($0) }

    init() throws {
        arena = try SecretArena(bytes: 64 << 10, minimumTier: .ordinary)
        cipher = CryptoObjectCipher(keyMemory: arena)
    }

    private func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = hexadecimal.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        return stride(from: 0, to: digits.count, by: 2).map {
            UInt8(digits[$0] << 4 | digits[$0 + 1])
        }
    }

    private func key(_ seed: UInt8 = 0) throws -> CryptoObjectCipher.SealingKey {
        let bytes = [UInt8](repeating: seed, count: 32)
        return try cipher.sealingKey(bytes.span.bytes)
    }

    private func sealed(
        _ plain: [UInt8], _ key: CryptoObjectCipher.SealingKey, nonce: ChunkNonce = .single,
        authenticating: [UInt8] = []
    ) throws -> [UInt8] {
        var output = [UInt8](repeating: 0xEE, count: plain.count + 16)
        try output.withUnsafeMutableBytes {
            try cipher.seal(
                plain.span.bytes, key, nonce: nonce, authenticating: authenticating, into: $0)
        }
        return output
    }

    /// The plaintext, nil when it was refused: then nothing of it is in the output.
    private func opened(
        _ sealed: [UInt8], _ key: CryptoObjectCipher.SealingKey, nonce: ChunkNonce = .single,
        authenticating: [UInt8] = []
    ) -> [UInt8]? {
        var output = [UInt8](repeating: 0xEE, count: sealed.count - 16)
        do {
            try output.withUnsafeMutableBytes {
                try cipher.open(
                    sealed.span.bytes, key, nonce: nonce, authenticating: authenticating, into: $0)
            }
            return output
        } catch {
            #expect(error as? CipherFailure == .notAuthentic)
            #expect(output.allSatisfy { $0 == 0xEE } || output.allSatisfy { $0 == 0 })
            return nil
        }
    }

    /// Of FIPS 180-4's examples.
    @Test func `computes SHA-256`() {
        #expect(
            cipher.sha256(Array("abc".utf8)).array
                == bytes("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
    }

    /// Made by Python's `cryptography` 48.0.0 with HKDF(SHA512(), 32, salt, info): the RFC has none
    /// with SHA-512.
    @Test func `derives as another implementation does`() throws {
        let salt = try #require(Octets32((100..<132).map { UInt8($0) }))
        let salted = try cipher.extract(cipher.secret(secret.span.bytes), salt: salt)
        let info = Array("CT1 info".utf8)
        #expect(
            try cipher.expandInClear(salted, info: info).array
                == bytes("0cccff955a9f9b421e368bb230e2bf928c8e72934b310532dc53f488adb24822"))
        let plain = try cipher.extract(cipher.secret(secret.span.bytes), salt: nil)
        #expect(
            try cipher.expandInClear(plain, info: []).array
                == bytes("f5def084b086c3aea7c1ea1693f66dc54d414765f65467e0ff0bf1e7fed491c9"))
        // What is expanded to seal, or to derive from, is the same key.
        let sealing = try cipher.expandToSeal(salted, info: info)
        let inClear = try cipher.expandInClear(salted, info: info).array
        #expect(
            try sealed([1], sealing) == (try sealed([1], cipher.sealingKey(inClear.span.bytes))))
        let further = try cipher.extract(cipher.expand(salted, info: info), salt: nil)
        let same = try cipher.extract(cipher.secret(inClear.span.bytes), salt: nil)
        #expect(
            try cipher.expandInClear(further, info: []) == cipher.expandInClear(same, info: []))
    }

    /// Test cases 13 and 14 of the GCM specification (McGrew and Viega, 2005).
    @Test func `seals as the specification's examples have it`() throws {
        #expect(try sealed([], key()) == bytes("530f8afbc74536b9a963b4f1c4cb738b"))
        #expect(
            try sealed([UInt8](repeating: 0, count: 16), key())
                == bytes("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"))
    }

    @Test func `opens what it sealed, of any size`() throws {
        for size in Array(0...66) + [4_095, 4_096, 65_535, 65_536] {
            let plain = (0..<size).map { UInt8(truncatingIfNeeded: $0 * 7) }
            let sealed = try sealed(plain, key(1), authenticating: [UInt8](plain.prefix(9)))
            #expect(try opened(sealed, key(1), authenticating: [UInt8](plain.prefix(9))) == plain)
        }
    }

    @Test func `opens nothing that was changed or made otherwise`() throws {
        let plain: [UInt8] = [1, 2, 3, 4, 5]
        let nonce = ChunkNonce(index: 5, isLast: false)
        let sealed = try sealed(plain, key(1), nonce: nonce, authenticating: [9, 9])
        #expect(try opened(sealed, key(1), nonce: nonce, authenticating: [9, 9]) == plain)
        for index in sealed.indices {
            for bit in 0..<8 {
                var changed = sealed
                changed[index] ^= 1 << bit
                #expect(try opened(changed, key(1), nonce: nonce, authenticating: [9, 9]) == nil)
            }
        }
        #expect(try opened(sealed, key(2), nonce: nonce, authenticating: [9, 9]) == nil)
        #expect(try opened(sealed, key(1), nonce: .single, authenticating: [9, 9]) == nil)
        let last = ChunkNonce(index: 5, isLast: true)
        #expect(try opened(sealed, key(1), nonce: last, authenticating: [9, 9]) == nil)
        for data: [UInt8] in [[], [9], [9, 8], [9, 9, 9]] {
            #expect(try opened(sealed, key(1), nonce: nonce, authenticating: data) == nil)
        }
        let shortened = Array(sealed.dropLast())
        #expect(try opened(shortened, key(1), nonce: nonce, authenticating: [9, 9]) == nil)
    }

    @Test func `writes only as much as it says`() throws {
        let plain: [UInt8] = [1, 2, 3]
        var output = [UInt8](repeating: 0xEE, count: 40)
        try output.withUnsafeMutableBytes {
            try cipher.seal(plain.span.bytes, key(), nonce: .single, authenticating: [], into: $0)
        }
        #expect(output[19...].allSatisfy { $0 == 0xEE })
        let sealed = Array(output[..<19])
        var back = [UInt8](repeating: 0xEE, count: 40)
        try back.withUnsafeMutableBytes {
            try cipher.open(sealed.span.bytes, key(), nonce: .single, authenticating: [], into: $0)
        }
        #expect(Array(back[..<3]) == plain && back[3...].allSatisfy { $0 == 0xEE })
    }

    @Test func `shares one key among tasks`() async throws {
        let key = try key(3)
        let plain = [UInt8](repeating: 5, count: 10_000)
        let alone = try sealed(plain, key)
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<16 { group.addTask { try sealed(plain, key) } }
            for try await one in group { #expect(one == alone) }
        }
    }

    @Test func `describes no key`() throws {
        let key = try cipher.secret(secret.span.bytes)
        var text = ""
        dump(key, to: &text)
        #expect("\(key)" == "(key)" && text.contains("(key)"))
        for shown in ["\(key)", String(reflecting: key), text] {
            #expect(!shown.contains("[0") && !shown.contains("SymmetricKey"))
        }
        // The control: an array of the same bytes is shown.
        #expect("\(secret)".contains("[0"))
    }
}
