// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import Enforcement
import EnforcementEvents
import EventIntegrity
import EventPipeline
import Ports
import Synchronization
import Testing

/// A recorder, its clock, and what it told.
private final class RecorderBench {
    typealias Recorder = EventRecorder<OpenSSLEventHasher, TestSigner, TestTime>

    let time = TestTime()
    private let channel = SinkChannel(sink: "one") {}
    private let isAway: @Sendable () -> Bool

    init(isAway: @escaping @Sendable () -> Bool = { false }) { self.isAway = isAway }

    func recorder() -> Recorder {
        time.advance(.seconds(100))
        let pipeline = EventPipeline(
            chain: Sample.chain(), signer: TestSigner(isAway: isAway), channels: [channel],
            host: .init(boot: nil, node: nil), policy: .init(), now: time.monotonic())
        return Recorder(pipeline: pipeline, channels: [channel], time: time, version: "9.9")
    }

    /// What came since the last call.
    func events() -> [EnforcementEvent] {
        var sink = ScriptedSink(name: "one")
        var entropy = TestEntropy(state: 1)
        while channel.step(&sink, time: time, entropy: &entropy) == .again {}
        return sink.received.map(\.event)
    }
}

@Suite struct `The recorder's events` {
    private static func process(_ id: ProcessID, enrolment: UInt32 = 0) -> EnforcementProcess {
        EnforcementProcess(
            thread: id, group: id + 1, started: 77, executableInode: 4, executableDevice: 5,
            cgroup: 6, capabilities: 7, user: 8, enrolment: enrolment, role: [],
            name: [UInt8](repeating: UInt8(ascii: "n"), count: 16))
    }

    private static func record(
        _ vector: VectorNumber, _ verdict: EventVerdict = .denied
    ) -> EnforcementRecord {
        EnforcementRecord(
            time: 40_000_000_000, processor: 3, sequence: 12, suppressed: 2, vector: vector,
            hook: "file_open", tier: .modifyReturn, verdict: verdict, detail: 0,
            policyGeneration: 6, actor: process(10), target: process(20, enrolment: 17),
            object: Array("mem".utf8))
    }

    private static func event(_ record: EnforcementRecord) throws -> EnforcementEvent {
        let bench = RecorderBench()
        var recorder = bench.recorder()
        recorder.record(record, missing: nil)
        let events = bench.events()
        #expect(events.count == 1)
        return try #require(events.first)
    }

    @Test func `have the type of their vector's event, for every vector`() throws {
        let types: [String: EventType] = [
            "PROCMEM_READ": .processMemoryRead, "ENVIRON_READ": .environmentRead,
            "SECRET_LEAK": .secretLeak, "BPF_LOAD": .programLoad, "MODULE_LOAD": .moduleLoad,
            "GUARD_DENIED": .guardDenied,
        ]
        for vector in EnforcedVector.all {
            for verdict in EventVerdict.allCases {
                let event = try Self.event(Self.record(vector.number, verdict))
                let isTrace = vector.event == "PTRACE_ATTACH"
                let traced: EventType = verdict == .observed ? .ptraceObserved : .ptraceDenied
                #expect(event.type == (isTrace ? traced : types[vector.event]), "\(vector.number)")
                #expect(event.vector == vector.number && event.verdict == verdict)
            }
        }
        #expect(Set(EnforcedVector.all.map(\.event)) == Set(types.keys).union(["PTRACE_ATTACH"]))
    }

    @Test func `carry what the record has`() throws {
        let vector = try #require(VectorNumber("AV-008"))
        let event = try Self.event(Self.record(vector))
        #expect(event.tier == .modifyReturn && event.hook?.text == "file_open")
        #expect(event.errorNumber == 1 && event.suppressed == 2 && event.policyGeneration == 6)
        #expect(event.origin == .init(cpu: 3, sequence: 12) && event.object?.text == "mem")
        #expect(event.enrolment == 17)
        let actor = try #require(event.actor)
        #expect(actor.id == 10 && actor.groupID == 11 && actor.startNanoseconds == 77)
        #expect(actor.executable == .init(device: 5, inode: 4))
        #expect(actor.cgroup == 6 && actor.capabilities == 7 && actor.user == 8)
        // The sixteenth byte is told as missing.
        #expect(actor.name.text == String(repeating: "n", count: 15) + "\\+1")
        #expect(event.target?.id == 20)
        var plain = Self.record(vector, .observed)
        plain.target = nil
        plain.object = []
        let observed = try Self.event(plain)
        #expect(observed.errorNumber == nil && observed.target == nil && observed.object == nil)
        #expect(observed.enrolment == nil)
    }

    /// The call has a result of its own, and "denied" would be a claim.
    @Test func `of the signal tier say killed, and neither denied nor EPERM`() throws {
        let attach = try #require(VectorNumber("AV-001"))
        var killed = Self.record(attach, .killed)
        #expect(try Self.event(killed).type == .ptraceDenied, "control: denied and killed")
        killed.tier = .signal
        let event = try Self.event(killed)
        #expect(event.type == .ptraceObserved && event.verdict == .killed)
        #expect(event.errorNumber == nil && event.tier == .signal)
    }

    @Test func `say which way bytes would have gone, where that is known`() throws {
        let cases: [(String, UInt64, EventAccess?)] = [
            ("AV-001", 0, nil), ("AV-004", 1, .read), ("AV-005", 3, .write), ("AV-006", 1, .read),
            ("AV-006", 2, .write), ("AV-006", 3, .write), ("AV-008", 0, .read),
            ("AV-009", 0, .write), ("AV-011", 0, nil), ("AV-033", 0, .write), ("AV-044", 1, .read),
            ("AV-049", 2, .write), ("AV-054", 2, .write), ("AV-121", 0, nil),
        ]
        for (vector, detail, access) in cases {
            var record = Self.record(try #require(VectorNumber(vector)))
            record.detail = detail
            #expect(try Self.event(record).access == access, "\(vector) \(detail)")
        }
        // OCSF's Memory Activity: 7 Read, 8 Write.
        for (vector, type) in [("AV-008", 100_407), ("AV-009", 100_408), ("AV-005", 100_408)] {
            let event = try Self.event(Self.record(try #require(VectorNumber(vector))))
            var chain = Sample.chain()
            let json = String(decoding: OCSFEvent.json(chain.append(event)), as: UTF8.self)
            #expect(json.contains("\"type_uid\":\(type),"), "\(vector): \(json)")
        }
    }

    @Test func `of the content scan say what was seen, and whose value it was`() throws {
        var record = Self.record(try #require(VectorNumber("AV-088")))
        record.hook = "socket_sendmsg"
        record.detail = 5432 << 32 | 1 << 24 | 3 << 16 | 2
        record.actor.enrolment = 17
        let found = try Self.event(record)
        guard case .leak(let leak) = found.details else {
            Issue.record("no leak")
            return
        }
        #expect(leak.reason == .value && leak.value == 2 && leak.form == .hex)
        #expect(leak.port == 5432 && found.enrolment == 17)
        for (number, reason) in EventLeak.Reason.allCases.enumerated() {
            record.detail = UInt64(number + 1) << 24 | 7
            guard case .leak(let leak) = try Self.event(record).details else {
                Issue.record("no leak")
                return
            }
            #expect(leak.reason == reason && (leak.value == nil) == (reason != .value))
            #expect(leak.port == nil)
        }
        // Another hook's detail, and what no scan says.
        record.detail = 9 << 24
        #expect(try Self.event(record).details == .none)
        record.detail = 1 << 24
        record.hook = "system_call"
        #expect(try Self.event(record).details == .none)
    }

    @Test func `tell a checkpoint's failure once, and again when the reason is another`() {
        let isAway = Mutex(true)
        let bench = RecorderBench(isAway: { isAway.withLock { $0 } })
        var recorder = bench.recorder()
        func reasons(after duration: Duration) -> [String] {
            bench.time.advance(duration)
            recorder.tick(protectedTasks: 0)
            return bench.events().compactMap { event -> String? in
                guard case .agent(let agent) = event.details else { return nil }
                return agent.reason.text
            }
        }
        #expect(reasons(after: .seconds(60)) == ["checkpoint not signed: test"])
        #expect(reasons(after: .seconds(60)) == [] && recorder.unsignedCheckpoints == 2)
        isAway.withLock { $0 = false }
        #expect(reasons(after: .seconds(60)) == [])
        isAway.withLock { $0 = true }
        #expect(reasons(after: .seconds(60)) == ["checkpoint not signed: test"])
    }

    @Test func `have the time of the attempt, not of its arrival`() throws {
        let vector = try #require(VectorNumber("AV-008"))
        let wall: UInt64 = 1_790_000_000_000_000_000
        // The clock stands at 100 s; the attempt was at 40 s.
        let event = try Self.event(Self.record(vector))
        #expect(event.time.occurred == EventTime(nanoseconds: wall - 60_000_000_000))
        #expect(event.time.detected == EventTime(nanoseconds: wall))
        #expect(event.time.monotonicNanoseconds == 40_000_000_000)
        // A record of another processor may be ahead of this one's clock by a little.
        var early = Self.record(vector)
        early.time = 100_000_000_001
        let ahead = try Self.event(early)
        #expect(ahead.time.occurred == EventTime(nanoseconds: wall))
        #expect(ahead.time.monotonicNanoseconds == 100_000_000_000)
        // Before 1970 there is no time.
        early.time = 0
        #expect(try Self.event(early).time.monotonicNanoseconds == 0)
    }

    @Test func `tell a loss before the record behind it, exactly`() throws {
        let bench = RecorderBench()
        var recorder = bench.recorder()
        let vector = try #require(VectorNumber("AV-008"))
        recorder.record(Self.record(vector), missing: nil)
        #expect(recorder.toldLosses == 0)
        recorder.record(Self.record(vector), missing: 5...11)
        #expect(recorder.toldLosses == 1)
        recorder.record(Self.record(vector), missing: 1...UInt64.max - 7)
        let events = bench.events()
        #expect(
            events.map(\.type) == [
                .processMemoryRead, .eventLoss, .processMemoryRead, .eventLoss, .processMemoryRead,
            ])
        #expect(recorder.toldLosses == 2)
        let loss = EventLoss(source: .ring, cpu: 3, from: 5, to: 11, count: 7)
        #expect(events[1].details == .loss(loss))
        let largest = EventLoss(source: .ring, cpu: 3, from: 1, to: .max - 7, count: .max - 7)
        #expect(events[3].details == .loss(largest))
    }

    @Test func `tell the start, the policy's generation and the end`() throws {
        let bench = RecorderBench()
        var recorder = bench.recorder()
        let open = try ["AV-044", "AV-008"].map { try #require(VectorNumber($0)) }
        recorder.started(tier: .lsm, denied: 3, open: open, generation: 1)
        recorder.policyChanged(generation: 2, mode: .detect)
        recorder.stopped(signal: 15)
        let events = bench.events()
        #expect(events.map(\.type) == [.agentStart, .policyChange, .agentStop, .checkpoint])
        #expect(events.map(\.policyGeneration) == [1, 2, 2, 2])
        #expect(events[0].tier == .lsm)
        let reasons = [
            "3 vectors seen denied by lsm; not denied: AV-044 AV-008", "mode detect", "signal 15",
        ]
        for (event, reason) in zip(events, reasons) {
            #expect(event.details == .agent(EventAgent(version: "9.9", reason: reason)))
        }
    }

    @Test func `tell a failure as one, and not as a start`() {
        let failures: [(EnforcementFailure, String)] = [
            (.notPermitted, "bpf(2) is not permitted"),
            (.unsupported(detail: "no BTF"), "not supported by this kernel: no BTF"),
            (.noSuchProcess, "no such process"), (.full(table: "tasks"), "table tasks is full"),
            (.systemCall("bpf", errorNumber: 12), "bpf: error 12"),
        ]
        let bench = RecorderBench()
        var recorder = bench.recorder()
        for (failure, _) in failures { recorder.failed(failure) }
        recorder.failed(reloading: "line 3: no")
        let events = bench.events()
        #expect(events.allSatisfy { $0.type == .agentFailure && $0.verdict == nil })
        #expect(events.allSatisfy { $0.severity == .warning })
        let reasons = failures.map(\.1) + ["policy not changed: line 3: no"]
        #expect(
            events.map(\.details)
                == reasons.map { .agent(EventAgent(version: "9.9", reason: $0)) })
    }

    @Test func `tell who was enrolled, who was refused and why`() {
        let bench = RecorderBench()
        var recorder = bench.recorder()
        let peer = AgentPeer(process: 4711, user: 1000)
        recorder.enrolled(17, peer)
        recorder.refused("traced", peer)
        let events = bench.events()
        #expect(events.map(\.type) == [.enrolment, .enrolment])
        #expect(events.map(\.verdict) == [.observed, .denied])
        #expect(events.map { $0.enrolment } == [17, nil])
        #expect(events.map { $0.object?.text } == ["process 4711", "process 4711: traced"])
    }

    @Test func `beat with the tasks under protection, and sinks are as they stand`() {
        let bench = RecorderBench()
        var recorder = bench.recorder()
        recorder.tick(protectedTasks: 7)
        #expect(recorder.sinks == [SinkFacts(name: "one", delivered: 0, lost: 0, waiting: 1)])
        let events = bench.events()
        #expect(events.map(\.type) == [.heartbeat])
        guard case .heartbeat(let beat) = events.first?.details else {
            Issue.record("no heartbeat")
            return
        }
        #expect(beat.protectedTasks == 7)
        #expect(recorder.sinks == [SinkFacts(name: "one", delivered: 1, lost: 0, waiting: 0)])
    }
}
