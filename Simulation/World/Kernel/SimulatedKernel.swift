// SPDX-License-Identifier: Apache-2.0
package import Ports

/// A kernel's answers to attempts on processes and on the machine, derived from a model of
/// credentials, mappings, descriptors, tracers, filters and hooks. It knows no attack and no
/// expected verdict.
///
/// Follows kernel/ptrace.c (`__ptrace_may_access`), mm/process_vm_access.c, mm/secretmem.c,
/// fs/proc/base.c and fs/coredump.c of Linux 6.12; the VM tests compare its verdicts with those
/// of real kernels.
package struct SimulatedKernel: Kernel, Sendable {
    package struct Mapping: Sendable, Equatable {
        package let start: UInt64
        package let kind: MemoryKind
        package var bytes: [UInt8]

        var range: Range<UInt64> { start..<start + UInt64(bytes.count) }
    }

    package struct Credentials: Sendable, Equatable {
        package var user: UInt32
        /// CAP_SYS_PTRACE in the target's user namespace.
        package var mayTraceAll: Bool
        /// CAP_SYS_ADMIN, CAP_BPF, CAP_PERFMON, CAP_SYS_RAWIO and the like.
        package var isAdministrator: Bool

        package static let root = Credentials(user: 0, mayTraceAll: true, isAdministrator: true)

        package init(user: UInt32, mayTraceAll: Bool, isAdministrator: Bool = false) {
            self.user = user
            self.mayTraceAll = mayTraceAll
            self.isAdministrator = isAdministrator
        }
    }

    /// What an open descriptor stands for.
    package enum Descriptor: Sendable, Equatable {
        /// memfd_secret(2): its pages.
        case secretMemory([UInt8])
        /// A file of ordinary bytes.
        case plain([UInt8])
        /// A socket or pipe.
        case channel
        case processFile(ProcessFile, ProcessID)
        case kernelFile(KernelFile)
    }

    package struct Process: Sendable, Equatable {
        package let id: ProcessID
        package let parent: ProcessID
        package var credentials: Credentials
        /// PR_SET_DUMPABLE.
        package var isDumpable = true
        package var tracer: ProcessID?
        /// Which address space it has; threads and CLONE_VM children share one.
        var space: Int
        package var descriptors: [Int32: Descriptor] = [:]
        /// What the registers hold while it works.
        package var registers: [UInt8] = []
        package var arguments: [UInt8] = []
        /// RLIMIT_CORE is above 0.
        var hasCoreLimit = false
        /// System calls that its seccomp filter answers with EPERM.
        package var deniedCalls: Set<String> = []
        /// Those that it answers with EINVAL.
        package var unsupportedCalls: Set<String> = []
        /// Its filter kills it for a call of another architecture.
        package var killsForeignEntries = false
    }

    /// Where core_pattern sends a core.
    enum CoreTarget: Sendable { case file, pipe }

    package internal(set) var features: KernelFeatures
    package var rules = Rules()
    /// What the loaded programs are attached to.
    package var hooks = ArmedHooks()

    var table: [ProcessID: Process] = [:]
    var spaces: [Int: [Mapping]] = [:]
    var protection: [ProcessID: Protection] = [:]
    /// What loaded programs have to tell.
    package var reports = EventRing()
    /// Processes that a signal ends when the running call is over.
    var condemned: Set<ProcessID> = []
    /// A call may be made of others.
    var callDepth = 0
    /// Content of pages that nobody owns any more.
    var freedPages: [UInt8] = []
    var coreTarget = CoreTarget.file
    private var nextID: ProcessID = 1
    private var nextSpace = 1

    package init(features: KernelFeatures = KernelFeatures()) {
        self.features = features
    }

    /// The first free number above the standard streams is given out.
    static let firstDescriptor: Int32 = 3
    private static let pageBytes: UInt64 = 4096
    private static let lowestAddress: UInt64 = 0x1_0000
}

extension SimulatedKernel {
    package func process(_ id: ProcessID) -> Process? { table[id] }

    package mutating func start(
        as credentials: Credentials, parent: ProcessID = 0
    ) -> ProcessID {
        spaces[nextSpace] = []
        defer { nextSpace += 1 }
        return enter(
            Process(
                id: nextID, parent: parent, credentials: credentials, space: nextSpace))
    }

    /// Changes a process in place; ESRCH when there is none.
    package mutating func change(
        _ id: ProcessID, _ body: (inout Process) -> Void
    ) throws(KernelFailure) {
        guard var process = table[id] else { throw .noSuchProcess }
        body(&process)
        table[id] = process
    }

    /// Maps `bytes` at the next free page; ENOSYS where secret memory is asked for and not there.
    package mutating func map(
        _ bytes: [UInt8], kind: MemoryKind, in id: ProcessID
    ) throws(KernelFailure) -> UInt64 {
        guard let process = table[id] else { throw .noSuchProcess }
        guard kind != .secret || features.memfdSecret else { throw .notImplemented }
        let end = spaces[process.space]?.last?.range.upperBound ?? Self.lowestAddress
        let start = (end + Self.pageBytes) / Self.pageBytes * Self.pageBytes
        spaces[process.space, default: []].append(
            Mapping(start: start, kind: kind, bytes: bytes))
        return start
    }

    /// Wiped and unmapped: every mapping of that kind.
    mutating func unmap(_ kind: MemoryKind, of id: ProcessID) throws(KernelFailure) {
        guard let process = table[id] else { throw .noSuchProcess }
        spaces[process.space]?.removeAll { $0.kind == kind }
    }

    /// Ends a process and everything that descends from it.
    mutating func endTree(_ root: ProcessID) {
        guard root != 0 else { return }
        var tree: Set<ProcessID> = [root]
        // Children have higher numbers than their parents.
        for id in table.keys.sorted() where table[id].map({ tree.contains($0.parent) }) ?? false {
            tree.insert(id)
        }
        for id in tree.sorted() { end(id) }
    }

    /// Puts a descriptor into a process at the first free number.
    package mutating func open(
        _ descriptor: Descriptor, in id: ProcessID
    ) throws(KernelFailure) -> Int32 {
        guard var process = table[id] else { throw .noSuchProcess }
        var number = Self.firstDescriptor
        while process.descriptors[number] != nil { number += 1 }
        process.descriptors[number] = descriptor
        table[id] = process
        return number
    }

    func mappings(of id: ProcessID) throws(KernelFailure) -> [Mapping] {
        guard let process = table[id] else { throw .noSuchProcess }
        return spaces[process.space] ?? []
    }

    /// Enters a new process with the next free number.
    mutating func enter(_ process: Process) -> ProcessID {
        table[process.id] = process
        nextID = max(nextID, process.id) + 1
        return process.id
    }

    /// A child of `parent`: sharing its memory, with a copy of it, or with none.
    mutating func makeChild(of parent: Process, memory: ChildMemory) -> ProcessID {
        var space = parent.space
        if memory != .shared {
            space = nextSpace
            nextSpace += 1
            spaces[space] = memory == .copied ? spaces[parent.space] : []
        }
        var child = Process(
            id: nextID, parent: parent.id, credentials: parent.credentials, space: space)
        child.isDumpable = memory == .none ? true : parent.isDumpable
        child.tracer = parent.tracer
        child.descriptors = parent.descriptors
        child.deniedCalls = parent.deniedCalls
        child.unsupportedCalls = parent.unsupportedCalls
        child.killsForeignEntries = parent.killsForeignEntries
        if rules.inheritsProtection { protection[child.id] = protection[parent.id] }
        return enter(child)
    }

    enum ChildMemory { case shared, copied, none }
}

extension SimulatedKernel {
    package var processes: [ProcessRecord] {
        table.values.sorted { $0.id < $1.id }.map { process in
            let numbers = process.descriptors.keys.sorted()
            let secret = numbers.filter {
                if case .secretMemory = process.descriptors[$0] { true } else { false }
            }
            return ProcessRecord(
                id: process.id, parent: process.parent, user: process.credentials.user,
                isDumpable: process.isDumpable, tracer: process.tracer,
                secretDescriptors: secret,
                otherDescriptors: numbers.filter { !secret.contains($0) })
        }
    }

    package func regions(of id: ProcessID) throws(KernelFailure) -> [MemoryRegion] {
        try mappings(of: id).map { MemoryRegion(range: $0.range, kind: $0.kind) }
    }

    package mutating func takeEvents() -> KernelEventBatch { reports.take() }
}
