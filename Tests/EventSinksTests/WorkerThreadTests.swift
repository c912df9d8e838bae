// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventIntegrity
import EventPipeline
import EventPorts
import EventSinks
import Foundation
import LinuxSystem
import Ports
import Synchronization
import Testing

@Suite struct `A sink's thread` {
    @Test func `steps when woken, at its time, and no more once stopped`() throws {
        let worker = try WorkerThread()
        let steps = Mutex<[MonotonicTime]>([])
        let clock = LinuxTimeSource()
        try worker.start {
            let now = clock.monotonic()
            return steps.withLock { steps in
                steps.append(now)
                switch steps.count {
                case 1: return .none
                case 2: return .until(now.advanced(by: .milliseconds(60)))
                default: return .untilWoken
                }
            }
        }
        try Self.wait { steps.withLock { $0.count } == 3 }
        let times = steps.withLock { $0 }
        #expect(times[1].duration(to: times[2]) >= .milliseconds(60))
        usleep(50_000)
        #expect(steps.withLock { $0.count } == 3)
        worker.wake()
        try Self.wait { steps.withLock { $0.count } == 4 }
        worker.stop()
        worker.wake()
        usleep(50_000)
        let after = steps.withLock { $0.count }
        #expect(after <= 5)
    }

    /// A real file, whose folder is missing at first, fed by the pipeline through its thread.
    @Test func `brings every event into a file, and counts what the queue could not hold`() throws {
        let folder = try TestFolder()
        let later = folder.path + "/later"
        let path = later + "/events"
        let worker = try WorkerThread()
        let channel = SinkChannel(sink: "file", limits: .init(linesMax: 50)) { worker.wake() }
        let key = try Self.key(in: folder.path)
        let signer = try FileCheckpointSigner(path: key)
        let publicKey = signer.publicKey
        let clock = LinuxTimeSource()
        var pipeline = EventPipeline(
            chain: Sample.chain(), signer: signer, channels: [channel],
            host: .init(boot: nil, node: "node-1"), policy: .init(checkpointLines: 40),
            now: clock.monotonic())
        try Self.start(worker, channel, path: path)
        defer { worker.stop() }
        for number in 0..<120 { pipeline.record(Sample.event(number)) }
        try Self.wait { channel.counters.failure != nil }
        #expect(channel.counters.failure == .unreachable(errorNumber: ENOENT))
        #expect(channel.counters.lost >= 70, "positive control: the queue is small")
        try FileManager.default.createDirectory(atPath: later, withIntermediateDirectories: false)
        try Self.wait { channel.counters.waiting == 0 }
        let moment = Sample.event().time
        pipeline.tick(at: moment, now: clock.monotonic(), protectedTasks: 1)
        pipeline.checkpoint(at: moment)
        try Self.wait { channel.counters.waiting == 0 }

        let lines = try folder.lines("later/events")
        var verifier = EventChainVerifier(
            hasher: OpenSSLEventHasher(),
            signatures: TrustedCheckpointKeys(publicKeys: [publicKey]),
            policy: .init(sink: "file"))
        for line in lines { verifier.read(line) }
        let report = verifier.finish()
        #expect(report.findings == [])
        #expect(report.declaredLosses == channel.counters.lost && report.checkpoints >= 1)
        #expect(UInt64(lines.count) == channel.counters.delivered)
        #expect(report.unsignedLines == 0)
    }

    private static func start(
        _ worker: WorkerThread, _ channel: SinkChannel, path: String
    ) throws {
        let sink = SinkBox(path: path)
        try worker.start {
            switch sink.step(channel) {
            case .again: .none
            case .idle: .untilWoken
            case .pause(let until): .until(until)
            }
        }
    }

    /// What the thread owns.
    private final class SinkBox: Sendable {
        private struct Owned: ~Copyable {
            var sink: FileEventSink
            var entropy = LinuxEntropySource()
        }

        private let owned: Mutex<Owned>

        init(path: String) {
            owned = Mutex(Owned(sink: FileEventSink(settings: .init(path: path))))
        }

        func step(_ channel: SinkChannel) -> SinkChannel.Step {
            owned.withLock { owned in
                channel.step(&owned.sink, time: LinuxTimeSource(), entropy: &owned.entropy)
            }
        }
    }

    private static func key(in folder: String) throws -> String {
        let path = folder + "/key"
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", path]
        try process.run()
        process.waitUntilExit()
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        return path
    }

    private static func wait(_ condition: () -> Bool) throws {
        for _ in 0..<2000 {
            if condition() { return }
            usleep(5000)
        }
        throw TimedOut()
    }

    private struct TimedOut: Error {}
}
