// SPDX-License-Identifier: Apache-2.0
internal import Enforcement

/// Events as an export request of OTLP's logs in JSON (OpenTelemetry protocol 1, `/v1/logs`).
package enum OTLPLogs {
    /// - Parameters:
    ///   - service: `service.name` of the resource.
    ///   - lines: one log record each; the body is the line.
    package static func request(
        _ lines: [EventLine], service: String, encoding: EventEncoding
    ) -> [UInt8] {
        var resource = [attribute("service.name", service)]
        if let node = lines.first?.event.node { resource.append(attribute("host.name", node.text)) }
        let scope: EventValue = .object([
            ("scope", .object([("name", .text("cloudtaser.events"))])),
            ("logRecords", .list(lines.map { record($0, encoding) })),
        ])
        let logs: EventValue = .object([
            ("resource", .object([("attributes", .list(resource))])), ("scopeLogs", .list([scope])),
        ])
        return EventValue.object([("resourceLogs", .list([logs]))]).json
    }

    private static func record(_ line: EventLine, _ encoding: EventEncoding) -> EventValue {
        let event = line.event
        let (number, text) = severity(event.severity)
        var attributes = [attribute("event.name", event.type.rawValue)]
        if let vector = event.vector { attributes.append(attribute("vector", vector.description)) }
        if let verdict = event.verdict { attributes.append(attribute("verdict", verdict.rawValue)) }
        if let tier = event.tier { attributes.append(attribute("tier", tier.rawValue)) }
        return .object([
            // 64-bit integers are strings in Protocol Buffers' JSON.
            ("timeUnixNano", .decimal(event.time.occurred.nanoseconds)),
            ("observedTimeUnixNano", .decimal(event.time.detected.nanoseconds)),
            ("severityNumber", .number(number)), ("severityText", .text(text)),
            (
                "body",
                .object([
                    (
                        "stringValue",
                        .text(String(decoding: line.bytes(as: encoding), as: UTF8.self))
                    )
                ])
            ),
            ("attributes", .list(attributes)),
        ])
    }

    private static func attribute(_ key: String, _ value: String) -> EventValue {
        .object([("key", .text(key)), ("value", .object([("stringValue", .text(value))]))])
    }

    /// The logs data model's numbers.
    private static func severity(_ severity: EventSeverity) -> (Int64, String) {
        switch severity {
        case .informational: (9, "INFO")
        case .notice: (10, "INFO2")
        case .warning: (13, "WARN")
        case .critical: (18, "ERROR2")
        }
    }
}
