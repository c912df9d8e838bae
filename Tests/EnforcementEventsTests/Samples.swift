// SPDX-License-Identifier: Apache-2.0
import Enforcement
import EnforcementEvents
import EventIntegrity
import Foundation

/// Events as an agent would make them.
enum Sample {
    static let segment = made(EventSegment([UInt8](0..<16)))
    static let start: UInt64 = 1_790_000_000_123_456_789

    /// What a test's own constants always give.
    static func made<Value>(_ value: Value?) -> Value {
        guard let value else { preconditionFailure("the sample is not valid") }
        return value
    }

    static func moment(_ offset: UInt64 = 0) -> EnforcementEvent.Moment {
        EnforcementEvent.Moment(
            occurred: EventTime(nanoseconds: start + offset),
            detected: EventTime(nanoseconds: start + offset + 40_000),
            monotonicNanoseconds: 5_000_000_000 + offset, isClockSynchronized: true)
    }

    static func process(_ id: Int32 = 4711, name: String = "gdb") -> EventProcess {
        EventProcess(
            id: id, groupID: id, startNanoseconds: 77_000_000_000, name: name.utf8,
            executable: .init(
                device: 0x801, inode: 1_234_567,
                path: EventText("/usr/bin/\(name)", bytesMax: EventLimits.pathBytesMax)),
            user: 0, capabilities: 0x1ff_ffff_ffff, cgroup: 9_001,
            place: EventPlace(
                container: "3f2a", runtime: .containerd,
                podUID: PodUID("8c0d1b52-7d1b-4c62-9a3e-5b8f0c6d2e11"), pod: "payments-0",
                namespace: "shop", workload: "payments"))
    }

    /// Every field that an attack can have.
    static func attack(_ type: EventType = .processMemoryRead, number: UInt64 = 0)
        -> EnforcementEvent
    {
        var event = EnforcementEvent(type, time: moment(number), policyGeneration: 3)
        event.vector = VectorNumber(8)
        event.verdict = .denied
        event.tier = .lsm
        event.access = .read
        event.hook = EventText("ptrace_access_check", bytesMax: EventLimits.wordBytesMax)
        event.errorNumber = -1
        event.actor = process()
        event.target = process(812, name: "payments")
        event.enrolment = 12
        event.object = EventText("/proc/812/mem", bytesMax: EventLimits.objectBytesMax)
        event.origin = .init(cpu: 1, sequence: number)
        event.suppressed = 2
        event.boot = BootID("0f3c1a52-7d1b-4c62-9a3e-5b8f0c6d2e11")
        event.node = EventText("node-1", bytesMax: EventLimits.labelBytesMax)
        return event
    }

    /// One of every type, with its details.
    static var oneOfEach: [EnforcementEvent] {
        EventType.allCases.map { type in
            var event = attack(type)
            switch type {
            case .eventLoss:
                event.details = .loss(
                    EventLoss(source: .ring, sink: "file", cpu: 1, from: 5, to: 9, count: 4))
            case .tierDowngrade: event.details = .tierChange(from: .lsm, to: .signal)
            case .heartbeat:
                event.details = .heartbeat(
                    EventHeartbeat(
                        intervalSeconds: 10, eventsTotal: 7, lostTotal: 1, protectedTasks: 3))
            case .agentStart, .agentStop, .policyChange, .agentFailure:
                event.details = .agent(EventAgent(version: "1.0.0", reason: "SIGTERM"))
            case .checkpoint:
                event.details = .checkpoint(
                    EventCheckpoint(
                        index: 4, head: made(EventHash([UInt8](repeating: 7, count: 32))),
                        key: made(CheckpointKey("sha256:ab")),
                        signature: [UInt8](repeating: 9, count: 64)))
            default: break
            }
            return event
        }
    }

    static var torn: EnforcementEvent {
        var event = EnforcementEvent(.agentFailure, time: moment())
        event.details = .torn(
            EventTornLine(
                sink: "file", byteCount: 40, hash: made(EventHash([UInt8](repeating: 7, count: 32)))
            ))
        return event
    }

    /// The longest event there can be: every byte needs the longest escape.
    static var longest: EnforcementEvent {
        func text(_ bytesMax: Int) -> EventText {
            EventText([UInt8](repeating: 0x1b, count: bytesMax), bytesMax: bytesMax)
        }
        func bytes(_ count: Int) -> String { String(repeating: "\u{1b}", count: count) }
        let label = bytes(EventLimits.labelBytesMax)
        var process = EventProcess(
            id: .min, groupID: .min, startNanoseconds: .max,
            name: [UInt8](repeating: 0xff, count: EventLimits.nameBytesMax),
            executable: .init(
                device: .max, inode: .max, path: text(EventLimits.pathBytesMax)),
            user: .max, capabilities: .max, cgroup: .max)
        process.place = EventPlace(
            container: label, runtime: .containerd,
            podUID: PodUID("8c0d1b52-7d1b-4c62-9a3e-5b8f0c6d2e11"), pod: label, namespace: label,
            workload: label)
        var event = EnforcementEvent(.eventLoss, time: moment(), policyGeneration: .max)
        event.time.monotonicNanoseconds = .max
        event.time.isClockSynchronized = false
        event.vector = VectorNumber(999)
        event.verdict = .observed
        event.tier = .modifyReturn
        event.access = .write
        event.hook = text(EventLimits.wordBytesMax)
        event.errorNumber = .min
        event.actor = process
        event.target = process
        event.enrolment = .max
        event.object = text(EventLimits.objectBytesMax)
        event.origin = .init(cpu: .max, sequence: .max)
        event.suppressed = .max
        event.boot = BootID("0f3c1a52-7d1b-4c62-9a3e-5b8f0c6d2e11")
        event.node = text(EventLimits.labelBytesMax)
        event.details = .loss(
            EventLoss(
                source: .agent, sink: bytes(EventLimits.wordBytesMax), cpu: .max, from: .max,
                to: .max, count: .max))
        return event
    }
}

typealias Chain = EventChain<OpenSSLEventHasher>
typealias Verifier = EventChainVerifier<OpenSSLEventHasher, TrustedCheckpointKeys>

/// A key made for one test.
struct TestKey {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "key-\(UUID().uuidString)")
            .path()
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", path]
        try process.run()
        process.waitUntilExit()
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
