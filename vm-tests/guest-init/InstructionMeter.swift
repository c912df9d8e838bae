// SPDX-License-Identifier: Apache-2.0
import CLinux

/// Counts instructions by the time-stamp counter, which QEMU advances by one for each of them when
/// it runs with `-icount shift=0`.
enum InstructionMeter {
    /// Steps of the loop that shows it; two instructions each. Less than what a processor runs
    /// between two timer interrupts, so that some loops are left alone.
    private static let steps: UInt64 = 100_000
    private static let rounds = 20

    /// The instructions that a usual round of `calls` calls took: the median, because a timer's
    /// interrupt makes some rounds longer, and what the kernel has just freed makes a few shorter.
    /// Nil when a call failed.
    ///
    /// - Parameters:
    ///   - settle: runs after each round and is not counted.
    static func usual(
        rounds: Int, calls: Int, _ call: () -> Bool, settle: () -> Void
    ) -> UInt64? {
        var taken: [UInt64] = []
        taken.reserveCapacity(rounds)
        for _ in 0..<rounds {
            var succeeded = true
            let start = clinux_time_stamp()
            for _ in 0..<calls { succeeded = call() && succeeded }
            taken.append(clinux_time_stamp() - start)
            settle()
            guard succeeded else { return nil }
        }
        return taken.sorted()[rounds / 2]
    }

    /// What a loop of known length counts: its instructions, what was counted, and what the loop of
    /// twice its length counted more.
    static func loop() -> (instructions: UInt64, counted: UInt64, twiceMore: UInt64) {
        let once = loop(steps)
        let twice = loop(2 * steps)
        return (2 * steps, once, twice < once ? 0 : twice - once)
    }

    private static func loop(_ steps: UInt64) -> UInt64 {
        var fewest = UInt64.max
        for _ in 0..<rounds {
            let start = clinux_time_stamp()
            clinux_count_down(steps)
            fewest = min(fewest, clinux_time_stamp() - start)
        }
        return fewest
    }
}
