// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventIntegrity
import EventPipeline
import EventPorts
import Ports
import Synchronization
import Testing

@Suite struct `The event pipeline` {
    typealias Pipeline = EventPipeline<OpenSSLEventHasher, TestSigner>

    private func pipeline(
        _ channels: [SinkChannel], policy: Pipeline.Policy = .init(),
        isAway: @escaping @Sendable () -> Bool = { false }
    ) -> Pipeline {
        Pipeline(
            chain: Sample.chain(), signer: TestSigner(isAway: isAway), channels: channels,
            host: .init(boot: BootID("0f3c1a52-7d1b-4c62-9a3e-5b8f0c6d2e11"), node: "node-1"),
            policy: policy, now: MonotonicTime(nanoseconds: 0))
    }

    /// Steps until nothing waits or `steps` are over.
    private func drain(_ channel: SinkChannel, _ sink: inout ScriptedSink, _ time: TestTime) {
        var entropy = TestEntropy(state: 1)
        for _ in 0..<10_000 {
            switch channel.step(&sink, time: time, entropy: &entropy) {
            case .again: continue
            case .pause(let until): time.advance(time.monotonic().duration(to: until))
            case .idle: return
            }
        }
        Issue.record("the queue does not run empty")
    }

    @Test func `gives every sink the same lines, stamped and chained`() {
        let woken = Mutex(0)
        let one = SinkChannel(sink: "one") { woken.withLock { $0 += 1 } }
        let two = SinkChannel(sink: "two") {}
        var pipeline = pipeline([one, two])
        for number in 0..<20 { pipeline.record(Sample.event(UInt64(number))) }
        #expect(woken.withLock { $0 } == 20)
        let time = TestTime()
        var first = ScriptedSink(name: "one")
        var second = ScriptedSink(name: "two")
        drain(one, &first, time)
        drain(two, &second, time)
        #expect(first.received.count == 20 && first.received == second.received)
        #expect(first.received.allSatisfy { $0.event.node?.text == "node-1" })
        #expect(first.received.allSatisfy { $0.event.boot != nil })
        #expect(report(of: first.received, sink: "one").findings == [])
    }

    @Test func `signs after so many lines and after so much time`() {
        let channel = SinkChannel(sink: "one") {}
        var pipeline = pipeline(
            [channel], policy: .init(checkpointLines: 10, checkpointInterval: .seconds(60)))
        let time = TestTime()
        var sink = ScriptedSink(name: "one")
        for number in 0..<25 { pipeline.record(Sample.event(UInt64(number))) }
        drain(channel, &sink, time)
        func checkpoints() -> [UInt64] {
            sink.received.filter { $0.event.type == .checkpoint }.map(\.link.index)
        }
        #expect(checkpoints() == [10, 21])
        for (seconds, wanted) in [(59, 2), (60, 3), (119, 3), (120, 4)] {
            // A beat is a line, and makes the next interval worth signing.
            pipeline.tick(
                at: Sample.moment(),
                now: MonotonicTime(nanoseconds: UInt64(seconds) * 1_000_000_000),
                protectedTasks: 0)
            drain(channel, &sink, time)
            #expect(checkpoints().count == wanted, "after \(seconds) s")
        }
        let report = report(of: sink.received, sink: "one", linesMax: 10)
        #expect(report.findings == [] && report.checkpoints == 4)
    }

    @Test func `goes on unsigned while the signer is away`() {
        let channel = SinkChannel(sink: "one") {}
        var pipeline = EventPipeline(
            chain: Sample.chain(), signer: TestSigner(isAway: { true }),
            channels: [channel], host: .init(boot: nil, node: nil),
            policy: .init(checkpointLines: 10), now: MonotonicTime(nanoseconds: 0))
        for number in 0..<25 { pipeline.record(Sample.event(UInt64(number))) }
        #expect(pipeline.unsignedCheckpoints == 2)
        #expect(pipeline.checkpointFailure == .unavailable(reason: "test"))
        var sink = ScriptedSink(name: "one")
        drain(channel, &sink, TestTime())
        #expect(sink.received.count == 25)
        let kinds = report(of: sink.received, sink: "one", linesMax: 10).findings.map(\.kind)
        #expect(kinds == [.checkpointMissing(index: 11)])
    }

    /// A vault that answers late: events go on, and the signature covers what was asked for.
    @Test func `goes on while a signature is awaited, and asks for no other`() {
        let channel = SinkChannel(sink: "one") {}
        let isReady = Mutex(false)
        var pipeline = EventPipeline(
            chain: Sample.chain(),
            signer: TestSigner(isAway: { false }, isReady: { isReady.withLock { $0 } }),
            channels: [channel], host: .init(boot: nil, node: nil),
            policy: .init(checkpointLines: 10), now: MonotonicTime(nanoseconds: 0))
        for number in 0..<25 { pipeline.record(Sample.event(UInt64(number))) }
        #expect(pipeline.unsignedLines == 25 && pipeline.unsignedCheckpoints == 0)
        isReady.withLock { $0 = true }
        pipeline.tick(
            at: Sample.moment(99), now: MonotonicTime(nanoseconds: 1), protectedTasks: 0)
        // The heartbeat came before: of 26 lines, 10 are signed.
        #expect(pipeline.unsignedLines == 16)
        pipeline.lastCheckpoint(at: Sample.moment(100), within: .zero)
        #expect(pipeline.unsignedLines == 0)
        var sink = ScriptedSink(name: "one")
        drain(channel, &sink, TestTime())
        let signed = sink.received.compactMap { line -> UInt64? in
            guard case .checkpoint(let checkpoint) = line.event.details else { return nil }
            return checkpoint.index
        }
        #expect(signed == [9, 26])
        let whole = report(of: sink.received, sink: "one")
        #expect(whole.findings == [] && whole.checkpoints == 2 && whole.unsignedLines == 0)
        // Control: the late checkpoint covers the tenth line and none behind it.
        var cut = sink.received
        cut.removeLast()
        #expect(report(of: cut, sink: "one").unsignedLines == 16)
    }

    @Test func `tries again with the next interval after a failure`() {
        let channel = SinkChannel(sink: "one") {}
        let isAway = Mutex(true)
        var pipeline = pipeline(
            [channel], policy: .init(checkpointInterval: .seconds(60)),
            isAway: { isAway.withLock { $0 } })
        pipeline.record(Sample.event())
        for (seconds, failures) in [(59, 0), (60, 1), (61, 1), (119, 1), (120, 2)]
            as [(UInt64, UInt64)]
        {
            pipeline.tick(
                at: Sample.moment(), now: MonotonicTime(nanoseconds: seconds * 1_000_000_000),
                protectedTasks: 0)
            #expect(pipeline.unsignedCheckpoints == failures, "after \(seconds) s")
        }
        #expect(pipeline.checkpointFailure != nil)
        isAway.withLock { $0 = false }
        pipeline.tick(
            at: Sample.moment(), now: MonotonicTime(nanoseconds: 180_000_000_000),
            protectedTasks: 0)
        #expect(pipeline.checkpointFailure == nil && pipeline.unsignedCheckpoints == 2)
        #expect(pipeline.unsignedLines == 0)
    }

    @Test func `beats with its totals`() {
        let channel = SinkChannel(sink: "one") {}
        var pipeline = pipeline([channel], policy: .init(heartbeatSeconds: 30))
        var loss = EnforcementEvent(.eventLoss, time: Sample.moment())
        loss.details = .loss(EventLoss(source: .ring, cpu: 1, from: 5, to: 11, count: 7))
        pipeline.record(loss)
        for seconds in [0, 29, 30, 31, 59, 61] {
            pipeline.tick(
                at: Sample.moment(),
                now: MonotonicTime(nanoseconds: UInt64(seconds) * 1_000_000_000),
                protectedTasks: 4)
        }
        var sink = ScriptedSink(name: "one")
        drain(channel, &sink, TestTime())
        let beats = sink.received.compactMap { line -> EventHeartbeat? in
            guard case .heartbeat(let beat) = line.event.details else { return nil }
            return beat
        }
        #expect(beats.map(\.eventsTotal) == [1, 2, 3])
        #expect(beats.allSatisfy { $0.lostTotal == 7 && $0.protectedTasks == 4 })
    }

    @Test func `tells a kernel's report by its published name`() {
        #expect(EventType(.ptraceAttach, verdict: .denied) == .ptraceDenied)
        #expect(EventType(.ptraceAttach, verdict: .killed) == .ptraceObserved)
        #expect(EventType(.ptraceAttach, verdict: .observed) == .ptraceObserved)
        for type in KernelEventType.allCases where type != .ptraceAttach {
            #expect(EventType(type, verdict: .denied).rawValue == type.rawValue)
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `accounts for every line, whatever a sink does`(seed: UInt64) {
        var random = TestEntropy(state: seed)
        let channel = SinkChannel(
            sink: "one", limits: .init(linesMax: Int.random(in: 4...40, using: &random))
        ) {}
        let other = SinkChannel(sink: "two", limits: .init(linesMax: 1 << 20, bytesMax: 1 << 30)) {}
        var pipeline = pipeline([channel, other], policy: .init(checkpointLines: 25))
        let time = TestTime()
        let chance = Mutex(TestEntropy(state: seed &* 77))
        let isWell = Mutex(false)
        var sink = ScriptedSink(name: "one") { lines in
            guard !isWell.withLock({ $0 }) else { return nil }
            return chance.withLock { Self.mood(lines.count, &$0) }
        }
        var entropy = TestEntropy(state: seed)
        for number in 0..<300 as Range<UInt64> {
            pipeline.record(Sample.event(number))
            if number % 5 == 0 {
                pipeline.tick(at: Sample.moment(), now: time.monotonic(), protectedTasks: 0)
            }
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                if case .pause(let until) = channel.step(&sink, time: time, entropy: &entropy) {
                    time.advance(time.monotonic().duration(to: until))
                }
            }
        }
        isWell.withLock { $0 = true }
        for _ in 0..<30 {
            pipeline.record(Sample.event(999))
            drain(channel, &sink, time)
            pipeline.tick(at: Sample.moment(), now: time.monotonic(), protectedTasks: 0)
        }
        drain(channel, &sink, time)
        let counters = channel.counters
        #expect(counters.waiting == 0 && counters.failure == nil)
        #expect(counters.lost > 0, "positive control: this sink loses lines")
        var all = ScriptedSink(name: "two")
        all.batchLinesMax = 10_000
        all.batchBytesMax = 1 << 30
        drain(other, &all, time)
        #expect(UInt64(sink.received.count) + counters.lost == UInt64(all.received.count))
        #expect(report(of: all.received, sink: "two", linesMax: 30).findings == [])
        let own = report(of: sink.received, sink: "one")
        #expect(own.findings == [], "seed \(seed)")
        // Lines before the first that got through are missing without a gap.
        let before = own.first?.index ?? 0
        #expect(own.declaredLosses + before == counters.lost)
    }

    /// Takes some, all or nothing of a batch.
    private static func mood(_ count: Int, _ random: inout TestEntropy) -> EventDelivery {
        switch random.next() % 6 {
        case 0: return EventDelivery(taken: 0, failure: .timedOut)
        case 1:
            let taken = Int(random.next() % UInt64(count + 1))
            return EventDelivery(taken: taken, failure: .broken(errorNumber: 32))
        case 2: return EventDelivery(taken: count, lost: count)
        case 3:
            return EventDelivery(taken: count, lost: Int(random.next() % UInt64(count + 1)))
        case 4:
            return EventDelivery(
                taken: 0, failure: .throttled(status: 429, retryAfter: .seconds(2)))
        default: return EventDelivery(taken: count)
        }
    }
}
