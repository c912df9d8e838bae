// SPDX-License-Identifier: Apache-2.0
import CLinux
import MemoryScan
import SealedObject
import SecretMemory
import Synchronization

@testable import CryptoObjectCipher

/// Keys that are looked for in this process's memory, each in the shapes that the library's code
/// gives it. They are in the scanner's memory only: the test has none of them itself.
struct KeyCopies {
    /// A copy of a key that was found outside of secret memory.
    struct Copy: Hashable, Comparable {
        let key: String
        let place: Place

        enum Place: String { case heap, stack }

        static func < (left: Copy, right: Copy) -> Bool {
            (left.key, left.place.rawValue) < (right.key, right.place.rawValue)
        }
    }

    static let salt = Octets32(InlineArray(repeating: 0x5A))
    static let info = Array("CT1 enc 0123456789abcdef".utf8)

    /// AES-256's first two round keys are the key; these are the next two.
    private static let roundKeys = 32..<64

    let scanner: HeapScanner

    /// - Parameter dataKey: in secret memory.
    init(_ cipher: CryptoObjectCipher, _ dataKey: SecretBlock) throws {
        scanner = try HeapScanner()
        let secret = try dataKey.withBytes { try cipher.secret($0) }
        let pseudorandom = try cipher.extract(secret, salt: Self.salt)
        let chunk = try cipher.expand(pseudorandom, info: Self.info)
        try secret.withBytes { try add("data key", $0) }
        try pseudorandom.withBytes { bytes in
            try add("pseudorandom key", bytes.extracting(0..<32))
            try add("pseudorandom key's end", bytes.extracting(32..<64))
        }
        try chunk.withBytes { try add("chunk key", $0) }
        let sealing = try cipher.expandToSeal(pseudorandom, info: Self.info)
        try sealing.withBytes { schedule in
            let start = try chunk.withBytes { try Self.offset(of: $0, in: schedule) }
            let keys = start + Self.roundKeys.lowerBound..<start + Self.roundKeys.upperBound
            try add("round keys", schedule.extracting(keys))
        }
    }

    /// A library without AES instructions has the key in another shape.
    private static func offset(of key: RawSpan, in schedule: RawSpan) throws -> Int {
        let found = key.withUnsafeBytes { key in
            schedule.withUnsafeBytes { schedule in
                clinux_find(schedule.baseAddress, schedule.count, key.baseAddress, key.count)
            }
        }
        guard found >= 0 else { throw NotFound() }
        return found
    }

    struct NotFound: Error {}

    /// As it is, in words of 8 and 4 bytes of the other order, and under HMAC's two masks.
    private func add(_ name: String, _ key: RawSpan) throws {
        for width in [1, 8, 4] {
            for mask: UInt8 in [0, 0x36, 0x5C] {
                var shape = name
                if width > 1 { shape += ", words of \(width)" }
                if mask != 0 { shape += ", under mask \(mask)" }
                try scanner.addNeedle(shape, byteCount: key.byteCount, forms: []) { room in
                    for index in 0..<key.byteCount {
                        let place = index / width * width + (width - 1 - index % width)
                        room[index] =
                            key.unsafeLoad(fromByteOffset: place, as: UInt8.self) ^ mask
                    }
                }
            }
        }
    }

    /// What is outside of secret memory, and how often.
    func found() throws -> [Copy: Int] {
        var here: UInt8 = 0
        let stack = try withUnsafeBytes(of: &here) { bytes in
            try ProcessMapping.containing(UInt(bitPattern: bytes.baseAddress))
        }
        var counts: [Copy: Int] = [:]
        for hit in try scanner.scan().hits {
            let isOnStack = stack.map { ($0.start..<$0.end).contains(hit.address) } ?? false
            let copy = Copy(key: hit.needle, place: isOnStack ? .stack : .heap)
            counts[copy, default: 0] += 1
        }
        return counts
    }
}

/// Calls `body` so far down the stack that what it leaves there is not overwritten before somebody
/// looks.
@inline(never) func farDown<Result>(
    _ calls: Int = 1_000, _ body: () throws -> Result
) rethrows -> Result {
    // What C may look at before and after cannot be optimised away, and the frame with it.
    var filler = InlineArray<16, UInt64>(repeating: 0)
    withUnsafeMutableBytes(of: &filler) { clinux_zero($0.baseAddress, $0.count) }
    defer { withUnsafeMutableBytes(of: &filler) { clinux_zero($0.baseAddress, $0.count) } }
    return try calls > 0 ? farDown(calls - 1, body) : body()
}

/// New for each test: another test's copies are not this one's.
func randomKey(in arena: SecretArena) throws -> SecretBlock {
    let block = SecretBlock(SealedObjectLimits.keyBytes, in: arena) { room in
        _ = clinux_random(room.baseAddress, room.count)
    }
    guard let block else { throw CipherFailure.memoryExhausted }
    return block
}
