// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Where the supervisor's pages lie in an image.
///
/// `[guard][region][guard][placeholders][copy code][slots ...][temporary]`, reserved at once, at
/// the same address in every image of a run. The region begins with the leak index, if there is
/// one.
/// `placeholders` starts with a mark by which a forked child's area is recognized. The slots are
/// scratch for the environment arrays of later execs: one per exec in flight, so that the array
/// of a vfork child, which shares this memory with its parent, is written where nobody looks.
struct DeliveryArea: Equatable {
    static let pageBytes: UInt64 = 4096
    /// Execs in flight per address space; a further one waits.
    static let slotCount = 16
    /// Largest environment array that can be passed on (entries with the closing NULL). The
    /// kernel's own limit depends on the stack's: a quarter of 8 MiB holds fewer.
    static let slotEntriesMax = 65_536
    static let slotBytes = UInt64(slotEntriesMax) * 8

    let base: UInt64
    let regionBytes: UInt64
    let placeholderBytes: UInt64
    /// Of each entry from the region's start. Images of an earlier generation of values have
    /// others.
    let offsets: [UInt64]

    /// - Parameter placeholderBytes: of the mark and all `NAME=\0` strings together.
    init(base: UInt64, regionBytes: Int, placeholderBytes: Int, offsets: [UInt64] = []) {
        self.base = base
        self.regionBytes = Self.pages(UInt64(regionBytes))
        self.placeholderBytes = Self.pages(UInt64(max(placeholderBytes, 1)))
        self.offsets = offsets
    }

    /// The same area at another address.
    func moved(to base: UInt64) -> DeliveryArea {
        DeliveryArea(
            base: base, regionBytes: Int(regionBytes), placeholderBytes: Int(placeholderBytes),
            offsets: offsets)
    }

    var region: UInt64 { Self.region(of: base) }
    static func region(of base: UInt64) -> UInt64 { base + pageBytes }
    /// First byte after the inaccessible part.
    var placeholders: UInt64 { region + regionBytes + Self.pageBytes }
    var code: UInt64 { placeholders + placeholderBytes }
    var slots: UInt64 { code + Self.pageBytes }
    /// Where a forked child's own region is before it replaces the shared one.
    var temporary: UInt64 { slots + UInt64(Self.slotCount) * Self.slotBytes }
    /// The whole reservation, with an inaccessible page at its end.
    var totalBytes: UInt64 { temporary + regionBytes + Self.pageBytes - base }

    func slot(_ index: Int) -> UInt64 { slots + UInt64(index) * Self.slotBytes }

    func isInRegion(_ address: UInt64) -> Bool {
        address >= region && address < region + regionBytes
    }

    private static func pages(_ bytes: UInt64) -> UInt64 {
        (bytes + pageBytes - 1) / pageBytes * pageBytes
    }
}

/// The memory that one or more tasks share (threads, vfork and CLONE_VM children).
final class AddressSpace {
    /// Nil in the set-up code before the first program.
    let area: DeliveryArea?
    /// Whether the region is mapped: not when the environment held none of the names.
    let hasRegion: Bool
    /// Address of a `syscall` instruction.
    let systemCallInstruction: UInt64
    var members: Set<pid_t> = []
    /// This memory was made dumpable for an exec's sake, and must not stay so.
    var isRaised = false {
        didSet { wasRaised = wasRaised || isRaised }
    }
    /// It has been at some time. A fork may have copied it then, and tell of it later.
    private(set) var wasRaised = false
    /// Execs under way that need it dumpable.
    var raisedCount = 0
    /// The task that was interrupted to make it undumpable again.
    var lowering: pid_t?
    let slots: SlotPool

    init(
        area: DeliveryArea?, hasRegion: Bool, systemCallInstruction: UInt64,
        slots: SlotPool = SlotPool()
    ) {
        self.area = area
        self.hasRegion = hasRegion
        self.systemCallInstruction = systemCallInstruction
        self.slots = slots
    }

    /// What a forked child has: the same addresses, its own slots.
    func forked() -> AddressSpace {
        let space = AddressSpace(
            area: area, hasRegion: hasRegion, systemCallInstruction: systemCallInstruction)
        space.isRaised = wasRaised
        return space
    }
}

/// Which scratch slots are free.
///
/// Under `attached` one per address space; under `notified` one for the whole tree, since who
/// shares whose memory is not known there.
final class SlotPool {
    private var free = Array((0..<DeliveryArea.slotCount).reversed())
    /// Tasks stopped at an exec until a slot is free, first come first served.
    var waiting: [pid_t] = []

    func take() -> Int? { free.popLast() }
    func giveBack(_ slot: Int) { free.append(slot) }
    /// Takes who waits for a slot off the list, when there is one.
    func nextWaiting() -> pid_t? {
        free.isEmpty || waiting.isEmpty ? nil : waiting.removeFirst()
    }
}
