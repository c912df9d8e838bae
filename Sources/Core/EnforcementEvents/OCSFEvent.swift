// SPDX-License-Identifier: Apache-2.0
internal import Enforcement

/// Events as OCSF 1.8 has them, for whoever collects that. The line itself goes along as
/// `raw_data`, so that the chain can be checked behind any collector that keeps it.
package enum OCSFEvent {
    package static let schemaVersion = "1.8.0"
    package static let productName = "CloudTaser"
    package static let profiles = ["host", "security_control", "container"]

    /// One JSON object without a line feed.
    package static func json(_ line: EventLine) -> [UInt8] { value(line).json }

    static func value(_ line: EventLine) -> EventValue {
        let event = line.event
        let mapped = OCSFClass(event)
        var members: Members = [
            ("class_uid", .number(mapped.uid)),
            ("class_name", .text(mapped.name)),
            ("category_uid", .number(mapped.category)),
            ("activity_id", .number(mapped.activity)),
            ("activity_name", .text(mapped.activityName)),
            ("type_uid", .number(mapped.uid * 100 + mapped.activity)),
            ("time", milliseconds(event.time.occurred)),
            ("message", .text(message(event))),
        ]
        members += severity(event)
        members += status(event, isFinding: mapped == .detectionFinding)
        members += control(event)
        members.append(("metadata", metadata(line)))
        members.append(("device", OCSFObjects.device(event)))
        members += mapped.ownMembers(line)
        members.append(("raw_data", .text(String(decoding: line.bytes, as: UTF8.self))))
        members.append(("unmapped", unmapped(event)))
        return .object(members)
    }

    typealias Members = [(name: String, value: EventValue)]

    private static func milliseconds(_ time: EventTime) -> EventValue {
        .number(Int64(clamping: time.milliseconds))
    }

    private static func message(_ event: EnforcementEvent) -> String {
        let parts = [
            event.type.rawValue, event.vector?.description, event.verdict?.rawValue,
            event.object?.text,
        ]
        return parts.compactMap { $0 }.joined(separator: " ")
    }

    private static func severity(_ event: EnforcementEvent) -> Members {
        let (id, name): (Int64, String) =
            switch event.severity {
            case .informational: (1, "Informational")
            case .notice: (2, "Low")
            case .warning: (3, "Medium")
            case .critical: (5, "Critical")
            }
        return [("severity_id", .number(id)), ("severity", .text(name))]
    }

    /// The status of an activity is the attempt's, that of a finding its treatment's.
    private static func status(_ event: EnforcementEvent, isFinding: Bool) -> Members {
        if isFinding { return [("status_id", .number(1)), ("status", .text("New"))] }
        switch event.verdict {
        case .denied: return [("status_id", .number(2)), ("status", .text("Failure"))]
        case .observed: return [("status_id", .number(1)), ("status", .text("Success"))]
        // Whether it succeeded before the process died is not known.
        case .killed: return [("status_id", .number(0)), ("status", .text("Unknown"))]
        case nil: return []
        }
    }

    /// The profile `security_control`.
    private static func control(_ event: EnforcementEvent) -> Members {
        guard let verdict = event.verdict else { return [] }
        let (action, actionName, disposition, dispositionName): (Int64, String, Int64, String) =
            switch verdict {
            case .denied: (2, "Denied", 2, "Blocked")
            // Killing is no disposition of the schema, and `Blocked` would promise too much.
            case .killed: (99, "Killed", 99, "Killed")
            case .observed: (3, "Observed", 15, "Detected")
            }
        var members: Members = [
            ("action_id", .number(action)), ("action", .text(actionName)),
            ("disposition_id", .number(disposition)), ("disposition", .text(dispositionName)),
            ("is_alert", .boolean(event.severity == .critical || event.severity == .warning)),
        ]
        if let technique = event.type.technique {
            let name: Members = [
                ("uid", .text(technique.uid)), ("name", .text(technique.name)),
            ]
            members.append(
                ("attacks", .list([.object([("technique", .object(name))])])))
        }
        return members
    }

    private static func metadata(_ line: EventLine) -> EventValue {
        let link = line.link
        return .object([
            ("version", .text(schemaVersion)),
            (
                "product",
                .object([("name", .text(productName)), ("vendor_name", .text(productName))])
            ),
            ("profiles", .list(profiles.map { .text($0) })),
            ("uid", .text("\(link.segment.text):\(link.index)")),
            ("event_code", .text(line.event.type.rawValue)),
            ("log_name", .text("enforcement")),
            ("log_version", .text(String(EventTable.schemaVersion))),
            ("logged_time", milliseconds(line.event.time.detected)),
            ("original_time", .text(line.event.time.occurred.text)),
        ])
    }

    /// What the schema has no place for and queries need. All else is in `raw_data`.
    private static func unmapped(_ event: EnforcementEvent) -> EventValue {
        var members: Members = [("type", .text(event.type.rawValue))]
        if let vector = event.vector { members.append(("vector", .text(vector.description))) }
        if let tier = event.tier { members.append(("tier", .text(tier.rawValue))) }
        if let hook = event.hook { members.append(("hook", .text(hook.text))) }
        if let number = event.errorNumber { members.append(("errno", .number(Int64(number)))) }
        members.append(("suppressed", .decimal(event.suppressed)))
        return .object(members)
    }
}

extension EventType {
    /// The technique of MITRE ATT&CK that an attempt of this type belongs to, where there is one.
    fileprivate var technique: (uid: String, name: String)? {
        switch self {
        case .processMemoryRead, .environmentRead:
            ("T1003.007", "OS Credential Dumping: Proc Filesystem")
        case .ptraceDenied, .ptraceObserved:
            ("T1055.008", "Process Injection: Ptrace System Calls")
        case .moduleLoad:
            ("T1547.006", "Boot or Logon Autostart Execution: Kernel Modules and Extensions")
        default: nil
        }
    }
}
