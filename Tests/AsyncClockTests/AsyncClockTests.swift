// SPDX-License-Identifier: Apache-2.0
import AsyncClock
import KubernetesPorts
import Ports
import Testing

@Suite("The machine's clocks for tasks") struct AsyncClockTests {
    @Test("a wait ends when its time has come, and not before")
    func waits() async {
        let clock = AsyncClock()
        let start = clock.monotonic()
        await clock.sleep(for: .milliseconds(50))
        let waited = start.duration(to: clock.monotonic())
        #expect(waited >= .milliseconds(50))
        await clock.sleep(until: start)
    }

    @Test("a wait ends early when its task is cancelled")
    func cancelled() async {
        let clock = AsyncClock()
        let start = clock.monotonic()
        let wait = Task { await clock.sleep(for: .seconds(6000)) }
        wait.cancel()
        await wait.value
        #expect(start.duration(to: clock.monotonic()) < .seconds(3000))
    }

    @Test("seconds and nanoseconds are of one clock")
    func wallClock() {
        let clock = AsyncClock()
        let before = clock.secondsSince1970()
        let between = Int64(clock.nanosecondsSince1970() / 1_000_000_000)
        #expect((before...clock.secondsSince1970()).contains(between))
        #expect(before > 1_700_000_000)
    }
}
