// SPDX-License-Identifier: Apache-2.0
package import Ports

/// A clock that tasks can wait for. A protocol of its own, because the small programs that link
/// `TimeSource` have no tasks.
///
/// Contract: `sleep` returns at `time` of the monotonic clock, at once when that has passed, and
/// earlier when the task is cancelled: the caller looks at `Task.isCancelled`.
package protocol AsyncTimeSource: TimeSource, Sendable {
    func sleep(until time: MonotonicTime) async
}

extension AsyncTimeSource {
    package func sleep(for duration: Duration) async {
        await sleep(until: monotonic().advanced(by: duration))
    }
}
