// SPDX-License-Identifier: Apache-2.0
import LeakIndex
import Testing

@Suite("Leak index: the table")
struct LeakTableTests {
    @Test("The layout is the one that is described")
    func layout() {
        let value = Array("ABCDEFGHIJKLMNOP".utf8)
        let index = BuiltIndex([value], multiplier: 1 << 48 | 1, slots: 16)
        let scanner = index.scanner
        #expect(Array(index.bytes[..<8]) == Array("LEAKINDX".utf8))
        #expect(scanner.number(at: 8, bytes: 8) == 1 << 48 | 1)
        #expect(scanner.number(at: 16, bytes: 4) == 16)
        #expect(scanner.number(at: 20, bytes: 4) == UInt64(index.report.entries))
        #expect(scanner.number(at: 24, bytes: 8) == 0)
        #expect(index.bytes.count == 32 + 16 * 24)
        // (second + second << 48) >> 48: the upper two bytes "OP" plus the lower two, "IJ".
        let hash = (0x504f + 0x4a49) & 0xffff
        let slot = 32 + (hash & 15) * 24
        #expect(Array(index.bytes[slot..<slot + 16]) == value)
        #expect(Array(index.bytes[(slot + 16)..<(slot + 24)]) == [0, 0, 16, 0, 0, 0, 0, 0])
        #expect(index.bitmap[hash >> 3] & 1 << UInt8(hash & 7) != 0)
    }

    @Test("A window shorter than 16 bytes has zeros below", arguments: 8...15)
    func shortWindow(count: Int) throws {
        let value = Array("ABCDEFGHIJKLMNO".utf8.prefix(count))
        let index = BuiltIndex([value])
        let slot = try #require(
            stride(from: 32, to: index.bytes.count, by: 24).first {
                index.bytes[$0 + 18] != 0 && index.bytes[$0 + 19] == 0
            })
        #expect(Int(index.bytes[slot + 18]) == count)
        let padding = [UInt8](repeating: 0, count: 16 - count)
        #expect(Array(index.bytes[slot..<slot + 16]) == padding + value)
    }

    @Test("Nothing of a region's former content is left")
    func overwritten() {
        let index = BuiltIndex([])
        #expect(index.bytes.count == LeakIndex.byteCount(slots: LeakIndex.slotsMin))
        #expect(index.bytes[24...].allSatisfy { $0 == 0 })
        #expect(index.bitmap.allSatisfy { $0 == 0 })
    }

    @Test("A region that is not a power of two of slots is used up to one")
    func oddRegions() {
        for (room, slots) in [
            (16, 16), (31, 16), (32, 32), (4095, 2048), (4096, 4096), (9000, 4096),
        ] {
            #expect(BuiltIndex([], slots: room).report.slots == slots)
        }
    }

    @Test("The number of slots is proposed for half a full table, up to the limit")
    func proposal() {
        #expect(LeakIndex.slots(forValuesOf: []) == 16)
        #expect(LeakIndex.slots(forValuesOf: [7, 7, 7]) == 16)
        #expect(LeakIndex.slots(forValuesOf: [8]) == 64)
        #expect(LeakIndex.slots(forValuesOf: [8, 4096]) == 128)
        #expect(LeakIndex.slots(forValuesOf: Array(repeating: 40, count: 42)) == 2048)
        #expect(LeakIndex.slots(forValuesOf: Array(repeating: 40, count: 43)) == 4096)
        #expect(LeakIndex.slots(forValuesOf: Array(repeating: 40, count: 256)) == 4096)
        #expect(LeakIndex.windowsPerValueMax == 24)
    }

    @Test("Few values need few doublings")
    func doublings() {
        var random = SplitMix64(state: 20)
        var doubled = 0
        for count in 1...40 {
            let values = (0..<count).map { _ in random.bytes(48) }
            let index = BuiltIndex(values)
            #expect(index.report.dropped == 0)
            if index.report.slots > LeakIndex.slots(forValuesOf: values.map(\.count)) {
                doubled += 1
            }
        }
        #expect(doubled <= 20)
    }

    @Test("Each entry is within 8 places of its own, wrapped around")
    func probes() {
        var random = SplitMix64(state: 21)
        let values = (0..<100).map { _ in random.bytes(48) }
        let index = BuiltIndex(values)
        let scanner = index.scanner
        var (entries, wrapped) = (0, 0)
        for slot in 0..<scanner.slots where index.bytes[32 + slot * 24 + 18] != 0 {
            let second = scanner.number(at: 32 + slot * 24 + 8, bytes: 8)
            let home = Int((second &* scanner.multiplier) >> 48) & (scanner.slots - 1)
            #expect((slot - home) & (scanner.slots - 1) < 8)
            if slot < home { wrapped += 1 }
            entries += 1
        }
        #expect(entries == index.report.entries)
        // Small tables that are full wrap, and what lies before the end is found all the same.
        for multiplier in stride(from: UInt64(0xff51_afd7_ed55_8ccd), to: .max, by: 1 << 50) {
            let value = random.bytes(48)
            let small = BuiltIndex([value], multiplier: multiplier, slots: 16)
            let scanner = small.scanner
            for slot in 0..<16 where small.bytes[32 + slot * 24 + 18] != 0 {
                let second = scanner.number(at: 32 + slot * 24 + 8, bytes: 8)
                guard slot < Int((second &* multiplier) >> 48) & 15 else { continue }
                wrapped += 1
                #expect(small.finds(0, in: value))
            }
        }
        #expect(wrapped > 0, "the wrap-around was not seen")
    }

    @Test("A full table keeps the first window of each value and loses the last kinds first")
    func fullTable() {
        var random = SplitMix64(state: 22)
        let values = (0..<256).map { _ in random.bytes(64) }
        let index = BuiltIndex(values)
        #expect(index.report.slots == 4096)
        #expect(index.report.dropped > 0)
        #expect(index.report.entries > 3500)
        #expect(index.report.unscanned.isEmpty)
        for (secret, value) in values.enumerated() {
            #expect(index.finds(secret, in: value[..<16]))
            #expect(index.finds(secret, in: value[48...]))
        }
        // The last kind: the end of the value in upper-case hexadecimal digits.
        let lost = values.filter { value in
            index.hits(in: Encoding.hexUpper.text(Array(value.suffix(8)))).isEmpty
        }
        #expect(lost.count > 128)
    }

    @Test("A value whose first window has no place is reported, and no other is lost")
    func noRoom() {
        var random = SplitMix64(state: 23)
        let shared = random.bytes(8)
        // One hash for all first windows: eight have a place.
        let values = (0..<9).map { _ in random.bytes(8) + shared + random.bytes(24) }
        let index = BuiltIndex(values)
        #expect(index.report.slots == LeakIndex.slotsMax)
        #expect(index.report.unscanned == [.init(secret: 8, reason: .noRoom)])
        for secret in 0..<8 { #expect(index.finds(secret, in: values[secret])) }
        #expect(!index.finds(8, in: values[8]))
    }

    @Test("Bits of an earlier generation stay in the bitmap")
    func bitmapGrows() {
        var random = SplitMix64(state: 24)
        let value = random.bytes(32)
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: 32, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: value)
        let region = UnsafeMutableRawBufferPointer.allocate(
            byteCount: LeakIndex.byteCount(slots: 64), alignment: 16)
        defer { region.deallocate() }
        var bitmap = [UInt8](repeating: 0, count: LeakIndex.bitmapBytes)
        bitmap[0] = 0x80
        let report = LeakIndex.build(
            [UnsafeRawBufferPointer(copy)], multiplier: 5, into: region, bitmap: &bitmap)
        #expect(bitmap[0] & 0x80 == 0x80)
        let bits = bitmap.reduce(0) { $0 + $1.nonzeroBitCount }
        #expect(bits > 1 && bits <= report.entries + 1)
    }
}
