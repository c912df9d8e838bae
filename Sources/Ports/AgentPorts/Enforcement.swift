// SPDX-License-Identifier: Apache-2.0
package import AgentProtocol
package import Enforcement
package import EnforcementEvents
package import Ports

/// Number of an enrolled workload; 0 is nobody.
package typealias EnrolmentID = UInt32

/// How a hook denies. Measured by the self-test, never inferred.
package enum EnforcementTier: UInt8, Sendable, CaseIterable {
    /// A BPF program on the LSM hook.
    case lsm = 1
    /// fmod_ret on the hook's `security_` function: needs no `bpf` in the list of modules.
    case modifyReturn = 2
    /// fmod_ret on a system call itself, beside the form that is attached.
    case systemCall = 3
    /// A tracepoint sees the call and its caller is killed: it detects and contains, and denies
    /// nothing.
    case signal = 4

    /// Forms of program that deny, the better first.
    package static let denying: [EnforcementTier] = [.lsm, .modifyReturn]
    /// Forms of program of which one is attached, the better first.
    package static let forms = denying + [.signal]

    /// The word in events, metrics and documents.
    package var word: String {
        switch self {
        case .lsm: "lsm"
        case .modifyReturn: "fmod_ret"
        case .systemCall: "syscall"
        case .signal: "signal"
        }
    }
}

/// What a thread is in its workload (`enum cbpf_task_flags`).
package struct EnrolledRole: OptionSet, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// It may trace threads of its own workload.
    package static let wrapper = EnrolledRole(rawValue: 1)
    /// The agent's own threads.
    package static let agent = EnrolledRole(rawValue: 2)
    /// The process that the agent attacks to see what is denied.
    package static let victim = EnrolledRole(rawValue: 4)
}

/// A process in an event, as the kernel knew it at that moment.
package struct EnforcementProcess: Sendable, Equatable {
    package var thread: ProcessID
    package var group: ProcessID
    /// Nanoseconds since boot (CLOCK_BOOTTIME); with `group` it names the process for good.
    package var started: UInt64
    package var executableInode: UInt64
    package var executableDevice: UInt32
    package var cgroup: UInt64
    /// Effective capabilities, bit by number.
    package var capabilities: UInt64
    package var user: UInt32
    package var enrolment: EnrolmentID
    package var role: EnrolledRole
    /// Up to 15 bytes that the process chose itself: an attacker's input.
    package var name: [UInt8]

    package init(
        thread: ProcessID, group: ProcessID, started: UInt64, executableInode: UInt64,
        executableDevice: UInt32, cgroup: UInt64, capabilities: UInt64, user: UInt32,
        enrolment: EnrolmentID, role: EnrolledRole, name: [UInt8]
    ) {
        self.thread = thread
        self.group = group
        self.started = started
        self.executableInode = executableInode
        self.executableDevice = executableDevice
        self.cgroup = cgroup
        self.capabilities = capabilities
        self.user = user
        self.enrolment = enrolment
        self.role = role
        self.name = name
    }
}

/// One attempt that a hook judged.
package struct EnforcementRecord: Sendable, Equatable {
    /// CLOCK_MONOTONIC, nanoseconds.
    package var time: UInt64
    package var processor: UInt32
    /// Rises by one with each record of this processor; a gap is a loss.
    package var sequence: UInt64
    /// Attempts of this vector and cgroup on this processor that were counted and not reported
    /// since the record before.
    package var suppressed: UInt64
    package var vector: VectorNumber
    /// `ptrace_access_check`, …
    package var hook: String
    package var tier: EnforcementTier
    package var verdict: EventVerdict
    /// The system call's number, the lockdown reason, the program's type, by hook.
    package var detail: UInt64
    package var policyGeneration: UInt32
    package var actor: EnforcementProcess
    /// Nil for an attempt on the machine.
    package var target: EnforcementProcess?
    /// A file's or unit's name; empty for none. May hold any bytes but zero.
    package var object: [UInt8]

    package init(
        time: UInt64, processor: UInt32, sequence: UInt64, suppressed: UInt64,
        vector: VectorNumber, hook: String, tier: EnforcementTier, verdict: EventVerdict,
        detail: UInt64, policyGeneration: UInt32, actor: EnforcementProcess,
        target: EnforcementProcess?, object: [UInt8]
    ) {
        self.time = time
        self.processor = processor
        self.sequence = sequence
        self.suppressed = suppressed
        self.vector = vector
        self.hook = hook
        self.tier = tier
        self.verdict = verdict
        self.detail = detail
        self.policyGeneration = policyGeneration
        self.actor = actor
        self.target = target
        self.object = object
    }
}

extension EnforcementRecord {
    /// The event's type. A trace whose tracer is killed after it began was not denied.
    package var eventType: EventType { EventType(vector, tier == .signal ? .observed : verdict) }
}

extension EnforcementRecord {
    /// Hooks of the content scan: `detail` of their records is the scan's outcome.
    package static let scanHooks = ["file_permission", "socket_sendmsg"]
}

/// Attempts on one vector since the programs were loaded:
/// `attempts` = `records` + `suppressed` + `dropped`.
package struct EnforcementCounts: Sendable, Equatable {
    package var attempts: UInt64 = 0
    package var denied: UInt64 = 0
    package var records: UInt64 = 0
    /// Held back by the rate limit.
    package var suppressed: UInt64 = 0
    /// The ring had no room.
    package var dropped: UInt64 = 0

    package init() {}
}

/// What the content scan did since the programs were loaded.
package struct ScanCounts: Sendable, Equatable {
    /// Writes and sends of processes that have a leak index.
    package var calls: UInt64 = 0
    package var bytes: UInt64 = 0
    /// Windows that had to be compared.
    package var candidates: UInt64 = 0
    /// Calls of enrolled processes that have no index, and so let everything out.
    package var withoutIndex: UInt64 = 0
    /// Calls with bytes that could not be read.
    package var unreadable: UInt64 = 0
    /// Calls beyond the limits of one scan.
    package var tooLarge: UInt64 = 0

    package init() {}
}

/// What somebody else may have in hand of a process (`enum cbpf_start`).
package struct EnrolledHold: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// A seccomp filter has a listener, or there are more filters than are looked at.
    package static let listener = EnrolledHold(rawValue: 1)
    /// It has an io_uring.
    package static let ring = EnrolledHold(rawValue: 2)
    /// Somebody answers for pages of its memory (userfaultfd(2)).
    package static let userfault = EnrolledHold(rawValue: 4)
}

/// A thread that an enrolment found.
package struct EnrolledTask: Sendable, Equatable {
    package let thread: ProcessID
    package let group: ProcessID
    package let parentGroup: ProcessID
    /// Who traces it already, nil for nobody.
    package let tracerGroup: ProcessID?
    /// The enrolment it belongs to: an earlier one stays.
    package let enrolment: EnrolmentID
    package var hold: EnrolledHold

    package init(
        thread: ProcessID, group: ProcessID, parentGroup: ProcessID, tracerGroup: ProcessID?,
        enrolment: EnrolmentID, hold: EnrolledHold = []
    ) {
        self.enrolment = enrolment
        self.hold = hold
        self.thread = thread
        self.group = group
        self.parentGroup = parentGroup
        self.tracerGroup = tracerGroup
    }
}

/// One workload that the programs know.
package struct EnrolledWorkload: Sendable, Equatable {
    package let id: EnrolmentID
    /// 0 for none.
    package let wrapper: ProcessID
    /// Whether what it lets out is looked through.
    package let isScanned: Bool

    package init(id: EnrolmentID, wrapper: ProcessID, isScanned: Bool = false) {
        self.id = id
        self.wrapper = wrapper
        self.isScanned = isScanned
    }
}

/// How many records one vector may give.
package struct EnforcementRate: Sendable, Equatable {
    /// Per second, cgroup and processor; 0: no limit.
    package var perSecond: UInt32
    /// At once after a pause.
    package var burst: UInt32

    package init(perSecond: UInt32, burst: UInt32) {
        self.perSecond = perSecond
        self.burst = burst
    }
}

/// Why enforcement could not do what it was asked.
package enum EnforcementFailure: Error, Sendable, Equatable {
    /// bpf(2) is not permitted here: CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, are missing, or the
    /// kernel refuses the program type.
    case notPermitted
    /// The kernel cannot do it; `detail` is its verifier's or libbpf's last line.
    case unsupported(detail: String)
    /// There is no such process any more.
    case noSuchProcess
    /// Programs of another form than the one asked for are pinned.
    case otherTier(EnforcementTier)
    /// A table of the programs is full; `table` is its name.
    case full(table: String)
    case systemCall(String, errorNumber: Int32)
}

/// Who may take the programs over when the agent was killed (`enum cbpf_successor`).
package enum AgentSuccessor: UInt32, Sendable, CaseIterable {
    /// Whoever executes the same file, device and inode: for an agent installed on the node.
    case sameFile = 0
    /// Any process that may use bpf(2). For an agent in a container, whose file is another one with
    /// each start of the container.
    case any = 1

    package var word: String {
        switch self {
        case .sameFile: "same-file"
        case .any: "any"
        }
    }
}

/// The programs in the kernel that deny and report.
///
/// Contract:
/// - `enrol` marks every thread that the process has at that moment, and every thread and process
///   that they start afterwards is marked by the kernel. It returns what it found, so that the
///   caller can refuse a process that is traced already. A process that is enrolled already keeps
///   its first enrolment.
/// - What `enrol` returns also says what somebody else has in hand of the process already.
/// - `forget` unmarks nobody: a mark ends with its thread. It frees the number when no thread has
///   it any more, and returns whether it did.
/// - A policy is in force for the next attempt when `setPolicy` returns.
/// - `takeRecords` gives each record once. Verdicts never depend on whether records are taken.
/// - `counts` are exact, whatever became of the records.
package protocol Enforcement: ~Copyable {
    /// The hooks that programs are attached to.
    var hooks: [String] { get }

    mutating func enrol(
        _ group: ProcessID, as id: EnrolmentID, role: EnrolledRole, policy index: UInt32
    ) throws(EnforcementFailure) -> [EnrolledTask]

    mutating func forget(_ id: EnrolmentID) throws(EnforcementFailure) -> Bool

    /// Workloads known to the programs, an earlier agent's too.
    func workloads() throws(EnforcementFailure) -> [EnrolledWorkload]

    /// Records that found no room since this was last asked, by whichever agent.
    mutating func takeUntoldLoss() throws(EnforcementFailure) -> UInt64

    /// The agent ends in order: whoever comes next may take the programs over, or replace them.
    mutating func leaveToSuccessor() throws(EnforcementFailure)

    /// Threads that carry the mark.
    func tasks(of id: EnrolmentID) throws(EnforcementFailure) -> Int

    /// Index 0 is the machine's own policy.
    mutating func setPolicy(
        _ policy: EnforcementPolicy, at index: UInt32
    ) throws(EnforcementFailure)

    mutating func setRate(
        _ rate: EnforcementRate, generation: UInt32
    ) throws(EnforcementFailure)

    /// Waits up to `milliseconds` for a first record.
    mutating func takeRecords(
        atMost count: Int, waiting milliseconds: Int32
    ) throws(EnforcementFailure) -> [EnforcementRecord]

    func counts() throws(EnforcementFailure) -> [VectorNumber: EnforcementCounts]

    /// Whether there are programs that look for values in what protected processes let out.
    var canScan: Bool { get }

    /// Looks for a workload's values from the next call on; a later request takes the place of the
    /// former. Ends with the enrolment.
    mutating func scan(
        _ request: ScanRequest, for id: EnrolmentID
    ) throws(EnforcementFailure)

    /// Nothing is looked for any more in what this workload lets out.
    mutating func endScan(of id: EnrolmentID)

    func scanCounts() throws(EnforcementFailure) -> ScanCounts
}
