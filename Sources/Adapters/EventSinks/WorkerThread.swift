// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Ports
import Synchronization

/// What a worker's step came to.
package enum WorkerPause: Sendable, Equatable {
    case none
    case untilWoken
    case until(MonotonicTime)
}

/// A thread that makes steps: again at once, when woken, or at a time. Each sink that may block has
/// one.
package final class WorkerThread: Sendable {
    /// A pipe: what is written into one end ends the wait for the other.
    private let wakeReader: Int32
    private let wakeWriter: Int32
    private let isStopping = Atomic(false)
    private let handle = Mutex<pthread_t?>(nil)

    /// - Throws: the error number of pipe(2).
    package init() throws(WorkerFailure) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .systemCall(errorNumber: errno) }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        wakeReader = ends[0]
        wakeWriter = ends[1]
    }

    deinit {
        close(wakeReader)
        close(wakeWriter)
    }

    /// Ends a pause; never blocks. Safe from any thread.
    package func wake() {
        var one: UInt8 = 1
        // A full pipe is a wake-up that is still to come.
        _ = write(wakeWriter, &one, 1)
    }

    /// Starts the thread; once.
    ///
    /// - Parameter step: what it does again and again, until `stop`.
    package func start(
        _ step: @escaping @Sendable () -> WorkerPause
    ) throws(WorkerFailure) {
        let box = Unmanaged.passRetained(Loop { [self] in run(step) })
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Loop>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, box.toOpaque())
        guard failure == 0 else {
            box.release()
            throw .systemCall(errorNumber: failure)
        }
        handle.withLock { $0 = thread }
    }

    /// Lets the step that runs end, makes no other, and waits for the thread.
    package func stop() {
        isStopping.store(true, ordering: .releasing)
        wake()
        let thread = handle.withLock { handle in
            defer { handle = nil }
            return handle
        }
        if let thread { pthread_join(thread, nil) }
    }

    private func run(_ step: () -> WorkerPause) {
        while !isStopping.load(ordering: .acquiring) {
            switch step() {
            case .none: continue
            case .untilWoken: wait(milliseconds: -1)
            case .until(let time): wait(milliseconds: Self.milliseconds(until: time))
            }
        }
    }

    private func wait(milliseconds: Int32) {
        var entry = pollfd(fd: wakeReader, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, milliseconds) > 0 else { return }
        var taken = [UInt8](repeating: 0, count: 4096)
        _ = read(wakeReader, &taken, taken.count)
    }

    private static func milliseconds(until time: MonotonicTime) -> Int32 {
        let now = MonotonicTime(nanoseconds: SocketDeadline.now())
        let left = now.duration(to: time).components
        return Int32(clamping: left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000 + 1)
    }

    private final class Loop {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }
}

/// Why a worker could not be started.
package enum WorkerFailure: Error, Sendable, Equatable {
    case systemCall(errorNumber: Int32)
}
