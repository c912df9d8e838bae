// SPDX-License-Identifier: Apache-2.0
package import Enforcement

/// One thing the agent has to tell. Holds what the kernel and the agent know, never a byte of a
/// secret: the content that a scan matched is not part of any event.
package struct EnforcementEvent: Sendable, Equatable {
    package var type: EventType
    package var time: Moment
    /// The vector of the attack catalogue; nil where none applies.
    package var vector: VectorNumber?
    /// nil for what the agent says about itself.
    package var verdict: EventVerdict?
    package var tier: EventTier?
    /// nil where neither is meant, or it is not known.
    package var access: EventAccess?
    /// The hook that decided or saw it (`ptrace_access_check`).
    package var hook: EventText?
    /// The error number that the caller saw; nil: none was given.
    package var errorNumber: Int32?
    package var actor: EventProcess?
    package var target: EventProcess?
    /// The number under which the target was enrolled.
    package var enrolment: UInt64?
    /// What it was about besides the processes: a path, a destination, a module's name.
    package var object: EventText?
    /// Where in the kernel's stream it stood.
    package var origin: Origin?
    /// Events like this one that the kernel's rate limit kept back before it.
    package var suppressed: UInt64
    package var policyGeneration: UInt64
    /// The boot of the machine that everything counted above belongs to; nil: not known.
    package var boot: BootID?
    /// The machine's name.
    package var node: EventText?
    package var details: EventDetails

    /// When it happened and when it was seen.
    package struct Moment: Sendable, Equatable {
        package var occurred: EventTime
        /// When the agent read it.
        package var detected: EventTime
        /// Nanoseconds of the kernel's monotonic clock at the occurrence.
        package var monotonicNanoseconds: UInt64
        /// Whether the kernel held its clock for synchronised; nil: not known.
        package var isClockSynchronized: Bool?

        package init(
            occurred: EventTime, detected: EventTime, monotonicNanoseconds: UInt64,
            isClockSynchronized: Bool? = nil
        ) {
            self.occurred = occurred
            self.detected = detected
            self.monotonicNanoseconds = monotonicNanoseconds
            self.isClockSynchronized = isClockSynchronized
        }
    }

    /// A place in the stream of one processor.
    package struct Origin: Sendable, Equatable {
        package var cpu: UInt32
        /// Counts every event of this processor since the programs were loaded.
        package var sequence: UInt64

        package init(cpu: UInt32, sequence: UInt64) {
            self.cpu = cpu
            self.sequence = sequence
        }
    }

    package init(
        _ type: EventType, time: Moment, policyGeneration: UInt64 = 0,
        details: EventDetails = .none
    ) {
        self.type = type
        self.time = time
        self.policyGeneration = policyGeneration
        self.details = details
        suppressed = 0
    }

    package var severity: EventSeverity { type.severity(verdict: verdict) }
}

/// `/proc/sys/kernel/random/boot_id`.
package struct BootID: Sendable, Hashable {
    package static let characters = 36
    package let text: String

    /// nil unless it is a UUID in lower case (RFC 9562).
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == Self.characters else { return nil }
        for (index, byte) in bytes.enumerated() {
            let isDash = [8, 13, 18, 23].contains(index)
            guard isDash ? byte == UInt8(ascii: "-") : Hexadecimal.isDigit(byte) else { return nil }
        }
        self.text = text
    }
}

/// What only some types have to say.
package enum EventDetails: Sendable, Equatable {
    case none
    case loss(EventLoss)
    case tierChange(from: EventTier, to: EventTier)
    case heartbeat(EventHeartbeat)
    case agent(EventAgent)
    case checkpoint(EventCheckpoint)
    case torn(EventTornLine)
    case leak(EventLeak)
}

/// A part of a line that a crash left in a sink's log, told by the next agent. Whatever else is no
/// line of the log has no such event, and is found.
package struct EventTornLine: Sendable, Hashable {
    package let sink: String
    /// Of the part.
    package let byteCount: UInt64
    /// SHA-256 of the part.
    package let hash: EventHash

    package init(sink: String, byteCount: UInt64, hash: EventHash) {
        self.sink = sink
        self.byteCount = byteCount
        self.hash = hash
    }
}

/// Events that did not arrive. `count` of those numbered `from` to `to` are missing.
package struct EventLoss: Sendable, Equatable {
    /// Where they were lost, and by what they are numbered.
    package enum Source: String, Sendable, CaseIterable {
        /// The kernel's ring was full; numbers are those of the processor `cpu`.
        case ring
        /// A sink could not take them; numbers are indexes of the chain.
        case sink
        /// The agent was not there to read them; numbers are those of the processor `cpu`.
        case agent
    }

    package let source: Source
    /// The sink's name.
    package let sink: String?
    package let cpu: UInt32?
    package let from: UInt64
    package let to: UInt64
    package let count: UInt64

    package init(
        source: Source, sink: String? = nil, cpu: UInt32? = nil, from: UInt64, to: UInt64,
        count: UInt64
    ) {
        self.source = source
        self.sink = sink
        self.cpu = cpu
        self.from = from
        self.to = to
        self.count = count
    }
}

/// What a heartbeat carries.
package struct EventHeartbeat: Sendable, Equatable {
    /// When the next one is due.
    package let intervalSeconds: UInt32
    /// Lines of the chain before this one, since the agent started.
    package let eventsTotal: UInt64
    /// Lost events of all sources, since the agent started.
    package let lostTotal: UInt64
    package let protectedTasks: UInt32

    package init(
        intervalSeconds: UInt32, eventsTotal: UInt64, lostTotal: UInt64, protectedTasks: UInt32
    ) {
        self.intervalSeconds = intervalSeconds
        self.eventsTotal = eventsTotal
        self.lostTotal = lostTotal
        self.protectedTasks = protectedTasks
    }
}

/// What the agent says about itself.
package struct EventAgent: Sendable, Equatable {
    package let version: EventText
    /// What it found when it started, what changed or failed, why it stops.
    package let reason: EventText

    package init(version: String, reason: String) {
        self.version = EventText(version, bytesMax: EventLimits.wordBytesMax)
        self.reason = EventText(reason, bytesMax: EventLimits.reasonBytesMax)
    }
}

/// How much of each text is kept (bytes as found).
package enum EventLimits {
    /// A task's name: TASK_COMM_LEN without its NUL.
    package static let nameBytesMax = 15
    package static let pathBytesMax = 512
    package static let objectBytesMax = 512
    /// Hooks, versions, sinks.
    package static let wordBytesMax = 64
    package static let reasonBytesMax = 256
    /// Names of Kubernetes objects (RFC 1123 subdomains) and container identifiers.
    package static let labelBytesMax = 253
    /// A line of the log without its line feed, whatever an attacker puts into it.
    package static let lineBytesMax = 25 << 10
    /// The same in the longest encoding: what one datagram holds.
    package static let encodedLineBytesMax = 64 << 10
}
