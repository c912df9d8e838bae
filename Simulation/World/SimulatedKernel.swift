// SPDX-License-Identifier: Apache-2.0

/// A kernel's answers to reads of another process's memory, derived from a model of processes,
/// mappings, credentials and hooks. It knows no attack and no expected verdict.
///
/// Follows kernel/ptrace.c (`__ptrace_may_access`), mm/process_vm_access.c and mm/secretmem.c of
/// Linux 6.12; the VM tests compare its verdicts with those of real kernels.
package struct SimulatedKernel: Sendable {
    package typealias ProcessID = Int32

    /// What this kernel was built and booted with.
    package struct Features: Sendable, Equatable {
        /// memfd_secret(2) is built in and switched on.
        package var memfdSecret = true
        /// The active LSM list (/sys/kernel/security/lsm) has `bpf`. Without it an LSM program
        /// loads and attaches without an error, and never runs.
        package var bpfLSM = true

        package init() {}
    }

    /// How a page is backed.
    package enum MemoryKind: Sendable, CaseIterable { case ordinary, locked, secret }

    package struct Mapping: Sendable, Equatable {
        package let start: UInt64
        package let kind: MemoryKind
        package let bytes: [UInt8]

        var range: Range<UInt64> { start..<start + UInt64(bytes.count) }
    }

    package struct Credentials: Sendable, Equatable {
        package var user: UInt32
        /// CAP_SYS_PTRACE in the target's user namespace.
        package var mayTraceAll: Bool

        package static let root = Credentials(user: 0, mayTraceAll: true)

        package init(user: UInt32, mayTraceAll: Bool) {
            self.user = user
            self.mayTraceAll = mayTraceAll
        }
    }

    package struct Process: Sendable, Equatable {
        package let id: ProcessID
        package var credentials: Credentials
        /// PR_SET_DUMPABLE.
        package var isDumpable = true
        package internal(set) var mappings: [Mapping] = []
    }

    /// Error numbers that the model answers with (errno(3)).
    package enum Failure: Int32, Error, Sendable {
        case operationNotPermitted = 1
        case noSuchProcess = 3
        case badAddress = 14
        case notImplemented = 38
    }

    /// The model's rules, each of which a test switches off to see that verdicts depend on it.
    package struct Rules: Sendable, Equatable, CaseIterable {
        package var checksCredentials = true
        package var checksDumpable = true
        package var consultsHooks = true
        package var refusesToPinSecretPages = true

        package init() {}

        /// One copy for each rule, with that rule off.
        package static var allCases: [Rules] {
            [\.checksCredentials, \.checksDumpable, \.consultsHooks, \.refusesToPinSecretPages]
                .map { (rule: WritableKeyPath<Rules, Bool>) in
                    var rules = Rules()
                    rules[keyPath: rule] = false
                    return rules
                }
        }
    }

    package let features: Features
    package var rules = Rules()
    private var processes: [ProcessID: Process] = [:]
    private var nextID: ProcessID = 1
    /// Processes whose tracing the loaded program denies.
    private var guarded: Set<ProcessID> = []

    package init(features: Features = Features()) {
        self.features = features
    }

    package func process(_ id: ProcessID) -> Process? { processes[id] }

    package mutating func start(as credentials: Credentials) -> ProcessID {
        defer { nextID += 1 }
        processes[nextID] = Process(id: nextID, credentials: credentials)
        return nextID
    }

    package mutating func exit(_ id: ProcessID) {
        processes[id] = nil
        guarded.remove(id)
    }

    package mutating func setDumpable(_ isDumpable: Bool, of id: ProcessID) {
        processes[id]?.isDumpable = isDumpable
    }

    /// Maps `bytes` at the next free page; ENOSYS where secret memory is asked for and not there.
    package mutating func map(
        _ bytes: [UInt8], kind: MemoryKind, in id: ProcessID
    ) throws(Failure) -> UInt64 {
        guard var process = processes[id] else { throw .noSuchProcess }
        guard kind != .secret || features.memfdSecret else { throw .notImplemented }
        let end = process.mappings.last?.range.upperBound ?? Self.lowestAddress
        let start = (end + Self.pageBytes) / Self.pageBytes * Self.pageBytes
        process.mappings.append(Mapping(start: start, kind: kind, bytes: bytes))
        processes[id] = process
        return start
    }

    /// Loads the LSM program that denies tracing `id`. Succeeds also where it will never run.
    package mutating func guardAgainstTracing(_ id: ProcessID) {
        guarded.insert(id)
    }

    private static let pageBytes: UInt64 = 4096
    private static let lowestAddress: UInt64 = 0x1_0000
}

extension SimulatedKernel {
    /// process_vm_readv(2) of one remote range.
    ///
    /// - Returns: the bytes read; fewer than `count` when a later page cannot be read.
    /// - Throws: ESRCH, EPERM, or EFAULT when the first page cannot be read.
    package func processVMRead(
        by reader: ProcessID, from target: ProcessID, at address: UInt64, count: Int
    ) throws(Failure) -> [UInt8] {
        guard let victim = processes[target] else { throw .noSuchProcess }
        try checkAccess(by: reader, to: victim)
        var bytes: [UInt8] = []
        while bytes.count < count {
            let next = address + UInt64(bytes.count)
            guard let mapping = victim.mappings.first(where: { $0.range.contains(next) }),
                canPin(mapping.kind)
            else { break }
            let offset = Int(next - mapping.start)
            bytes += mapping.bytes[offset...].prefix(count - bytes.count)
        }
        guard !bytes.isEmpty || count == 0 else { throw .badAddress }
        return bytes
    }

    /// `ptrace_may_access(PTRACE_MODE_ATTACH_REALCREDS)`: credentials, then dumpable, then hooks.
    private func checkAccess(by reader: ProcessID, to victim: Process) throws(Failure) {
        guard let caller = processes[reader]?.credentials else { throw .noSuchProcess }
        // A process reads itself without any check, hooks included.
        guard reader != victim.id else { return }
        let isSameUser = caller.user == victim.credentials.user
        let isAllowed = isSameUser || caller.mayTraceAll
        guard isAllowed || !rules.checksCredentials else { throw .operationNotPermitted }
        let isReadable = victim.isDumpable || caller.mayTraceAll
        guard isReadable || !rules.checksDumpable else { throw .operationNotPermitted }
        let isDenied = features.bpfLSM && guarded.contains(victim.id)
        guard !isDenied || !rules.consultsHooks else { throw .operationNotPermitted }
    }

    /// Whether get_user_pages may take the page: those of secret memory are out of the direct map.
    private func canPin(_ kind: MemoryKind) -> Bool {
        kind != .secret || !rules.refusesToPinSecretPages
    }
}
