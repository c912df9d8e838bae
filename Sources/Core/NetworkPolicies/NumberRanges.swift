// SPDX-License-Identifier: Apache-2.0
internal import Destinations

/// Numbers as ranges, in order and apart: addresses of one family, or ports.
struct NumberRanges<Number: FixedWidthInteger & Sendable>: Sendable, Hashable {
    private(set) var ranges: [ClosedRange<Number>] = []

    /// - Parameter ranges: in any order; they may overlap.
    init(_ ranges: [ClosedRange<Number>]) {
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            guard let last = self.ranges.last, Self.touches(last, range) else {
                self.ranges.append(range)
                continue
            }
            let end = max(last.upperBound, range.upperBound)
            self.ranges[self.ranges.count - 1] = last.lowerBound...end
        }
    }

    private static func touches(_ left: ClosedRange<Number>, _ right: ClosedRange<Number>) -> Bool {
        left.upperBound == .max || right.lowerBound <= left.upperBound + 1
    }

    var isEmpty: Bool { ranges.isEmpty }

    func intersecting(_ other: Self) -> Self {
        var found: [ClosedRange<Number>] = []
        var (left, right) = (ranges[...], other.ranges[...])
        while let one = left.first, let two = right.first {
            if one.overlaps(two) { found.append(one.clamped(to: two)) }
            if one.upperBound < two.upperBound { left.removeFirst() } else { right.removeFirst() }
        }
        return Self(found)
    }

    func subtracting(_ other: Self) -> Self {
        var found: [ClosedRange<Number>] = []
        var gone = other.ranges[...]
        for range in ranges {
            var start = range.lowerBound
            while let next = gone.first, next.upperBound < start { gone.removeFirst() }
            var isOver = false
            for hole in gone {
                guard hole.lowerBound <= range.upperBound else { break }
                if hole.lowerBound > start { found.append(start...(hole.lowerBound - 1)) }
                guard hole.upperBound < range.upperBound else {
                    isOver = true
                    break
                }
                start = max(start, hole.upperBound + 1)
            }
            if !isOver { found.append(start...range.upperBound) }
        }
        return Self(found)
    }

    func contains(_ other: Self) -> Bool { other.subtracting(self).isEmpty }
}

extension NetworkPrefix {
    /// Its addresses as numbers of its family.
    var range: ClosedRange<UInt128> {
        let first = bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        let free = family.bits - length
        let mask: UInt128 = free == 128 ? .max : (1 << UInt128(free)) - 1
        return first...(first | mask)
    }
}

/// What rules allow of what was asked: addresses times ports, all rules together.
struct AllowedRegion {
    /// Of one rule.
    struct Part {
        var addresses: NumberRanges<UInt128>
        var ports: NumberRanges<Int>
        /// Whether it is some of what was asked, and which is not known.
        var isVague = false

        var isEmpty: Bool { !isVague && (addresses.isEmpty || ports.isEmpty) }
    }

    let addresses: NumberRanges<UInt128>
    let ports: NumberRanges<Int>

    /// - Parameter parts: within what was asked.
    func extent(of parts: [Part]) -> Extent {
        guard parts.contains(where: { !$0.isEmpty }) else { return .none }
        return isCovered(by: parts) ? .all : .part
    }

    private func isCovered(by parts: [Part]) -> Bool {
        // Many rules have the same ports: their addresses are looked at together.
        let groups = Dictionary(grouping: parts, by: \.ports).map { ports, parts in
            (ports, parts.flatMap(\.addresses.ranges))
        }
        var starts: Set<Int> = []
        for range in groups.flatMap(\.0.ranges) + ports.ranges {
            starts.insert(range.lowerBound)
            starts.insert(range.upperBound + 1)
        }
        // Between two of these every port is treated alike.
        for port in starts {
            let one = NumberRanges([port...port])
            guard ports.contains(one) else { continue }
            let allowed = groups.filter { $0.0.contains(one) }.flatMap(\.1)
            guard NumberRanges(allowed).contains(addresses) else { return false }
        }
        return true
    }
}
