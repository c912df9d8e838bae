// SPDX-License-Identifier: Apache-2.0
import LeakIndex

/// Scans text as whoever watches a process does: written from the layout's description, not from
/// the module that writes it.
struct LeakScanner {
    struct Hit: Equatable {
        let secret: Int
        let form: UInt8
        /// Of the byte behind the window.
        let end: Int
    }

    let index: [UInt8]
    let bitmap: [UInt8]
    /// Places that the bitmap let through.
    private(set) var candidates = 0

    init(index: [UInt8], bitmap: [UInt8]) {
        self.index = index
        self.bitmap = bitmap
    }

    func number(at offset: Int, bytes: Int) -> UInt64 {
        (0..<bytes).reduce(0) { $0 | UInt64(index[offset + $1]) << UInt64(8 * $1) }
    }

    var multiplier: UInt64 { number(at: 8, bytes: 8) }
    var slots: Int { Int(number(at: 16, bytes: 4)) }

    mutating func scan(_ text: [UInt8]) -> [Hit] {
        let (multiplier, slots) = (multiplier, slots)
        var hits: [Hit] = []
        var (before, last): (UInt64, UInt64) = (0, 0)
        for (place, byte) in text.enumerated() {
            before = before >> 8 | last << 56
            last = last >> 8 | UInt64(byte) << 56
            guard place >= 7 else { continue }
            let hash = Int((last &* multiplier) >> 48)
            guard bitmap[hash / 8] >> UInt8(hash % 8) & 1 == 1 else { continue }
            candidates += 1
            for probe in 0..<8 {
                let slot = 32 + ((hash + probe) & (slots - 1)) * 24
                let length = Int(index[slot + 18])
                if length == 0 { break }
                guard place + 1 >= length, number(at: slot + 8, bytes: 8) == last else { continue }
                let wanted: UInt64 = length == 8 ? 0 : .max << UInt64(8 * (16 - length))
                guard number(at: slot, bytes: 8) == before & wanted else { continue }
                hits.append(
                    Hit(
                        secret: Int(number(at: slot + 16, bytes: 2)), form: index[slot + 19],
                        end: place + 1))
            }
        }
        return hits
    }
}

/// An index in ordinary memory.
struct BuiltIndex {
    let report: LeakIndex.Report
    let bytes: [UInt8]
    private(set) var bitmap = [UInt8](repeating: 0, count: LeakIndex.bitmapBytes)

    /// - Parameter slots: nil: doubled from the proposed number until everything has room.
    init(_ values: [[UInt8]], multiplier: UInt64 = 0x9e37_79b9_7f4a_7c15, slots: Int? = nil) {
        var size = slots ?? LeakIndex.slots(forValuesOf: values.map(\.count))
        while true {
            let region = UnsafeMutableRawBufferPointer.allocate(
                byteCount: LeakIndex.byteCount(slots: size), alignment: 16)
            defer { region.deallocate() }
            region.initializeMemory(as: UInt8.self, repeating: 0xaa)
            let copies = values.map { value in
                let copy = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: value.count, alignment: 1)
                copy.copyBytes(from: value)
                return UnsafeRawBufferPointer(copy)
            }
            defer { copies.forEach { $0.deallocate() } }
            let report = LeakIndex.build(
                copies, multiplier: multiplier, into: region, bitmap: &bitmap)
            if slots == nil, report.dropped > 0, size < LeakIndex.slotsMax {
                size *= 2
                continue
            }
            self.report = report
            bytes = Array(region)
            return
        }
    }

    var scanner: LeakScanner { LeakScanner(index: bytes, bitmap: bitmap) }

    func hits(in text: some Sequence<UInt8>) -> [LeakScanner.Hit] {
        var scanner = scanner
        return scanner.scan(Array(text))
    }

    func finds(_ secret: Int, in text: some Sequence<UInt8>) -> Bool {
        hits(in: text).contains { $0.secret == secret }
    }
}

/// The same numbers in every run.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    mutating func bytes(_ count: Int, from set: ClosedRange<UInt8> = 1...255) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: set, using: &self) }
    }
}
