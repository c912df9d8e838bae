// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPrivileges
import AgentSockets
import Enforcement
import EnforcementEvents
import EventIntegrity
import EventPipeline
import EventSinks
import Glibc
import LibbpfKernel
import LinuxSystem
import Ports
import Synchronization

/// One sink with its queue and its thread.
final class SinkRunner<Sink: EventSink & ~Copyable & Sendable>: Sendable {
    let channel: SinkChannel
    private let worker: WorkerThread
    private let sink: Mutex<Sink>

    init(_ sink: consuming Sink) throws(WorkerFailure) {
        let worker = try WorkerThread()
        self.worker = worker
        channel = SinkChannel(sink: sink.name, wake: { worker.wake() })
        self.sink = Mutex(sink)
        try worker.start { [self] in step() }
    }

    private func step() -> WorkerPause {
        let step = sink.withLock { sink in
            var entropy = LinuxEntropySource()
            return channel.step(&sink, time: LinuxTimeSource(), entropy: &entropy)
        }
        return switch step {
        case .again: .none
        case .idle: .untilWoken
        case .pause(let time): .until(time)
        }
    }

    /// Gives what waits a last time.
    func stop(within limit: Duration) {
        let time = LinuxTimeSource()
        let deadline = time.monotonic().advanced(by: limit)
        while channel.counters.waiting > 0, time.monotonic() < deadline { usleep(10_000) }
        worker.stop()
    }
}

/// A sink whose kind does not matter any more.
struct RunningSink {
    let channel: SinkChannel
    let stop: @Sendable () -> Void

    /// How long a sink may take at the end.
    private static let stopLimit = Duration.seconds(5)

    init(_ choice: SinkChoice) throws(WorkerFailure) {
        switch choice {
        case .standardOutput: try self.init(running: StreamEventSink())
        case .file(let path):
            try self.init(running: FileEventSink(settings: FileEventSink.Settings(path: path)))
        }
    }

    private init<Sink: EventSink & ~Copyable & Sendable>(
        running sink: consuming Sink
    ) throws(WorkerFailure) {
        let runner = try SinkRunner(sink)
        channel = runner.channel
        stop = { runner.stop(within: Self.stopLimit) }
    }
}

extension AgentProgram {
    static func run(_ options: AgentOptions) -> Int32 {
        do throws(StartFailure) {
            let signal = try serve(options)
            error("cloudtaser-agent: ended by signal \(signal); pinned programs stay\n")
            return 0
        } catch {
            self.error(error.text)
            return 1
        }
    }

    private static func serve(_ options: AgentOptions) throws(StartFailure) -> Int32 {
        let time = LinuxTimeSource()
        let loaded: Loaded
        do throws(EnforcementFailure) { loaded = try Loaded() } catch {
            throw StartFailure(text: explain(error))
        }
        let (tier, findings) = (loaded.tier, loaded.findings)
        // Before any other thread: a thread keeps its own.
        do throws(PrivilegeFailure) { try AgentPrivileges.reduce() } catch {
            throw StartFailure(text: "cloudtaser-agent: capabilities: \(error)\n")
        }
        let host: LinuxAgentHost
        do throws(AgentSocketFailure) {
            host = try LinuxAgentHost(
                path: options.socket, observation: options.observation,
                records: loaded.kernel.recordsDescriptor, clock: { LinuxTimeSource().monotonic() })
        } catch { throw StartFailure(error) }
        let sinks = try sinks(options)
        defer { for sink in sinks { sink.stop() } }
        let recorder = try recorder(options, sinks, time)
        var agent = Agent(
            settings: options.settings, kernel: loaded.intoKernel(), tier: tier,
            findings: findings, host: host, time: time, recorder: recorder)
        do throws(AgentFailure) { return try agent.run() } catch {
            throw StartFailure(text: "cloudtaser-agent: \(error)\n")
        }
    }

    private static func sinks(_ options: AgentOptions) throws(StartFailure) -> [RunningSink] {
        var running: [RunningSink] = []
        do throws(WorkerFailure) {
            for choice in options.sinks.isEmpty ? [.standardOutput] : options.sinks {
                running.append(try RunningSink(choice))
            }
        } catch { throw StartFailure(text: "cloudtaser-agent: a sink's thread: \(error)\n") }
        return running
    }

    private static func recorder(
        _ options: AgentOptions, _ sinks: [RunningSink], _ time: LinuxTimeSource
    ) throws(StartFailure) -> EventRecorder<
        OpenSSLEventHasher, FileCheckpointSigner, LinuxTimeSource
    > {
        var signer: FileCheckpointSigner?
        do throws(CheckpointFailure) {
            if let path = options.checkpointKey { signer = try FileCheckpointSigner(path: path) }
        } catch { throw StartFailure(text: "cloudtaser-agent: --checkpoint-key: \(error)\n") }
        var random = [UInt8](repeating: 0, count: EventSegment.byteCount)
        guard getentropy(&random, random.count) == 0, let segment = EventSegment(random) else {
            throw StartFailure(text: "cloudtaser-agent: getentropy failed\n")
        }
        var policy = EventPipeline<OpenSSLEventHasher, FileCheckpointSigner>.Policy()
        policy.heartbeatSeconds = options.settings.heartbeatSeconds
        let channels = sinks.map(\.channel)
        let pipeline = EventPipeline(
            chain: EventChain(segment: segment, after: nil, hasher: OpenSSLEventHasher()),
            signer: signer, channels: channels, host: .init(boot: boot, node: node),
            policy: policy, now: time.monotonic())
        return EventRecorder(
            pipeline: pipeline, channels: channels, time: time, version: AgentHelp.version)
    }

    private static var boot: BootID? {
        BootID(firstLine(of: "/proc/sys/kernel/random/boot_id") ?? "")
    }

    private static var node: String? { firstLine(of: "/proc/sys/kernel/hostname") }

    private static func firstLine(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let got = read(descriptor, &bytes, bytes.count)
        guard got > 0 else { return nil }
        return String(decoding: bytes.prefix(got).prefix { $0 != 10 }, as: UTF8.self)
    }
}

struct StartFailure: Error {
    let text: String

    init(text: String) { self.text = text }

    init(_ failure: AgentSocketFailure) {
        switch failure {
        case .cannotListen(let place, let number):
            text =
                "cloudtaser-agent: cannot listen on \(place): \(String(cString: strerror(number))). "
                + "Create the folder, or choose another place with --socket or --listen.\n"
        case .anotherAgent(let path):
            text = "cloudtaser-agent: another agent answers at \(path). Stop it first.\n"
        case .systemCall(let call, let number):
            text = "cloudtaser-agent: \(call): \(String(cString: strerror(number)))\n"
        }
    }
}
