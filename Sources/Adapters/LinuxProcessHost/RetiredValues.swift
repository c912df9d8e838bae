// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
internal import Ports
internal import SecretMemory

/// Recognizes values that were replaced, without keeping them: a keyed digest of each, key and
/// digests in secret memory. A program that still has an old value copies it into the environment
/// of what it executes, where it must become the newest one and must not reach a new stack.
final class RetiredValues {
    /// Most values remembered; beyond, the oldest is forgotten, and a copy of it is passed on as
    /// the program's own.
    static let countMax = 128

    /// Key (16 bytes), then one digest (8 bytes) per record.
    private var memory: SecretBuffer
    /// Of each record: which entry, and the bytes of `NAME=value` with its NUL.
    private var entries: [(entry: Int, byteCount: Int)] = []

    init() throws(ProcessHostFailure) {
        do throws(SecretMemoryFailure) {
            memory = try SecretBuffer(
                capacity: 16 + 8 * Self.countMax, minimumTier: .secret)
        } catch { throw .memory(error) }
        var result: Int32 = 0
        memory.fill { rest in
            result = clinux_random(rest.baseAddress, 16)
            return 16 + 8 * Self.countMax
        }
        guard result == 0 else { throw .systemCall("getrandom", errorNumber: -result) }
    }

    /// Remembers every value of a generation; an empty one is its own placeholder.
    func add(_ values: DeliveredValues) {
        for entry in values.entries.indices where !values.isEmpty(entry) {
            let text = values.text(of: entry)
            var hash = makeHash()
            hash.update(text)
            remember(entry: entry, byteCount: text.count, digest: hash.finish())
        }
    }

    private func remember(entry: Int, byteCount: Int, digest: UInt64) {
        memory.withMutableBytes { bytes in
            if entries.count == Self.countMax {
                entries.removeFirst()
                let digests = UnsafeMutableRawBufferPointer(rebasing: bytes[16...])
                digests.copyMemory(from: UnsafeRawBufferPointer(rebasing: digests[8...]))
            }
            bytes.storeBytes(of: digest, toByteOffset: 16 + 8 * entries.count, as: UInt64.self)
            entries.append((entry, byteCount))
        }
    }

    /// - Parameter next: lends the bytes of a candidate from a position on, at least one of the
    ///   whole count's rest; nil when they cannot be read.
    func contains(
        entry: Int, _ next: (_ position: Int, _ count: Int) -> UnsafeRawBufferPointer?
    ) -> Bool {
        for index in entries.indices.reversed() where entries[index].entry == entry {
            let count = entries[index].byteCount
            var hash = makeHash()
            var position = 0
            while position < count, let bytes = next(position, count), !bytes.isEmpty {
                hash.update(bytes)
                position += bytes.count
            }
            guard position == count else { continue }
            let digest = memory.withBytes { span in
                span.unsafeLoad(fromByteOffset: 16 + 8 * index, as: UInt64.self)
            }
            if digest == hash.finish() { return true }
        }
        return false
    }

    private func makeHash() -> KeyedHash {
        memory.withBytes { span in
            KeyedHash(
                span.unsafeLoad(fromByteOffset: 0, as: UInt64.self),
                span.unsafeLoad(fromByteOffset: 8, as: UInt64.self))
        }
    }
}

/// SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012).
struct KeyedHash {
    private var state: (UInt64, UInt64, UInt64, UInt64)
    private var tail: UInt64 = 0
    private var byteCount = 0

    init(_ first: UInt64, _ second: UInt64) {
        state = (
            first ^ 0x736f_6d65_7073_6575, second ^ 0x646f_7261_6e64_6f6d,
            first ^ 0x6c79_6765_6e65_7261, second ^ 0x7465_6462_7974_6573
        )
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            tail |= UInt64(byte) << UInt64(8 * (byteCount & 7))
            byteCount += 1
            guard byteCount & 7 == 0 else { continue }
            absorb(tail)
            tail = 0
        }
    }

    mutating func finish() -> UInt64 {
        absorb(tail | UInt64(byteCount & 0xff) << 56)
        state.2 ^= 0xff
        for _ in 0..<4 { mix() }
        return state.0 ^ state.1 ^ state.2 ^ state.3
    }

    private mutating func absorb(_ word: UInt64) {
        state.3 ^= word
        mix()
        mix()
        state.0 ^= word
    }

    private mutating func mix() {
        state.0 &+= state.1
        state.1 = Self.rotated(state.1, 13) ^ state.0
        state.0 = Self.rotated(state.0, 32)
        state.2 &+= state.3
        state.3 = Self.rotated(state.3, 16) ^ state.2
        state.0 &+= state.3
        state.3 = Self.rotated(state.3, 21) ^ state.0
        state.2 &+= state.1
        state.1 = Self.rotated(state.1, 17) ^ state.2
        state.2 = Self.rotated(state.2, 32)
    }

    private static func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 {
        word << count | word >> (64 - count)
    }
}
