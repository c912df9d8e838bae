// SPDX-License-Identifier: Apache-2.0
package import EnforcementEvents
package import EventPorts
package import Ports

/// What waits for one sink. Decides what is kept, what is lost and when to try; touches no sink.
///
/// When it is full, new lines are lost and old ones kept: the beginning of an attack is worth more
/// than its repetition. Once lines were lost, none is taken until half of the queue is free, so
/// that a loss is one range and not a comb.
package struct SinkQueue: Sendable {
    package struct Limits: Sendable, Equatable {
        package var linesMax: Int
        package var bytesMax: Int

        package init(linesMax: Int = 8192, bytesMax: Int = 8 << 20) {
            self.linesMax = linesMax
            self.bytesMax = bytesMax
        }
    }

    package enum Work: Sendable, Equatable {
        /// Nothing waits.
        case idle
        /// Not before then.
        case pause(until: MonotonicTime)
        case deliver([EventLine])
    }

    /// So many ranges are told by one `takeLosses`: telling must not fill the queue.
    package static let toldAtOnceMax = 4

    package let sink: String
    private let limits: Limits
    private var lines: [EventLine] = []
    /// Where in `lines` the oldest stands; those before it are gone.
    private var first = 0
    private var bytes = 0
    private var isDropping = false
    private var losses = LossTracker()
    /// False after a line that told a loss was lost itself, until another line gets through: a
    /// sink that refuses everything must not be told so for ever.
    private var mayTell = true
    private var backoff = SinkBackoff()
    private var notBefore = MonotonicTime(nanoseconds: 0)
    /// Lines lost since the agent started.
    package private(set) var lostTotal: UInt64 = 0
    package private(set) var deliveredTotal: UInt64 = 0
    /// Why the last try failed; nil when it did not.
    package private(set) var failure: EventSinkFailure?

    package init(sink: String, limits: Limits = Limits()) {
        self.sink = sink
        self.limits = limits
    }

    package var count: Int { lines.count - first }
    package var byteCount: Int { bytes }

    /// What the agent says about itself has room of its own: a flood of attacks must not keep its
    /// end or the count of what was lost from being told.
    package static let ownLinesMax = 256

    /// Takes the line or counts it as lost.
    package mutating func offer(_ line: EventLine) {
        if isDropping, count <= limits.linesMax / 2, bytes <= limits.bytesMax / 2 {
            isDropping = false
        }
        let isOwn = line.event.type.isAboutAgent
        let linesMax = limits.linesMax + (isOwn ? Self.ownLinesMax : 0)
        let bytesMax = limits.bytesMax + (isOwn ? Self.ownLinesMax * EventLimits.lineBytesMax : 0)
        let fits = count < linesMax && bytes + line.bytes.count <= bytesMax
        guard !isDropping || isOwn, fits else {
            isDropping = true
            lose(line)
            return
        }
        lines.append(line)
        bytes += line.bytes.count
    }

    /// What the sink's thread does next. The lines stay here until `settle`.
    package func work(at now: MonotonicTime, batchLinesMax: Int, batchBytesMax: Int) -> Work {
        guard count > 0 else { return .idle }
        guard now >= notBefore else { return .pause(until: notBefore) }
        var end = first
        var batchBytes = 0
        while end < lines.count, end - first < max(batchLinesMax, 1) {
            batchBytes += lines[end].bytes.count
            guard batchBytes <= batchBytesMax || end == first else { break }
            end += 1
        }
        return .deliver(Array(lines[first..<end]))
    }

    /// Takes what became of the lines that `work` gave.
    ///
    /// - Parameter chance: any number, drawn anew each time.
    package mutating func settle(_ delivery: EventDelivery, at now: MonotonicTime, chance: UInt64) {
        let taken = lines[first..<(first + min(max(delivery.taken, 0), count))]
        let lost = min(max(delivery.lost, 0), taken.count)
        if lost == taken.count {
            for line in taken { lose(line) }
        } else if lost > 0, let from = taken.first, let to = taken.last {
            // Which ones is not known: the range is wide and the count exact.
            lostTotal += UInt64(lost)
            losses.add(.init(from: from.link.index, to: to.link.index, count: UInt64(lost)))
            // A loss that was told in one of them may have to be told again.
            for line in taken { tellAgain(line) }
        }
        deliveredTotal += UInt64(taken.count - lost)
        if taken.count > lost { mayTell = true }
        bytes -= taken.reduce(0) { $0 + $1.bytes.count }
        first += taken.count
        compact()
        failure = delivery.failure
        guard let failure else {
            backoff.reset()
            return
        }
        if !taken.isEmpty { backoff.reset() }
        notBefore = now.advanced(by: backoff.next(asked: failure.retryAfter, chance: chance))
    }

    /// Losses that have not been told, at most `toldAtOnceMax`, once there is room again to tell
    /// them here too.
    package mutating func takeLosses() -> [EventLoss] {
        guard mayTell, !losses.ranges.isEmpty, count <= limits.linesMax / 2,
            bytes <= limits.bytesMax / 2
        else { return [] }
        isDropping = false
        return losses.take(Self.toldAtOnceMax).map {
            EventLoss(source: .sink, sink: sink, from: $0.from, to: $0.to, count: $0.count)
        }
    }

    private mutating func lose(_ line: EventLine) {
        lostTotal += 1
        tellAgain(line)
        losses.add(line.link.index)
    }

    private mutating func tellAgain(_ line: EventLine) {
        guard case .loss(let loss) = line.event.details, loss.source == .sink, loss.sink == sink
        else { return }
        mayTell = false
        losses.add(.init(from: loss.from, to: loss.to, count: loss.count))
    }

    /// Gives back the room of lines that are gone, now and then.
    private mutating func compact() {
        guard first == lines.count || first > limits.linesMax else { return }
        lines.removeFirst(first)
        first = 0
    }
}

extension EventSinkFailure {
    /// The pause that the other side asked for.
    var retryAfter: Duration? {
        guard case .throttled(_, let retryAfter) = self else { return nil }
        return retryAfter
    }
}
