// SPDX-License-Identifier: Apache-2.0

/// A process's number (pid_t).
package typealias ProcessID = Int32

/// How a page is backed, as far as it matters for who can read it.
package enum MemoryKind: String, Sendable, CaseIterable {
    /// Anonymous memory: swapped, dumped, in the kernel's direct map.
    case ordinary
    /// The initial stack with the environment block: ordinary, and shown by `/proc/PID/environ`.
    case stack
    /// mlock(2)ed: never swapped, otherwise ordinary.
    case locked
    /// memfd_secret(2): out of the direct map, never pinned, swapped or dumped.
    case secret
    /// The program's instructions: mapped from a file, read-only.
    case program
}

/// One mapping of a process.
package struct MemoryRegion: Sendable, Equatable {
    package let range: Range<UInt64>
    package let kind: MemoryKind

    package init(range: Range<UInt64>, kind: MemoryKind) {
        self.range = range
        self.kind = kind
    }
}

/// One row of the process table.
package struct ProcessRecord: Sendable, Equatable {
    package let id: ProcessID
    /// 0 for a process without a parent here.
    package let parent: ProcessID
    package let user: UInt32
    /// PR_SET_DUMPABLE.
    package let isDumpable: Bool
    /// Who traces it (`TracerPid`), nil for nobody.
    package let tracer: ProcessID?
    /// Open descriptors that stand for memfd_secret files, in ascending order.
    package let secretDescriptors: [Int32]
    /// Other open descriptors, in ascending order.
    package let otherDescriptors: [Int32]

    package init(
        id: ProcessID, parent: ProcessID, user: UInt32, isDumpable: Bool, tracer: ProcessID?,
        secretDescriptors: [Int32], otherDescriptors: [Int32]
    ) {
        self.id = id
        self.parent = parent
        self.user = user
        self.isDumpable = isDumpable
        self.tracer = tracer
        self.secretDescriptors = secretDescriptors
        self.otherDescriptors = otherDescriptors
    }
}

/// The error numbers a kernel answers an attempt with (errno(3)).
package enum KernelFailure: Int32, Error, Sendable, CaseIterable {
    case operationNotPermitted = 1
    case noSuchFile = 2
    case noSuchProcess = 3
    case inputOutput = 5
    case noSuchDeviceOrAddress = 6
    case badDescriptor = 9
    case accessDenied = 13
    case badAddress = 14
    case busy = 16
    case invalidArgument = 22
    case illegalSeek = 29
    case notImplemented = 38
    case notSupported = 95

    /// The symbolic name.
    package var name: String {
        switch self {
        case .operationNotPermitted: "EPERM"
        case .noSuchFile: "ENOENT"
        case .noSuchProcess: "ESRCH"
        case .inputOutput: "EIO"
        case .noSuchDeviceOrAddress: "ENXIO"
        case .badDescriptor: "EBADF"
        case .accessDenied: "EACCES"
        case .badAddress: "EFAULT"
        case .busy: "EBUSY"
        case .invalidArgument: "EINVAL"
        case .illegalSeek: "ESPIPE"
        case .notImplemented: "ENOSYS"
        case .notSupported: "EOPNOTSUPP"
        }
    }
}

/// What an attempt gave.
package enum KernelAnswer: Sendable, Equatable {
    case done
    /// Bytes that the caller now has.
    case bytes([UInt8])
    /// A descriptor of the caller.
    case descriptor(Int32)
    /// A new process.
    case process(ProcessID)
}

/// The kernel of one machine: its process table, what one process may do to another or to the
/// machine, and what loaded programs report about it.
///
/// Contract:
/// - `processes` and `regions` show what is true now. They are the observer's view: asking is no
///   access and no event.
/// - `attempt` makes one system call on behalf of `caller`. It either has its effect, or throws
///   and has none. Checks come in the kernel's order: the caller's own filter, then that the
///   thing exists, then permission, then loaded programs, then the page itself.
/// - A failure is the error number that the caller sees, nothing else.
/// - `takeEvents` gives each event of a loaded program once, in the order they happened, and the
///   number of those that found no room. Whether an attempt is denied never depends on whether
///   events are taken. One attempt gives one event at most.
package protocol Kernel {
    /// What this kernel was built and booted with, found by asking it.
    var features: KernelFeatures { get }

    /// Every process, in ascending order of `id`.
    var processes: [ProcessRecord] { get }

    /// The mappings of a process in ascending order of address; ESRCH when there is none.
    func regions(of id: ProcessID) throws(KernelFailure) -> [MemoryRegion]

    mutating func attempt(
        _ call: SystemCall, by caller: ProcessID
    ) throws(KernelFailure) -> KernelAnswer

    mutating func takeEvents() -> KernelEventBatch
}
