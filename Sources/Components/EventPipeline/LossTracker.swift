// SPDX-License-Identifier: Apache-2.0

/// Lines that a sink lost and that no `EVENT_LOSS` has told yet, as ranges of chain indexes.
///
/// The count is exact. Ranges are, too, as long as there are no more than `rangesMax`; beyond that
/// the last one grows over lines that were not lost, and its count says how many were.
struct LossTracker: Sendable {
    static let rangesMax = 64

    struct Range: Sendable, Equatable {
        var from: UInt64
        var to: UInt64
        var count: UInt64
    }

    private(set) var ranges: [Range] = []

    mutating func add(_ index: UInt64) { add(Range(from: index, to: index, count: 1)) }

    mutating func add(_ range: Range) {
        guard var last = ranges.last else {
            ranges.append(range)
            return
        }
        // Adjacent ranges, both without holes, stay without.
        let isNext = range.from == last.to &+ 1
        guard isNext || ranges.count == Self.rangesMax else {
            ranges.append(range)
            return
        }
        last.from = min(last.from, range.from)
        last.to = max(last.to, range.to)
        last.count += range.count
        ranges[ranges.count - 1] = last
    }

    /// The oldest, at most `count`.
    mutating func take(_ count: Int) -> [Range] {
        let taken = Array(ranges.prefix(count))
        ranges.removeFirst(taken.count)
        return taken
    }
}
