// SPDX-License-Identifier: Apache-2.0
internal import Enforcement

/// The fields of a line, in their order.
package enum EventTable {
    /// Raised when a field changes its meaning, its shape or goes away; new fields do not raise it.
    package static let schemaVersion: Int64 = 1

    /// Everything but `chain`, which the chain appends.
    package static var descriptions: [EventFieldDescription] {
        event.map(\.description) + [chain]
    }

    /// Most bytes of a line, from the shapes of all fields together.
    package static var lineBytesMax: Int { EventShape.object(descriptions).bytesMax }

    static let chain = EventFieldDescription(
        name: "chain",
        shape: .object([
            described(
                "segment", .pattern("^[0-9a-f]{32}$", charactersMax: 32),
                "drawn anew when a chain cannot be continued"),
            described("index", .decimal, "counts the lines of the segment from 0"),
            described("previous", .hash, "`hash` of the line before; zeros when there is none"),
            described("hash", .hash, "SHA-256 of this line without its member `hash`"),
        ]), isRequired: true, meaning: "place in the hash chain")

    private static func described(
        _ name: String, _ shape: EventShape, _ meaning: String
    ) -> EventFieldDescription {
        EventFieldDescription(name: name, shape: shape, isRequired: true, meaning: meaning)
    }

    private static let timePattern =
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{9}Z$"

    private static let bootPattern =
        "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

    static let event: [EventField<EnforcementEvent>] = [
        .always("schemaVersion", .number(schemaVersion...schemaVersion), "version of this format") {
            _ in .number(schemaVersion)
        },
        .always("type", .words(EventType.self), "what the event is about") {
            .text($0.type.rawValue)
        },
        .always("time", .pattern(timePattern, charactersMax: 30), "when it happened (RFC 3339)") {
            .text($0.time.occurred.text)
        },
        .always(
            "detected", .pattern(timePattern, charactersMax: 30),
            "when the agent read it (RFC 3339)"
        ) { .text($0.time.detected.text) },
        .always("monotonic", .decimal, "nanoseconds of the kernel's monotonic clock") {
            .decimal($0.time.monotonicNanoseconds)
        },
        .known(
            "clockSynchronized", .boolean, "whether the kernel held its clock for synchronised"
        ) { $0.time.isClockSynchronized.map { .boolean($0) } },
        .known(
            "vector", .pattern("^AV-[0-9]{3}$", charactersMax: 6), "vector of the attack catalogue"
        ) { $0.vector.map { .text($0.description) } },
        .known("verdict", .words(EventVerdict.self), "what became of the attempt") {
            $0.verdict.map { .text($0.rawValue) }
        },
        .known("tier", .words(EventTier.self), "how the verdict is enforced") {
            $0.tier.map { .text($0.rawValue) }
        },
        .known("access", .words(EventAccess.self), "which way bytes would have gone") {
            $0.access.map { .text($0.rawValue) }
        },
        .known("hook", .text(bytesMax: EventLimits.wordBytesMax), "hook that decided or saw it") {
            $0.hook.map { .text($0.text) }
        },
        .known("errno", .signed32, "error number that the caller saw") {
            $0.errorNumber.map { .number(Int64($0)) }
        },
        .group("actor", "process that did it", process) { $0.actor },
        .group("target", "process that it was aimed at", process) { $0.target },
        .known("enrolment", .decimal, "number under which the target was enrolled") {
            $0.enrolment.map { .decimal($0) }
        },
        .known(
            "object", .text(bytesMax: EventLimits.objectBytesMax),
            "path, destination or module that it was about"
        ) { $0.object.map { .text($0.text) } },
        .group("origin", "place in the kernel's stream", origin) { $0.origin },
        .always("suppressed", .decimal, "events that the rate limit kept back before this one") {
            .decimal($0.suppressed)
        },
        .always("policyGeneration", .decimal, "counts the changes of the policy") {
            .decimal($0.policyGeneration)
        },
        .known("boot", .pattern(bootPattern, charactersMax: BootID.characters), "boot identifier") {
            $0.boot.map { .text($0.text) }
        },
        .known("node", .text(bytesMax: EventLimits.labelBytesMax), "name of the machine") {
            $0.node.map { .text($0.text) }
        },
        .group("loss", "`EVENT_LOSS`: what is missing", loss) { $0.details.loss },
        .group("tierChange", "`TIER_DOWNGRADE`: before and after", tierChange) {
            $0.details.tierChange
        },
        .group("heartbeat", "`HEARTBEAT`: totals since the agent's start", heartbeat) {
            $0.details.heartbeat
        },
        .group("agent", "which agent speaks of itself, and why", agent) {
            $0.details.agent
        },
        .group("checkpoint", "`CHECKPOINT`: signature over the line before", checkpoint) {
            $0.details.checkpoint
        },
        .group("torn", "`AGENT_FAILURE`: part of a line that a crash left in a log", torn) {
            $0.details.torn
        },
        .group("leak", "`SECRET_LEAK`: what the content scan saw", leak) { $0.details.leak },
    ]

    private static let leak: [EventField<EventLeak>] = [
        .always("reason", .words(EventLeak.Reason.self), "what was seen") {
            .text($0.reason.rawValue)
        },
        .known("value", .unsigned32, "position of the value in its delivery, from 0") {
            $0.value.map { .number(Int64($0)) }
        },
        .known("form", .words(EventLeak.Form.self), "how the value was written") {
            $0.form.map { .text($0.rawValue) }
        },
        .known("port", .unsigned32, "port of the destination") {
            $0.port.map { .number(Int64($0)) }
        },
    ]

    private static let process: [EventField<EventProcess>] = [
        .always("pid", .signed32, "the task's number on the host") { .number(Int64($0.id)) },
        .always("tgid", .signed32, "number of the process the task belongs to") {
            .number(Int64($0.groupID))
        },
        .always("startTime", .decimal, "nanoseconds since boot when it started") {
            .decimal($0.startNanoseconds)
        },
        .always(
            "comm", .text(bytesMax: EventLimits.nameBytesMax), "the task's name, set by anybody"
        ) { .text($0.name.text) },
        .group("exe", isRequired: true, "file that it runs", executable) { $0.executable },
        .always("uid", .unsigned32, "user on the host") { .number(Int64($0.user)) },
        .always(
            "capabilities", .pattern("^0x[0-9a-f]{16}$", charactersMax: 18),
            "effective set, bit n for capability n"
        ) { process in
            .text(
                "0x"
                    + Hexadecimal.text(
                        (0..<8).map {
                            UInt8(truncatingIfNeeded: process.capabilities >> (56 - 8 * $0))
                        }))
        },
        .always("cgroup", .decimal, "identifier of its cgroup") { .decimal($0.cgroup) },
        label("container", "identifier of its container") { $0.container },
        .known(
            "runtime", .words(ContainerPlace.Runtime.self),
            "run-time of the container, where its cgroup's name tells"
        ) { $0.place.runtime.map { .text($0.rawValue) } },
        .known(
            "podUid", .pattern(PodUID.pattern, charactersMax: PodUID.charactersMax),
            "its pod's identifier"
        ) { $0.place.podUID.map { .text($0.text) } },
        label("pod", "its pod's name") { $0.pod },
        label("namespace", "its pod's namespace") { $0.namespace },
        label("workload", "Deployment, StatefulSet … of its pod") { $0.workload },
    ]

    private static func label(
        _ name: String, _ meaning: String, _ text: @escaping @Sendable (EventPlace) -> EventText?
    ) -> EventField<EventProcess> {
        .known(name, .text(bytesMax: EventLimits.labelBytesMax), meaning) { process in
            text(process.place).map { .text($0.text) }
        }
    }

    private static let executable: [EventField<EventProcess.Executable>] = [
        .always("device", .unsigned32, "device number as the kernel keeps it") {
            .number(Int64($0.device))
        },
        .always("inode", .decimal, "inode number") { .decimal($0.inode) },
        .known("path", .text(bytesMax: EventLimits.pathBytesMax), "path when the event was seen") {
            $0.path.map { .text($0.text) }
        },
    ]

    private static let origin: [EventField<EnforcementEvent.Origin>] = [
        .always("cpu", .unsigned32, "processor") { .number(Int64($0.cpu)) },
        .always("sequence", .decimal, "counts the events of that processor") {
            .decimal($0.sequence)
        },
    ]

    private static let loss: [EventField<EventLoss>] = [
        .always("source", .words(EventLoss.Source.self), "where they were lost") {
            .text($0.source.rawValue)
        },
        .known("sink", .text(bytesMax: EventLimits.wordBytesMax), "name of the sink") { loss in
            loss.sink.map { .text(EventText($0, bytesMax: EventLimits.wordBytesMax).text) }
        },
        .known("cpu", .unsigned32, "processor whose numbers these are") {
            $0.cpu.map { .number(Int64($0)) }
        },
        .always("from", .decimal, "first number of the range") { .decimal($0.from) },
        .always("to", .decimal, "last number of the range") { .decimal($0.to) },
        .always("count", .decimal, "so many of the range are missing") { .decimal($0.count) },
    ]

    private static let tierChange: [EventField<(from: EventTier, to: EventTier)>] = [
        .always("from", .words(EventTier.self), "tier before") { .text($0.from.rawValue) },
        .always("to", .words(EventTier.self), "tier now") { .text($0.to.rawValue) },
    ]

    private static let heartbeat: [EventField<EventHeartbeat>] = [
        .always("intervalSeconds", .unsigned32, "seconds until the next one") {
            .number(Int64($0.intervalSeconds))
        },
        .always("eventsTotal", .decimal, "lines written") { .decimal($0.eventsTotal) },
        .always("lostTotal", .decimal, "events lost, all sources") { .decimal($0.lostTotal) },
        .always("protectedTasks", .unsigned32, "tasks under protection") {
            .number(Int64($0.protectedTasks))
        },
    ]

    private static let agent: [EventField<EventAgent>] = [
        .always("version", .text(bytesMax: EventLimits.wordBytesMax), "the agent's version") {
            .text($0.version.text)
        },
        .always("reason", .text(bytesMax: EventLimits.reasonBytesMax), "why, in a phrase") {
            .text($0.reason.text)
        },
    ]

    private static let torn: [EventField<EventTornLine>] = [
        .always("sink", .text(bytesMax: EventLimits.wordBytesMax), "name of the sink") {
            .text(EventText($0.sink, bytesMax: EventLimits.wordBytesMax).text)
        },
        .always("bytes", .decimal, "length of the part") { .decimal($0.byteCount) },
        .always("hash", .hash, "SHA-256 of the part") { .text($0.hash.text) },
    ]

    private static let checkpoint: [EventField<EventCheckpoint>] = [
        .always("index", .decimal, "index of the line that is signed") { .decimal($0.index) },
        .always("head", .hash, "`hash` of that line") { .text($0.head.text) },
        .always("algorithm", .word([EventCheckpoint.algorithm]), "of the signature") { _ in
            .text(EventCheckpoint.algorithm)
        },
        .always(
            "key", .pattern("^[0-9A-Za-z:._/-]{1,128}$", charactersMax: 128),
            "which key signed"
        ) { .text($0.key.text) },
        .always(
            "signature", .pattern("^[0-9a-f]{128}$", charactersMax: 128),
            "over the checkpoint's message"
        ) { .text(Hexadecimal.text($0.signature)) },
    ]
}

extension EventDetails {
    fileprivate var loss: EventLoss? {
        guard case .loss(let loss) = self else { return nil }
        return loss
    }

    fileprivate var tierChange: (from: EventTier, to: EventTier)? {
        guard case .tierChange(let from, let to) = self else { return nil }
        return (from, to)
    }

    fileprivate var heartbeat: EventHeartbeat? {
        guard case .heartbeat(let heartbeat) = self else { return nil }
        return heartbeat
    }

    fileprivate var agent: EventAgent? {
        guard case .agent(let agent) = self else { return nil }
        return agent
    }

    fileprivate var checkpoint: EventCheckpoint? {
        guard case .checkpoint(let checkpoint) = self else { return nil }
        return checkpoint
    }

    fileprivate var torn: EventTornLine? {
        guard case .torn(let torn) = self else { return nil }
        return torn
    }

    fileprivate var leak: EventLeak? {
        guard case .leak(let leak) = self else { return nil }
        return leak
    }
}
