// SPDX-License-Identifier: Apache-2.0

/// Which granules of an arena are taken: a best-fit allocator with size classes and immediate
/// coalescing. It deals in granule numbers and holds no pointer into the arena: the bookkeeping
/// stays in ordinary memory, so that it takes nothing from the locked budget and a write past a
/// block cannot corrupt it.
///
/// Free blocks hang in lists by size class: one class for each size below
/// `exactClasses` granules, then one for each power of two.
struct BlockTable: ~Copyable {
    private static let exactClasses = 32
    private static let classes = 64
    /// 4 KiB of 16-byte granules.
    private static let largeGranules = 256
    private static let none: Int32 = -1

    let granules: Int
    /// At a block's first granule its length, negative when free; elsewhere 0.
    private let length: UnsafeMutableBufferPointer<Int32>
    /// At a block's last granule the number of its first one.
    private let first: UnsafeMutableBufferPointer<Int32>
    private let next: UnsafeMutableBufferPointer<Int32>
    private let previous: UnsafeMutableBufferPointer<Int32>
    private let heads: UnsafeMutableBufferPointer<Int32>
    /// Bit n: class n has a free block.
    private var populated: UInt64 = 0

    /// - Parameter granules: 1 ... Int32.max.
    init(granules: Int) {
        precondition((1...Int(Int32.max)).contains(granules), "arena size out of range")
        self.granules = granules
        func table(_ count: Int, _ value: Int32) -> UnsafeMutableBufferPointer<Int32> {
            let table = UnsafeMutableBufferPointer<Int32>.allocate(capacity: count)
            table.initialize(repeating: value)
            return table
        }
        length = table(granules, 0)
        first = table(granules, 0)
        next = table(granules, Self.none)
        previous = table(granules, Self.none)
        heads = table(Self.classes, Self.none)
        insert(0, count: granules)
    }

    deinit {
        length.deallocate()
        first.deallocate()
        next.deallocate()
        previous.deallocate()
        heads.deallocate()
    }

    /// Takes `count` (at least 1) granules; nil when no free block is long enough.
    mutating func take(_ count: Int) -> Int? {
        guard let block = bestFit(count) else { return nil }
        let available = -Int(length[block])
        remove(block, count: available)
        // Large blocks come from the far end, small ones from the near one: a small block that
        // stays would otherwise split the room that the next large one needs.
        let rest = available - count
        let isLarge = count >= Self.largeGranules
        let taken = isLarge ? block + rest : block
        mark(taken, count: count)
        if rest > 0 { insert(isLarge ? block : block + count, count: rest) }
        return taken
    }

    /// Length (granules) of the taken block that starts at `block`; nil when none does.
    func count(at block: Int) -> Int? {
        guard (0..<granules).contains(block), length[block] > 0 else { return nil }
        return Int(length[block])
    }

    /// Gives back the taken block that starts at `block`, merging it with free neighbours.
    mutating func giveBack(_ block: Int) {
        var start = block
        var count = Int(length[block])
        precondition(count > 0, "not a block of this arena, or freed twice")
        length[block] = 0
        let after = block + count
        if after < granules, length[after] < 0 {
            let afterCount = -Int(length[after])
            remove(after, count: afterCount)
            count += afterCount
        }
        if block > 0, length[Int(first[block - 1])] < 0 {
            let before = Int(first[block - 1])
            remove(before, count: block - before)
            count += block - before
            start = before
        }
        insert(start, count: count)
    }

    /// Keeps the first `count` granules of a taken block and frees the rest.
    mutating func shrink(_ block: Int, to count: Int) {
        let before = Int(length[block])
        precondition(count > 0 && count <= before, "not a shorter length of a taken block")
        guard count < before else { return }
        mark(block, count: count)
        mark(block + count, count: before - count)
        giveBack(block + count)
    }

    private func bestFit(_ count: Int) -> Int? {
        var candidates = populated & ~((1 << UInt64(Self.sizeClass(count))) - 1)
        while candidates != 0 {
            var best: Int?
            var block = heads[candidates.trailingZeroBitCount]
            while block != Self.none {
                let available = -Int(length[Int(block)])
                if available == count { return Int(block) }
                if available > count, best.map({ -Int(length[$0]) > available }) ?? true {
                    best = Int(block)
                }
                block = next[Int(block)]
            }
            if let best { return best }
            candidates &= candidates - 1
        }
        return nil
    }

    private static func sizeClass(_ count: Int) -> Int {
        guard count >= exactClasses else { return count }
        let log2 = Int.bitWidth - 1 - count.leadingZeroBitCount
        return exactClasses + log2 - exactClasses.trailingZeroBitCount
    }

    private func mark(_ block: Int, count: Int) {
        length[block] = Int32(count)
        first[block + count - 1] = Int32(block)
    }

    private mutating func insert(_ block: Int, count: Int) {
        mark(block, count: count)
        length[block] = -Int32(count)
        let sizeClass = Self.sizeClass(count)
        let head = heads[sizeClass]
        next[block] = head
        previous[block] = Self.none
        if head != Self.none { previous[Int(head)] = Int32(block) }
        heads[sizeClass] = Int32(block)
        populated |= 1 << UInt64(sizeClass)
    }

    private mutating func remove(_ block: Int, count: Int) {
        let sizeClass = Self.sizeClass(count)
        let (before, after) = (previous[block], next[block])
        if before != Self.none { next[Int(before)] = after } else { heads[sizeClass] = after }
        if after != Self.none { previous[Int(after)] = before }
        if heads[sizeClass] == Self.none { populated &= ~(1 << UInt64(sizeClass)) }
        length[block] = 0
    }
}
