// SPDX-License-Identifier: Apache-2.0
package import Ports

/// How a component's wall clock differs from the world's.
package struct ClockSkew: Sendable, Equatable {
    /// Seconds ahead (positive) or behind.
    package var offsetSeconds: Int64 = 0
    /// Parts per million that it runs fast (positive) or slow.
    package var driftPartsPerMillion: Int64 = 0
    /// Jumps: from this time on, by so many seconds.
    package var steps: [Step] = []

    package struct Step: Sendable, Equatable {
        package let time: MonotonicTime
        package let seconds: Int64

        package init(at time: MonotonicTime, seconds: Int64) {
            self.time = time
            self.seconds = seconds
        }
    }

    package init() {}
}

/// Virtual time as a component sees it. The monotonic clock is the run's; only the wall clock can
/// be wrong, as on a real machine.
package final class SimulatedClock: TimeSource, @unchecked Sendable {
    /// 2026-01-01T00:00:00Z: what a right wall clock shows when a run starts.
    package static let startSecondsSince1970: Int64 = 1_767_225_600

    package var skew = ClockSkew()
    private let scheduler: Scheduler

    init(run: SimulationRun, component: String) {
        scheduler = run.scheduler
        skew = run.skews[component] ?? ClockSkew()
    }

    package func monotonic() -> MonotonicTime { scheduler.now }

    package func secondsSince1970() -> Int64 {
        let now = scheduler.now
        let elapsed = Int64(now.nanoseconds / 1_000_000_000)
        let jumped = skew.steps.reduce(0) { $1.time <= now ? $0 + $1.seconds : $0 }
        let drifted = elapsed * skew.driftPartsPerMillion / 1_000_000
        return Self.startSecondsSince1970 + skew.offsetSeconds + elapsed + drifted + jumped
    }

    /// Returns at `time`, or at once when that has passed; earlier when the task is cancelled.
    package func sleep(until time: MonotonicTime) async {
        guard time > scheduler.now, !Task.isCancelled else { return }
        let wait = Wait()
        let timer = scheduler.schedule(at: time) { wait.resume() }
        await withTaskCancellationHandler {
            await wait.suspend(in: scheduler) {}
        } onCancel: {
            wait.resume()
        }
        scheduler.cancel(timer)
    }

    package func sleep(for duration: Duration) async {
        await sleep(until: scheduler.now.advanced(by: duration))
    }
}
