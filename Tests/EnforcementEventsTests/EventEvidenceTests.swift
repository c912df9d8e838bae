// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventIntegrity
import Foundation
import TestKit
import Testing

/// What the catalogue says of events; the other suites have each case by itself.
@Suite struct `Events as evidence` {
    private typealias Object = [String: Any]

    private static func object(_ bytes: [UInt8]) throws -> Object {
        try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? Object)
    }

    @Test(
        .evidence(
            "SIM-EVT-01",
            control: "lines and objects with a field changed or left out are refused by the same "
                + "checks"))
    func `have both times, a type and a verdict, and fit what is published`() throws {
        let schema = try SchemaCheck(
            Data(contentsOf: URL(filePath: Checkout.root + "docs/reference/events.schema.json")))
        let ocsf = try OCSFCheck(path: Checkout.root + "Fixtures/ocsf/ocsf-1.8.0.json")
        var chain = Chain(segment: Sample.segment, after: nil, hasher: OpenSSLEventHasher())
        var isControlled = true
        for event in Sample.oneOfEach {
            let line = chain.append(event)
            let json = try Self.object(line.bytes)
            #expect(json["time"] is String && json["detected"] is String, "\(event.type)")
            #expect(json["type"] as? String == event.type.rawValue)
            #expect(json["verdict"] as? String == event.verdict?.rawValue)
            #expect(try schema.problems(in: Data(line.bytes)) == [], "\(event.type)")
            let other = try Self.object(OCSFEvent.json(line))
            #expect(ocsf.problems(in: other) == [], "\(event.type)")
            let isDenied = event.verdict == .denied
            #expect((other["action_id"] as? Int == 2) == isDenied, "\(event.type)")

            var less = json
            less["detected"] = nil
            let lessLine = try JSONSerialization.data(withJSONObject: less)
            var changed = other
            changed["type_uid"] = 1
            let isLineRefused = try !schema.problems(in: lessLine).isEmpty
            let isObjectRefused = !ocsf.problems(in: changed).isEmpty
            isControlled = isControlled && isLineRefused && isObjectRefused
        }
        #expect(Set(Sample.oneOfEach.map(\.type)) == Set(EventType.allCases))
        Evidence.control(passed: isControlled)
        Evidence.observe(
            "Each of \(EventType.allCases.count) types fits the published schema and its class of "
                + "OCSF \(ocsf.version).")
    }

    @Test(
        .evidence("SIM-EVT-02", control: "the log that nobody touched has no findings"))
    func `show what was done to their log`() throws {
        let log = try Log()
        defer { log.key.remove() }
        let stranger = try TestKey()
        defer { stranger.remove() }
        var done: [(String, [[UInt8]])] = []
        var lines = log.lines
        lines[4][20] ^= 1
        done.append(("a changed byte", lines))
        lines = log.lines
        lines.remove(at: 4)
        done.append(("a removed line", lines))
        lines = log.lines
        lines.swapAt(4, 5)
        done.append(("lines that changed places", lines))
        done.append(("a line twice", Array(log.lines[...4] + log.lines[4...])))
        lines = log.lines
        lines.insert(log.lines[7], at: 3)
        done.append(("a line put in", lines))
        done.append(("hashes made anew", log.forged(from: 4) { $0.verdict = .observed }))
        var signed = log
        try signed.sign(with: stranger.path)
        done.append(("a stranger's signature", signed.lines))
        for (what, lines) in done {
            #expect(!log.report(of: lines).findings.isEmpty, "\(what) is not found")
        }
        Evidence.control(passed: log.report().findings.isEmpty)
        Evidence.observe("Found: \(done.map(\.0).joined(separator: ", ")).")
    }
}
