// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventIntegrity
import EventPipeline
import EventPorts
import Ports
import Testing

@Suite struct `A chain after a restart` {
    private static let fresh = Sample.made(EventSegment([UInt8](repeating: 9, count: 16)))

    private func link(_ index: UInt64, segment: UInt8 = 3) -> EventLink {
        let segment = Sample.made(EventSegment([UInt8](repeating: segment, count: 16)))
        let hash = OpenSSLEventHasher().sha256(Array("\(segment.text) \(index)".utf8))
        return EventLink(segment: segment, index: index, previous: .none, hash: hash)
    }

    private func chain(_ start: EventChainStart) -> EventChain<OpenSSLEventHasher> {
        start.chain(orSegment: Self.fresh, hasher: OpenSSLEventHasher())
    }

    @Test func `begins a segment when no log has a line`() {
        for ends in [[], [("file", EventLogEnd())]] {
            let start = EventChainStart(ends)
            #expect(start.last == nil && start.losses == [] && start.torn == [])
            let chain = chain(start)
            #expect(chain.segment == Self.fresh && chain.index == 0 && chain.head == .none)
        }
    }

    @Test func `goes on behind the furthest line, and tells what another log lacks`() {
        let start = EventChainStart([
            ("file", EventLogEnd(link: link(6))), ("file-2", EventLogEnd(link: link(9))),
            ("file-3", EventLogEnd()), ("file-4", EventLogEnd(link: link(99, segment: 4))),
        ])
        #expect(start.last == link(9))
        let chain = chain(start)
        #expect(chain.segment == link(9).segment && chain.index == 10 && chain.head == link(9).hash)
        #expect(start.losses == [EventLoss(source: .sink, sink: "file", from: 7, to: 9, count: 3)])
    }

    @Test func `begins a segment behind the last number there is`() {
        let last = link(EventLink.indexMax)
        let chain = chain(EventChainStart([("file", EventLogEnd(link: last))]))
        #expect(chain.segment == Self.fresh && chain.index == 0 && chain.head == last.hash)
    }

    /// Two agents after each other and one log, as its sink would have it.
    @Test func `is whole for the verifier, with what a crash left explained`() {
        let time = TestTime()
        func lines(_ start: EventChainStart, _ count: UInt64) -> [EventLine] {
            let channel = SinkChannel(sink: "file") {}
            var sink = ScriptedSink(name: "file")
            let pipeline = EventPipeline(
                chain: chain(start), signer: TestSigner(isAway: { false }), channels: [channel],
                host: .init(boot: nil, node: nil), policy: .init(), now: time.monotonic())
            var recorder = EventRecorder(
                pipeline: pipeline, channels: [channel], time: time, version: "9")
            recorder.began(start, hasher: OpenSSLEventHasher())
            for _ in 0..<count { recorder.failed(reloading: "a test") }
            recorder.stopped(signal: 15)
            var entropy = TestEntropy(state: 1)
            while channel.step(&sink, time: time, entropy: &entropy) == .again {}
            return sink.received
        }
        let first = lines(EventChainStart([("file", EventLogEnd())]), 3)
        let torn = Array(first[2].bytes.prefix(50))
        let end = EventLogEnd(link: first[first.count - 1].link, torn: [torn])
        let second = lines(EventChainStart([("file", end)]), 3)
        #expect(second[0].event.type == .agentFailure)
        #expect(
            second[0].event.details
                == .torn(
                    EventTornLine(
                        sink: "file", byteCount: 50, hash: OpenSSLEventHasher().sha256(torn))))
        func report(_ sink: String, _ part: [UInt8], _ rest: [EventLine]) -> EventChainReport {
            var verifier = EventChainVerifier(
                hasher: OpenSSLEventHasher(), signatures: TestSignatures(),
                policy: .init(sink: sink))
            for line in first { verifier.read(line.bytes) }
            verifier.read(part)
            for line in rest { verifier.read(line.bytes) }
            return verifier.finish()
        }
        let whole = report("file", torn, second)
        #expect(whole.findings == [] && whole.tornLines == 1 && whole.checkpoints == 2)
        // Controls: another part, another sink's, and the line that explains it gone.
        let at = UInt64(first.count) + 1
        func isMalformed(_ finding: EventChainFinding) -> Bool {
            finding.line == at && finding.kind == .malformed
        }
        #expect(report("file", torn + [0x7d], second).findings.allSatisfy(isMalformed))
        #expect(report("file", torn + [0x7d], second).findings.count == 1)
        #expect(report("other", torn, second).findings.count(where: isMalformed) == 1)
        #expect(
            report("file", torn, Array(second.dropFirst())).findings.contains(where: isMalformed))
    }

    @Test func `says which log could not be read`() throws {
        let start = EventChainStart([("file", EventLogEnd(errorNumber: 13))])
        #expect(start.failures.map(\.sink) == ["file"])
        let channel = SinkChannel(sink: "file") {}
        let pipeline = EventPipeline(
            chain: chain(start), signer: TestSigner(isAway: { false }), channels: [channel],
            host: .init(boot: nil, node: nil), policy: .init(), now: TestTime().monotonic())
        var recorder = EventRecorder(
            pipeline: pipeline, channels: [channel], time: TestTime(), version: "9")
        recorder.began(start, hasher: OpenSSLEventHasher())
        var sink = ScriptedSink(name: "file")
        var entropy = TestEntropy(state: 1)
        while channel.step(&sink, time: TestTime(), entropy: &entropy) == .again {}
        guard case .agent(let agent) = try #require(sink.received.first).event.details else {
            Issue.record("no event about the agent")
            return
        }
        #expect(agent.reason.text.contains("file: the log before is not readable (error 13)"))
    }
}
