// SPDX-License-Identifier: Apache-2.0

/// What supervising cost, counted.
package struct SupervisorCounters: Sendable, Equatable {
    /// ptrace stops by kind (`Stop.kind`), the injected calls' own stops under `injected`.
    package var stops: [String: Int] = [:]
    /// Stops of tasks that were not in an exec: zero under `notified`.
    package var stopsBetweenExecs = 0
    /// Notifications received from the listener.
    package var notifications = 0
    /// Execs that replaced an image.
    package var execs = 0
    /// Execs that the kernel refused.
    package var failedExecs = 0
    /// Images that were given values.
    package var splices = 0
    /// Of these, those whose area had to lie elsewhere: they are not scanned.
    package var displacedAreas = 0
    /// Forked children that were given a region of their own.
    package var forkedRegions = 0
    /// Images and tasks killed because a step failed.
    package var killedByFailure = 0
    /// Monotonic time spent in splices, in microseconds.
    package var spliceMicroseconds = 0
    /// Wait statuses of processes that were neither the program nor traced.
    package var orphansReaped = 0
    /// Signals passed on to the program.
    package var signalsForwarded = 0

    package init() {}
}
