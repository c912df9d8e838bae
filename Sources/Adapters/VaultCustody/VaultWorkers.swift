// SPDX-License-Identifier: Apache-2.0
import Glibc
package import ObjectKeyPorts
package import Ports
internal import Synchronization

/// Why threads for the vault could not be had.
package struct VaultWorkersFailure: Error, Sendable, Equatable {
    package let call: String
    package let errorNumber: Int32
}

package struct VaultWorkersSettings: Sendable, Equatable {
    package static let threadsMax = 4

    /// Each has a connection and a token of its own: 1 to `threadsMax`. OpenSSL's arena has room
    /// for so many connections.
    package var threads = 2
    /// Calls that wait for a thread; more are `overloaded`.
    package var waitingMax = 256
    /// For one call, from when it is made, retries included. At least the store's own limit.
    package var callTime = Duration.seconds(10)
    /// Of the vault, for messages.
    package var host = "vault"

    package init() {}
}

/// Threads that talk to a vault for tasks, which only wait. A store blocks its thread; none of the
/// threads that run tasks is blocked.
///
/// Each thread makes its store and logs in when the first call comes, has its token renewed or
/// replaced before it ends, and calls once more where that is safe: the calls made here change
/// nothing in the vault. At most one login is under way, and none for a while after one that
/// failed: calls then fail at once with the same failure.
package final class VaultWorkers<Store: SecretStore & SendableMetatype & ~Copyable>: Sendable {
    package typealias MakeStore = @Sendable () throws(SecretStoreFailure) -> Store

    private let settings: VaultWorkersSettings
    private let clock: any TimeSource & Sendable
    private let makeStore: MakeStore
    private let leave: @Sendable (inout Store) -> Void
    private let queue: VaultQueue<Store>
    private let threads = Mutex<[pthread_t]>([])
    private let pause = Mutex(LoginPause())
    /// Held during a login, and while a store is made: the first one gives OpenSSL its memory.
    private let turn = Mutex(())

    /// - Parameters:
    ///   - makeStore: called on the threads, each of which keeps what it gets.
    ///   - leave: the last thing that is done with a store, such as revoking its token.
    package init(
        settings: VaultWorkersSettings, clock: any TimeSource & Sendable,
        makeStore: @escaping MakeStore,
        leave: @escaping @Sendable (inout Store) -> Void = { $0.forget() }
    ) throws(VaultWorkersFailure) {
        precondition(
            (1...VaultWorkersSettings.threadsMax).contains(settings.threads),
            "1 to \(VaultWorkersSettings.threadsMax) threads")
        self.settings = settings
        self.clock = clock
        self.makeStore = makeStore
        self.leave = leave
        queue = try VaultQueue(countMax: settings.waitingMax, clock: clock)
        for _ in 0..<settings.threads { try start { [self] in work() } }
        try start { [self] in watch() }
    }

    package var waitingCount: Int { queue.waitingCount }

    /// Has a thread call the vault; any number of tasks may.
    ///
    /// - Parameter body: may be called twice, and after nobody waits any more. What it throws is
    ///   retried where that may help.
    package func call<Value: Sendable>(
        _ body:
            @escaping @Sendable (inout Store) throws(SecretStoreFailure) -> Result<
                Value, KeyCustodyFailure
            >
    ) async throws(KeyCustodyFailure) -> Value {
        guard !Task.isCancelled else { throw .cancelled }
        let call = VaultCall<Value>()
        let deadline = clock.monotonic().advanced(by: settings.callTime)
        let id = try queue.add { id in
            VaultJob(
                id: id, deadline: deadline, isOver: { call.isOver },
                run: { store throws(SecretStoreFailure) in call.finish(try body(&store)) },
                fail: { call.finish(.failure($0)) })
        }
        let outcome = await withTaskCancellationHandler {
            await call.outcome()
        } onCancel: {
            call.finish(.failure(.cancelled))
        }
        queue.remove(id)
        return try outcome.get()
    }

    /// Does what waits, gives the tokens back and ends the threads. It blocks for as long as calls
    /// that are under way take.
    package func stop() {
        queue.stop(threads: settings.threads)
        let ending = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in ending { pthread_join(thread, nil) }
    }

    // MARK: - On a thread

    private func watch() {
        let (seconds, _) = settings.callTime.components
        let failure = SecretStoreFailure.timedOut(host: settings.host, seconds: Int(seconds))
        queue.watchDeadlines { $0.fail(.vault(failure)) }
    }

    private func work() {
        // A job holds a key: the thread may not hold the job for longer than it works on it.
        var job: VaultJob<Store>?
        while true {
            job = firstJob()
            guard job != nil else { return }
            do throws(SecretStoreFailure) {
                return serve(&job, with: try madeStore())
            } catch {
                job?.fail(.vault(error))
                job = nil
            }
        }
    }

    /// nil: the queue is stopped.
    private func firstJob() -> VaultJob<Store>? {
        guard case .job(let job) = queue.next(until: nil) else { return nil }
        return job
    }

    /// Until the queue is stopped.
    private func serve(_ first: inout VaultJob<Store>?, with made: consuming Store) {
        var store = made
        var session = VaultSession()
        if let job = first.take() { perform(job, &store, &session) }
        while true {
            switch queue.next(until: session.dueAt) {
            case .job(let job): perform(job, &store, &session)
            case .time: try? prepare(&store, &session)
            case .stop: return leave(&store)
            }
        }
    }

    private func perform(
        _ job: VaultJob<Store>, _ store: inout Store, _ session: inout VaultSession
    ) {
        var isLastTry = false
        while !job.isOver() {
            do throws(SecretStoreFailure) { try prepare(&store, &session) } catch {
                return job.fail(.vault(error))
            }
            // A login takes its time.
            guard !job.isOver() else { return }
            do throws(SecretStoreFailure) {
                try job.run(&store)
                session.succeeded()
                return pause.withLock { $0.succeeded() }
            } catch {
                let now = clock.monotonic()
                let meaning = session.failed(error, at: now)
                if meaning.isTokenUseless { pause.withLock { $0.failed(error, at: now) } }
                guard meaning.isWorthAnotherTry, !isLastTry else {
                    return job.fail(.vault(error))
                }
                isLastTry = true
            }
        }
    }

    /// Sees to it that there is a token.
    private func prepare(
        _ store: inout Store, _ session: inout VaultSession
    ) throws(SecretStoreFailure) {
        if session.step(at: clock.monotonic()) == .renew {
            do throws(SecretStoreFailure) {
                session.renewed(try store.renewToken(), at: clock.monotonic())
            } catch { session.upkeepFailed(error, at: clock.monotonic()) }
        }
        guard session.step(at: clock.monotonic()) == .logIn else { return }
        do throws(SecretStoreFailure) {
            session.loggedIn(try logIn(&store), at: clock.monotonic())
        } catch {
            let now = clock.monotonic()
            guard session.isUsable(at: now) else { throw error }
            session.upkeepFailed(error, at: now)
        }
    }

    private func logIn(_ store: inout Store) throws(SecretStoreFailure) -> Grant {
        try turn.withLock { _ throws(SecretStoreFailure) in
            try mayLogIn()
            do throws(SecretStoreFailure) { return try store.logIn() } catch {
                pause.withLock { $0.failed(error, at: clock.monotonic()) }
                throw error
            }
        }
    }

    private func madeStore() throws(SecretStoreFailure) -> Store {
        var made: Store?
        try turn.withLock { _ throws(SecretStoreFailure) in
            try mayLogIn()
            do throws(SecretStoreFailure) { made = try makeStore() } catch {
                pause.withLock { $0.failed(error, at: clock.monotonic()) }
                throw error
            }
        }
        guard let store = made.take() else { throw .interrupted }
        return store
    }

    private func mayLogIn() throws(SecretStoreFailure) {
        let pause = pause.withLock { $0 }
        try pause.check(at: clock.monotonic())
    }

    private func start(_ body: @escaping () -> Void) throws(VaultWorkersFailure) {
        let box = Unmanaged.passRetained(ThreadBody(body))
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        guard failure == 0 else {
            box.release()
            throw VaultWorkersFailure(call: "pthread_create", errorNumber: failure)
        }
        threads.withLock { $0.append(thread) }
    }
}

private final class ThreadBody {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}
