// SPDX-License-Identifier: Apache-2.0
import CLinux
package import Delivery
import Glibc
package import Ports
package import SecretMemory

/// Starts programs on Linux and delivers values to them and to what they execute.
///
/// A thread of its own forks, traces, waits and answers (`TreeServer`), so that the tree is served
/// whatever the caller's thread is busy with. No other thread may wait for children.
package struct LinuxProcessHost: ProcessHost {
    /// What a caller may set; the defaults are the production's.
    package struct Options: Sendable {
        /// Faults to inject, for tests.
        package var faults: [DeliveryFault] = []
        /// Give up what a waiting wrapper has no use for once the program is started.
        package var givesUpOwnPrivileges = true
        /// Where each image's area is put, for tests; nil: drawn.
        package var areaBase: UInt64?
        /// RLIMIT_MEMLOCK as the program shall find it; nil: as it is here.
        package var programLockLimit: MemoryLockLimit?
        /// Where commands are asked for that run beside the program. They need a program whose
        /// launch says `mayStartAgain`.
        package var attach: AttachListener?
        /// Gets one line per event that an operator should see; never holds a value. Called on
        /// the trees' thread.
        package var report: @Sendable (String) -> Void = { _ in }

        package init() {}
    }

    /// Secret memory (bytes) that starting a program takes at least: under `splice` a page to work
    /// in and a region of one page, under `file` one page at a time.
    package static func lockedBytesMin(
        toStart delivery: DeliveryMode, readableFiles: Bool
    ) -> Int {
        let page = SecretBuffer.lockedBytes(forCapacity: 1)
        switch delivery {
        case .splice: return SecretBuffer.lockedBytes(forCapacity: Supervisor.workBytes) + page
        case .file: return readableFiles ? 0 : page
        case .environ: return 0
        }
    }

    /// Asks for so much memfd_secret memory and gives it back: what cannot be delivered need not
    /// be fetched.
    package static func requireSecretMemory(bytes: Int) throws(ProcessHostFailure) {
        guard bytes > 0 else { return }
        switch DeliveryRegion.make(bytes: bytes, fill: { _ in }) {
        case .success(let region): close(region.descriptor)
        case .failure(let failure): throw failure.hostFailure(bytes: bytes)
        }
    }

    private let options: Options
    private var session: HostSession?

    /// A host that leaves the signals alone until its first program.
    package init(options: Options = Options()) { self.options = options }

    /// A host that takes the signals at once: made before the first secret and before any other
    /// thread, which must inherit what is blocked.
    package init(readyWith options: Options) throws(ProcessHostFailure) {
        self.options = options
        session = try HostSession(options: options)
    }

    /// What the last run cost.
    package var counters: SupervisorCounters { session?.mailbox.counters ?? SupervisorCounters() }

    /// Readable (POLLIN) when what the caller is busy with should be broken off for `next`: a stop
    /// was requested while no program runs, or the program has ended. -1 before the host is ready.
    package var interruptDescriptor: Int32 { session?.interruptDescriptor ?? -1 }

    private mutating func ready() throws(ProcessHostFailure) -> HostSession {
        if let session { return session }
        let made = try HostSession(options: options)
        session = made
        return made
    }

    package mutating func indexValues(
        of image: inout DeliveryImage
    ) throws(ProcessHostFailure) -> ValueIndex {
        try ready().indexValues(of: &image)
    }

    /// Once only, unless `Launch.mayStartAgain`: the process gives up execve(2) then.
    package mutating func start(
        _ launch: Launch, image: consuming DeliveryImage
    ) throws(ProcessHostFailure) {
        try ready().start(launch, try DeliveredValues(image))
    }

    package mutating func next(
        until deadline: MonotonicTime?
    ) throws(ProcessHostFailure) -> HostEvent {
        try ready().next(until: deadline)
    }

    /// The new image holds the names of the old one: `systemCall("replaceValues", EINVAL)` else.
    /// What an untraced program (`environ`, `file`) executes keeps the old values; hooks and later
    /// starts get the new ones.
    package mutating func replaceValues(
        _ image: consuming DeliveryImage
    ) throws(ProcessHostFailure) {
        try ready().replaceValues(image)
    }

    package mutating func send(signal: Int32) { session?.send(signal: signal) }

    /// One at a time: `systemCall("hook", EBUSY)` else; EPERM unless the program's launch says
    /// `mayStartAgain`. A hook does not outlive the program.
    package mutating func runHook(_ launch: Launch) throws(ProcessHostFailure) {
        try ready().runHook(launch)
    }

    package mutating func stop(within grace: Duration) { session?.stop(within: grace) }
}
