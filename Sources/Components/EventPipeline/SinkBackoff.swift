// SPDX-License-Identifier: Apache-2.0

/// Growing pauses between tries, with jitter: the agents of many nodes must not come back to a
/// collector at once.
package struct SinkBackoff: Sendable, Equatable {
    package static let firstPause = Duration.milliseconds(100)
    package static let pauseMax = Duration.seconds(30)
    /// No collector can keep a sink waiting for longer.
    package static let askedPauseMax = Duration.seconds(300)

    private var failures = 0

    package init() {}

    /// Between half and the whole of a span that doubles with each failure.
    ///
    /// - Parameters:
    ///   - asked: what the other side asked for; the pause is no shorter, up to `askedPauseMax`.
    ///   - chance: any number, drawn anew each time.
    package mutating func next(asked: Duration?, chance: UInt64) -> Duration {
        let doublings = min(failures, 16)
        failures += 1
        let span = min(Self.firstPause * (1 << doublings), Self.pauseMax)
        let own = span / 2 + span / 2 * Int(chance % 1025) / 1024
        guard let asked else { return own }
        let wanted = min(max(asked, .zero), Self.askedPauseMax)
        // Jitter on top of what was asked, or all would come back together.
        return wanted + own
    }

    package mutating func reset() { failures = 0 }
}
