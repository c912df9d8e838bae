// SPDX-License-Identifier: Apache-2.0
internal import Enforcement

/// The classes of OCSF that events become, each with the activity it has there.
enum OCSFClass: Equatable {
    case memoryActivity(isWrite: Bool)
    case fileActivity
    case processActivity(isWrite: Bool)
    case kernelExtensionActivity
    /// No class is about BPF programs; loading one is a call into the kernel.
    case kernelActivity
    case detectionFinding
    case applicationLifecycle(isStart: Bool)
    /// What the agent says about itself and no class is about.
    case baseEvent

    init(_ event: EnforcementEvent) {
        let isWrite = event.access == .write
        switch event.type {
        case .processMemoryRead: self = .memoryActivity(isWrite: isWrite)
        case .environmentRead: self = .fileActivity
        case .ptraceDenied, .ptraceObserved: self = .processActivity(isWrite: isWrite)
        case .moduleLoad: self = .kernelExtensionActivity
        case .programLoad: self = .kernelActivity
        case .secretLeak, .guardDenied: self = .detectionFinding
        case .agentStart: self = .applicationLifecycle(isStart: true)
        case .agentStop: self = .applicationLifecycle(isStart: false)
        case .enrolment, .eventLoss, .heartbeat, .tierDowngrade, .policyChange, .agentFailure,
            .checkpoint:
            self = .baseEvent
        }
        // The class is about a process: without a target there is none.
        let needsTarget =
            switch self {
            case .memoryActivity, .processActivity, .fileActivity: true
            default: false
            }
        if needsTarget, event.target == nil { self = .detectionFinding }
    }

    var uid: Int64 {
        switch self {
        case .memoryActivity: 1004
        case .fileActivity: 1001
        case .processActivity: 1007
        case .kernelExtensionActivity: 1002
        case .kernelActivity: 1003
        case .detectionFinding: 2004
        case .applicationLifecycle: 6002
        case .baseEvent: 0
        }
    }

    var name: String {
        switch self {
        case .memoryActivity: "Memory Activity"
        case .fileActivity: "File System Activity"
        case .processActivity: "Process Activity"
        case .kernelExtensionActivity: "Kernel Extension Activity"
        case .kernelActivity: "Kernel Activity"
        case .detectionFinding: "Detection Finding"
        case .applicationLifecycle: "Application Lifecycle"
        case .baseEvent: "Base Event"
        }
    }

    var category: Int64 { uid / 1000 }

    var activity: Int64 {
        switch self {
        case .memoryActivity(let isWrite): isWrite ? 8 : 7
        case .fileActivity: 2
        case .processActivity(let isWrite): isWrite ? 4 : 3
        case .kernelExtensionActivity: 1
        case .kernelActivity: 4
        case .detectionFinding: 1
        case .applicationLifecycle(let isStart): isStart ? 3 : 4
        case .baseEvent: 99
        }
    }

    var activityName: String {
        switch self {
        case .memoryActivity(let isWrite): isWrite ? "Write" : "Read"
        case .fileActivity: "Read"
        case .processActivity(let isWrite): isWrite ? "Inject" : "Open"
        case .kernelExtensionActivity: "Load"
        case .kernelActivity: "Invoke"
        case .detectionFinding: "Create"
        case .applicationLifecycle(let isStart): isStart ? "Start" : "Stop"
        case .baseEvent: "Other"
        }
    }

    /// What only this class has.
    func ownMembers(_ line: EventLine) -> OCSFEvent.Members {
        let event = line.event
        let actor = OCSFObjects.actor(event)
        switch self {
        case .memoryActivity, .processActivity:
            return [("actor", actor), ("process", OCSFObjects.process(event.target, event))]
        case .fileActivity:
            return [("actor", actor), ("file", OCSFObjects.environmentFile(event))]
        case .kernelExtensionActivity:
            let file = OCSFObjects.file(event.object?.text)
            return [("actor", actor), ("driver", .object([("file", file)]))]
        case .kernelActivity:
            return [
                ("actor", actor),
                (
                    "kernel",
                    .object([
                        ("name", .text(event.object?.text ?? "bpf")), ("type_id", .number(2)),
                        ("type", .text("System Call")), ("system_call", .text("bpf")),
                    ])
                ),
            ]
        case .detectionFinding: return finding(line, actor)
        case .applicationLifecycle:
            var app: OCSFEvent.Members = [("name", .text("cloudtaser-agent"))]
            if case .agent(let agent) = event.details {
                app.append(("version", .text(agent.version.text)))
            }
            return [("app", .object(app))]
        case .baseEvent: return []
        }
    }

    private func finding(_ line: EventLine, _ actor: EventValue) -> OCSFEvent.Members {
        let event = line.event
        var evidence: OCSFEvent.Members = [("actor", actor)]
        if event.target != nil {
            evidence.append(("process", OCSFObjects.process(event.target, event)))
        }
        if let object = event.object { evidence.append(("name", .text(object.text))) }
        let title =
            event.type == .secretLeak
            ? "A process tried to send out a delivered secret"
            : "\(event.type.rawValue) was seen"
        return [
            (
                "finding_info",
                .object([
                    ("uid", .text("\(line.link.segment.text):\(line.link.index)")),
                    ("title", .text(title)),
                    (
                        "analytic",
                        .object([
                            ("name", .text(event.vector?.description ?? event.type.rawValue)),
                            ("type_id", .number(event.type == .secretLeak ? 9 : 1)),
                        ])
                    ),
                ])
            ),
            ("evidences", .list([.object(evidence)])),
        ]
    }
}

/// The objects of OCSF that an event's parts become.
enum OCSFObjects {
    static func device(_ event: EnforcementEvent) -> EventValue {
        .object([
            ("type_id", .number(0)), ("hostname", .text(event.node?.text ?? "unknown")),
            ("os", .object([("name", .text("Linux")), ("type_id", .number(200))])),
        ])
    }

    /// What acted; the agent itself where no process is known.
    static func actor(_ event: EnforcementEvent) -> EventValue {
        guard let actor = event.actor else {
            return .object([("app_name", .text("cloudtaser-agent"))])
        }
        return .object([("process", process(actor, event))])
    }

    static func process(_ process: EventProcess?, _ event: EnforcementEvent) -> EventValue {
        guard let process else { return .object([]) }
        let boot = event.boot.map { "\($0.text):" } ?? ""
        var members: OCSFEvent.Members = [
            ("pid", .number(Int64(process.groupID))), ("ptid", .number(Int64(process.id))),
            // Never used again, unlike the number.
            ("uid", .text("\(boot)\(process.groupID):\(process.startNanoseconds)")),
            ("name", .text(process.name.text)),
            ("user", .object([("uid", .text(String(process.user)))])),
        ]
        if let path = process.executable.path {
            let inode = "\(process.executable.device):\(process.executable.inode)"
            members.append(("file", file(path.text, uid: inode)))
        }
        if let container = container(process.place) { members.append(("container", container)) }
        return .object(members)
    }

    private static func container(_ place: EventPlace) -> EventValue? {
        guard let container = place.container else { return nil }
        var members: OCSFEvent.Members = [("uid", .text(container.text))]
        if let runtime = place.runtime { members.append(("runtime", .text(runtime.rawValue))) }
        if let pod = place.podUID, pod.isUUID {
            members.append(("pod_uuid", .text(pod.text)))
        }
        let labels = [
            ("pod", place.pod), ("namespace", place.namespace), ("workload", place.workload),
        ]
        members.append(
            (
                "labels",
                .list(
                    labels.compactMap { name, value in
                        value.map { .text("\(name):\($0.text)") }
                    })
            ))
        return .object(members)
    }

    /// A regular file; its name is the last part of its path.
    static func file(_ path: String?, uid: String? = nil) -> EventValue {
        let name = path?.split(separator: "/").last.map(String.init) ?? "unknown"
        var members: OCSFEvent.Members = [("name", .text(name)), ("type_id", .number(1))]
        if let path, path.contains("/") { members.append(("path", .text(path))) }
        if let uid { members.append(("uid", .text(uid))) }
        return .object(members)
    }

    static func environmentFile(_ event: EnforcementEvent) -> EventValue {
        file(event.object?.text ?? event.target.map { "/proc/\($0.groupID)/environ" })
    }
}
