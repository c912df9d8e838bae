// SPDX-License-Identifier: Apache-2.0

/// Values that end at a time, bounded by their number and by what they cost together: those that
/// nobody has used for longest go first.
package struct TimedCache<
    Key: Hashable & Sendable, Value: Sendable, Time: Comparable & Sendable
>: Sendable {
    private struct Entry {
        let value: Value
        let cost: Int
        let end: Time
        var used: UInt64
    }

    private static var removedShare: Int { 32 }

    package let countMax: Int
    package let costMax: Int
    private var entries: [Key: Entry] = [:]
    package private(set) var cost = 0
    private var uses: UInt64 = 0

    package init(countMax: Int, costMax: Int) {
        self.countMax = countMax
        self.costMax = costMax
    }

    package var count: Int { entries.count }

    package mutating func value(_ key: Key, at now: Time) -> Value? {
        guard let entry = entries[key] else { return nil }
        guard now < entry.end else {
            remove(key)
            return nil
        }
        uses += 1
        entries[key]?.used = uses
        return entry.value
    }

    /// What costs more than everything may is not kept.
    package mutating func set(_ key: Key, _ value: Value, cost: Int, until end: Time) {
        remove(key)
        guard cost <= costMax, countMax > 0 else { return }
        while entries.count >= countMax || self.cost + cost > costMax, !entries.isEmpty {
            removeOldest()
        }
        uses += 1
        entries[key] = Entry(value: value, cost: cost, end: end, used: uses)
        self.cost += cost
    }

    /// Some at once in a large cache, so that a full one does not look at all entries for each new.
    private mutating func removeOldest() {
        let count = max(1, entries.count / Self.removedShare)
        let oldest = entries.map { ($0.value.used, $0.key) }.sorted { $0.0 < $1.0 }.prefix(count)
        for (_, key) in oldest { remove(key) }
    }

    /// Forgets all that is over, also what nobody asks for.
    package mutating func removeEnded(at now: Time) {
        for (key, entry) in entries where now >= entry.end { remove(key) }
    }

    package mutating func remove(_ key: Key) {
        guard let entry = entries.removeValue(forKey: key) else { return }
        cost -= entry.cost
    }
}
