// SPDX-License-Identifier: Apache-2.0
import Enforcement
import EnforcementEvents
import EventIntegrity
import Foundation
import Testing

@Suite struct `A line of the event log` {
    private func line(_ event: EnforcementEvent) -> EventLine {
        var chain = Chain(segment: Sample.segment, after: nil, hasher: OpenSSLEventHasher())
        return chain.append(event)
    }

    private func text(_ event: EnforcementEvent) -> String {
        String(decoding: line(event).bytes, as: UTF8.self)
    }

    @Test func `has a fixed order of fields`() {
        let hash = line(Sample.attack()).link.hash.text
        #expect(
            text(Sample.attack()) == #"""
                {"schemaVersion":1,"type":"PROCMEM_READ","time":"2026-09-21T14:13:20.123456789Z",\#
                "detected":"2026-09-21T14:13:20.123496789Z","monotonic":"5000000000",\#
                "clockSynchronized":true,"vector":"AV-008","verdict":"denied","tier":"lsm",\#
                "access":"read","hook":"ptrace_access_check","errno":-1,\#
                "actor":{"pid":4711,"tgid":4711,"startTime":"77000000000","comm":"gdb",\#
                "exe":{"device":2049,"inode":"1234567","path":"/usr/bin/gdb"},"uid":0,\#
                "capabilities":"0x000001ffffffffff","cgroup":"9001","container":"3f2a",\#
                "runtime":"containerd","podUid":"8c0d1b52-7d1b-4c62-9a3e-5b8f0c6d2e11",\#
                "pod":"payments-0","namespace":"shop","workload":"payments"},\#
                "target":{"pid":812,"tgid":812,"startTime":"77000000000","comm":"payments",\#
                "exe":{"device":2049,"inode":"1234567","path":"/usr/bin/payments"},"uid":0,\#
                "capabilities":"0x000001ffffffffff","cgroup":"9001","container":"3f2a",\#
                "runtime":"containerd","podUid":"8c0d1b52-7d1b-4c62-9a3e-5b8f0c6d2e11",\#
                "pod":"payments-0","namespace":"shop","workload":"payments"},\#
                "enrolment":"12","object":"/proc/812/mem","origin":{"cpu":1,"sequence":"0"},\#
                "suppressed":"2","policyGeneration":"3",\#
                "boot":"0f3c1a52-7d1b-4c62-9a3e-5b8f0c6d2e11","node":"node-1",\#
                "chain":{"segment":"000102030405060708090a0b0c0d0e0f","index":"0",\#
                "previous":"0000000000000000000000000000000000000000000000000000000000000000",\#
                "hash":"\#(hash)"}}
                """#)
    }

    @Test func `leaves out what is not known`() {
        let event = EnforcementEvent(.agentStop, time: Sample.moment())
        let names = ["vector", "verdict", "actor", "target", "object", "loss", "null"]
        for name in names { #expect(!text(event).contains(name)) }
        #expect(text(Sample.attack()).contains("vector"), "positive control")
    }

    @Test func `stays one line of JSON whatever the attacker is called`() throws {
        var event = Sample.attack()
        let names: [[UInt8]] = [
            Array("a\"},\"type\":\"X".utf8), [0x0a, 0x0d, 0x00, 0x1b], [0xff, 0xfe, 0xc0],
            Array("\\\\\\".utf8), Array("\",\"chain\":{".utf8), Array("\u{2028}\u{202e}".utf8),
        ]
        for name in names {
            event.actor = EventProcess(
                id: 1, groupID: 1, startNanoseconds: 0, name: name,
                executable: .init(device: 0, inode: 0), user: 0, capabilities: 0, cgroup: 0)
            event.object = EventText(name, bytesMax: EventLimits.objectBytesMax)
            let written = line(event)
            #expect(!written.bytes.contains { $0 < 0x20 || $0 == 0x7f })
            let read = try #require(
                JSONSerialization.jsonObject(with: Data(written.bytes)) as? [String: Any])
            #expect(read["type"] as? String == "PROCMEM_READ")
            let actor = try #require(read["actor"] as? [String: Any])
            #expect(
                actor["comm"] as? String
                    == EventText(name, bytesMax: EventLimits.nameBytesMax).text)
            #expect(EventLink(ofLine: written.bytes) == written.link)
        }
    }

    @Test func `has room for the longest event, and no more than that`() {
        let longest = line(Sample.longest).bytes.count
        #expect(longest <= EventTable.lineBytesMax)
        #expect(EventTable.lineBytesMax <= EventLimits.lineBytesMax)
        // The bound counts every kind of details and the marks of cuts; the rest is exact.
        #expect(longest > EventTable.lineBytesMax * 8 / 10)
    }

    @Test func `shows dates as the calendar has them`() {
        let formatter = ISO8601DateFormatter()
        let days: [UInt64] = [0, 1, 58, 59, 60, 11_016, 11_017, 19_781, 19_782, 20_783, 213_502]
        for day in days {
            let seconds = day * 86_400 + 86_399
            let wanted = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
            let shown = EventTime(nanoseconds: seconds * 1_000_000_000 + 1).text
            #expect(shown == wanted.dropLast() + ".000000001Z")
        }
        #expect(EventTime(nanoseconds: .max).text == "2554-07-21T23:34:33.709551615Z")
        #expect(EventTime(nanoseconds: 1_999_999_999).text(decimals: 3).hasSuffix("01.999Z"))
    }

    @Test func `numbers vectors within the catalogue's range`() {
        #expect(VectorNumber(0) == nil && VectorNumber(1000) == nil)
        #expect(
            VectorNumber(1)?.description == "AV-001" && VectorNumber(999)?.description == "AV-999")
    }

    @Test func `takes boot identifiers as the kernel writes them`() {
        let boot = "0f3c1a52-7d1b-4c62-9a3e-5b8f0c6d2e11"
        #expect(BootID(boot)?.text == boot)
        for other in ["", boot + "0", boot.uppercased(), boot.replacing("-", with: "0")] {
            #expect(BootID(other) == nil)
        }
    }

    @Test func `names a type for each that was promised`() {
        let promised = [
            "SECRET_LEAK", "PROCMEM_READ", "ENVIRON_READ", "PTRACE_DENIED", "MODULE_LOAD",
            "BPF_LOAD",
        ]
        for name in promised { #expect(EventType(rawValue: name) != nil, "\(name)") }
        #expect(EventType(rawValue: "PROCMEM") == nil, "positive control")
    }

    @Test func `is urgent when bytes may have left`() {
        #expect(EventType.processMemoryRead.severity(verdict: .denied) == .warning)
        #expect(EventType.processMemoryRead.severity(verdict: .observed) == .critical)
        #expect(EventType.secretLeak.severity(verdict: .killed) == .critical)
        #expect(EventType.heartbeat.severity(verdict: nil) == .informational)
    }
}
