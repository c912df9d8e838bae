// SPDX-License-Identifier: Apache-2.0
import Agent
import EnforcementEvents
import EventPipeline
import EventPorts
import EventSinks
import Glibc
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
    /// Of its log, before anything was written; nil: it has none that can be read.
    private(set) var end: EventLogEnd?

    var name: String { channel.sink }

    /// How long a sink may take at the end.
    private static let stopLimit = Duration.seconds(5)

    /// What is wrong with the choice, nil when nothing is.
    static func problem(_ choice: SinkChoice) -> String? {
        let isRight =
            switch choice {
            case .standardOutput, .file: true
            case .syslogSocket(let path): SinkAddress(path: path) != nil
            case .syslog(let place, _): SinkAddress(host: place.host, port: place.port) != nil
            case .otlp(let place, let path):
                OTLPEventSink(host: place.host, port: place.port, path: path) != nil
            }
        return isRight
            ? nil
            : "--events: \(choice): names are not looked up, use a numeric address or localhost; "
                + "paths are printable ASCII and those of sockets have at most "
                + "\(SinkAddress.pathBytesMax) bytes"
    }

    init(
        _ choice: SinkChoice, name: String, _ encoding: EventEncoding, node: String?
    ) throws(StartFailure) {
        let message = SyslogMessage(
            facility: .audit, host: node ?? "", application: "cloudtaser-agent",
            processID: getpid())
        func syslog(_ transport: SyslogEventSink.Transport) throws(StartFailure) -> RunningSink {
            try RunningSink(
                running: SyslogEventSink(
                    name: name, transport: transport, message: message, encoding: encoding))
        }
        switch choice {
        case .standardOutput:
            try self.init(running: StreamEventSink(name: name, encoding: encoding))
        case .file(let path):
            let settings = FileEventSink.Settings(path: path, encoding: encoding)
            let end = FileEventSink.end(path: path)
            try self.init(running: FileEventSink(name: name, settings: settings))
            self.end = end
        case .syslogSocket(let path): self = try syslog(.unix(.unix(path: path)))
        case .syslog(let place, let isStream):
            guard let address = SinkAddress(host: place.host, port: place.port) else {
                throw StartFailure(text: Self.problem(choice) ?? "")
            }
            self = try syslog(isStream ? .tcp(address) : .udp(address))
        case .otlp(let place, let path):
            guard
                let sink = OTLPEventSink(
                    name: name, host: place.host, port: place.port, path: path, encoding: encoding)
            else { throw StartFailure(text: Self.problem(choice) ?? "") }
            try self.init(running: sink)
        }
    }

    private init<Sink: EventSink & ~Copyable & Sendable>(
        running sink: consuming Sink
    ) throws(StartFailure) {
        let runner: SinkRunner<Sink>
        do throws(WorkerFailure) { runner = try SinkRunner(sink) } catch {
            throw StartFailure(text: "cloudtaser-agent: a sink's thread: \(error)\n")
        }
        channel = runner.channel
        stop = { runner.stop(within: Self.stopLimit) }
    }
}
