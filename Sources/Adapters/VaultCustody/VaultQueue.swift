// SPDX-License-Identifier: Apache-2.0
import Glibc
internal import ObjectKeyPorts
internal import Ports
internal import Synchronization

/// A call as the threads see it.
struct VaultJob<Store: SendableMetatype & ~Copyable>: Sendable {
    let id: UInt64
    /// Nobody waits for longer.
    let deadline: MonotonicTime
    let isOver: @Sendable () -> Bool
    /// Asks once and hands the answer over, or throws why there is none.
    let run: @Sendable (inout Store) throws(SecretStoreFailure) -> Void
    let fail: @Sendable (KeyCustodyFailure) -> Void
}

/// The calls that wait for a thread, at most so many. Threads wait for them in poll(2).
final class VaultQueue<Store: SendableMetatype & ~Copyable>: Sendable {
    enum Event {
        case job(VaultJob<Store>)
        /// The time that was waited for.
        case time
        case stop
    }

    private struct State {
        var waiting: [VaultJob<Store>] = []
        /// Taken or waiting, by deadline: they are all given the same time.
        var open: [VaultJob<Store>] = []
        var isStopped = false
        var nextID: UInt64 = 1
    }

    private let countMax: Int
    private let clock: any TimeSource & Sendable
    private let state = Mutex(State())
    private let jobs: WakePipe
    private let deadlines: WakePipe

    init(
        countMax: Int, clock: any TimeSource & Sendable
    ) throws(VaultWorkersFailure) {
        self.countMax = countMax
        self.clock = clock
        jobs = try WakePipe()
        deadlines = try WakePipe()
    }

    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// - Parameter make: gets the job's number.
    func add(
        _ make: (_ id: UInt64) -> VaultJob<Store>
    ) throws(KeyCustodyFailure) -> UInt64 {
        let (failure, id, isFirst): (KeyCustodyFailure?, UInt64, Bool) = state.withLock { state in
            guard !state.isStopped else { return (.vault(.interrupted), 0, false) }
            guard state.waiting.count < countMax else { return (.overloaded, 0, false) }
            let job = make(state.nextID)
            state.nextID += 1
            state.waiting.append(job)
            state.open.append(job)
            return (nil, job.id, state.open.count == 1)
        }
        if let failure { throw failure }
        jobs.wake()
        if isFirst { deadlines.wake() }
        return id
    }

    /// Nobody waits for it any more.
    func remove(_ id: UInt64) {
        let isStopped = state.withLock { state in
            state.waiting.removeAll { $0.id == id }
            state.open.removeAll { $0.id == id }
            return state.isStopped
        }
        if isStopped { deadlines.wake() }
    }

    /// The next job that somebody waits for.
    func next(until time: MonotonicTime?) -> Event {
        while true {
            let (job, isStopped): (VaultJob<Store>?, Bool) = state.withLock { state in
                while !state.waiting.isEmpty {
                    let job = state.waiting.removeFirst()
                    if !job.isOver() { return (job, false) }
                }
                return (nil, state.isStopped)
            }
            if let job { return .job(job) }
            if isStopped { return .stop }
            if let time, clock.monotonic() >= time { return .time }
            jobs.wait(milliseconds: time.map { milliseconds(until: $0) } ?? -1)
        }
    }

    /// Tells those whose time is over; returns when the queue is stopped.
    ///
    /// - Parameter expire: tells one.
    func watchDeadlines(_ expire: (VaultJob<Store>) -> Void) {
        while true {
            let (next, isStopped) = expireDue(expire)
            if isStopped, next == nil { return }
            deadlines.wait(milliseconds: next.map { milliseconds(until: $0) } ?? -1)
        }
    }

    /// Jobs are let go of before anybody waits again: they hold keys.
    private func expireDue(
        _ expire: (VaultJob<Store>) -> Void
    ) -> (next: MonotonicTime?, isStopped: Bool) {
        let now = clock.monotonic()
        let (over, next, isStopped) = state.withLock { state in
            let over = state.open.prefix { $0.deadline <= now }
            state.open.removeFirst(over.count)
            return (Array(over), state.open.first?.deadline, state.isStopped)
        }
        for job in over { expire(job) }
        return (next, isStopped)
    }

    /// Takes no more jobs. Those that wait are still done.
    func stop(threads: Int) {
        state.withLock { $0.isStopped = true }
        for _ in 0..<threads { jobs.wake() }
        deadlines.wake()
    }

    private func milliseconds(until time: MonotonicTime) -> Int32 {
        let left = clock.monotonic().duration(to: time).components
        let whole = left.seconds.multipliedReportingOverflow(by: 1000)
        guard !whole.overflow else { return .max }
        return Int32(clamping: whole.partialValue + left.attoseconds / 1_000_000_000_000_000 + 1)
    }
}

/// A pipe: each byte in it ends one wait.
final class WakePipe: Sendable {
    private let reader: Int32
    private let writer: Int32

    init() throws(VaultWorkersFailure) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw VaultWorkersFailure(call: "pipe", errorNumber: errno)
        }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        reader = ends[0]
        writer = ends[1]
    }

    deinit {
        close(reader)
        close(writer)
    }

    func wake() {
        var one: UInt8 = 1
        // A full pipe has wake-ups enough.
        _ = write(writer, &one, 1)
    }

    func wait(milliseconds: Int32) {
        var entry = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, milliseconds) > 0 else { return }
        var taken: UInt8 = 0
        _ = read(reader, &taken, 1)
    }
}
