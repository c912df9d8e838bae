// SPDX-License-Identifier: Apache-2.0
package import Delivery

extension DeliveryImage {
    /// Puts the leak index of the values before them, in a table wide enough for every window.
    /// Where there is no memory for a wider one, the narrower stays, and the report says what it
    /// lacks.
    ///
    /// - Parameters:
    ///   - multiplier: odd, drawn for this run.
    ///   - bitmap: `LeakIndex.bitmapBytes`; bits are added.
    package mutating func addLeakIndex(
        multiplier: UInt64, bitmap: inout [UInt8]
    ) throws(DeliveryFailure) -> LeakIndex.Report {
        let byteCounts = entries.map { $0.byteCount - $0.name.utf8.count - 1 }
        let proposed = LeakIndex.slots(forValuesOf: byteCounts)
        var report = try index(max(proposed, frontSlots), multiplier, &bitmap)
        while report.dropped > 0, report.slots < LeakIndex.slotsMax {
            do throws(DeliveryFailure) {
                report = try index(2 * report.slots, multiplier, &bitmap)
            } catch { return report }
        }
        return report
    }

    /// Of an index that is there already.
    private var frontSlots: Int { (frontBytes - LeakIndex.headerBytes) / LeakIndex.slotBytes }

    private mutating func index(
        _ slots: Int, _ multiplier: UInt64, _ bitmap: inout [UInt8]
    ) throws(DeliveryFailure) -> LeakIndex.Report {
        try setFront(byteCount: LeakIndex.byteCount(slots: slots)) { front, values in
            LeakIndex.build(values, multiplier: multiplier, into: front, bitmap: &bitmap)
        }
    }
}
