// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventIntegrity
import Foundation
import Testing

/// A log of 30 lines with a checkpoint after every nine, and everything that can be done to it.
struct Log {
    static let linesBetween: UInt64 = 9
    var lines: [[UInt8]] = []
    var chain: Chain
    let key: TestKey
    let publicKey: [UInt8]

    init() throws {
        key = try TestKey()
        publicKey = try FileCheckpointSigner(path: key.path).publicKey
        chain = Chain(segment: Sample.segment, after: nil, hasher: OpenSSLEventHasher())
        for number in 0..<27 {
            lines.append(chain.append(Sample.attack(number: UInt64(number))).bytes)
            if number % 9 == 8 { try sign() }
        }
    }

    mutating func sign(with path: String? = nil) throws {
        let signer = try FileCheckpointSigner(path: path ?? key.path)
        let moment = Sample.moment(99)
        let last = Sample.made(chain.last)
        let signature = try signer.sign(EventCheckpoint.message(of: last, at: moment.occurred))
        lines.append(
            Sample.made(
                chain.appendCheckpoint(
                    of: last, at: moment, key: signer.key, signature: signature, policyGeneration: 1
                )
            ).bytes)
    }

    func report(
        of lines: [[UInt8]]? = nil, after: EventLink? = nil, expectedLast: EventLink? = nil,
        checkpoints: UInt64? = Self.linesBetween
    ) -> EventChainReport {
        var verifier = Verifier(
            hasher: OpenSSLEventHasher(),
            signatures: TrustedCheckpointKeys(publicKeys: [publicKey]),
            policy: .init(
                sink: "file", checkpointLinesMax: checkpoints, after: after,
                expectedLast: expectedLast))
        for line in lines ?? self.lines { verifier.read(line) }
        return verifier.finish()
    }

    func kinds(of lines: [[UInt8]]) -> [EventChainFinding.Kind] {
        report(of: lines).findings.map(\.kind)
    }

    /// The same events with a change, hashed anew from `index` on, as somebody without the key
    /// would do it.
    func forged(from index: Int, _ change: (inout EnforcementEvent) -> Void) -> [[UInt8]] {
        var forged = Array(lines[..<index])
        var chain =
            index == 0
            ? Chain(segment: Sample.segment, after: nil, hasher: OpenSSLEventHasher())
            : Chain(
                continuing: Sample.made(EventLink(ofLine: lines[index - 1])),
                hasher: OpenSSLEventHasher())
        for place in index..<lines.count {
            guard !Self.isCheckpoint(lines[place]) else {
                forged.append(Self.rehung(lines[place], &chain))
                continue
            }
            var event = Sample.attack(number: UInt64(place - place / 10))
            if place == index { change(&event) }
            forged.append(chain.append(event).bytes)
        }
        return forged
    }

    static func isCheckpoint(_ line: [UInt8]) -> Bool {
        String(decoding: line, as: UTF8.self).contains("\"type\":\"CHECKPOINT\"")
    }

    /// A checkpoint with its old signature, its head corrected to the forged line's hash.
    private static func rehung(_ line: [UInt8], _ chain: inout Chain) -> [UInt8] {
        let text = String(decoding: line, as: UTF8.self)
        func member(_ name: String) -> String {
            String(text.components(separatedBy: "\"\(name)\":\"")[1].prefix { $0 != "\"" })
        }
        let digits = Array(member("signature").utf8)
        let signature = stride(from: 0, to: digits.count, by: 2).map {
            UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16) ?? 0
        }
        return Sample.made(
            chain.appendCheckpoint(
                of: Sample.made(chain.last), at: Sample.moment(99),
                key: Sample.made(CheckpointKey(member("key"))),
                signature: signature, policyGeneration: 1)
        ).bytes
    }
}

@Suite struct `The hash chain` {
    @Test func `that nobody touched has no findings`() throws {
        let log = try Log()
        defer { log.key.remove() }
        let report = log.report()
        #expect(report.findings == [])
        #expect(report.lines == 30 && report.checkpoints == 3 && report.unsignedLines == 0)
        #expect(report.first?.index == 0 && report.last == EventLink(ofLine: log.lines[29]))
    }

    @Test func `shows a removed line`() throws {
        let log = try Log()
        defer { log.key.remove() }
        for range in [4..<5, 4..<7, 9..<10, 0..<1] {
            var lines = log.lines
            lines.removeSubrange(range)
            let kinds = log.kinds(of: lines)
            guard range.lowerBound > 0 else {
                // A log may begin anywhere, unless it is known what came before.
                #expect(kinds == [])
                #expect(log.report(of: lines).first?.index == 1)
                continue
            }
            let removed = EventChainFinding.Kind.removed(
                from: UInt64(range.lowerBound), to: UInt64(range.upperBound - 1))
            #expect(kinds.contains(removed))
        }
    }

    @Test func `shows a missing beginning to whoever knows the line before`() throws {
        let log = try Log()
        defer { log.key.remove() }
        let before = EventLink(ofLine: log.lines[9])
        let rest = Array(log.lines[10...])
        #expect(log.report(of: rest, after: before).findings == [], "positive control")
        let kinds = log.report(of: Array(rest.dropFirst()), after: before).findings.map(\.kind)
        #expect(kinds == [.removed(from: 10, to: 10)])
    }

    @Test func `shows every changed byte`() throws {
        let log = try Log()
        defer { log.key.remove() }
        for place in log.lines[4].indices {
            var lines = log.lines
            lines[4][place] ^= 1
            #expect(log.kinds(of: Array(lines[..<6])) != [], "byte \(place)")
        }
        var lines = log.lines
        lines[4] = Array(
            String(decoding: lines[4], as: UTF8.self).replacing("denied", with: "killed").utf8)
        #expect(log.kinds(of: lines) == [.changed(index: 4)])
    }

    @Test func `shows a changed line whose hash was made anew`() throws {
        let log = try Log()
        defer { log.key.remove() }
        var lines = log.lines
        lines[4] = log.forged(from: 4) { $0.verdict = .observed }[4]
        #expect(log.kinds(of: lines) == [.unlinked(index: 5)])
    }

    @Test func `shows a change behind which all hashes were made anew, by its signature`() throws {
        let log = try Log()
        defer { log.key.remove() }
        #expect(log.forged(from: 4) { _ in } == log.lines, "positive control")
        let forged = log.forged(from: 4) { $0.verdict = .observed }
        let invalid: [EventChainFinding.Kind] = [9, 19, 29].map { .signatureInvalid(index: $0) }
        #expect(log.report(of: forged, checkpoints: nil).findings.map(\.kind) == invalid)
    }

    @Test func `shows that checkpoints were left out or signed by somebody else`() throws {
        var log = try Log()
        let other = try TestKey()
        defer {
            log.key.remove()
            other.remove()
        }
        var chain = Chain(segment: Sample.segment, after: nil, hasher: OpenSSLEventHasher())
        let unsigned = (0..<10).map { chain.append(Sample.attack(number: UInt64($0))).bytes }
        #expect(log.kinds(of: unsigned) == [])
        let eleventh = chain.append(Sample.attack()).bytes
        #expect(log.kinds(of: unsigned + [eleventh]) == [.checkpointMissing(index: 10)])
        try log.sign(with: other.path)
        #expect(log.kinds(of: log.lines) == [.signatureInvalid(index: 30)])
    }

    @Test func `shows a checkpoint that signs another line`() throws {
        var log = try Log()
        defer { log.key.remove() }
        let signer = try FileCheckpointSigner(path: log.key.path)
        let moment = Sample.moment(99)
        // A true signature of an earlier line, reused.
        let old = EventLink(ofLine: log.lines[3])!
        let message = EventCheckpoint.message(
            segment: old.segment, index: old.index, head: old.hash, time: moment.occurred)
        var event = EnforcementEvent(.checkpoint, time: moment)
        event.details = .checkpoint(
            EventCheckpoint(
                index: old.index, head: old.hash, key: signer.key,
                signature: try signer.sign(message)))
        log.lines.append(log.chain.append(event).bytes)
        #expect(log.kinds(of: log.lines) == [.checkpointMismatch(index: 30)])
    }

    @Test func `takes a checkpoint that comes late, and none that signs what was signed before`()
        throws
    {
        var log = try Log()
        defer { log.key.remove() }
        let signer = try FileCheckpointSigner(path: log.key.path)
        func append(_ link: EventLink) throws {
            let moment = Sample.moment(99)
            let signature = try signer.sign(EventCheckpoint.message(of: link, at: moment.occurred))
            let line = log.chain.appendCheckpoint(
                of: link, at: moment, key: signer.key, signature: signature, policyGeneration: 1)
            log.lines.append(Sample.made(line).bytes)
        }
        func more(_ count: Int) {
            for _ in 0..<count { log.lines.append(log.chain.append(Sample.attack()).bytes) }
        }
        more(3)
        let asked = try #require(log.chain.last)
        more(4)
        try append(asked)
        let report = log.report()
        #expect(report.findings == [] && report.checkpoints == 4 && report.unsignedLines == 4)
        // Rotated in between: the signed line is in another file.
        let tail = log.report(of: Array(log.lines[35...]))
        #expect(tail.findings == [] && tail.checkpoints == 0)
        // A line before the signed one, changed with its hashes made anew, is covered.
        var forged = log.lines
        forged.removeSubrange(31..<38)
        var chain = Chain(
            continuing: Sample.made(EventLink(ofLine: forged[30])), hasher: OpenSSLEventHasher())
        var lines = Array(forged[...30])
        var other = Sample.attack()
        other.verdict = .observed
        for _ in 31..<37 { lines.append(chain.append(other).bytes) }
        lines.append(
            Sample.made(
                chain.appendCheckpoint(
                    of: asked, at: Sample.moment(99), key: signer.key,
                    signature: try signer.sign(
                        EventCheckpoint.message(of: asked, at: Sample.moment(99).occurred)),
                    policyGeneration: 1)
            ).bytes)
        #expect(log.kinds(of: lines) == [.checkpointMismatch(index: 37)])
        try append(asked)
        #expect(log.kinds(of: log.lines) == [.checkpointMismatch(index: 38)])
    }

    @Test func `shows lines that changed places`() throws {
        let log = try Log()
        defer { log.key.remove() }
        var lines = log.lines
        lines.swapAt(4, 5)
        #expect(log.kinds(of: lines).contains(.reordered(index: 4)))
        #expect(!log.kinds(of: lines).contains(.removed(from: 4, to: 4)))
    }

    @Test func `shows a line that is there twice`() throws {
        let log = try Log()
        defer { log.key.remove() }
        for place in [4, 5, 9, 29] {
            var lines = log.lines
            lines.insert(lines[4], at: place + 1)
            #expect(log.kinds(of: lines) == [.duplicated(index: 4)])
        }
    }

    @Test func `shows a line that was put in`() throws {
        let log = try Log()
        defer { log.key.remove() }
        let foreign = log.forged(from: 5) { $0.verdict = .observed }[5]
        var lines = log.lines
        lines.insert(foreign, at: 5)
        #expect(log.kinds(of: lines) == [.inserted(index: 5), .unlinked(index: 6)])
        lines = log.lines
        lines.insert(Array("{}".utf8), at: 5)
        #expect(log.kinds(of: lines) == [.malformed])
    }

    @Test func `shows a missing end only to whoever knows what was written`() throws {
        let log = try Log()
        defer { log.key.remove() }
        let last = EventLink(ofLine: log.lines[29])
        let cut = Array(log.lines[..<25])
        let blind = log.report(of: cut)
        #expect(blind.findings == [] && blind.unsignedLines == 5)
        #expect(log.report(expectedLast: last).findings == [], "positive control")
        let findings = log.report(of: cut, expectedLast: last).findings
        #expect(findings.map(\.kind) == [.truncated(after: 24, expected: 29)])
        // The chain goes on behind the cut: the next line shows it.
        var chain = Chain(continuing: last!, hasher: OpenSSLEventHasher())
        let next = chain.append(Sample.attack()).bytes
        #expect(log.kinds(of: cut + [next]).contains(.removed(from: 25, to: 29)))
    }

    @Test func `takes a loss for one only from the sink whose log it is`() throws {
        let log = try Log()
        defer { log.key.remove() }
        func kinds(sink: String, from: UInt64, to: UInt64, count: UInt64) -> [EventChainFinding
            .Kind]
        {
            var chain = Chain(continuing: EventLink(ofLine: log.lines[29])!, hasher: .init())
            var event = EnforcementEvent(.eventLoss, time: Sample.moment())
            event.details = .loss(
                EventLoss(source: .sink, sink: sink, from: from, to: to, count: count))
            var lines = log.lines + [chain.append(event).bytes]
            lines.removeSubrange(11..<14)
            return log.kinds(of: lines)
        }
        #expect(kinds(sink: "file", from: 11, to: 13, count: 3) == [])
        #expect(kinds(sink: "file", from: 5, to: 20, count: 3) == [])
        let removed = EventChainFinding.Kind.removed(from: 11, to: 13)
        #expect(kinds(sink: "other", from: 11, to: 13, count: 3) == [removed])
        #expect(kinds(sink: "file", from: 11, to: 13, count: 2) == [removed])
        #expect(kinds(sink: "file", from: 5, to: 20, count: 2) == [removed])
        #expect(
            kinds(sink: "file", from: 11, to: 12, count: 2) == [.removed(from: 13, to: 13)])
    }

    @Test func `goes on after a restart, or begins a segment that names the last hash`() throws {
        let log = try Log()
        defer { log.key.remove() }
        let last = EventLink(ofLine: log.lines[29])!
        let segment = EventSegment([UInt8](repeating: 0xab, count: 16))!
        var same = Chain(continuing: last, hasher: OpenSSLEventHasher())
        #expect(log.kinds(of: log.lines + [same.append(Sample.attack()).bytes]) == [])
        var next = Chain(segment: segment, after: last, hasher: OpenSSLEventHasher())
        let first = next.append(Sample.attack())
        #expect(first.link.index == 0 && first.link.previous == last.hash)
        #expect(log.kinds(of: log.lines + [first.bytes]) == [])
        #expect(log.kinds(of: Array(log.lines.dropLast()) + [first.bytes]) == [.segmentUnlinked])
        var blank = Chain(segment: segment, after: nil, hasher: OpenSSLEventHasher())
        #expect(
            log.kinds(of: log.lines + [blank.append(Sample.attack()).bytes]) == [.segmentUnlinked])
        let second = next.append(Sample.attack()).bytes
        #expect(log.kinds(of: log.lines + [second]) == [.removed(from: 0, to: 0)])
    }

    /// Lines that somebody made up, with hashes that fit.
    @Test func `is read to its end, whatever numbers stand in it`() throws {
        let log = try Log()
        defer { log.key.remove() }
        func line(_ index: UInt64, segment: UInt8 = 9) throws -> [UInt8] {
            let segment = try #require(EventSegment([UInt8](repeating: segment, count: 16)))
            let before = EventLink(
                segment: segment, index: index - 1, previous: .none, hash: .none)
            var chain = Chain(continuing: before, hasher: OpenSSLEventHasher())
            return chain.append(Sample.attack()).bytes
        }
        let most = EventLink.indexMax
        let kinds = log.kinds(of: log.lines + [try line(most), try line(5, segment: 8)])
        #expect(kinds == [.removed(from: 0, to: most - 1), .removed(from: 0, to: 4)])
        let text = String(decoding: try line(most), as: UTF8.self)
        let beyond = Array(text.replacing("\(most)", with: "\(UInt64.max)").utf8)
        #expect(EventLink(ofLine: Array(text.utf8))?.index == most)
        #expect(EventLink(ofLine: beyond) == nil)
        #expect(log.kinds(of: log.lines + [beyond]) == [.malformed])

        func declared(_ from: UInt64, _ to: UInt64, _ count: UInt64) -> [EventChainFinding.Kind] {
            var chain = Chain(continuing: EventLink(ofLine: log.lines[29])!, hasher: .init())
            var event = EnforcementEvent(.eventLoss, time: Sample.moment())
            event.details = .loss(
                EventLoss(source: .sink, sink: "file", from: from, to: to, count: count))
            var lines = log.lines + [chain.append(event).bytes, chain.append(event).bytes]
            lines.removeSubrange(11..<14)
            return log.kinds(of: lines)
        }
        let removed = EventChainFinding.Kind.removed(from: 11, to: 13)
        #expect(declared(0, .max, 0) == [removed], "nothing was lost, says the line")
        #expect(declared(13, 11, 3) == [removed])
        #expect(declared(0, .max, .max) == [])
    }

    @Test func `takes no line longer than the limit`() throws {
        let log = try Log()
        defer { log.key.remove() }
        var chain = Chain(segment: Sample.segment, after: nil, hasher: OpenSSLEventHasher())
        let line = chain.append(Sample.attack()).bytes
        func padded(to count: Int) -> [UInt8] {
            // A longer object, as no writer would make it.
            let filler = String(repeating: "a", count: count - line.count)
            return Array(
                String(decoding: line, as: UTF8.self)
                    .replacing("/proc/812/mem", with: filler + "/proc/812/mem").utf8)
        }
        #expect(log.kinds(of: [padded(to: EventLimits.lineBytesMax)]) == [.changed(index: 0)])
        #expect(log.kinds(of: [padded(to: EventLimits.lineBytesMax + 1)]) == [.malformed])
    }

    @Test func `has no other form of its end`() {
        var chain = Chain(segment: Sample.segment, after: nil, hasher: OpenSSLEventHasher())
        let text = String(decoding: chain.append(Sample.attack()).bytes, as: UTF8.self)
        #expect(EventLink(ofLine: Array(text.utf8)) != nil, "positive control")
        for (old, new) in [
            ("\"index\":\"0\"", "\"index\":\"00\""), ("\"index\":\"0\"", "\"index\":\"\""),
            ("\"index\":\"0\"", "\"index\":\"99999999999999999999\""),
            ("\"segment\":\"00", "\"segment\":\"0"), ("\"previous\":\"00", "\"previous\":\"0G"),
            ("}}", "} }"), ("{\"schema", "[\"schema"), (",\"chain\"", ", \"chain\""),
        ] {
            #expect(EventLink(ofLine: Array(text.replacing(old, with: new).utf8)) == nil, "\(new)")
        }
        #expect(EventLink(ofLine: []) == nil)
    }
}
