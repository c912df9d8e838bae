// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports
internal import SecretMemory

/// One task (thread) that this thread traces.
struct TracedTask {
    var machine: TaskStateMachine
    /// Its thread group.
    var process: pid_t
    var space: AddressSpace
    /// Set while an exec is under way.
    var exec: ExecInFlight?
}

/// What was done to an exec, to be completed in the new image or undone in the old one.
struct ExecInFlight {
    var fills: [EnvironmentPlan.Fill]
    /// Entries the new image must have.
    var entryCount: Int
    var slot: Int?
    /// execve(2) has its array in rdx, execveat(2) in r10.
    var isExecveat = false
    var callersArray: UInt64 = 0
    /// The program's first exec, issued by the set-up code.
    var isLaunch = false
    /// PR_SET_DUMPABLE was set to 1 to read the caller's memory.
    var raisedDumpable = false
    /// The caller's signal mask, held during the exec (notified).
    var heldMask: UInt64?
}

/// Owns the traced tree: everything here runs on the one thread that forked it (ptrace is per
/// thread). Stops come in through `handle`, decisions are `TaskStateMachine`'s.
final class Supervisor: ProgramTree {
    private(set) var values: DeliveredValues
    /// What earlier values were; nil until the first replacement.
    private(set) var retired: RetiredValues?
    let policy: ChildPolicy
    let follow: FollowStrategy
    let child: StartedChild
    /// Knows this tree.
    unowned let hub: TreeHub
    /// The set-up code's memory: no area, no values.
    let setUpSpace: AddressSpace
    /// Serves the hand-over of descriptors, and under `notified` every exec.
    var listener: Int32 = -1
    /// Reaps an untraced tree and tells how the program ended.
    let keeper: Keeper?
    var tasks: [pid_t: TracedTask] = [:]
    /// Slots of every image under `notified`.
    let treeSlots = SlotPool()
    /// Notifications taken while another was waited for.
    var pending: [clinux_notification] = []
    /// Signals taken from a task during a delivery, to be sent again.
    var deferredSignals: [pid_t: [Int32]] = [:]
    var faults: FaultCounter
    var programEnd: ChildExit?
    /// The first image has its values.
    var isLaunched = false
    /// errno of the program's first exec.
    var launchError: Int32?
    /// A set-up step of the program's child that failed.
    var setUpFailure: ProcessHostFailure?
    let programName: String
    /// Where the placeholders are in the environment built for the first exec.
    let launchFills: [EnvironmentPlan.Fill]
    let launchEntryCount: Int
    /// Why the program's own process was killed by us.
    var programFailure: StepFailure?
    let vdsoSystemCallOffset: UInt64
    /// Marks this run's areas.
    let mark: AreaMark
    /// A message for the operator; never holds a value.
    let report: (String) -> Void
    private var workMemory: SecretBuffer

    init(
        values: DeliveredValues, launch: Launch, child: StartedChild, keeper: Keeper?,
        hub: TreeHub, options: LinuxProcessHost.Options
    ) throws(ProcessHostFailure) {
        self.values = values
        self.child = child
        self.keeper = keeper
        self.hub = hub
        policy = launch.child
        follow = launch.follow
        faults = FaultCounter(faults: options.faults)
        report = options.report
        mark = try AreaMark(entryCount: values.entries.count)
        programName = launch.programName
        let plainCount = values.plainEntries(of: launch.environment).count
        launchFills = values.entries.indices.map {
            EnvironmentPlan.Fill(position: plainCount + $0, entry: $0)
        }
        launchEntryCount = plainCount + values.entries.count
        guard let offset = VirtualSystemCalls.systemCallOffset() else {
            throw .refused(call: "vdso", errorNumber: ENOSYS)
        }
        vdsoSystemCallOffset = offset
        setUpSpace = AddressSpace(
            area: nil, hasRegion: false, systemCallInstruction: 0)
        do throws(SecretMemoryFailure) {
            workMemory = try SecretBuffer(capacity: Self.workBytes, minimumTier: .secret)
        } catch { throw .memory(error) }
    }

    var program: pid_t { child.process }
    var keeperDescriptor: Int32 { keeper?.statusDescriptor ?? -1 }
    var counters: SupervisorCounters {
        _read { yield hub.counters }
        _modify { yield &hub.counters }
    }

    func replaceValues(_ newer: DeliveredValues) throws(ProcessHostFailure) {
        let known: RetiredValues
        if let retired { known = retired } else { known = try RetiredValues() }
        known.add(values)
        retired = known
        values = newer
    }

    /// One page with the buffer's canary.
    static let workBytes = 4080

    /// Options of a seizure under `notified`, for one exec.
    static let notifiedOptions =
        Tracee.Option.markSystemCalls | Tracee.Option.exec | Tracee.Option.exitKill

    /// Options of every seizure under `attached`.
    static let attachedOptions =
        Tracee.Option.markSystemCalls | Tracee.Option.exec | Tracee.Option.seccomp
        | Tracee.Option.fork | Tracee.Option.vfork | Tracee.Option.clone
        | Tracee.Option.exitKill

    /// Lends the secret working memory; its contents are the borrower's to zero.
    func withWork<Result>(_ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        var result: Result?
        workMemory.fill { rest in
            result = body(rest)
            return 0
        }
        guard let result else { preconditionFailure("fill did not call its body") }
        return result
    }

    /// Arrives at a step: a test's fault strikes here.
    func reach(_ step: SpliceStep) throws(StepFailure) {
        switch faults.arrive(at: step) {
        case nil: return
        case .fail: throw StepFailure(step: step, errorNumber: EIO)
        case .die: kill(getpid(), SIGKILL)
        case .stop: raise(SIGSTOP)
        }
    }

    /// Takes a step whose call returns -errno when it fails.
    @discardableResult
    func take(_ step: SpliceStep, _ call: () -> Int) throws(StepFailure) -> Int {
        try reach(step)
        let result = call()
        guard result >= 0 else { throw StepFailure(step: step, errorNumber: Int32(-result)) }
        return result
    }

    /// A step failed for a task in its old image.
    ///
    /// One that has left its stop without us was killed, with its process or by the exec of
    /// another thread of it, whose image is not to be killed for that. If it lives all the same,
    /// the exec that it goes on with is a violation.
    func giveUp(on task: pid_t, because failure: StepFailure) {
        guard failure.errorNumber != ESRCH, Tracee(task: task).isInHandledStop else { return }
        killProcess(of: task, because: failure)
    }

    /// Fail closed: whatever runs under this process id dies before its next instruction.
    func killProcess(of task: pid_t, because failure: StepFailure) {
        let process = tasks[task]?.process ?? task
        kill(process, SIGKILL)
        guard failure.errorNumber != ESRCH || tasks[task] != nil else { return }
        counters.killedByFailure += 1
        // The program's own is the end of the run, and told as that.
        guard process == program else { return hub.deliveryFailed(failure.delivery(to: process)) }
        if programFailure == nil { programFailure = failure }
        report(
            "delivery to process \(process) failed at step \(failure.step.rawValue)"
                + " (errno \(failure.errorNumber)); the process was killed")
    }
}

/// Where a `syscall` instruction is in the vDSO, which every image of this kernel has alike.
enum VirtualSystemCalls {
    /// Offset of the bytes 0f 05 from the vDSO's start; nil without a vDSO.
    static func systemCallOffset() -> UInt64? {
        let address = clinux_vdso()
        guard let start = UnsafeRawPointer(bitPattern: address) else { return nil }
        let bytes = UnsafeRawBufferPointer(start: start, count: loadedBytes(start))
        let index = bytes.indices.dropLast().first { index in
            bytes[index] == 0x0f && bytes[index + 1] == 0x05
        }
        return index.map(UInt64.init)
    }

    /// ELF64: e_phoff at 32, e_phentsize at 54, e_phnum at 56; PT_LOAD's p_filesz at 32.
    private static func loadedBytes(_ start: UnsafeRawPointer) -> Int {
        let table = Int(start.load(fromByteOffset: 32, as: UInt64.self))
        let entryBytes = Int(start.load(fromByteOffset: 54, as: UInt16.self))
        let entryCount = Int(start.load(fromByteOffset: 56, as: UInt16.self))
        for index in 0..<entryCount {
            let header = start + table + index * entryBytes
            guard header.load(as: UInt32.self) == 1 else { continue }
            return Int(header.load(fromByteOffset: 32, as: UInt64.self))
        }
        return 0
    }
}
