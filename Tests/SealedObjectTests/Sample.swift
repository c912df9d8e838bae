// SPDX-License-Identifier: Apache-2.0
import CryptoObjectCipher
import SealedObject
import SecretMemory
import TestKit

/// Keys, salts and contents of these tests. None of them is used for anything else.
enum Sample {
    static let cipher = CryptoObjectCipher(keyMemory: keyMemory)
    static let keyMemory: SecretArena = {
        do {
            return try SecretArena(bytes: 1 << 20, minimumTier: .ordinary)
        } catch { preconditionFailure("no memory for keys: \(error)") }
    }()
    static let dataKey = (0..<32).map { UInt8($0) }
    static let otherKey = (0..<32).map { UInt8(200 - $0) }
    static let epochKey = (0..<32).map { UInt8(100 + $0) }
    static let chunk = SealedObjectLimits.chunkBytes
    static let sealedChunk = SealedObjectLimits.sealedChunkBytes
    static let header = SealedObjectLimits.headerBytes
    static let tag = SealedObjectLimits.tagBytes
    /// Around every edge of a chunk.
    static let sizes = [
        0, 1, 15, 16, 17, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 200_000,
    ]

    static func octets(_ seed: Int) -> Octets32 {
        var generator = SeededGenerator(seed: UInt64(seed))
        return Octets32(
            (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
            ?? Octets32(InlineArray(repeating: 0))
    }

    static func random(_ count: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        return (0..<(count + 7) / 8).flatMap { _ in
            withUnsafeBytes(of: generator.next()) { Array($0) }
        }.prefix(count) + []
    }

    static func part(_ number: Int) -> SegmentIdentity {
        guard let identity = SegmentIdentity.part(number) else {
            preconditionFailure("no part has this number")
        }
        return identity
    }

    static func name(_ key: String = "k", bucket: String = "b") -> ObjectName {
        guard let name = ObjectName(tenant: "t", bucket: bucket, key: key) else {
            preconditionFailure("no object has this name")
        }
        return name
    }

    static func context(_ key: String = "k", bucket: String = "b") -> Octets32 {
        name(key, bucket: bucket).context(cipher)
    }
}

/// Cuts bytes into slices: of `lengths` in turn, or all at once.
struct Slicing {
    var lengths: [Int]

    static let whole = Slicing(lengths: [.max])
    static func of(_ length: Int) -> Slicing { Slicing(lengths: [length]) }

    /// Lengths from nothing to a few chunks, small ones often.
    static func random(_ generator: inout SeededGenerator) -> Slicing {
        Slicing(
            lengths: (0..<64).map { _ in
                let bits = Int.random(in: 0...18, using: &generator)
                return Int.random(in: 0...1 << bits, using: &generator)
            } + [1])
    }

    func slices(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var slices: [ArraySlice<UInt8>] = []
        var (offset, turn) = (0, 0)
        while offset < bytes.count {
            let length = min(lengths[turn % lengths.count], bytes.count - offset)
            slices.append(bytes[offset..<offset + length])
            offset += length
            turn += 1
        }
        return slices
    }
}

func seal(
    _ plain: [UInt8], _ identity: SegmentIdentity = .object, salt: Octets32 = Sample.octets(1),
    dataKey: [UInt8] = Sample.dataKey, plainBytes: Int? = nil, slicing: Slicing = .whole
) throws -> [UInt8] {
    var sealer = try SealerStateMachine(
        Sample.cipher, dataKey: dataKey.span.bytes, identity: identity, salt: salt,
        plainBytes: plainBytes)
    var sealed: [UInt8] = []
    var output = [UInt8](repeating: 0xEE, count: SealedObjectLimits.outputBytesMax)
    for slice in slicing.slices(plain) {
        var offset = 0
        while true {
            let rest = Array(slice.dropFirst(offset))
            let action = try output.withUnsafeMutableBytes {
                try sealer.push(rest.span.bytes, into: $0)
            }
            guard case .pass(let taken, let written) = action else { break }
            sealed += output[written]
            offset += taken
        }
    }
    let last = try output.withUnsafeMutableBytes { try sealer.finish(into: $0) }
    return sealed + output[last]
}

/// What an opener has released, and how it ended.
struct Opened: Equatable {
    var plain: [UInt8] = []
    /// nil: well.
    var failure: SealedObjectFailure?
}

func open(
    _ sealed: [UInt8], _ identity: SegmentIdentity = .object, salt: Octets32? = nil,
    dataKey: [UInt8] = Sample.dataKey, plainBytes: Int? = nil, slicing: Slicing = .whole
) -> Opened {
    do {
        var opener = try OpenerStateMachine(
            Sample.cipher, dataKey: dataKey.span.bytes, identity: identity, salt: salt,
            plainBytes: plainBytes)
        return drive(&opener, sealed, slicing)
    } catch { return Opened(failure: error) }
}

func readHeader(_ bytes: [UInt8]) throws(SealedObjectFailure) -> SegmentHeader {
    try SegmentHeader(reading: bytes.span.bytes)
}

func openRange(
    _ sealed: [UInt8], _ plain: Range<Int>, of plainBytes: Int,
    dataKey: [UInt8] = Sample.dataKey, slicing: Slicing = .whole
) throws -> Opened {
    let header = try readHeader(sealed)
    guard let range = SegmentRange(plain, of: plainBytes) else {
        return Opened(failure: .truncated)
    }
    do {
        var opener = try OpenerStateMachine(
            Sample.cipher, dataKey: dataKey.span.bytes, header: header, range: range)
        return drive(&opener, Array(sealed[range.sealed]), slicing)
    } catch { return Opened(failure: error) }
}

func drive(
    _ opener: inout OpenerStateMachine<CryptoObjectCipher>, _ sealed: [UInt8], _ slicing: Slicing
) -> Opened {
    var opened = Opened()
    var output = [UInt8](repeating: 0xEE, count: SealedObjectLimits.outputBytesMax)
    do {
        for slice in slicing.slices(sealed) {
            var offset = 0
            while true {
                let rest = Array(slice.dropFirst(offset))
                let action = try output.withUnsafeMutableBytes {
                    try opener.push(rest.span.bytes, into: $0)
                }
                guard case .pass(let taken, let written) = action else { break }
                opened.plain += output[written]
                offset += taken
            }
        }
        let last = try output.withUnsafeMutableBytes { try opener.finish(into: $0) }
        opened.plain += output[last]
    } catch { opened.failure = error as? SealedObjectFailure }
    return opened
}

func secret(_ bytes: [UInt8]) throws -> SecretBuffer {
    var buffer = try SecretBuffer(capacity: bytes.count, minimumTier: .ordinary)
    try buffer.append(bytes.span.bytes)
    return buffer
}
