// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Synchronization

/// A fixed region of secret memory with an allocator, for a C library that is pointed at it.
///
/// Shape: one SecretRegion, never grown, not inherited by forked children. Blocks are multiples
/// of 16 bytes, 16-byte aligned, zero when handed out and zeroed when freed. Thread-safe.
/// Freeing what is not a block ends the process.
package final class SecretArena: Sendable {
    /// What happens when no block is left. Both are counted, neither is silent.
    package enum Exhaustion: Sendable, Equatable {
        /// `allocate` returns nil.
        case refuse
        /// `allocate` answers from ordinary memory, zeroed on free; `statistics.spilledBytes`
        /// and `tiers` say so from then on.
        case spill
    }

    /// Sizes in bytes, blocks rounded up to 16.
    package struct Statistics: Sendable, Equatable {
        package var capacityBytes = 0
        package var liveBytes = 0
        package var peakBytes = 0
        package var liveBlocks = 0
        package var allocations = 0
        /// Requests that found no block and got nothing.
        package var refused = 0
        /// Requests that found no block and were answered from ordinary memory.
        package var spilled = 0
        /// All the bytes so answered, freed ones included.
        package var spilledBytes = 0
    }

    package static let granuleBytes = 16
    /// Largest arena (bytes).
    package static let bytesMax = 64 << 20

    private struct State: ~Copyable {
        var table: BlockTable
        var statistics: Statistics
        var retired = false
    }

    private let region: SecretRegion
    private let exhaustion: Exhaustion
    private let state: Mutex<State>

    /// - Parameters:
    ///   - bytes: size, rounded up to whole pages, 1 ... `bytesMax`.
    ///   - minimumTier: refuse rather than use memory of a lower tier.
    ///   - maximumTier: do not ask for a higher tier; for tests of the fallback.
    package init(
        bytes: Int, minimumTier: MemoryTier, maximumTier: MemoryTier = .secret,
        whenExhausted exhaustion: Exhaustion = .refuse
    ) throws(SecretMemoryFailure) {
        guard (1...Self.bytesMax).contains(bytes) else {
            throw .sizeOutOfRange(requestedBytes: bytes, limitBytes: Self.bytesMax)
        }
        region = try SecretRegion(
            payloadBytes: bytes, minimumTier: minimumTier, maximumTier: maximumTier,
            inheritedByChildren: false)
        self.exhaustion = exhaustion
        let granules = region.payloadBytes / Self.granuleBytes
        state = Mutex(
            State(
                table: BlockTable(granules: granules),
                statistics: Statistics(capacityBytes: granules * Self.granuleBytes)))
    }

    deinit {
        if state.withLock({ !$0.retired }) { region.release() }
    }

    /// What kind of memory the arena's blocks are in.
    package var tier: MemoryTier { region.tier }

    package var statistics: Statistics { state.withLock { $0.statistics } }

    /// The weakest tier that any request was answered from: `tier`, or `.ordinary` once
    /// something spilled.
    package var weakestTier: MemoryTier {
        statistics.spilled == 0 ? tier : .ordinary
    }

    /// Whether the address lies in the arena (and was therefore not spilled).
    package func contains(_ pointer: UnsafeRawPointer) -> Bool {
        pointer >= UnsafeRawPointer(region.payload)
            && pointer < UnsafeRawPointer(region.payload + region.payloadBytes)
    }

    /// Returns `count` zero bytes, or nil when `count` is not positive or when there is no block
    /// left and the policy is to refuse.
    package func allocate(_ count: Int) -> UnsafeMutableRawPointer? {
        guard count > 0 else { return nil }
        let granules = Self.granules(for: count)
        let block: Int? = state.withLock { state in
            guard !state.retired, let block = state.table.take(granules) else {
                Self.countExhaustion(&state.statistics, exhaustion, bytes: count)
                return nil
            }
            state.statistics.took(granules)
            return block
        }
        if let block { return region.payload + block * Self.granuleBytes }
        return exhaustion == .spill ? calloc(1, count) : nil
    }

    /// Resizes a block or spilled memory of this arena, moving it when need be; the old place is
    /// zeroed. Spilled memory moves back as soon as a block is free. On nil the old one stays.
    package func reallocate(
        _ pointer: UnsafeMutableRawPointer, to count: Int
    ) -> UnsafeMutableRawPointer? {
        guard count > 0 else { return nil }
        let before = usableBytes(of: pointer)
        if contains(pointer), count <= before {
            shrink(pointer, to: count)
            return pointer
        }
        guard let moved = allocate(count) else { return nil }
        moved.copyMemory(from: pointer, byteCount: min(before, count))
        free(pointer)
        return moved
    }

    /// Zeroes and gives back a block, or zeroes and frees spilled memory.
    package func free(_ pointer: UnsafeMutableRawPointer) {
        guard contains(pointer) else {
            clinux_zero(pointer, clinux_usable_size(pointer))
            Glibc.free(pointer)
            return
        }
        // Zeroed before it is given back: another thread may get it the moment after.
        clinux_zero(pointer, usableBytes(of: pointer))
        state.withLock { state in
            let block = self.block(of: pointer)
            let granules = state.table.count(at: block) ?? 0
            state.table.giveBack(block)
            state.statistics.gaveBack(granules, blocks: 1)
        }
    }

    /// Bytes that may be used at `pointer`, a block or spilled memory of this arena.
    package func usableBytes(of pointer: UnsafeMutableRawPointer) -> Int {
        guard contains(pointer) else { return clinux_usable_size(pointer) }
        let granules = state.withLock { $0.table.count(at: self.block(of: pointer)) }
        guard let granules else { preconditionFailure("not a block of this arena") }
        return granules * Self.granuleBytes
    }

    /// Zeroes and unmaps the region, which gives its locked memory back. Every block dangles from
    /// then on, and every request is treated as exhaustion. Idempotent.
    package func retire() {
        let first = state.withLock { state in
            defer { state.retired = true }
            return !state.retired
        }
        if first { region.release() }
    }

    private func shrink(_ pointer: UnsafeMutableRawPointer, to count: Int) {
        let keep = Self.granules(for: count)
        let block = self.block(of: pointer)
        let before = usableBytes(of: pointer)
        clinux_zero(pointer + count, before - count)
        state.withLock { state in
            state.table.shrink(block, to: keep)
            state.statistics.gaveBack(before / Self.granuleBytes - keep, blocks: 0)
        }
    }

    private func block(of pointer: UnsafeMutableRawPointer) -> Int {
        let offset = pointer - region.payload
        precondition(offset % Self.granuleBytes == 0, "not a block of this arena")
        return offset / Self.granuleBytes
    }

    private static func granules(for count: Int) -> Int {
        (count + granuleBytes - 1) / granuleBytes
    }

    private static func countExhaustion(
        _ statistics: inout Statistics, _ exhaustion: Exhaustion, bytes: Int
    ) {
        switch exhaustion {
        case .refuse: statistics.refused += 1
        case .spill:
            statistics.spilled += 1
            statistics.spilledBytes += bytes
        }
    }
}

extension SecretArena.Statistics {
    fileprivate mutating func took(_ granules: Int) {
        liveBytes += granules * SecretArena.granuleBytes
        peakBytes = max(peakBytes, liveBytes)
        liveBlocks += 1
        allocations += 1
    }

    fileprivate mutating func gaveBack(_ granules: Int, blocks: Int) {
        liveBytes -= granules * SecretArena.granuleBytes
        liveBlocks -= blocks
    }
}
