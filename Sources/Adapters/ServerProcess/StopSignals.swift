// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
internal import Synchronization

/// Where the handler writes. Set before there is a handler, and never again.
nonisolated(unsafe) private var stopWriter: Int32 = -1

/// SIGTERM and SIGINT. They cannot be blocked for `sigwait`: Dispatch waits for signals on the main
/// thread with none blocked.
package struct StopSignals: Sendable {
    private let reader: Int32

    package init() throws(StartFailure) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw StartFailure(text: "no pipe can be made: \(String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        reader = ends[0]
        stopWriter = ends[1]
        for number in [SIGTERM, SIGINT] {
            signal(number) { number in
                let before = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(stopWriter, &byte, 1)
                errno = before
            }
        }
        // Whoever read the log has gone: that is no reason to end.
        signal(SIGPIPE, SIG_IGN)
    }

    /// - Returns: the first that comes.
    package func wait() async -> Int32 {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var byte: UInt8 = 0
                while read(reader, &byte, 1) != 1 { continue }
                continuation.resume(returning: Int32(byte))
            }
        }
    }
}

/// Each connection takes a descriptor, and shells give out 1024.
package enum DescriptorLimit {
    static let wanted: UInt = 65_536

    package static func raise() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, rlim_t(wanted)))
        setrlimit(resource, &limit)
    }
}

/// Set once, when the program is to end.
package final class StopFlag: Sendable {
    private let flag = Mutex(false)

    package init() {}

    package var isSet: Bool { flag.withLock { $0 } }

    package func set() { flag.withLock { $0 = true } }
}
