// SPDX-License-Identifier: Apache-2.0
package import EnforcementEvents
package import EventPorts
package import Ports

/// Takes the agent's events, chains them and puts them into every sink's queue. Never waits for a
/// sink.
package struct EventPipeline<Hasher: EventHasher, Signer: CheckpointSigner & ~Copyable>: ~Copyable {
    package struct Policy: Sendable, Equatable {
        /// So many lines after a checkpoint comes the next one.
        package var checkpointLines: UInt64
        /// Or so much time after it, when there were lines.
        package var checkpointInterval: Duration
        package var heartbeatSeconds: UInt32
        package var generation: UInt64

        package init(
            checkpointLines: UInt64 = 1000, checkpointInterval: Duration = .seconds(60),
            heartbeatSeconds: UInt32 = 30, generation: UInt64 = 0
        ) {
            self.checkpointLines = checkpointLines
            self.checkpointInterval = checkpointInterval
            self.heartbeatSeconds = heartbeatSeconds
            self.generation = generation
        }
    }

    /// The machine that every event is stamped with.
    package struct Host: Sendable, Equatable {
        package var boot: BootID?
        package var node: EventText?

        package init(boot: BootID?, node: String?) {
            self.boot = boot
            self.node = node.map { EventText($0, bytesMax: EventLimits.labelBytesMax) }
        }
    }

    package var policy: Policy
    private let host: Host
    private var chain: EventChain<Hasher>
    private var signer: Signer?
    private let channels: [SinkChannel]
    private var linesTotal: UInt64 = 0
    private var unsignedLines: UInt64 = 0
    private var lostElsewhere: UInt64 = 0
    private var lastCheckpoint: MonotonicTime
    private var nextHeartbeat: MonotonicTime
    /// Checkpoints that could not be signed, and why the last one could not.
    package private(set) var unsignedCheckpoints: UInt64 = 0
    package private(set) var checkpointFailure: CheckpointFailure?

    /// - Parameters:
    ///   - signer: nil: no checkpoints are made.
    ///   - now: intervals count from here.
    package init(
        chain: EventChain<Hasher>, signer: consuming Signer?, channels: [SinkChannel], host: Host,
        policy: Policy, now: MonotonicTime
    ) {
        self.chain = chain
        self.signer = signer
        self.channels = channels
        self.host = host
        self.policy = policy
        lastCheckpoint = now
        nextHeartbeat = now
    }

    package var lastLine: EventLink? { chain.last }

    /// Lost lines and events of all sinks and of the kernel's rings.
    package var lostTotal: UInt64 {
        channels.reduce(lostElsewhere) { $0 + $1.counters.lost }
    }

    /// Chains the event and hands it to every sink's queue.
    package mutating func record(_ event: EnforcementEvent) {
        var stamped = event
        stamped.boot = stamped.boot ?? host.boot
        stamped.node = stamped.node ?? host.node
        if case .loss(let loss) = event.details, loss.source != .sink {
            lostElsewhere += loss.count
        }
        send(chain.append(stamped))
        if unsignedLines >= policy.checkpointLines { checkpoint(at: event.time) }
    }

    /// Tells losses, beats and signs, as far as each is due. To be called often: at least every
    /// second.
    ///
    /// - Parameter protectedTasks: how many tasks are under protection.
    package mutating func tick(
        at moment: EnforcementEvent.Moment, now: MonotonicTime, protectedTasks: UInt32
    ) {
        for loss in channels.flatMap({ $0.takeLosses() }) {
            record(event(.eventLoss, at: moment, .loss(loss)))
        }
        if now >= nextHeartbeat {
            nextHeartbeat = now.advanced(by: .seconds(Int64(policy.heartbeatSeconds)))
            let heartbeat = EventHeartbeat(
                intervalSeconds: policy.heartbeatSeconds, eventsTotal: linesTotal,
                lostTotal: lostTotal, protectedTasks: protectedTasks)
            record(event(.heartbeat, at: moment, .heartbeat(heartbeat)))
        }
        if unsignedLines > 0, lastCheckpoint.duration(to: now) >= policy.checkpointInterval {
            lastCheckpoint = now
            checkpoint(at: moment)
        }
    }

    /// Signs what has not been signed. A failure is noted and tried again with the next interval.
    package mutating func checkpoint(at moment: EnforcementEvent.Moment) {
        // One try for so many lines: a signer that is away must not be asked for each of them.
        unsignedLines = 0
        guard let message = chain.checkpointMessage(at: moment.occurred) else { return }
        guard let (key, signature) = sign(message) else { return }
        let line = chain.appendCheckpoint(
            at: moment, key: key, signature: signature, policyGeneration: policy.generation,
            boot: host.boot, node: host.node)
        guard let line else {
            fail(.refused)
            return
        }
        send(line)
        unsignedLines = 0
        checkpointFailure = nil
    }

    private mutating func sign(_ message: [UInt8]) -> (CheckpointKey, [UInt8])? {
        do throws(CheckpointFailure) {
            guard let signature = try signer?.sign(message), let key = signer?.key else {
                return nil
            }
            return (key, signature)
        } catch {
            fail(error)
            return nil
        }
    }

    private mutating func fail(_ failure: CheckpointFailure) {
        unsignedCheckpoints += 1
        checkpointFailure = failure
    }

    private mutating func send(_ line: EventLine) {
        linesTotal += 1
        unsignedLines += 1
        for channel in channels { channel.offer(line) }
    }

    private func event(
        _ type: EventType, at moment: EnforcementEvent.Moment, _ details: EventDetails
    ) -> EnforcementEvent {
        EnforcementEvent(
            type, time: moment, policyGeneration: policy.generation, details: details)
    }
}

extension EventType {
    /// What a report of a loaded program is published as.
    package init(_ type: KernelEventType, verdict: EventVerdict) {
        switch type {
        case .ptraceAttach: self = verdict == .denied ? .ptraceDenied : .ptraceObserved
        case .processMemoryRead: self = .processMemoryRead
        case .environmentRead: self = .environmentRead
        case .moduleLoad: self = .moduleLoad
        case .programLoad: self = .programLoad
        case .secretLeak: self = .secretLeak
        }
    }
}
