// SPDX-License-Identifier: Apache-2.0
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
