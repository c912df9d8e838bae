// SPDX-License-Identifier: Apache-2.0

/// The index by which whoever watches a process's output recognises the values that were delivered
/// to it. It lies in secret memory behind them, since it holds pieces of them. Little endian:
///
///     u64 magic; u64 multiplier; u32 slots; u32 entries; u64 zero;
///     slots x { u64 first; u64 second; u16 secret; u8 length; u8 form; u32 zero }
///
/// A slot holds a window: `length` (8...16, 0 for an empty slot) bytes of a form of the value at
/// position `secret` of the delivery. `second` is its last 8 bytes and `first` what precedes them,
/// with zeros in the lowest bytes for what there is not. A window's hash is the upper 16 bits of
/// `second &* multiplier`; its slot is hash & (slots - 1) or one of the next, with wrap-around, at
/// most `probesMax` in all.
///
/// The bitmap, which is no secret, has bit `hash` (byte hash >> 3, bit hash & 7) for each window.
package enum LeakIndex {
    /// "LEAKINDX".
    package static let magic: UInt64 = 0x5844_4e49_4b41_454c
    package static let headerBytes = 32
    package static let slotBytes = 24
    /// Where the index may lie in a region.
    package static let alignmentBytes = 16
    /// Powers of two.
    package static let slotsMin = 16
    package static let slotsMax = 4096
    package static let probesMax = 8
    package static let windowBytesMin = 8
    package static let windowBytesMax = 16
    package static let hashBits = 16
    package static let bitmapBytes = (1 << hashBits) / 8
    /// Most windows of one value.
    package static let windowsPerValueMax = LeakWindowKind.all.count

    package static func byteCount(slots: Int) -> Int { headerBytes + slots * slotBytes }

    /// Slots of a table of which about half are used, for values of these lengths. One that turns
    /// out too narrow is to be doubled, up to `slotsMax`.
    package static func slots(forValuesOf byteCounts: [Int]) -> Int {
        let scanned = byteCounts.filter { $0 >= windowBytesMin }.count
        return min(slotsMax, powerOfTwo(atLeast: max(slotsMin, 2 * windowsPerValueMax * scanned)))
    }

    /// The multiplier of an index; nil: there is none.
    package static func multiplier(of index: UnsafeRawBufferPointer) -> UInt64? {
        guard index.count >= headerBytes,
            UInt64(littleEndian: index.loadUnaligned(as: UInt64.self)) == magic
        else { return nil }
        return UInt64(littleEndian: index.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// Places of the bitmap and the table.
    package static func hash(second: UInt64, multiplier: UInt64) -> Int {
        Int(truncatingIfNeeded: (second &* multiplier) >> UInt64(UInt64.bitWidth - hashBits))
    }

    /// What became of the values.
    package struct Report: Sendable, Equatable {
        package enum Reason: Sendable, Equatable {
            /// Fewer than `windowBytesMin` bytes.
            case tooShort
            /// No place has enough different bytes.
            case tooUniform
            /// The table has no room for its first window.
            case noRoom
            /// It has the windows of the value at that position, and is found as that.
            case foundAs(Int)
        }

        package struct Unscanned: Sendable, Equatable {
            package let secret: Int
            package let reason: Reason

            package init(secret: Int, reason: Reason) {
                self.secret = secret
                self.reason = reason
            }
        }

        package internal(set) var slots: Int
        /// Windows in the table.
        package internal(set) var entries = 0
        /// Windows that found no room.
        package internal(set) var dropped = 0
        /// In ascending order of position.
        package internal(set) var unscanned: [Unscanned] = []
    }

    /// Writes the index of values into a region: the largest table that fits, up to `slotsMax`.
    ///
    /// Pieces of the values are in registers and in the region, never elsewhere.
    ///
    /// - Parameters:
    ///   - values: in the order of the delivery, at most 65,536.
    ///   - multiplier: odd.
    ///   - region: at least `byteCount(slots: slotsMin)`, aligned to `alignmentBytes`; overwritten.
    ///   - bitmap: `bitmapBytes`; bits are added.
    package static func build(
        _ values: [UnsafeRawBufferPointer], multiplier: UInt64,
        into region: UnsafeMutableRawBufferPointer, bitmap: inout [UInt8]
    ) -> Report {
        precondition(bitmap.count == bitmapBytes, "a bitmap has a bit for each hash")
        precondition(multiplier % 2 == 1, "an even multiplier loses bits")
        precondition(values.count <= 1 << 16, "positions have 16 bits")
        let table = LeakTable(region: region, multiplier: multiplier)
        var report = Report(slots: table.slots)
        let places = values.map { LeakPlaces($0) }
        var states = [ValueState](repeating: ValueState(), count: values.count)
        var window = LeakWindow()
        defer { window.forget() }
        for (round, kind) in LeakWindowKind.all.enumerated() {
            for (secret, place) in places.enumerated() where states[secret].goesOn {
                guard place.read(kind, into: &window) else {
                    if round == 0 { states[secret].refuse(values[secret].count) }
                    continue
                }
                let insertion = table.insert(
                    window, secret: secret, form: kind.form, bitmap: &bitmap)
                states[secret].note(insertion, secret: secret, isFirst: round == 0)
                report.note(insertion)
            }
        }
        table.finish(entries: report.entries)
        report.unscanned = states.enumerated().compactMap { secret, state in
            state.reason.map { Report.Unscanned(secret: secret, reason: $0) }
        }
        return report
    }

    static func powerOfTwo(atLeast number: Int) -> Int {
        number <= 1 ? 1 : 1 << (Int.bitWidth - (number - 1).leadingZeroBitCount)
    }
}

/// How far a value has come into the table.
private struct ValueState {
    private var refusal: LeakIndex.Report.Reason?
    /// The value that one of its windows was known as.
    private var other: Int?
    private var hasEntry = false

    /// Without its first window a value has no others.
    var goesOn: Bool { refusal == nil }

    /// Why it is not found, or not as itself; nil: it is.
    var reason: LeakIndex.Report.Reason? {
        refusal ?? (hasEntry ? nil : other.map { .foundAs($0) })
    }

    mutating func refuse(_ byteCount: Int) {
        refusal = byteCount < LeakIndex.windowBytesMin ? .tooShort : .tooUniform
    }

    mutating func note(_ insertion: LeakTable.Insertion, secret: Int, isFirst: Bool) {
        switch insertion {
        case .inserted: hasEntry = true
        case .known(let owner): if owner != secret { other = owner }
        case .full: if isFirst { refusal = .noRoom }
        }
    }
}

extension LeakIndex.Report {
    fileprivate mutating func note(_ insertion: LeakTable.Insertion) {
        switch insertion {
        case .inserted: entries += 1
        case .known: break
        case .full: dropped += 1
        }
    }
}
