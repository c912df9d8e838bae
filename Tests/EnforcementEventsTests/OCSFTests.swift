// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventIntegrity
import Foundation
import TestKit
import Testing

@Suite struct `Events in OCSF` {
    private static let folder = Checkout.root + "Fixtures/ocsf/"

    private static func line(_ event: EnforcementEvent) -> EventLine {
        var chain = Chain(segment: Sample.segment, after: nil, hasher: OpenSSLEventHasher())
        return chain.append(event)
    }

    /// A golden file's name and its event.
    private static var samples: [(name: String, event: EnforcementEvent)] {
        var samples = Sample.oneOfEach.map { ($0.type.rawValue, $0) }
        for verdict in EventVerdict.allCases {
            var event = Sample.attack()
            event.verdict = verdict
            samples.append(("PROCMEM_READ-\(verdict.rawValue)", event))
        }
        var write = Sample.attack()
        write.access = .write
        samples.append(("PROCMEM_READ-write", write))
        var inject = Sample.attack(.ptraceDenied)
        inject.access = .write
        samples.append(("PTRACE_DENIED-write", inject))
        var blind = EnforcementEvent(.processMemoryRead, time: Sample.moment())
        blind.verdict = .denied
        samples.append(("PROCMEM_READ-blind", blind))
        samples.append(("MODULE_LOAD-blind", EnforcementEvent(.moduleLoad, time: Sample.moment())))
        samples.append(("BPF_LOAD-blind", EnforcementEvent(.programLoad, time: Sample.moment())))
        return samples
    }

    private func object(_ event: EnforcementEvent) throws -> [String: Any] {
        let json = OCSFEvent.json(Self.line(event))
        return try #require(JSONSerialization.jsonObject(with: Data(json)) as? [String: Any])
    }

    @Test func `are as the golden files say`() throws {
        for (name, event) in Self.samples {
            let path = Self.folder + name + ".ocsf.json"
            let json = Data(OCSFEvent.json(Self.line(event)) + [UInt8(ascii: "\n")])
            if ProcessInfo.processInfo.environment["CLOUDTASER_WRITE_GOLDEN"] != nil {
                try json.write(to: URL(filePath: path))
            }
            #expect(try Data(contentsOf: URL(filePath: path)) == json, "\(name)")
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder)
            .filter { $0.hasSuffix(".ocsf.json") }
        #expect(files.count == Self.samples.count, "a golden file that nothing makes")
    }

    @Test func `have what their class requires, and nothing it does not know`() throws {
        let schema = try OCSFCheck(path: Self.folder + "ocsf-1.8.0.json")
        #expect(OCSFEvent.schemaVersion == schema.version)
        for (name, event) in Self.samples + [("longest", Sample.longest)] {
            #expect(schema.problems(in: try object(event)) == [], "\(name)")
        }
    }

    @Test func `lack nothing that is required without it being noticed`() throws {
        let schema = try OCSFCheck(path: Self.folder + "ocsf-1.8.0.json")
        var required = 0
        for (name, event) in Self.samples {
            let whole = try object(event)
            let uid = whole["class_uid"] as? Int ?? -1
            for attribute in schema.required(ofClass: uid) {
                var less = whole
                less[attribute] = nil
                required += 1
                #expect(schema.problems(in: less) != [], "\(name) without \(attribute)")
            }
        }
        #expect(required > 100)
        var other = try object(Sample.attack())
        other["activity_id"] = 77
        #expect(schema.problems(in: other) == ["/activity_id: 77 is not of the enumeration"])
        other = try object(Sample.attack())
        other["device"] = ["type_id": 0]
        #expect(schema.problems(in: other).count == 1)
        other["device"] = ["type_id": 0, "hostname": "a", "colour": "blue"]
        #expect(schema.problems(in: other) == ["/device/colour: unknown"])
        other = try object(Sample.attack())
        var metadata = try #require(other["metadata"] as? [String: Any])
        metadata["profiles"] = ["host", "security_control"]
        other["metadata"] = metadata
        #expect(schema.problems(in: other).count == 2, "a container of the actor and of the target")
        other = try object(Sample.attack())
        other["type_uid"] = 100_408
        #expect(schema.problems(in: other).count == 1, "type_uid is class and activity")
    }

    @Test func `become the classes that were decided`() throws {
        let wanted: [EventType: Int] = [
            .secretLeak: 200_401, .processMemoryRead: 100_407, .environmentRead: 100_102,
            .ptraceDenied: 100_703, .ptraceObserved: 100_703, .moduleLoad: 100_201,
            .programLoad: 100_304, .guardDenied: 200_401, .agentStart: 600_203,
            .agentStop: 600_204, .enrolment: 99, .eventLoss: 99, .heartbeat: 99,
            .tierDowngrade: 99, .checkpoint: 99, .policyChange: 99, .agentFailure: 99,
        ]
        for event in Sample.oneOfEach {
            #expect(try object(event)["type_uid"] as? Int == wanted[event.type], "\(event.type)")
        }
        var write = Sample.attack()
        write.access = .write
        #expect(try object(write)["type_uid"] as? Int == 100_408)
    }

    @Test func `carry the line itself, so that its chain can be checked`() throws {
        let line = Self.line(Sample.attack())
        let json = OCSFEvent.json(line)
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(json)) as? [String: Any])
        #expect(object["raw_data"] as? String == String(decoding: line.bytes, as: UTF8.self))
    }

    @Test func `fit one datagram of syslog, however long`() {
        let message = SyslogMessage(
            facility: .audit, host: String(repeating: "a", count: 999),
            application: String(repeating: "a", count: 999), processID: .max)
        // UDP over IPv4: 65,535 bytes less both headers.
        for encoding in EventEncoding.allCases {
            let bytes = message.bytes(Self.line(Sample.longest), encoding: encoding)
            #expect(bytes.count <= 65_507)
        }
    }

    @Test func `say denied only of what was denied`() throws {
        for verdict in EventVerdict.allCases {
            var event = Sample.attack()
            event.verdict = verdict
            let action = try object(event)["action_id"] as? Int
            #expect((action == 2) == (verdict == .denied))
        }
    }
}

/// As much of OCSF as `ocsf-1.8.0.json` says.
struct OCSFCheck {
    private let classes: [String: [String: Any]]
    private let objects: [String: [String: Any]]
    let version: String

    init(path: String) throws {
        let data = try Data(contentsOf: URL(filePath: path))
        let root = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
        classes = root["classes"] as? [String: [String: Any]] ?? [:]
        objects = root["objects"] as? [String: [String: Any]] ?? [:]
        version = root["version"] as? String ?? ""
    }

    func required(ofClass uid: Int) -> [String] { Self.required(classes[String(uid)] ?? [:]) }

    func problems(in event: [String: Any]) -> [String] {
        guard let uid = event["class_uid"] as? Int, let schema = classes[String(uid)] else {
            return ["/class_uid: unknown"]
        }
        let metadata = event["metadata"] as? [String: Any]
        let profiles = Set(metadata?["profiles"] as? [String] ?? [])
        var found = problems(in: event, schema, profiles, at: "")
        if let activity = event["activity_id"] as? Int, let type = event["type_uid"] as? Int,
            type != uid * 100 + activity, found.isEmpty
        {
            found.append("/type_uid: is not of this class and activity")
        }
        return found
    }

    private static func required(_ schema: [String: Any]) -> [String] {
        let attributes = schema["attributes"] as? [String: [String: Any]] ?? [:]
        return attributes.filter { $0.value["required"] as? Bool == true }.map(\.key).sorted()
    }

    private func problems(
        in object: [String: Any], _ schema: [String: Any], _ profiles: Set<String>,
        at path: String
    ) -> [String] {
        let attributes = schema["attributes"] as? [String: [String: Any]] ?? [:]
        var found = Self.required(schema).filter { object[$0] == nil }.map {
            "\(path)/\($0): missing"
        }
        if let names = schema["atLeastOne"] as? [String],
            !names.contains(where: { object[$0] != nil })
        {
            found.append("\(path): none of \(names)")
        }
        for (name, value) in object.sorted(by: { $0.key < $1.key }) {
            guard let attribute = attributes[name] else {
                found.append("\(path)/\(name): unknown")
                continue
            }
            if let needed = attribute["profiles"] as? [String], profiles.isDisjoint(with: needed) {
                found.append("\(path)/\(name): needs a profile of \(needed)")
            }
            if attribute["deprecated"] as? Bool == true { found.append("\(path)/\(name): old") }
            let values = attribute["array"] as? Bool == true ? value as? [Any] : [value]
            guard let values else {
                found.append("\(path)/\(name): no array")
                continue
            }
            for value in values {
                found += problems(of: value, attribute, profiles, at: "\(path)/\(name)")
            }
        }
        return found
    }

    private func problems(
        of value: Any, _ attribute: [String: Any], _ profiles: Set<String>, at path: String
    ) -> [String] {
        let type = attribute["type"] as? String ?? ""
        if let schema = objects[type] {
            guard let object = value as? [String: Any] else { return ["\(path): no object"] }
            // `object` is the one without attributes of its own.
            return type == "object" ? [] : problems(in: object, schema, profiles, at: path)
        }
        switch type {
        case "integer_t", "long_t", "timestamp_t":
            guard let number = value as? Int else { return ["\(path): no integer"] }
            guard let numbers = attribute["enum"] as? [Int], !numbers.contains(number) else {
                return []
            }
            return ["\(path): \(number) is not of the enumeration"]
        case "boolean_t": return value is Bool ? [] : ["\(path): no boolean"]
        default:
            guard type.hasSuffix("_t") else {
                return ["\(path): object \(type) is not in the subset"]
            }
            return value is String ? [] : ["\(path): no text"]
        }
    }
}
