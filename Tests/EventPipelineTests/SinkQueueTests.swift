// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventPipeline
import EventPorts
import Ports
import Testing

@Suite struct `A sink's queue` {
    private let now = MonotonicTime(nanoseconds: 0)

    private func queue(lines: Int = 8, bytes: Int = 1 << 20) -> SinkQueue {
        SinkQueue(sink: "file", limits: .init(linesMax: lines, bytesMax: bytes))
    }

    private func batch(_ queue: SinkQueue, lines: Int = 100, bytes: Int = 1 << 20) -> [EventLine] {
        guard
            case .deliver(let batch) = queue.work(
                at: now, batchLinesMax: lines, batchBytesMax: bytes)
        else { return [] }
        return batch
    }

    @Test func `gives lines in their order, as many as the sink takes`() {
        var queue = queue()
        #expect(queue.work(at: now, batchLinesMax: 3, batchBytesMax: 1 << 20) == .idle)
        let lines = Sample.lines(8)
        for line in lines { queue.offer(line) }
        #expect(batch(queue, lines: 3) == Array(lines[..<3]))
        let two = lines[0].bytes.count + lines[1].bytes.count
        #expect(batch(queue, bytes: two).count == 2)
        #expect(batch(queue, bytes: two - 1).count == 1)
        #expect(batch(queue, bytes: 1).count == 1, "a single line is always allowed")
        queue.settle(EventDelivery(taken: 3), at: now, chance: 0)
        #expect(batch(queue) == Array(lines[3...]))
        #expect(queue.deliveredTotal == 3 && queue.lostTotal == 0)
    }

    @Test func `takes lines up to its limits and loses the newest`() {
        let lines = Sample.lines(12)
        var byLines = queue(lines: 8)
        for line in lines[..<8] { byLines.offer(line) }
        #expect(byLines.count == 8 && byLines.lostTotal == 0)
        byLines.offer(lines[8])
        #expect(byLines.count == 8 && byLines.lostTotal == 1)
        #expect(batch(byLines) == Array(lines[..<8]))

        let bytes = lines[..<3].reduce(0) { $0 + $1.bytes.count }
        var exact = queue(bytes: bytes)
        for line in lines[..<3] { exact.offer(line) }
        #expect(exact.count == 3 && exact.byteCount == bytes && exact.lostTotal == 0)
        var less = queue(bytes: bytes - 1)
        for line in lines[..<3] { less.offer(line) }
        #expect(less.count == 2 && less.lostTotal == 1)
    }

    @Test func `tells a loss as one range once half of it is free`() {
        var queue = queue(lines: 8)
        let lines = Sample.lines(14)
        for line in lines[..<10] { queue.offer(line) }
        #expect(queue.takeLosses() == [])
        queue.settle(EventDelivery(taken: 3), at: now, chance: 0)
        queue.offer(lines[10])
        #expect(queue.lostTotal == 3, "more than half is taken: the loss goes on")
        #expect(queue.takeLosses() == [])
        queue.settle(EventDelivery(taken: 1), at: now, chance: 0)
        #expect(
            queue.takeLosses() == [
                EventLoss(source: .sink, sink: "file", from: 8, to: 10, count: 3)
            ])
        #expect(queue.takeLosses() == [])
        queue.offer(lines[11])
        #expect(queue.count == 5)
    }

    @Test func `counts what is refused for good, and widens the range when it is not known which`()
    {
        var queue = queue()
        for line in Sample.lines(8) { queue.offer(line) }
        queue.settle(EventDelivery(taken: 2, lost: 2), at: now, chance: 0)
        queue.settle(EventDelivery(taken: 4, lost: 1), at: now, chance: 0)
        #expect(queue.lostTotal == 3 && queue.deliveredTotal == 3 && queue.count == 2)
        // 0–1 and the adjacent 2–5 with one hole come as one range of three.
        #expect(
            queue.takeLosses() == [
                EventLoss(source: .sink, sink: "file", from: 0, to: 5, count: 3)
            ])
    }

    @Test func `tells a loss again when the line that told it was lost`() {
        var queue = queue()
        var chain = Sample.chain()
        var loss = EnforcementEvent(.eventLoss, time: Sample.moment())
        loss.details = .loss(EventLoss(source: .sink, sink: "file", from: 90, to: 94, count: 5))
        queue.offer(chain.append(loss))
        queue.settle(EventDelivery(taken: 1, lost: 1), at: now, chance: 0)
        #expect(queue.takeLosses() == [], "nothing gets through: there is nobody to tell")
        queue.offer(chain.append(Sample.event()))
        queue.settle(EventDelivery(taken: 1), at: now, chance: 0)
        let told = queue.takeLosses()
        #expect(told.map(\.from) == [90, 0] && told.map(\.count) == [5, 1])
        #expect(queue.lostTotal == 1, "what was told before is not counted twice")
        // Another sink's loss is no business of this one.
        loss.details = .loss(EventLoss(source: .sink, sink: "other", from: 1, to: 2, count: 2))
        queue.offer(chain.append(loss))
        queue.settle(EventDelivery(taken: 1, lost: 1), at: now, chance: 0)
        #expect(queue.takeLosses().map(\.from) == [2])
    }

    @Test func `keeps the count exact when there are more ranges than it keeps`() {
        var queue = SinkQueue(sink: "file", limits: .init(linesMax: 1000, bytesMax: 1 << 20))
        let lines = Sample.lines(200)
        for (index, line) in lines.enumerated() {
            queue.offer(line)
            let lost = index % 2
            queue.settle(EventDelivery(taken: 1, lost: lost), at: now, chance: 0)
        }
        var told: [EventLoss] = []
        while true {
            let losses = queue.takeLosses()
            #expect(losses.count <= SinkQueue.toldAtOnceMax)
            guard !losses.isEmpty else { break }
            told += losses
        }
        #expect(told.count == 64 && told.reduce(0) { $0 + $1.count } == 100)
        #expect(told.last?.to == 199)
        #expect(queue.lostTotal == 100)
    }

    @Test func `waits longer after each failure, with jitter, and not at all after a success`() {
        var backoff = SinkBackoff()
        let pauses = (0..<12).map { _ in backoff.next(asked: nil, chance: 0) }
        #expect(pauses[0] == .milliseconds(50) && pauses[1] == .milliseconds(100))
        #expect(pauses.last == SinkBackoff.pauseMax / 2)
        #expect(backoff.next(asked: nil, chance: 1024) == SinkBackoff.pauseMax)
        backoff.reset()
        #expect(backoff.next(asked: nil, chance: 1024) == SinkBackoff.firstPause)
        backoff.reset()
        #expect(backoff.next(asked: .seconds(7), chance: 0) == .milliseconds(7050))
        let most = backoff.next(asked: .seconds(86_400), chance: 0)
        #expect(most > SinkBackoff.askedPauseMax && most < SinkBackoff.askedPauseMax + .seconds(1))

        var queue = queue()
        for line in Sample.lines(2) { queue.offer(line) }
        queue.settle(EventDelivery(taken: 0, failure: .timedOut), at: now, chance: 0)
        let until = now.advanced(by: .milliseconds(50))
        #expect(queue.work(at: now, batchLinesMax: 9, batchBytesMax: 9) == .pause(until: until))
        #expect(queue.work(at: until, batchLinesMax: 9, batchBytesMax: 9) != .idle)
        #expect(queue.failure == .timedOut)
        queue.settle(EventDelivery(taken: 1), at: until, chance: 0)
        #expect(queue.failure == nil)
    }

    @Test func `survives a sink that claims more than it was given`() {
        var queue = queue()
        for line in Sample.lines(2) { queue.offer(line) }
        queue.settle(EventDelivery(taken: 9, lost: 12), at: now, chance: 0)
        #expect(queue.count == 0 && queue.lostTotal == 2 && queue.byteCount == 0)
        queue.settle(EventDelivery(taken: -1, lost: -1), at: now, chance: 0)
        #expect(queue.count == 0 && queue.deliveredTotal == 0)
    }
}
