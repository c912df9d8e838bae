// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AgentProtocol
import AttackPrograms
import Enforcement
@preconcurrency import Glibc
import LibbpfKernel
import Ports

/// The agent's programs in this guest, and the books about what they did.
struct GuardedKernel: ~Copyable {
    static let workload: EnrolmentID = 7
    static let workloadPolicy: UInt32 = 1

    private(set) var kernel: LibbpfKernel
    private var before: [VectorNumber: EnforcementCounts] = [:]

    init(tier: EnforcementTier) throws(EnforcementFailure) {
        var loaded = try LibbpfKernel(tier: tier)
        try loaded.setRate(EnforcementRate(perSecond: 0, burst: 0), generation: 1)
        kernel = loaded
    }

    /// The LSM programs with the usual policy, or why the kernel does not take them.
    static func denying() throws(EnforcementFailure) -> GuardedKernel {
        var guarded = try GuardedKernel(tier: .lsm)
        try guarded.set(.enforcing)
        return guarded
    }

    /// How many calls have been denied.
    var denied: UInt64 { current().values.reduce(0) { $0 + $1.denied } }

    /// Whether these programs deny, by attacking a victim.
    mutating func works() -> Bool {
        guard let child = ChildProcess(["probe-wait"]), child.readLine() == "ready" else {
            return false
        }
        defer {
            kill(child.pid, SIGKILL)
            child.reap()
        }
        do throws(EnforcementFailure) {
            try set(.enforcing)
            return enrol(child.pid).count == 1 && SelfTest.reads(child.pid) == EPERM
        } catch {
            return false
        }
    }

    /// Pins everything and guards it, as the agent does. This process is the agent then.
    mutating func guardItself() throws(EnforcementFailure) {
        let pins = PinFolder()
        try kernel.pin(to: pins)
        try kernel.guardItself(pins, successor: .sameFile)
    }

    mutating func set(_ policy: EnforcementPolicy) throws(EnforcementFailure) {
        try kernel.setPolicy(policy, at: 0)
        try kernel.setPolicy(policy, at: Self.workloadPolicy)
    }

    /// Enrols a process as part of the guest's one workload. Whether any thread was found.
    mutating func enrol(_ pid: pid_t, role: EnrolledRole = []) -> [EnrolledTask] {
        do throws(EnforcementFailure) {
            return try kernel.enrol(
                pid, as: Self.workload, role: role, policy: Self.workloadPolicy)
        } catch {
            return []
        }
    }

    mutating func scan(_ request: ScanRequest) throws(EnforcementFailure) {
        try kernel.scan(request, for: Self.workload)
    }

    mutating func endScan() { kernel.endScan(of: Self.workload) }

    /// Takes what is in the ring, and remembers the counts.
    mutating func openBooks() {
        _ = drain()
        before = current()
    }

    /// Records since the books were opened, and per vector what the kernel counted.
    mutating func closeBooks() -> Books {
        let records = drain()
        var counted = current()
        for (vector, earlier) in before {
            counted[vector]?.attempts -= earlier.attempts
            counted[vector]?.records -= earlier.records
            counted[vector]?.suppressed -= earlier.suppressed
            counted[vector]?.dropped -= earlier.dropped
        }
        return Books(records: records, counts: counted.filter { $0.value.attempts > 0 })
    }

    private func current() -> [VectorNumber: EnforcementCounts] {
        do throws(EnforcementFailure) { return try kernel.counts() } catch { return [:] }
    }

    private mutating func drain() -> [EnforcementRecord] {
        var all: [EnforcementRecord] = []
        do throws(EnforcementFailure) {
            while true {
                let some = try kernel.takeRecords(
                    atMost: LibbpfKernel.recordsMax, waiting: 0)
                if some.isEmpty { return all }
                all += some
            }
        } catch {
            return all
        }
    }
}

/// What one attack left in the agent's books.
struct Books {
    let records: [EnforcementRecord]
    let counts: [VectorNumber: EnforcementCounts]

    /// Whether every attempt that the kernel counted is a record, or counted as none.
    var isBalanced: Bool {
        let vectors = Set(counts.keys).union(records.map(\.vector))
        return vectors.allSatisfy { vector in
            let found = UInt64(records.filter { $0.vector == vector }.count)
            let count = counts[vector] ?? EnforcementCounts()
            return count.records == found
                && count.attempts == count.records + count.suppressed + count.dropped
        }
    }

    func records(of vector: VectorNumber) -> [EnforcementRecord] {
        records.filter { $0.vector == vector }
    }

    var text: String {
        let sums = counts.sorted { $0.key < $1.key }
        return sums.map { "\($0.key): \($0.value.attempts)" }.joined(separator: ", ")
    }
}
