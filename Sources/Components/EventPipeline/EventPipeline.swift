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
    /// Behind the last signed line.
    package private(set) var unsignedLines: UInt64 = 0
    /// Since a signature was last asked for.
    private var untriedLines: UInt64 = 0
    /// The line that is being signed, and when that was asked for.
    private var request: (link: EventLink, moment: EnforcementEvent.Moment)?
    private var lostElsewhere: UInt64 = 0
    /// Events that tell a loss.
    package private(set) var toldLosses: UInt64 = 0
    private var lastTry: MonotonicTime
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
        lastTry = now
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
        if case .loss(let loss) = event.details {
            toldLosses += 1
            if loss.source != .sink { lostElsewhere += loss.count }
        }
        send(chain.append(stamped))
        if untriedLines >= policy.checkpointLines { checkpoint(at: event.time) }
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
        settle(within: .zero)
        // A try that failed is made again, not before the next interval.
        if unsignedLines > 0, lastTry.duration(to: now) >= policy.checkpointInterval {
            lastTry = now
            checkpoint(at: moment)
        }
    }

    // MARK: Checkpoints

    /// Asks for a signature over all lines so far, unless an answer is still awaited.
    package mutating func checkpoint(at moment: EnforcementEvent.Moment) {
        // One try for so many lines: a signer that is away must not be asked for each of them.
        untriedLines = 0
        guard request == nil, let last = chain.last else { return }
        guard signer?.request(EventCheckpoint.message(of: last, at: moment.occurred)) != nil else {
            return
        }
        request = (last, moment)
        settle(within: .zero)
    }

    /// The last checkpoint: waits for the signer, which nothing else waits for.
    package mutating func lastCheckpoint(
        at moment: EnforcementEvent.Moment, within duration: Duration
    ) {
        settle(within: duration)
        checkpoint(at: moment)
        settle(within: duration)
    }

    private mutating func settle(within duration: Duration) {
        guard let (signed, moment) = request, let answer = signer?.take(within: duration) else {
            return
        }
        request = nil
        switch answer {
        case .failed(let failure): fail(failure)
        case .signed(let key, let signature):
            let line = chain.appendCheckpoint(
                of: signed, at: moment, key: key, signature: signature,
                policyGeneration: policy.generation, boot: host.boot, node: host.node)
            guard let line else { return fail(.refused) }
            send(line)
            unsignedLines = line.link.index - signed.index - 1
            untriedLines = unsignedLines
            checkpointFailure = nil
        }
    }

    private mutating func fail(_ failure: CheckpointFailure) {
        unsignedCheckpoints += 1
        checkpointFailure = failure
    }

    private mutating func send(_ line: EventLine) {
        linesTotal += 1
        unsignedLines += 1
        untriedLines += 1
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
