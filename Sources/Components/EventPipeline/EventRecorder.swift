// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
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
    private var places: (any PlaceDirectory)?
    private let pods: (any PodDirectory)?
    private var toldFailure: CheckpointFailure?

    /// How long the agent's end waits for the signature over its last line.
    private static var lastCheckpointLimit: Duration { .seconds(5) }

    package init(
        pipeline: consuming EventPipeline<Hasher, Signer>, channels: [SinkChannel], time: Time,
        version: String, places: (any PlaceDirectory)? = nil, pods: (any PodDirectory)? = nil
    ) {
        self.places = places
        self.pods = pods
        self.pipeline = pipeline
        self.channels = channels
        self.time = time
        self.version = version
    }

    /// Tells what the sinks' logs showed of the agent before; to be called first.
    package mutating func began(_ start: EventChainStart, hasher: Hasher) {
        for torn in start.torn {
            let line = EventTornLine(
                sink: torn.sink, byteCount: UInt64(torn.bytes.count),
                hash: hasher.sha256(torn.bytes))
            pipeline.record(make(.agentFailure, .torn(line)))
        }
        for loss in start.losses { pipeline.record(make(.eventLoss, .loss(loss))) }
        for failure in start.failures {
            fail(
                "\(failure.sink): the log before is not readable (error "
                    + "\(failure.errorNumber)); the chain does not go on behind it")
        }
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
        pipeline.lastCheckpoint(at: event.time, within: Self.lastCheckpointLimit)
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

    package mutating func suspected(_ reason: String, _ peer: AgentPeer) {
        var event = make(.enrolment, .none)
        event.object = EventText(
            "process \(peer.process): \(reason)", bytesMax: EventLimits.objectBytesMax)
        event.verdict = .observed
        pipeline.record(event)
    }

    package mutating func tierChanged(_ vector: VectorNumber, from: EventTier, to: EventTier) {
        var event = make(.tierDowngrade, .tierChange(from: from, to: to))
        event.vector = vector
        event.tier = to
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
        let failure = pipeline.checkpointFailure
        // Each reason once, until a checkpoint was signed again.
        if let failure, failure != toldFailure { fail("checkpoint not signed: \(failure.text)") }
        toldFailure = failure
    }

    package var unsignedCheckpoints: UInt64 { pipeline.unsignedCheckpoints }

    package var toldLosses: UInt64 { pipeline.toldLosses }

    package var lastLine: EventLink? { pipeline.lastLine }

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

    private mutating func process(_ process: EnforcementProcess) -> EventProcess {
        var described = EventProcess(process)
        if let place = places?.place(of: process) {
            described.place = EventPlace(place, place.podUID.flatMap { pods?.names(ofPod: $0) })
        }
        return described
    }

    private mutating func event(of record: EnforcementRecord) -> EnforcementEvent {
        let verdict = record.verdict
        var event = EnforcementEvent(
            record.eventType, time: moment(record.time),
            policyGeneration: UInt64(record.policyGeneration))
        event.vector = record.vector
        event.verdict = verdict
        event.tier = EventTier(record.tier)
        event.access = EventAccess(record)
        event.hook = EventText(record.hook, bytesMax: EventLimits.wordBytesMax)
        // A call that was not denied has a result of its own.
        event.errorNumber = verdict == .observed || record.tier == .signal ? nil : 1
        event.actor = process(record.actor)
        if let target = record.target { event.target = process(target) }
        if let enrolment = record.target?.enrolment, enrolment != 0 {
            event.enrolment = UInt64(enrolment)
        }
        if EnforcementRecord.scanHooks.contains(record.hook),
            let leak = EventLeak(detail: record.detail)
        {
            event.details = .leak(leak)
            event.enrolment = UInt64(record.actor.enrolment)
        }
        if !record.object.isEmpty {
            event.object = EventText(record.object, bytesMax: EventLimits.objectBytesMax)
        }
        event.origin = EnforcementEvent.Origin(cpu: record.processor, sequence: record.sequence)
        event.suppressed = record.suppressed
        return event
    }
}

extension EventPlace {
    init(_ place: ContainerPlace, _ names: PodNames?) {
        self.init(
            container: place.container, runtime: place.runtime, podUID: place.podUID,
            pod: names?.pod, namespace: names?.namespace, workload: names?.workload)
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
