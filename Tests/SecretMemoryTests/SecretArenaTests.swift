// SPDX-License-Identifier: Apache-2.0
import Glibc
import MemoryScan
import SecretMemory
import TestKit
import Testing

private func makeArena(
    _ bytes: Int = 4096, _ exhaustion: SecretArena.Exhaustion = .refuse
) throws -> SecretArena {
    try SecretArena(bytes: bytes, minimumTier: .ordinary, whenExhausted: exhaustion)
}

private func isZero(_ pointer: UnsafeRawPointer, _ count: Int) -> Bool {
    UnsafeRawBufferPointer(start: pointer, count: count).allSatisfy { $0 == 0 }
}

@Suite("Secret arenas")
struct SecretArenaTests {
    @Test("Blocks are aligned, zero and inside the arena, and zeroed when freed")
    func blocks() throws {
        let arena = try makeArena()
        let block = try #require(arena.allocate(100))
        #expect(UInt(bitPattern: block) % 16 == 0)
        #expect(arena.contains(block) && isZero(block, 100))
        memset(block, 0xaa, 100)
        #expect(!isZero(block, 100))
        arena.free(block)
        #expect(isZero(block, 112))
        #expect(arena.statistics.liveBytes == 0 && arena.statistics.peakBytes == 112)
    }

    @Test("An arena gives all of its bytes and refuses the next one")
    func exhaustionRefused() throws {
        let arena = try makeArena()
        let block = try #require(arena.allocate(4096))
        #expect(arena.allocate(1) == nil)
        #expect(arena.statistics.refused == 1 && arena.statistics.spilled == 0)
        #expect(arena.weakestTier == arena.tier)
        arena.free(block)
        #expect(arena.allocate(4096) != nil)
    }

    @Test("A spilling arena answers from ordinary memory, and says so")
    func exhaustionSpilled() throws {
        let arena = try makeArena(4096, .spill)
        let block = try #require(arena.allocate(4096))
        let spilled = try #require(arena.allocate(100))
        #expect(!arena.contains(spilled) && arena.contains(block))
        #expect(arena.statistics.spilled == 1 && arena.statistics.spilledBytes == 100)
        #expect(arena.weakestTier == .ordinary)
        memset(spilled, 0x55, 100)
        arena.free(block)
        // As soon as there is room, growing brings it back.
        let back = try #require(arena.reallocate(spilled, to: 200))
        #expect(arena.contains(back))
        #expect(UnsafeRawBufferPointer(start: back, count: 100).allSatisfy { $0 == 0x55 })
        arena.free(back)
    }

    @Test("Growing keeps the bytes and zeroes the old place; shrinking zeroes the rest")
    func reallocate() throws {
        let arena = try makeArena()
        let first = try #require(arena.allocate(32))
        memset(first, 0x11, 32)
        let other = try #require(arena.allocate(16))
        let grown = try #require(arena.reallocate(first, to: 64))
        #expect(grown != first && isZero(first, 32))
        #expect(UnsafeRawBufferPointer(start: grown, count: 32).allSatisfy { $0 == 0x11 })
        let shrunk = try #require(arena.reallocate(grown, to: 16))
        #expect(shrunk == grown && isZero(grown + 16, 48))
        #expect(arena.statistics.liveBytes == 32)
        arena.free(shrunk)
        arena.free(other)
    }

    @Test("Sizes of zero and above the maximum are refused")
    func sizes() throws {
        let limit = SecretArena.bytesMax
        for size in [0, limit + 1] {
            #expect(
                throws: SecretMemoryFailure.sizeOutOfRange(
                    requestedBytes: size, limitBytes: limit)
            ) { try makeArena(size) }
        }
        #expect(try makeArena().allocate(0) == nil)
    }

    @Test("Ten thousand random steps never overlap, and leave the arena whole", arguments: 1...4)
    func randomSteps(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let arena = try makeArena(32 << 10)
        var live: [(pointer: UnsafeMutableRawPointer, count: Int, mark: UInt8)] = []
        for step in 0..<10_000 {
            if live.count < 60, Bool.random(using: &random) {
                let count = Int.random(in: 1...1500, using: &random)
                let mark = UInt8(truncatingIfNeeded: step) | 1
                guard let pointer = arena.allocate(count) else { continue }
                #expect(isZero(pointer, count))
                memset(pointer, Int32(mark), count)
                live.append((pointer, count, mark))
            } else if let index = live.indices.randomElement(using: &random) {
                let entry = live.remove(at: index)
                let bytes = UnsafeRawBufferPointer(start: entry.pointer, count: entry.count)
                #expect(bytes.allSatisfy { $0 == entry.mark })
                arena.free(entry.pointer)
            }
        }
        for entry in live { arena.free(entry.pointer) }
        #expect(arena.statistics.liveBytes == 0 && arena.statistics.liveBlocks == 0)
        #expect(arena.allocate(32 << 10) != nil, "freed blocks were not merged")
    }

    @Test("Several threads share an arena")
    func threads() async throws {
        let arena = try makeArena(256 << 10)
        await withTaskGroup(of: Bool.self) { group in
            for seed in 1...4 {
                group.addTask {
                    var random = SeededGenerator(seed: UInt64(seed))
                    for _ in 0..<2000 {
                        let count = Int.random(in: 1...2000, using: &random)
                        guard let pointer = arena.allocate(count) else { return false }
                        guard isZero(pointer, count) else { return false }
                        memset(pointer, Int32(seed), count)
                        let bytes = UnsafeRawBufferPointer(start: pointer, count: count)
                        guard bytes.allSatisfy({ $0 == UInt8(seed) }) else { return false }
                        arena.free(pointer)
                    }
                    return true
                }
            }
            for await isGood in group { #expect(isGood) }
        }
        #expect(arena.statistics.liveBytes == 0 && arena.statistics.allocations == 8000)
    }

    @Test("A retired arena is unmapped and gives nothing any more")
    func retire() throws {
        let arena = try makeArena()
        let block = try #require(arena.allocate(64))
        let address = UInt(bitPattern: block)
        #expect(try ProcessMapping.containing(address)?.secretTierName == arena.tier.name)
        arena.retire()
        arena.retire()
        #expect(arena.allocate(16) == nil)
        #expect(arena.statistics.refused == 1)
    }

    @Test("An arena is not inherited by forked children")
    func notInherited() throws {
        let arena = try makeArena()
        let block = try #require(arena.allocate(64))
        let mapping = try ProcessMapping.containing(UInt(bitPattern: block))
        #expect(try #require(mapping).flags.contains("dc"))
        arena.free(block)
    }
}
