// SPDX-License-Identifier: Apache-2.0
import Caching
import Ports
import Synchronization
import Testing

private func time(_ seconds: UInt64) -> MonotonicTime {
    MonotonicTime(nanoseconds: seconds * 1_000_000_000)
}

@Suite struct `A cache with bounds` {
    @Test func `forgets what is over`() {
        var cache = TimedCache<String, Int, MonotonicTime>(countMax: 2, costMax: 10)
        cache.set("a", 1, cost: 3, until: time(5))
        #expect(cache.value("a", at: time(4)) == 1)
        #expect(cache.value("a", at: time(5)) == nil)
        #expect(cache.count == 0 && cache.cost == 0)
    }

    @Test func `forgets first what nobody has used for longest`() {
        var cache = TimedCache<String, Int, MonotonicTime>(countMax: 3, costMax: 100)
        for name in ["a", "b", "c"] { cache.set(name, 1, cost: 1, until: time(5)) }
        #expect(cache.value("a", at: time(0)) == 1)
        cache.set("d", 1, cost: 1, until: time(5))
        #expect(cache.value("b", at: time(0)) == nil)
        #expect(["a", "c", "d"].allSatisfy { cache.value($0, at: time(0)) == 1 })
        #expect(cache.count == 3)
    }

    /// Otherwise a full one would look at all entries for each new.
    @Test func `makes room for several at once when it is large`() {
        var cache = TimedCache<Int, Int, MonotonicTime>(countMax: 96, costMax: 1000)
        for key in 0..<96 { cache.set(key, key, cost: 1, until: time(5)) }
        #expect(cache.value(0, at: time(0)) == 0)
        cache.set(96, 96, cost: 1, until: time(5))
        #expect(cache.count == 94 && cache.cost == 94)
        #expect([1, 2, 3].allSatisfy { cache.value($0, at: time(0)) == nil })
        #expect([0, 4, 95, 96].allSatisfy { cache.value($0, at: time(0)) == $0 })
    }

    @Test func `holds what it may cost, and no more`() {
        var cache = TimedCache<String, Int, MonotonicTime>(countMax: 10, costMax: 10)
        cache.set("a", 1, cost: 4, until: time(5))
        cache.set("b", 1, cost: 6, until: time(5))
        #expect(cache.count == 2 && cache.cost == 10)
        cache.set("c", 1, cost: 1, until: time(5))
        #expect(cache.value("a", at: time(0)) == nil && cache.cost == 7)
        // The same again counts once.
        cache.set("c", 2, cost: 2, until: time(5))
        #expect(cache.cost == 8 && cache.value("c", at: time(0)) == 2)
        cache.set("d", 1, cost: 11, until: time(5))
        #expect(cache.value("d", at: time(0)) == nil && cache.count == 2)
        cache.set("d", 1, cost: 10, until: time(5))
        #expect(cache.count == 1 && cache.cost == 10)
    }
}

/// How many work on each key, and how often more than one did.
private final class Workers: Sendable {
    private let state = Mutex((running: [Int: Int](), clashes: 0))
    var clashes: Int { state.withLock { $0.clashes } }

    func work(_ key: Int, turns: Int) async -> Int? {
        state.withLock { state in
            state.running[key, default: 0] += 1
            if state.running[key] != 1 { state.clashes += 1 }
        }
        for _ in 0..<turns { await Task.yield() }
        state.withLock { $0.running[key, default: 0] -= 1 }
        return Task.isCancelled ? nil : key
    }
}

@Suite struct `Callers that want the same` {
    @Test func `all come to an end, whoever gives up when`() async {
        let flight = SingleFlight<Int, Int>()
        let workers = Workers()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<2000 {
                group.addTask {
                    let key = number % 7
                    let call = Task {
                        await flight.value(key) { await workers.work(key, turns: number % 11) }
                    }
                    if number.isMultiple(of: 3) {
                        for _ in 0..<(number % 5) { await Task.yield() }
                        call.cancel()
                        _ = await call.value
                    } else {
                        // Who is not cancelled gets it.
                        #expect(await call.value == key)
                    }
                }
            }
        }
        #expect(workers.clashes == 0)
    }
}
