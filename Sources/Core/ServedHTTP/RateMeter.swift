// SPDX-License-Identifier: Apache-2.0

/// Tells a sender that is too slow from one that is not waited for. Only time counts in which
/// somebody waits for its bytes; such time is cut into windows, and each has to bring the least
/// number of bytes.
package struct RateMeter: Sendable {
    private let window: Duration
    private let bytesMin: Int
    private var waited = Duration.zero
    private var bytes = 0
    /// Since when somebody waits, on the caller's clock.
    private var waitingSince: Duration?

    package init(window: Duration, bytesMin: Int) {
        self.window = window
        self.bytesMin = bytesMin
    }

    /// How long may be waited from now on before `isTooSlow` is to be asked.
    package mutating func begin(at now: Duration) -> Duration {
        waitingSince = now
        return max(.zero, window - waited)
    }

    package mutating func end(at now: Duration) {
        guard let since = waitingSince else { return }
        waited += now - since
        waitingSince = nil
        // What brought too little stays, for the next to be asked at once.
        if waited >= window, bytes >= bytesMin { restart() }
    }

    package mutating func received(_ count: Int) { bytes += count }

    /// - Returns: whether a window has passed and brought too little; otherwise how long may be
    ///   waited from now on, nil when nobody waits.
    package mutating func check(at now: Duration) -> (isTooSlow: Bool, next: Duration?) {
        guard let since = waitingSince else { return (false, nil) }
        waited += now - since
        waitingSince = now
        guard waited >= window else { return (false, window - waited) }
        guard bytes >= bytesMin else { return (true, nil) }
        restart()
        return (false, window)
    }

    private mutating func restart() {
        waited = .zero
        bytes = 0
    }
}
