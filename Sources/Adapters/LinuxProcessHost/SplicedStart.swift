// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports

/// Starts a program under delivery mode `splice`, held until its supervisor serves it.
struct SplicedStart {
    private var launch: Launch
    private let path: String
    private let streams: [Int32]?
    private let options: LinuxProcessHost.Options

    init(_ request: StartRequest, options: LinuxProcessHost.Options) {
        launch = request.launch
        path = request.path
        streams = request.streams
        self.options = options
    }

    /// SECCOMP_FILTER_FLAG_NEW_LISTENER.
    private static let newListenerFlag: UInt32 = 1 << 3
    /// SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (5.19): once its notification is taken, a caller
    /// is no more interrupted by signals.
    private static let killableWaitFlag: UInt32 = 1 << 5
    /// The kernel answers EINVAL to a flag it does not know, EFAULT to the missing program.
    static var hasKillableWait: Bool {
        clinux_seccomp_probe(newListenerFlag | killableWaitFlag) == -EFAULT
    }

    mutating func start(
        _ values: DeliveredValues, _ signals: SignalSet, _ hub: TreeHub
    ) throws(ProcessHostFailure) -> Supervisor {
        // Asked before anything runs: without it there is no splice.
        try LinuxProcessHost.requireSecretMemory(bytes: values.regionBytes)
        try settleFollow()
        let (child, keeper) = try startChild(values, signals)
        let supervisor: Supervisor
        do throws(ProcessHostFailure) {
            supervisor = try Supervisor(
                values: values, launch: launch, child: child, keeper: keeper, hub: hub,
                options: options)
        } catch {
            Supervisor.end(child, keeper)
            throw error
        }
        do throws(ProcessHostFailure) {
            try supervisor.attach()
        } catch {
            supervisor.abandon()
            throw error
        }
        return supervisor
    }

    /// An ordinary user's supervisor cannot seize what is not dumpable; it can keep what it has
    /// traced from the start.
    private mutating func settleFollow() throws(ProcessHostFailure) {
        guard launch.follow != .attached, launch.child.undumpable,
            !OwnCapabilities.canTraceUndumpable
        else { return }
        guard launch.follow == .notified else {
            throw .refused(call: "ptrace", errorNumber: EPERM)
        }
        launch.follow = .attached
        options.report(
            "programs that are not dumpable cannot be seized without CAP_SYS_PTRACE:"
                + " following as attached, not as notified")
    }

    private func startChild(
        _ values: DeliveredValues, _ signals: SignalSet
    ) throws(ProcessHostFailure) -> (StartedChild, Keeper?) {
        let names = values.entries.map { RawText(bytes: $0.placeholder) }
        let plain = values.plainEntries(of: launch.environment)
        var start = ChildStart(
            path: path, arguments: launch.arguments, environment: plain + names,
            signals: signals)
        // Under `attached` a forked child holds its parent's region and its own for a moment.
        start.limitLockedMemory(options.programLockLimit, sharing: 2 * values.regionBytes)
        start.filter = try SystemCallFilter(
            trap: launch.follow == .attached ? .tracer : .listener,
            restrict: launch.child.restrictSystemCalls,
            denySendmmsg: launch.child.denySendmmsg)
        start.filterFlags = Self.newListenerFlag
        if launch.follow != .attached, Self.hasKillableWait {
            start.filterFlags |= Self.killableWaitFlag
        }
        start.streams = streams
        start.waitsForTracer = true
        start.noNewPrivileges = true
        start.dropsCapabilities = launch.child.dropCapabilities
        // A traced tree dies with its tracer, a PID namespace with its first process.
        guard launch.follow != .attached, getpid() != 1 else { return (try start.start(), nil) }
        let (child, keeper) = try start.startKept()
        return (child, keeper)
    }
}

extension Supervisor {
    /// Seizes the waiting child, takes its listener and lets it go to its first exec.
    func attach() throws(ProcessHostFailure) {
        do throws(StepFailure) {
            try seize()
            try receiveListener()
            try take(.releaseChild) { Int(child.release()) }
        } catch {
            if let setUpFailure { throw setUpFailure }
            if error.step == .seizeChild {
                throw .refused(call: "ptrace", errorNumber: error.errorNumber)
            }
            throw error.hostFailure(regionBytes: values.regionBytes)
        }
    }

    private func seize() throws(StepFailure) {
        try expect(.ready, at: .startChild)
        try take(.seizeChild) {
            Tracee(task: child.process).seize(
                options: follow == .attached ? Self.attachedOptions : Self.notifiedOptions)
        }
        var exec = ExecInFlight(fills: [], entryCount: 0)
        exec.isLaunch = true
        exec.fills = launchFills
        exec.entryCount = launchEntryCount
        setUpSpace.members.insert(child.process)
        tasks[child.process] = TracedTask(
            machine: TaskStateMachine(phase: .launching), process: child.process,
            space: setUpSpace, exec: exec)
        try take(.releaseChild) { Int(child.release()) }
    }

    private func receiveListener() throws(StepFailure) {
        try reach(.receiveListener)
        guard case .filtered(let descriptor) = nextReport() else {
            throw StepFailure(step: .receiveListener, errorNumber: EPROTO)
        }
        listener = descriptor
    }

    private func expect(
        _ expected: StartedChild.Report, at step: SpliceStep
    ) throws(StepFailure) {
        try reach(step)
        guard nextReport() == expected else {
            throw StepFailure(step: step, errorNumber: EPROTO)
        }
    }

    /// The child's next message; a failed set-up step is kept for the caller of `start`.
    private func nextReport() -> StartedChild.Report {
        do throws(ProcessHostFailure) {
            let report = try child.next()
            if case .failed(let step, let number) = report {
                setUpFailure = StartedChild.failure(
                    program: programName, step: step, errorNumber: number)
            }
            return report
        } catch {
            setUpFailure = error
            return .closed
        }
    }

    /// The set-up code says so when the kernel refused the program.
    private func readLaunchError() {
        // A channel that the program kept from closing does not matter: execve closes it.
        var channel = pollfd(fd: child.channel, events: Int16(POLLIN), revents: 0)
        guard poll(&channel, 1, 0) > 0, case .failed(_, let number) = nextReport() else { return }
        launchError = number
    }

    static func end(_ child: StartedChild, _ keeper: Keeper?) {
        kill(child.process, SIGKILL)
        close(child.channel)
        keeper?.end()
        guard keeper == nil else { return }
        var status: Int32 = 0
        while waitpid(child.process, &status, waitAllTasks) < 0, errno == EINTR { continue }
    }

    func abandon() {
        kill(program, SIGKILL)
        reap(program)
        close(listener)
        close(child.channel)
        keeper?.end()
    }

    func finish() throws(ProcessHostFailure) -> ChildExit {
        killTree()
        readLaunchError()
        close(listener)
        close(child.channel)
        keeper?.end()
        // First: an exec that was refused because a step failed is a launch error too.
        if let failure = programFailure {
            throw failure.hostFailure(regionBytes: values.regionBytes)
        }
        if let launchError { throw StartedChild.executionFailure(programName, launchError) }
        guard let programEnd else { throw .systemCall("waitpid", errorNumber: ECHILD) }
        return programEnd
    }
}
