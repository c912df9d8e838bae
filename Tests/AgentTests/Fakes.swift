// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import AgentProtocol
import Enforcement
import EnforcementEvents
import Ports
import Simulation
import Synchronization
import Testing

/// A clock that only a test moves.
final class TestTime: TimeSource, Sendable {
    private let nanoseconds = Mutex<UInt64>(0)

    func monotonic() -> MonotonicTime {
        MonotonicTime(nanoseconds: nanoseconds.withLock { $0 })
    }

    func secondsSince1970() -> Int64 { 1_790_000_000 }

    func advance(_ duration: Duration) {
        let now = monotonic().advanced(by: duration).nanoseconds
        nanoseconds.withLock { $0 = now }
    }
}

/// Programs that do what a test says, and keep what they were told.
final class FakeKernel: Enforcement {
    var hooks = ["file_open", "ptrace_access_check"]
    var policies: [UInt32: EnforcementPolicy] = [:]
    var rates: [(rate: EnforcementRate, generation: UInt32)] = []
    /// Threads alive by enrolment, as `tasks` says.
    var living: [EnrolmentID: Int] = [:]
    /// Numbers that the kernel has an entry for.
    var entries: Set<EnrolmentID> = []
    var enrolled: [(group: ProcessID, id: EnrolmentID, role: EnrolledRole, policy: UInt32)] = []
    var answer: (ProcessID, EnrolmentID) throws(EnforcementFailure) -> [EnrolledTask] = {
        group, id throws(EnforcementFailure) in [.fake(group, id)]
    }
    var records: [EnforcementRecord] = []
    var recordFailure: EnforcementFailure?
    var policyFailures: [EnforcementFailure] = []
    var forgetFailure: EnforcementFailure?
    var countsByVector: [VectorNumber: EnforcementCounts] = [:]

    func enrol(
        _ group: ProcessID, as id: EnrolmentID, role: EnrolledRole, policy index: UInt32
    ) throws(EnforcementFailure) -> [EnrolledTask] {
        enrolled.append((group, id, role, index))
        entries.insert(id)
        let tasks = try answer(group, id)
        living[id] = tasks.count { $0.enrolment == id }
        return tasks
    }

    func forget(_ id: EnrolmentID) throws(EnforcementFailure) -> Bool {
        if let forgetFailure { throw forgetFailure }
        guard living[id, default: 0] == 0 else { return false }
        entries.remove(id)
        return true
    }

    var left = 0
    var untoldLoss: UInt64 = 0
    var earlier: [EnrolledWorkload] = []

    func workloads() throws(EnforcementFailure) -> [EnrolledWorkload] { earlier }

    func takeUntoldLoss() throws(EnforcementFailure) -> UInt64 {
        defer { untoldLoss = 0 }
        return untoldLoss
    }

    func leaveToSuccessor() throws(EnforcementFailure) { left += 1 }

    func tasks(of id: EnrolmentID) throws(EnforcementFailure) -> Int { living[id, default: 0] }

    func setPolicy(
        _ policy: EnforcementPolicy, at index: UInt32
    ) throws(EnforcementFailure) {
        if !policyFailures.isEmpty { throw policyFailures.removeFirst() }
        policies[index] = policy
    }

    func setRate(
        _ rate: EnforcementRate, generation: UInt32
    ) throws(EnforcementFailure) { rates.append((rate, generation)) }

    func takeRecords(
        atMost count: Int, waiting milliseconds: Int32
    ) throws(EnforcementFailure) -> [EnforcementRecord] {
        if let recordFailure { throw recordFailure }
        let taken = Array(records.prefix(count))
        records.removeFirst(taken.count)
        return taken
    }

    func counts() throws(EnforcementFailure) -> [VectorNumber: EnforcementCounts] {
        countsByVector
    }

    var canScan = false
    var scanned: [(request: ScanRequest, id: EnrolmentID)] = []
    var scanFailure: EnforcementFailure?
    var scanTotals = ScanCounts()

    func scan(_ request: ScanRequest, for id: EnrolmentID) throws(EnforcementFailure) {
        if let scanFailure { throw scanFailure }
        scanned.append((request, id))
    }

    var unscanned: [EnrolmentID] = []

    func endScan(of id: EnrolmentID) { unscanned.append(id) }

    func scanCounts() throws(EnforcementFailure) -> ScanCounts { scanTotals }
}

/// Gives a test's inputs, then SIGTERM.
final class FakeHost: AgentHost {
    var inputs: [AgentInput] = []
    var answers: [AgentConnection: String] = [:]
    var gone: Set<AgentConnection> = []
    var failure: AgentHostFailure?
    var beforeNext: () -> Void = {}

    func next(until deadline: MonotonicTime) throws(AgentHostFailure) -> AgentInput {
        beforeNext()
        if let failure { throw failure }
        return inputs.isEmpty ? .end(signal: 15) : inputs.removeFirst()
    }

    func answer(_ connection: AgentConnection, _ text: String) { answers[connection] = text }

    func isConnected(_ connection: AgentConnection) -> Bool { !gone.contains(connection) }
}

/// Writes down what it is told.
final class FakeRecorder: EnforcementRecorder {
    var told: [String] = []
    var records: [(record: EnforcementRecord, missing: ClosedRange<UInt64>?)] = []
    var sinks = [
        SinkFacts(name: "stdout", delivered: 7, lost: 0, waiting: 1),
        SinkFacts(name: "file", delivered: 5, lost: 2, waiting: 0),
    ]

    var unsignedCheckpoints: UInt64 = 3
    var toldLosses: UInt64 = 4
    var lastLine: EventLink? = EventLink(
        place: String(repeating: "0", count: 32) + ":7:" + String(repeating: "1", count: 64))

    func started(
        tier: EnforcementTier, denied: Int, open: [VectorNumber], generation: UInt32
    ) { told.append("started \(tier.word) \(denied) \(open) \(generation)") }

    func lost(whileAway count: UInt64) { told.append("lost \(count)") }

    func stopped(signal: Int32) { told.append("stopped \(signal)") }

    func record(_ record: EnforcementRecord, missing: ClosedRange<UInt64>?) {
        records.append((record, missing))
    }

    func enrolled(_ id: EnrolmentID, _ peer: AgentPeer) {
        told.append("enrolled \(id) \(peer.process)")
    }

    func refused(_ reason: String, _ peer: AgentPeer) {
        told.append("refused \(reason) \(peer.process)")
    }

    func suspected(_ reason: String, _ peer: AgentPeer) {
        told.append("suspected \(reason) \(peer.process)")
    }

    func tierChanged(_ vector: VectorNumber, from: EventTier, to: EventTier) {
        told.append("tier \(vector) \(from.rawValue) \(to.rawValue)")
    }

    func policyChanged(generation: UInt32, mode: PolicySettings.Mode) {
        told.append("policy \(generation) \(mode.rawValue)")
    }

    func failed(_ failure: EnforcementFailure) { told.append("failed \(failure)") }

    func failed(reloading reason: String) { told.append("not reloaded: \(reason)") }

    func tick(protectedTasks: UInt32) { told.append("tick \(protectedTasks)") }
}

final class FakePolicySource: PolicySource {
    var answer: Result<PolicySettings, PolicySourceFailure> = .success(PolicySettings())

    func read() throws(PolicySourceFailure) -> PolicySettings { try answer.get() }
}

/// Places that a test says, by the number of the process.
struct FakePlaces: PlaceDirectory {
    var byGroup: [ProcessID: ContainerPlace]

    func place(of process: EnforcementProcess) -> ContainerPlace? { byGroup[process.group] }
    func place(ofGroup process: ProcessID) -> ContainerPlace? { byGroup[process] }
}

/// Keeps tiers as a file would.
final class FakeTierMemory: TierMemory, Sendable {
    let kept: Mutex<[VectorNumber: EventTier]>
    let failure: TierMemoryFailure?

    init(_ kept: [VectorNumber: EventTier], failure: TierMemoryFailure? = nil) {
        self.kept = Mutex(kept)
        self.failure = failure
    }

    func read() throws(TierMemoryFailure) -> [VectorNumber: EventTier] {
        if let failure { throw failure }
        return kept.withLock { $0 }
    }

    func write(_ tiers: [VectorNumber: EventTier]) throws(TierMemoryFailure) {
        kept.withLock { $0 = tiers }
    }
}

/// An agent with everything around it.
final class Bench {
    let kernel = FakeKernel()
    let host = FakeHost()
    let recorder = FakeRecorder()
    let time = TestTime()
    let source = FakePolicySource()
    var settings = AgentSettings()
    var findings = [VectorFinding.denied("AV-008"), VectorFinding.denied("AV-044")]

    var tier = EnforcementTier.lsm
    var tierMemory: FakeTierMemory?
    var places: [ProcessID: ContainerPlace] = [:]
    var observer: SimulatedWorkloadObserver?

    func agent(
        isAdopted: Bool = false
    ) -> Agent<FakeKernel, FakeHost, TestTime, FakeRecorder> {
        Agent(
            settings: settings, kernel: kernel, tier: tier, findings: findings,
            isAdopted: isAdopted, host: host, time: time, recorder: recorder, policySource: source,
            tierMemory: tierMemory, places: FakePlaces(byGroup: places), observer: observer)
    }

    /// The answer to a registration of process `process`, over connection `process`.
    static func register(
        _ agent: inout Agent<FakeKernel, FakeHost, TestTime, FakeRecorder>, _ process: ProcessID,
        user: UInt32 = 1000, line: String = "register 2"
    ) {
        let peer = AgentPeer(process: process, user: user)
        let request = Array((line + "\n").utf8)
        agent.handle(.registration(AgentConnection(process), peer, request: request))
    }

    /// The observation port's answer.
    func page(
        _ path: String, _ method: String = "GET",
        of agent: inout Agent<FakeKernel, FakeHost, TestTime, FakeRecorder>
    ) throws -> (status: String, head: [String], body: String) {
        agent.handle(.request(77, method: method, path: path))
        let text = try #require(host.answers[77])
        let parts = text.split(
            separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        try #require(parts.count == 2)
        let head = parts[0].split(separator: "\r\n").map(String.init)
        let body = String(parts[1])
        #expect(head.contains("Content-Length: \(body.utf8.count)"))
        return (head[0], head, body)
    }
}

extension EnrolledTask {
    static func fake(
        _ group: ProcessID, _ id: EnrolmentID, tracer: ProcessID? = nil, hold: EnrolledHold = []
    ) -> EnrolledTask {
        EnrolledTask(
            thread: group, group: group, parentGroup: 1, tracerGroup: tracer, enrolment: id,
            hold: hold)
    }
}

extension VectorNumber {
    static func named(_ id: String) -> VectorNumber {
        guard let vector = VectorNumber(id) else { preconditionFailure("\(id) is no vector") }
        return vector
    }
}

extension VectorFinding {
    static func denied(_ id: String) -> VectorFinding {
        VectorFinding(vector: .named(id), result: .denied, control: 0)
    }

    static func open(_ id: String) -> VectorFinding {
        VectorFinding(vector: .named(id), result: .notDenied, control: 0)
    }

    static func killed(_ id: String) -> VectorFinding {
        VectorFinding(vector: .named(id), result: .killed, control: 0)
    }

    static func interrupted(_ id: String) -> VectorFinding {
        VectorFinding(vector: .named(id), result: .interrupted, control: 0)
    }

    static func untested(_ id: String) -> VectorFinding {
        VectorFinding(vector: .named(id), result: .untested, control: 38)
    }
}

extension EnforcementRecord {
    static func fake(
        _ sequence: UInt64, processor: UInt32 = 0, vector: String = "AV-008",
        verdict: EventVerdict = .denied
    ) -> EnforcementRecord {
        let process = EnforcementProcess(
            thread: 2, group: 2, started: 3, executableInode: 4, executableDevice: 5, cgroup: 6,
            capabilities: 7, user: 0, enrolment: 0, role: [], name: Array("gdb".utf8))
        return EnforcementRecord(
            time: 1, processor: processor, sequence: sequence, suppressed: 0,
            vector: .named(vector), hook: "ptrace_access_check", tier: .lsm, verdict: verdict,
            detail: 0, policyGeneration: 1, actor: process, target: nil, object: [])
    }
}
