// SPDX-License-Identifier: Apache-2.0

/// Ranges of a segment that have not been seen, and what the log says about losses.
struct EventGaps {
    struct Gap {
        var from: UInt64
        var to: UInt64
        /// Where it was noticed.
        let line: UInt64
    }

    private struct Declared: Hashable {
        var from: UInt64
        var to: UInt64
        var count: UInt64

        /// Whether every line of the range is lost.
        var isWhole: Bool { count > 0 && to - from == count - 1 }
    }

    private var gaps: [Gap] = []
    /// A loss that is told twice is one loss.
    private var declared: Set<Declared> = []

    mutating func open(from: UInt64, to: UInt64, line: UInt64) {
        gaps.append(Gap(from: from, to: to, line: line))
    }

    /// A missing line came late. Returns whether it was missing.
    mutating func close(_ index: UInt64) -> Bool {
        guard gaps.contains(where: { $0.from <= index && index <= $0.to }) else { return false }
        remove(from: index, to: index)
        return true
    }

    mutating func declare(_ loss: EventLoss) {
        declared.insert(Declared(from: loss.from, to: loss.to, count: loss.count))
    }

    /// Takes out what declared losses cover. Returns how many lines that are.
    ///
    /// A range that was lost as a whole covers its lines. One of which only the number is known
    /// covers what else is missing there, if that is no more; ranges that overlap count together.
    mutating func explain() -> UInt64 {
        let before = missing
        for loss in declared where loss.isWhole { remove(from: loss.from, to: loss.to) }
        var open: Declared?
        for loss in declared.filter({ !$0.isWhole }).sorted(by: { $0.from < $1.from }) {
            if var wide = open, loss.from <= wide.to {
                wide.to = max(wide.to, loss.to)
                wide.count = Self.sum(wide.count, loss.count)
                open = wide
            } else {
                if let open { cover(open) }
                open = loss
            }
        }
        if let open { cover(open) }
        declared = []
        return before - missing
    }

    mutating func takeAll() -> [Gap] {
        defer { gaps = [] }
        return gaps.sorted { $0.from < $1.from }
    }

    private var missing: UInt64 { gaps.reduce(0) { Self.sum($0, $1.to - $1.from + 1) } }

    /// Numbers come from a log that anybody may have written: sums stop at the largest.
    private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    private mutating func cover(_ loss: Declared) {
        let inside = gaps.reduce(UInt64(0)) { sum, gap in
            guard gap.from <= loss.to, loss.from <= gap.to else { return sum }
            return Self.sum(sum, min(gap.to, loss.to) - max(gap.from, loss.from) + 1)
        }
        if inside <= loss.count { remove(from: loss.from, to: loss.to) }
    }

    private mutating func remove(from: UInt64, to: UInt64) {
        gaps = gaps.flatMap { gap -> [Gap] in
            guard gap.from <= to, from <= gap.to else { return [gap] }
            var rest: [Gap] = []
            if gap.from < from { rest.append(Gap(from: gap.from, to: from - 1, line: gap.line)) }
            if gap.to > to { rest.append(Gap(from: to + 1, to: gap.to, line: gap.line)) }
            return rest
        }
    }
}
