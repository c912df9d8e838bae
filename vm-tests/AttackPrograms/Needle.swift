// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// The secret an attack looks for, held masked: the searcher's own memory must not be a place
/// where a search of the whole machine finds it.
package struct Needle: Sendable {
    /// Shortest needle that is searched for (bytes): shorter ones are found by chance.
    package static let bytesMin = 8

    private let masked: [UInt8]
    private let mask: UInt8

    /// Takes over the bytes at `source`; the caller zeroes its own copy. Nil below `bytesMin`.
    package init?(masking source: UnsafeRawBufferPointer) {
        guard source.count >= Self.bytesMin else { return nil }
        var random: UInt8 = 0
        let drawn = withUnsafeMutableBytes(of: &random) { clinux_random($0.baseAddress, 1) }
        guard drawn == 0 else { return nil }
        let key = random | 0x80
        mask = key
        masked = source.map { $0 ^ key }
    }

    /// Number `index` of the needles of a run: bytes drawn from the run's seed by SplitMix64, so
    /// that a guest and its host know the same needle without a copy of it passing between them.
    package init(seed: UInt64, index: UInt64, count: Int = 40) {
        mask = 0xA5
        let key: UInt8 = 0xA5
        var generator = SplitMix64(state: seed &+ index &* 0xD1B5_4A32_D192_ED03)
        masked = (0..<count).map { _ in generator.nextLetter() ^ key }
    }

    /// Length (bytes).
    package var count: Int { masked.count }

    /// Puts the plain bytes into `target`, which has room for `count`.
    package func unmask(into target: UnsafeMutableRawPointer) {
        for offset in 0..<masked.count {
            target.storeBytes(of: masked[offset] ^ mask, toByteOffset: offset, as: UInt8.self)
        }
    }

    /// How many aligned 8-byte blocks of the needle are in `bytes`: part of a secret is a leak
    /// too. A vector register spilled to the stack, for one, holds 16 to 64 bytes of it. Every run
    /// of 15 bytes holds such a block; so does the whole, as often as it has blocks.
    package func occurrences(in bytes: UnsafeRawBufferPointer) -> Int {
        var found = 0
        for block in stride(from: 0, through: count - Self.bytesMin, by: Self.bytesMin) {
            found += occurrences(ofBlock: block, in: bytes)
        }
        return found
    }

    private func occurrences(ofBlock block: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        guard let base = bytes.baseAddress, bytes.count >= Self.bytesMin else { return 0 }
        let first = Int32(masked[block] ^ mask)
        let last = bytes.count - Self.bytesMin
        var offset = 0
        var found = 0
        while offset <= last {
            guard let hit = memchr(base + offset, first, last - offset + 1) else { break }
            offset = base.distance(to: UnsafeRawPointer(hit))
            if matches(block, base + offset) { found += 1 }
            offset += 1
        }
        return found
    }

    private func matches(_ block: Int, _ candidate: UnsafeRawPointer) -> Bool {
        for offset in 0..<Self.bytesMin {
            let byte = candidate.load(fromByteOffset: offset, as: UInt8.self)
            if byte ^ mask != masked[block + offset] { return false }
        }
        return true
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014), mapped to 64 letters that are plain in an environment.
struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// One of `A-Z a-z 0-9 - _`.
    mutating func nextLetter() -> UInt8 {
        let value = UInt8(truncatingIfNeeded: next() >> 58)
        return switch value {
        case 0..<26: UInt8(ascii: "A") + value
        case 26..<52: UInt8(ascii: "a") + value - 26
        case 52..<62: UInt8(ascii: "0") + value - 52
        case 62: UInt8(ascii: "-")
        default: UInt8(ascii: "_")
        }
    }
}
