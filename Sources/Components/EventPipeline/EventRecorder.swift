package import AgentPorts
// SPDX-License-Identifier: Apache-2.0
package import Enforcement
package import EnforcementEvents
package import EventPorts
package import Ports

/// Turns what the programs and the agent report into events, and hands them to the pipeline.
package struct EventRecorder<
    Hasher: EventHasher, Signer: CheckpointSigner & ~Copyable, Time: TimeSource
>: EnforcementRecorder, ~Copyable {
    private var pipeline: EventPipeline<Hasher, Signer>
    private let time: Time
    private let version: String
    private var channels: [SinkChannel]

    package init(
        pipeline: consuming EventPipeline<Hasher, Signer>, channels: [SinkChannel], time: Time,
        version: String
    ) {
        self.pipeline = pipeline
        self.channels = channels
        self.time = time
        self.version = version
    }

    package mutating func started(
        tier: EnforcementTier, denied: Int, open: [VectorNumber], generation: UInt32
    ) {
        pipeline.policy.generation = UInt64(generation)
        let rest =
            open.isEmpty ? "" : "; not denied: " + open.map(\.description).joined(separator: " ")
        var event = make(
            .agentStart,
            .agent(
                EventAgent(
                    version: version, reason: "\(denied) vectors seen denied by \(tier.word)\(rest)"
                )))
        event.tier = EventTier(tier)
        pipeline.record(event)
    }

    package mutating func lost(whileAway count: UInt64) {
        pipeline.record(
            make(.eventLoss, .loss(EventLoss(source: .agent, from: 0, to: 0, count: count))))
    }

    package mutating func stopped(signal: Int32) {
        let event = make(
            .agentStop, .agent(EventAgent(version: version, reason: "signal \(signal)")))
        pipeline.record(event)
        pipeline.checkpoint(at: event.time)
    }

    package mutating func record(_ record: EnforcementRecord, missing: ClosedRange<UInt64>?) {
        if let missing {
            pipeline.record(
                make(
                    .eventLoss,
                    .loss(
                        EventLoss(
                            source: .ring, cpu: record.processor, from: missing.lowerBound,
                            to: missing.upperBound,
                            count: missing.upperBound - missing.lowerBound + 1))))
        }
        pipeline.record(event(of: record))
    }

    package mutating func enrolled(_ id: EnrolmentID, _ peer: AgentPeer) {
        var event = make(.enrolment, .none)
        event.enrolment = UInt64(id)
        event.object = EventText("process \(peer.process)", bytesMax: EventLimits.objectBytesMax)
        event.verdict = .observed
        pipeline.record(event)
    }

    package mutating func refused(_ reason: String, _ peer: AgentPeer) {
        var event = make(.enrolment, .none)
        event.object = EventText(
            "process \(peer.process): \(reason)", bytesMax: EventLimits.objectBytesMax)
        event.verdict = .denied
        pipeline.record(event)
    }

    package mutating func failed(_ failure: EnforcementFailure) {
        fail(Self.text(of: failure))
    }

    package mutating func failed(reloading reason: String) {
        fail("policy not changed: \(reason)")
    }

    package mutating func policyChanged(generation: UInt32, mode: PolicySettings.Mode) {
        pipeline.policy.generation = UInt64(generation)
        let agent = EventAgent(version: version, reason: "mode \(mode.rawValue)")
        pipeline.record(make(.policyChange, .agent(agent)))
    }

    private mutating func fail(_ reason: String) {
        pipeline.record(make(.agentFailure, .agent(EventAgent(version: version, reason: reason))))
    }

    private static func text(of failure: EnforcementFailure) -> String {
        switch failure {
        case .notPermitted: "bpf(2) is not permitted"
        case .unsupported(let detail): "not supported by this kernel: \(detail)"
        case .noSuchProcess: "no such process"
        case .otherTier(let tier): "programs of the tier \(tier.word) are pinned"
        case .full(let table): "table \(table) is full"
        case .systemCall(let call, let number): "\(call): error \(number)"
        }
    }

    package mutating func tick(protectedTasks: UInt32) {
        pipeline.tick(at: moment(nil), now: time.monotonic(), protectedTasks: protectedTasks)
    }

    package var sinks: [SinkFacts] {
        channels.map {
            let counters = $0.counters
            return SinkFacts(
                name: $0.sink, delivered: counters.delivered, lost: counters.lost,
                waiting: UInt64(counters.waiting))
        }
    }

    // MARK: Events

    private func make(_ type: EventType, _ details: EventDetails) -> EnforcementEvent {
        EnforcementEvent(
            type, time: moment(nil), policyGeneration: pipeline.policy.generation,
            details: details)
    }

    /// - Parameter occurred: CLOCK_MONOTONIC in nanoseconds; nil: now.
    private func moment(_ occurred: UInt64?) -> EnforcementEvent.Moment {
        let now = time.monotonic().nanoseconds
        let wall = time.nanosecondsSince1970()
        let then = min(occurred ?? now, now)
        return EnforcementEvent.Moment(
            occurred: EventTime(nanoseconds: wall - min(wall, now - then)),
            detected: EventTime(nanoseconds: wall), monotonicNanoseconds: then)
    }

    private func event(of record: EnforcementRecord) -> EnforcementEvent {
        let verdict = record.verdict
        var event = EnforcementEvent(
            record.eventType, time: moment(record.time),
            policyGeneration: UInt64(record.policyGeneration))
        event.vector = record.vector
        event.verdict = verdict
        event.tier = EventTier(record.tier)
        event.hook = EventText(record.hook, bytesMax: EventLimits.wordBytesMax)
        // A call that was not denied has a result of its own.
        event.errorNumber = verdict == .observed || record.tier == .signal ? nil : 1
        event.actor = EventProcess(record.actor)
        event.target = record.target.map { EventProcess($0) }
        if let enrolment = record.target?.enrolment, enrolment != 0 {
            event.enrolment = UInt64(enrolment)
        }
        if !record.object.isEmpty {
            event.object = EventText(record.object, bytesMax: EventLimits.objectBytesMax)
        }
        event.origin = EnforcementEvent.Origin(cpu: record.processor, sequence: record.sequence)
        event.suppressed = record.suppressed
        return event
    }
}

extension EventTier {
    init(_ tier: EnforcementTier) {
        switch tier {
        case .lsm: self = .lsm
        case .modifyReturn: self = .modifyReturn
        case .systemCall: self = .systemCall
        case .signal: self = .signal
        }
    }
}

extension EventProcess {
    init(_ process: EnforcementProcess) {
        self.init(
            id: process.thread, groupID: process.group, startNanoseconds: process.started,
            name: process.name,
            executable: Executable(
                device: process.executableDevice, inode: process.executableInode),
            user: process.user, capabilities: process.capabilities, cgroup: process.cgroup)
    }
}
