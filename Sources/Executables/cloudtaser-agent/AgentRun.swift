// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentFiles
import AgentPorts
import AgentPrivileges
import AgentSockets
import Enforcement
import EnforcementEvents
import EventIntegrity
import EventPipeline
import EventPorts
import EventSinks
import Glibc
import LibbpfKernel
import LinuxSystem
import Ports

extension AgentProgram {
    static func run(_ options: AgentOptions, _ source: OptionSource) -> Int32 {
        do throws(StartFailure) {
            let signal = try serve(options, source)
            let rest = options.pins == nil ? "nothing is denied any more" : "its programs stay"
            error("cloudtaser-agent: ended by signal \(signal); \(rest)\n")
            return 0
        } catch {
            self.error(error.text)
            return 1
        }
    }

    private static func serve(
        _ options: AgentOptions, _ source: OptionSource
    ) throws(StartFailure) -> Int32 {
        // A reader of the events or of messages that has gone is not the agent's end.
        signal(SIGPIPE, SIG_IGN)
        let time = LinuxTimeSource()
        let pins = options.pins.map { PinFolder(fileSystem: $0) }
        guard pins?.exists ?? true else {
            throw StartFailure(
                text: "cloudtaser-agent: \(options.pins ?? "") is no BPF file system. Mount one "
                    + "(mount -t bpf bpf /sys/fs/bpf), or choose another with --pins; --pins none "
                    + "ends the enforcement with the agent.\n")
        }
        let loaded: Loaded
        do throws(EnforcementFailure) { loaded = try prepare(pins, options) } catch {
            throw StartFailure(text: explain(error))
        }
        let (tier, findings) = (loaded.kernel.tier, loaded.findings)
        let hasHistory = loaded.hasHistory
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
            findings: findings, isAdopted: hasHistory, host: host, time: time, recorder: recorder,
            policySource: source, tierMemory: options.state.map { TierFile(path: $0) },
            places: places, observer: ProcessFiles())
        do throws(AgentFailure) { return try agent.run() } catch {
            throw StartFailure(text: "cloudtaser-agent: \(error)\n")
        }
    }

    private static func prepare(
        _ pins: PinFolder?, _ options: AgentOptions
    ) throws(EnforcementFailure) -> Loaded {
        let loaded = try load(pins, options.tier)
        let (findings, hasHistory) = (loaded.findings, loaded.hasHistory)
        let isPinned = loaded.isPinned
        var kernel = loaded.intoKernel()
        if let pins {
            if !isPinned { try kernel.pin(to: pins) }
            try kernel.guardItself(pins, successor: options.successor)
        }
        try kernel.recogniseWrappers(options.wrappers, policy: AgentSettings.workloadPolicy)
        return Loaded(
            kernel: kernel, findings: findings, hasHistory: hasHistory, isPinned: true)
    }

    private static func sinks(_ options: AgentOptions) throws(StartFailure) -> [RunningSink] {
        var running: [RunningSink] = []
        let choices = options.sinks.isEmpty ? [.standardOutput] : options.sinks
        for (choice, name) in zip(choices, SinkChoice.names(of: choices)) {
            running.append(try RunningSink(choice, name: name, options.encoding, node: node))
        }
        return running
    }

    private static func recorder(
        _ options: AgentOptions, _ sinks: [RunningSink], _ time: LinuxTimeSource
    ) throws(StartFailure) -> EventRecorder<
        OpenSSLEventHasher, AgentSigner, LinuxTimeSource
    > {
        let signer = try AgentSigner(options)
        var random = [UInt8](repeating: 0, count: EventSegment.byteCount)
        guard getentropy(&random, random.count) == 0, let segment = EventSegment(random) else {
            throw StartFailure(text: "cloudtaser-agent: getentropy failed\n")
        }
        var policy = EventPipeline<OpenSSLEventHasher, AgentSigner>.Policy()
        policy.heartbeatSeconds = options.settings.heartbeatSeconds
        policy.checkpointInterval = .seconds(Int64(options.settings.checkpointSeconds))
        let channels = sinks.map(\.channel)
        let start = EventChainStart(sinks.compactMap { sink in sink.end.map { (sink.name, $0) } })
        let hasher = OpenSSLEventHasher()
        let pipeline = EventPipeline(
            chain: start.chain(orSegment: segment, hasher: hasher), signer: signer,
            channels: channels, host: .init(boot: boot, node: node),
            policy: policy, now: time.monotonic())
        var recorder = EventRecorder(
            pipeline: pipeline, channels: channels, time: time, version: AgentHelp.version,
            places: places)
        recorder.began(start, hasher: hasher)
        return recorder
    }

    private static var places: ProcessPlaces {
        ProcessPlaces { LinuxTimeSource().monotonic().nanoseconds }
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
