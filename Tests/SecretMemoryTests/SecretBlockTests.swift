// SPDX-License-Identifier: Apache-2.0
import SecretMemory
import Testing

private func makeArena(_ bytes: Int = 4096) throws -> SecretArena {
    try SecretArena(bytes: bytes, minimumTier: .ordinary)
}

private func write(_ value: UInt8, into bytes: UnsafeMutableRawBufferPointer) {
    for index in bytes.indices { bytes[index] = value }
}

/// Where a block is, for looking there when it is gone.
private func address(of block: SecretBlock) -> UnsafeRawPointer? {
    block.withBytes { $0.withUnsafeBytes { $0.baseAddress } }
}

@Suite("Secret blocks")
struct SecretBlockTests {
    private struct Refusal: Error {}

    @Test("A block is in its arena, of the size asked for, zero before it is filled")
    func filling() throws {
        let arena = try makeArena()
        var before: [UInt8] = []
        let block = try #require(
            SecretBlock(33, in: arena) { bytes throws(Never) in
                before = Array(bytes)
                write(0xA5, into: bytes)
            })
        #expect(before == [UInt8](repeating: 0, count: 33))
        #expect(block.count == 33)
        #expect(block.withBytes { $0.byteCount } == 33)
        let start = try #require(address(of: block))
        #expect(arena.contains(start))
        #expect(block.withBytes { $0.withUnsafeBytes { $0.allSatisfy { $0 == 0xA5 } } })
        #expect(arena.statistics.liveBlocks == 1)
    }

    @Test("The last reference zeroes the block and gives it back")
    func release() throws {
        let arena = try makeArena()
        var block = SecretBlock(32, in: arena) { bytes throws(Never) in write(0x5A, into: bytes) }
        var other = block
        let start = try #require(block.flatMap(address))
        func isZero() -> Bool {
            UnsafeRawBufferPointer(start: start, count: 32).allSatisfy { $0 == 0 }
        }
        block = nil
        #expect(other != nil && !isZero(), "somebody holds it still")
        #expect(arena.statistics.liveBlocks == 1)
        other = nil
        #expect(isZero())
        #expect(arena.statistics.liveBlocks == 0)
    }

    @Test("An arena without a block gives none, and does not call")
    func exhaustion() throws {
        let arena = try makeArena()
        var held: [SecretBlock] = []
        while let block = SecretBlock(
            1024, in: arena, fill: { bytes throws(Never) in write(1, into: bytes) })
        { held.append(block) }
        #expect(held.count == 4)
        var isCalled = false
        let none = SecretBlock(16, in: arena) { _ throws(Never) in isCalled = true }
        #expect(none == nil && !isCalled)
        held.removeLast()
        #expect(SecretBlock(16, in: arena) { _ throws(Never) in } != nil)
    }

    @Test("Nothing comes of no bytes", arguments: [0, -1])
    func emptiness(count: Int) throws {
        let arena = try makeArena()
        #expect(SecretBlock(count, in: arena) { _ throws(Never) in } == nil)
        #expect(arena.statistics.liveBlocks == 0)
    }

    @Test("What throws while it fills leaves neither a block nor bytes behind")
    func failure() throws {
        let arena = try makeArena()
        var start: UnsafeRawPointer?
        #expect(throws: Refusal.self) {
            _ = try SecretBlock(32, in: arena) { bytes throws(Refusal) in
                write(0x77, into: bytes)
                start = bytes.baseAddress.map { UnsafeRawPointer($0) }
                throw Refusal()
            }
        }
        #expect(arena.statistics.liveBlocks == 0)
        let place = try #require(start)
        #expect(UnsafeRawBufferPointer(start: place, count: 32).allSatisfy { $0 == 0 })
    }

    @Test("What lends bytes hands on what is returned and thrown")
    func lending() throws {
        let arena = try makeArena()
        let block = try #require(
            SecretBlock(1, in: arena) { bytes throws(Never) in write(9, into: bytes) })
        #expect(block.withBytes { $0.unsafeLoad(as: UInt8.self) } == 9)
        #expect(throws: Refusal.self) {
            try block.withBytes { _ throws(Refusal) in throw Refusal() }
        }
    }

    @Test("Printing shows no byte")
    func description() throws {
        let arena = try makeArena()
        let block = try #require(
            SecretBlock(32, in: arena) { bytes throws(Never) in write(0x41, into: bytes) })
        var dumped = ""
        dump(block, to: &dumped)
        for text in ["\(block)", String(reflecting: block)] {
            #expect(text.contains("SecretBlock"))
            #expect(!text.contains("AAAA") && !text.contains("65, 65"))
        }
        // The positive control: an array of the same bytes does show them.
        #expect("\(block.withBytes { $0.withUnsafeBytes { Array($0) } })".contains("65, 65"))
        #expect(!dumped.contains("AAAA") && !dumped.contains("65, 65"))
    }
}
