// SPDX-License-Identifier: Apache-2.0
internal import Ports

/// Values that end at a time, bounded by their number and by what they cost together: those that
/// nobody has used for longest go first.
struct TimedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry {
        let value: Value
        let cost: Int
        let end: MonotonicTime
        var used: UInt64
    }

    let countMax: Int
    let costMax: Int
    private var entries: [Key: Entry] = [:]
    private(set) var cost = 0
    private var uses: UInt64 = 0

    init(countMax: Int, costMax: Int) {
        self.countMax = countMax
        self.costMax = costMax
    }

    var count: Int { entries.count }

    mutating func value(_ key: Key, at now: MonotonicTime) -> Value? {
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
    mutating func set(_ key: Key, _ value: Value, cost: Int, until end: MonotonicTime) {
        remove(key)
        guard cost <= costMax, countMax > 0 else { return }
        while entries.count >= countMax || self.cost + cost > costMax {
            guard let oldest = entries.min(by: { $0.value.used < $1.value.used }) else { break }
            remove(oldest.key)
        }
        uses += 1
        entries[key] = Entry(value: value, cost: cost, end: end, used: uses)
        self.cost += cost
    }

    private mutating func remove(_ key: Key) {
        guard let entry = entries.removeValue(forKey: key) else { return }
        cost -= entry.cost
    }
}
