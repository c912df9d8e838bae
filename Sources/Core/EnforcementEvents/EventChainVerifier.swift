// SPDX-License-Identifier: Apache-2.0

/// Reads a log line by line and finds what was done to it.
///
/// Without checkpoints the chain shows accidents and clumsy changes; whoever can write the log can
/// compute the hashes anew. A checkpoint's signature covers every line before it, so that a change
/// there needs the key. What no log can show by itself is that its end is missing: that takes the
/// next checkpoint or heartbeat, or the place that another copy or the agent's state names.
package struct EventChainVerifier<Hasher: EventHasher, Signatures: CheckpointVerifier> {
    package struct Policy: Sendable {
        /// The sink whose log this is: only its own losses explain missing lines.
        package var sink: String
        /// The most lines between two checkpoints; nil: none are expected.
        package var checkpointLinesMax: UInt64?
        /// The line before the first; nil: the log may begin anywhere.
        package var after: EventLink?
        /// The last line that is known to have been written; nil: not known.
        package var expectedLast: EventLink?

        package init(
            sink: String, checkpointLinesMax: UInt64? = nil, after: EventLink? = nil,
            expectedLast: EventLink? = nil
        ) {
            self.sink = sink
            self.checkpointLinesMax = checkpointLinesMax
            self.after = after
            self.expectedLast = expectedLast
        }
    }

    private let hasher: Hasher
    private let signatures: Signatures
    private let policy: Policy
    private var report = EventChainReport()
    /// The line that was accepted last.
    private var head: EventLink?
    private var gaps = EventGaps()
    private var recent = RecentLines()
    private var torn = TornLines()
    private var signed = UnsignedLines()
    /// Lines since a checkpoint was seen, its own included.
    private var sinceCheckpoint: UInt64 = 0
    private var isCheckpointMissed = false
    private var isExpectedSeen = false

    package init(hasher: Hasher, signatures: Signatures, policy: Policy) {
        self.hasher = hasher
        self.signatures = signatures
        self.policy = policy
        head = policy.after
    }

    /// The next line, without its line feed.
    package mutating func read(_ line: [UInt8]) {
        report.countLine()
        guard line.count <= EventLimits.lineBytesMax, let parts = EventLineEnd.parts(of: line),
            let content = EventLineReader(line)
        else {
            note(.malformed)
            torn.insert(line, at: report.lines, hasher)
            return
        }
        let link = parts.link
        if hasher.sha256(parts.hashed) != link.hash { note(.changed(index: link.index)) }
        guard place(link) else { return }
        head = link
        recent.insert(link)
        report.accept(link)
        signed.insert(link)
        if let last = policy.expectedLast, last.isSamePlace(as: link) { isExpectedSeen = true }
        countTowardsCheckpoint(link)
        if let checkpoint = content.checkpoint {
            check(checkpoint, link, content)
        } else if content.type == EventType.checkpoint.rawValue {
            note(.signatureInvalid(index: link.index))
        }
        if let loss = content.loss, loss.source == .sink, loss.sink == policy.sink {
            gaps.declare(loss)
        }
        if let part = content.torn, part.sink == policy.sink, let line = torn.take(part) {
            report.explainTorn(line: line)
        }
    }

    /// Ends the reading.
    package mutating func finish() -> EventChainReport {
        reportGaps()
        if let expected = policy.expectedLast, !isExpectedSeen {
            let index = head?.segment == expected.segment ? head?.index : nil
            // A later line was seen: what is missing before it has been noted as such.
            if index.map({ $0 <= expected.index }) ?? true {
                report.note(.truncated(after: index, expected: expected.index), line: 0)
            }
        }
        return report
    }

    // MARK: - Order

    /// Whether the line goes on where the log stands. Notes what is wrong.
    private mutating func place(_ link: EventLink) -> Bool {
        guard let before = head else {
            recent.insert(link)
            return true
        }
        guard link.segment == before.segment else { return begin(link, after: before) }
        let expected = before.index + 1
        if link.index == expected {
            if link.previous != before.hash { note(.unlinked(index: link.index)) }
            return true
        }
        if link.index > expected {
            gaps.open(from: expected, to: link.index - 1, line: report.lines)
            return true
        }
        if gaps.close(link.index) {
            recent.insert(link)
            note(.reordered(index: link.index))
        } else if recent.contains(link) {
            note(.duplicated(index: link.index))
        } else {
            note(.inserted(index: link.index))
        }
        return false
    }

    /// A segment's first line.
    private mutating func begin(_ link: EventLink, after before: EventLink) -> Bool {
        if recent.contains(link) {
            note(.duplicated(index: link.index))
            return false
        }
        reportGaps()
        if link.index != 0 {
            // Its beginning is missing; what is there may still be whole.
            gaps.open(from: 0, to: link.index - 1, line: report.lines)
        } else if link.previous != before.hash {
            note(.segmentUnlinked)
        }
        return true
    }

    private mutating func reportGaps() {
        report.countDeclaredLoss(gaps.explain())
        for gap in gaps.takeAll() {
            report.note(.removed(from: gap.from, to: gap.to), line: gap.line)
        }
    }

    // MARK: - Checkpoints

    private mutating func check(
        _ checkpoint: EventCheckpoint, _ link: EventLink, _ content: EventLineReader
    ) {
        let message = EventCheckpoint.message(
            link: link, checkpoint: checkpoint, time: content.time)
        guard signatures.isValid(checkpoint.signature, of: message, key: checkpoint.key) else {
            note(.signatureInvalid(index: link.index))
            return
        }
        switch signed.compare(checkpoint, at: link) {
        case .differs: note(.checkpointMismatch(index: link.index))
        // The line is in a file that was rotated away, or was lost and told so.
        case .unknown: break
        case .same:
            report.countCheckpoint(behind: link.index - checkpoint.index - 1)
            sinceCheckpoint = link.index - checkpoint.index - 1
            isCheckpointMissed = false
        }
    }

    private mutating func countTowardsCheckpoint(_ link: EventLink) {
        sinceCheckpoint += 1
        guard let linesMax = policy.checkpointLinesMax, sinceCheckpoint > linesMax + 1,
            !isCheckpointMissed
        else { return }
        isCheckpointMissed = true
        note(.checkpointMissing(index: link.index))
    }

    private mutating func note(_ kind: EventChainFinding.Kind) {
        report.note(kind, line: report.lines)
    }
}

/// The lines that no signature covers yet.
private struct UnsignedLines {
    enum Comparison { case same, differs, unknown }

    /// More of them than lines come while a signature is waited for.
    static let countMax = 65_536
    private var segment: EventSegment?
    private var hashes: [UInt64: EventHash] = [:]
    /// What is signed must rise: an old signature covers nothing new.
    private var next: UInt64 = 0
    private var oldest: UInt64 = 0

    mutating func insert(_ link: EventLink) {
        if segment != link.segment {
            segment = link.segment
            hashes = [:]
            next = 0
        }
        if hashes.isEmpty { oldest = link.index }
        hashes[link.index] = link.hash
        while hashes.count > Self.countMax {
            hashes[oldest] = nil
            oldest += 1
        }
    }

    mutating func compare(_ checkpoint: EventCheckpoint, at link: EventLink) -> Comparison {
        guard checkpoint.index < link.index, checkpoint.index >= next else { return .differs }
        let isBefore = checkpoint.index == link.index - 1
        guard let hash = isBefore ? link.previous : hashes[checkpoint.index] else {
            return .unknown
        }
        guard hash == checkpoint.head else { return .differs }
        next = checkpoint.index + 1
        hashes = hashes.filter { $0.key >= next }
        oldest = next
        return .same
    }
}

/// The last lines that are none, until an event explains them.
private struct TornLines {
    static let countMax = 64
    private var parts: [(byteCount: UInt64, hash: EventHash, line: UInt64)] = []

    mutating func insert(_ bytes: [UInt8], at line: UInt64, _ hasher: some EventHasher) {
        // What is longer than any line was not left by a crash.
        guard bytes.count <= EventLimits.encodedLineBytesMax else { return }
        if parts.count == Self.countMax { parts.removeFirst() }
        parts.append((UInt64(bytes.count), hasher.sha256(bytes), line))
    }

    /// The number of the line that was this part; nil when there is none.
    mutating func take(_ part: EventTornLine) -> UInt64? {
        let index = parts.firstIndex { $0.byteCount == part.byteCount && $0.hash == part.hash }
        return index.map { parts.remove(at: $0).line }
    }
}

/// The last lines, to tell a line that came twice from one that was put in.
private struct RecentLines {
    static let countMax = 4096
    private var order: [EventLink] = []
    private var next = 0
    private var set: Set<EventLink> = []

    func contains(_ link: EventLink) -> Bool { set.contains(link) }

    mutating func insert(_ link: EventLink) {
        guard set.insert(link).inserted else { return }
        if order.count < Self.countMax {
            order.append(link)
        } else {
            set.remove(order[next])
            order[next] = link
            next = (next + 1) % Self.countMax
        }
    }
}
