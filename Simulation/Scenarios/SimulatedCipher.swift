// SPDX-License-Identifier: Apache-2.0
package import Checksums
package import SealedObject
internal import SimulationEngine

/// One chunk was sealed, under which key and nonce.
package struct ChunkSealed: SimulationFact {
    package let key: SimulatedCipher.Words
    package let nonce: ChunkNonce
    /// The key came from it.
    package let salt: Octets32?
    /// Of what was sealed.
    package let plaintextHash: UInt64

    package init(
        key: SimulatedCipher.Words, nonce: ChunkNonce, salt: Octets32?, plaintextHash: UInt64
    ) {
        self.key = key
        self.nonce = nonce
        self.salt = salt
        self.plaintextHash = plaintextHash
    }

    /// Too many for lines of their own.
    package var summary: String? { nil }
}

/// The interface of suite 1 without cryptography worth its name: keyed, authenticated, cheap, the
/// same in every process. It tells of each chunk that is sealed.
package struct SimulatedCipher: AuthenticatedCipher {
    /// 32 bytes.
    package struct Words: Sendable, Hashable {
        var first: UInt64
        var second: UInt64
        var third: UInt64
        var fourth: UInt64

        /// As if derived from a number: for facts that are made up.
        package init(number: UInt64) {
            (first, second, third, fourth) = (number, 0, 0, 0)
        }

        init(_ mixer: WordMixer) {
            var mixer = mixer
            first = mixer.next()
            second = mixer.next()
            third = mixer.next()
            fourth = mixer.next()
        }

        var bytes: [UInt8] {
            [first, second, third, fourth].flatMap { word in
                (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
            }
        }

        func add(to mixer: inout WordMixer) {
            for word in [first, second, third, fourth] { mixer.add(word) }
        }
    }

    package struct Derived: Sendable {
        let words: Words
        let salt: Octets32?
    }

    private let tell: @Sendable (ChunkSealed) -> Void

    /// - Parameter tell: of each chunk that is sealed.
    package init(_ tell: @escaping @Sendable (ChunkSealed) -> Void) { self.tell = tell }

    package func secret(_ bytes: RawSpan) -> Words {
        var mixer = WordMixer(1)
        bytes.withUnsafeBytes { mixer.add($0) }
        return Words(mixer)
    }

    package func extract(_ secret: Words, salt: Octets32?) -> Derived {
        var mixer = WordMixer(2)
        secret.add(to: &mixer)
        if let salt { salt.array.withUnsafeBytes { mixer.add($0) } }
        return Derived(words: Words(mixer), salt: salt)
    }

    package func expand(_ key: Derived, info: [UInt8]) -> Words { expanded(key, 3, info) }

    package func expandToSeal(_ key: Derived, info: [UInt8]) -> Derived {
        Derived(words: expanded(key, 4, info), salt: key.salt)
    }

    package func expandInClear(_ key: Derived, info: [UInt8]) -> Octets32 {
        Octets32(expanded(key, 5, info).bytes) ?? Octets32(.init(repeating: 0))
    }

    private func expanded(_ key: Derived, _ use: UInt64, _ info: [UInt8]) -> Words {
        var mixer = WordMixer(use)
        key.words.add(to: &mixer)
        info.withUnsafeBytes { mixer.add($0) }
        return Words(mixer)
    }

    package func seal(
        _ plaintext: RawSpan, _ key: Derived, nonce: ChunkNonce, authenticating: [UInt8],
        into output: UnsafeMutableRawBufferPointer
    ) throws(CipherFailure) {
        let count = plaintext.byteCount
        guard output.count >= count + SealedObjectLimits.tagBytes else { throw .unavailable }
        var hash = WordMixer(6)
        plaintext.withUnsafeBytes { plaintext in
            hash.add(plaintext)
            Self.hide(plaintext, key.words, nonce, into: output)
        }
        tell(
            ChunkSealed(
                key: key.words, nonce: nonce, salt: key.salt, plaintextHash: hash.next()))
        let tag = Self.tag(
            UnsafeRawBufferPointer(rebasing: output[..<count]), key.words, nonce, authenticating)
        for index in 0..<SealedObjectLimits.tagBytes { output[count + index] = tag[index] }
    }

    package func open(
        _ sealed: RawSpan, _ key: Derived, nonce: ChunkNonce, authenticating: [UInt8],
        into output: UnsafeMutableRawBufferPointer
    ) throws(CipherFailure) {
        let count = sealed.byteCount - SealedObjectLimits.tagBytes
        guard count >= 0, output.count >= count else { throw .unavailable }
        let isAuthentic = sealed.withUnsafeBytes { sealed in
            let hidden = UnsafeRawBufferPointer(rebasing: sealed[..<count])
            let tag = Self.tag(hidden, key.words, nonce, authenticating)
            guard tag.prefix(SealedObjectLimits.tagBytes).elementsEqual(sealed[count...]) else {
                return false
            }
            Self.hide(hidden, key.words, nonce, into: output)
            return true
        }
        guard isAuthentic else { throw .notAuthentic }
    }

    package func sha256(_ bytes: [UInt8]) -> Octets32 {
        var mixer = WordMixer(7)
        bytes.withUnsafeBytes { mixer.add($0) }
        return Octets32(Words(mixer).bytes) ?? Octets32(.init(repeating: 0))
    }

    /// The same hides and shows.
    private static func hide(
        _ input: UnsafeRawBufferPointer, _ key: Words, _ nonce: ChunkNonce,
        into output: UnsafeMutableRawBufferPointer
    ) {
        var mixer = WordMixer(8)
        key.add(to: &mixer)
        mixer.add(UInt64(nonce.index) << 1 | (nonce.isLast ? 1 : 0))
        var state = mixer.next()
        var offset = 0
        while offset + 8 <= input.count {
            state = state &* 0x5851_F42D_4C95_7F2D &+ 0x1405_7B7E_F767_814F
            let word = input.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            output.storeBytes(
                of: word ^ state ^ (state >> 29), toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        while offset < input.count {
            state = state &* 0x5851_F42D_4C95_7F2D &+ 0x1405_7B7E_F767_814F
            output[offset] = input[offset] ^ UInt8(truncatingIfNeeded: state >> 32)
            offset += 1
        }
    }

    private static func tag(
        _ hidden: UnsafeRawBufferPointer, _ key: Words, _ nonce: ChunkNonce, _ more: [UInt8]
    ) -> [UInt8] {
        var mixer = WordMixer(9)
        key.add(to: &mixer)
        mixer.add(UInt64(nonce.index) << 1 | (nonce.isLast ? 1 : 0))
        more.withUnsafeBytes { mixer.add($0) }
        mixer.add(hidden)
        return Words(mixer).bytes
    }
}

/// Stirs words and bytes together; what comes out depends on all of them and their order.
struct WordMixer: Sendable {
    private var one: UInt64
    private var other: UInt64 = 0x6A09_E667_F3BC_C908

    init(_ use: UInt64) { one = use &* 0x9E37_79B9_7F4A_7C15 }

    mutating func add(_ word: UInt64) {
        one = (one ^ word) &* 0xBF58_476D_1CE4_E5B9
        one ^= one >> 29
        other = (other &+ one) &* 0x94D0_49BB_1331_11EB
        other ^= other >> 31
    }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        while offset + 8 <= bytes.count {
            add(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < bytes.count {
            rest = rest << 8 | UInt64(bytes[offset])
            offset += 1
        }
        add(rest)
        add(UInt64(bytes.count))
    }

    mutating func next() -> UInt64 {
        add(0x5BE0_CD19_137E_2179)
        return one ^ (other >> 17) ^ (other << 11)
    }
}

/// Digests that are the same in every process, and nobody's outside the simulation.
package struct SimulatedDigests: MessageDigests {
    package init() {}

    package func begin(_ algorithm: DigestAlgorithm) -> any RunningDigest {
        SimulatedDigest(algorithm)
    }
}

private struct SimulatedDigest: RunningDigest {
    private let byteCount: Int
    private var mixer: WordMixer
    private var count = 0
    private var rest: UInt64 = 0

    init(_ algorithm: DigestAlgorithm) {
        byteCount = algorithm.byteCount
        mixer = WordMixer(UInt64(algorithm.byteCount) << 8)
    }

    /// However it is cut into pieces, the same bytes are mixed into the same words.
    mutating func update(_ bytes: RawSpan) {
        bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                guard count % 8 == 0, offset + 8 <= bytes.count else {
                    add(bytes[offset])
                    offset += 1
                    continue
                }
                let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                mixer.add(UInt64(littleEndian: word))
                offset += 8
                count += 8
            }
        }
    }

    private mutating func add(_ byte: UInt8) {
        rest |= UInt64(byte) << UInt64(count % 8 * 8)
        count += 1
        guard count % 8 == 0 else { return }
        mixer.add(rest)
        rest = 0
    }

    func finish(into digest: UnsafeMutableRawBufferPointer) {
        var mixer = mixer
        mixer.add(rest)
        mixer.add(UInt64(count))
        digest.copyBytes(from: SimulatedCipher.Words(mixer).bytes.prefix(byteCount))
    }
}
