// SPDX-License-Identifier: Apache-2.0

/// The table of an index, in the region that is given for it.
struct LeakTable {
    enum Insertion {
        case inserted
        /// The window is there already, as one of this value.
        case known(secret: Int)
        /// Each of its places is taken.
        case full
    }

    let slots: Int
    private let region: UnsafeMutableRawBufferPointer
    private let multiplier: UInt64

    /// Empties the region and writes the header.
    init(region: UnsafeMutableRawBufferPointer, multiplier: UInt64) {
        let room = (region.count - LeakIndex.headerBytes) / LeakIndex.slotBytes
        precondition(room >= LeakIndex.slotsMin, "no room for the smallest table")
        let powers = LeakIndex.powerOfTwo(atLeast: room + 1) / 2
        slots = min(powers, LeakIndex.slotsMax)
        self.region = region
        self.multiplier = multiplier
        region.initializeMemory(as: UInt8.self, repeating: 0)
        store(LeakIndex.magic, at: Offset.magic)
        store(multiplier, at: Offset.multiplier)
        store(UInt32(slots), at: Offset.slots)
    }

    func finish(entries: Int) { store(UInt32(entries), at: Offset.entries) }

    func insert(
        _ window: LeakWindow, secret: Int, form: LeakForm, bitmap: inout [UInt8]
    ) -> Insertion {
        let hash = LeakIndex.hash(second: window.second, multiplier: multiplier)
        for probe in 0..<LeakIndex.probesMax {
            let slot = (hash + probe) & (slots - 1)
            let place = LeakIndex.headerBytes + slot * LeakIndex.slotBytes
            let length: UInt8 = load(place + Offset.length)
            guard length > 0 else {
                store(window.first, at: place + Offset.first)
                store(window.second, at: place + Offset.second)
                store(UInt16(secret), at: place + Offset.secret)
                store(UInt8(window.length), at: place + Offset.length)
                store(form.rawValue, at: place + Offset.form)
                bitmap[hash >> 3] |= 1 << UInt8(hash & 7)
                return .inserted
            }
            if Int(length) == window.length, load(place + Offset.first) == window.first,
                load(place + Offset.second) == window.second
            {
                let owner: UInt16 = load(place + Offset.secret)
                return .known(secret: Int(owner))
            }
        }
        return .full
    }

    /// Of the header's fields, and of a slot's.
    private enum Offset {
        static let magic = 0
        static let multiplier = 8
        static let slots = 16
        static let entries = 20
        static let first = 0
        static let second = 8
        static let secret = 16
        static let length = 18
        static let form = 19
    }

    private func load<Number: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> Number {
        Number(littleEndian: region.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    private func store<Number: FixedWidthInteger & BitwiseCopyable>(
        _ number: Number, at offset: Int
    ) {
        region.storeBytes(of: number.littleEndian, toByteOffset: offset, as: Number.self)
    }
}
