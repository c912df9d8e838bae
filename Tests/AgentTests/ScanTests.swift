// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import AgentProtocol
import Enforcement
import Ports
import TestKit
import Testing

@Suite struct `A request to scan` {
    private static func request(fill: UInt8 = 1) throws -> ScanRequest {
        try ScanRequest(
            address: 0x3a5f_1000_2010, length: ScanRequest.lengthMin, rules: [],
            bitmap: [UInt8](repeating: fill, count: ScanRequest.bitmapBytes))
    }

    private static func bench(canScan: Bool = true) -> Bench {
        let bench = Bench()
        bench.kernel.canScan = canScan
        bench.findings = ["AV-044", "AV-086", "AV-088"].map { VectorFinding.denied($0) }
        return bench
    }

    private static func ask(
        _ bench: Bench, _ agent: inout Agent<FakeKernel, FakeHost, TestTime, FakeRecorder>,
        _ process: ProcessID, _ request: ScanRequest
    ) -> String? {
        agent.handle(
            .registration(
                99, AgentPeer(process: process, user: 1000), request: request.bytes))
        return bench.host.answers[99]
    }

    @Test func `of a registered wrapper is put in force for its enrolment`() throws {
        let bench = Self.bench()
        var agent = bench.agent()
        Bench.register(&agent, 40)
        #expect(bench.host.answers[40] == "enrolled 2 16 lsm scan\n")
        Bench.register(&agent, 41)
        #expect(Self.ask(bench, &agent, 41, try Self.request()) == "scanning 2 17\n")
        #expect(bench.kernel.scanned.map(\.id) == [17])
        #expect(bench.kernel.scanned.first?.request == (try Self.request()))
        // Other values, later.
        #expect(Self.ask(bench, &agent, 41, try Self.request(fill: 2)) == "scanning 2 17\n")
        #expect(bench.kernel.scanned.count == 2)
    }

    @Test func `of somebody who has not registered is refused`() throws {
        let bench = Self.bench()
        var agent = bench.agent()
        Bench.register(&agent, 40)
        #expect(Self.ask(bench, &agent, 41, try Self.request()) == "refused 2 unregistered\n")
        #expect(bench.kernel.scanned.isEmpty)
        #expect(bench.recorder.told.contains("refused unregistered 41"))
    }

    @Test func `is refused where nothing scans, or the self-test got through`() throws {
        for (hasPrograms, leaks) in [
            (false, ["AV-086", "AV-088"]), (true, ["AV-086"]), (true, []),
        ] {
            let bench = Self.bench(canScan: hasPrograms)
            bench.findings = (["AV-044"] + leaks).map { VectorFinding.denied($0) }
            var agent = bench.agent()
            Bench.register(&agent, 40)
            #expect(bench.host.answers[40] == "enrolled 2 16 lsm blind\n")
            #expect(Self.ask(bench, &agent, 40, try Self.request()) == "refused 2 blind\n")
            #expect(bench.kernel.scanned.isEmpty)
        }
    }

    @Test func `is refused when the kernel's table is full, or fails`() throws {
        let bench = Self.bench()
        var agent = bench.agent()
        Bench.register(&agent, 40)
        bench.kernel.scanFailure = .full(table: "scans")
        #expect(Self.ask(bench, &agent, 40, try Self.request()) == "refused 2 full\n")
        bench.kernel.scanFailure = .systemCall("bpf", errorNumber: 12)
        #expect(Self.ask(bench, &agent, 40, try Self.request()) == "refused 2 failed\n")
    }

    @Test func `malformed is refused as such`() {
        let bench = Self.bench()
        var agent = bench.agent()
        for text in ["scan 2 0 0 0\n", "scan 3 10 416 0\n", "listen 2\n"] {
            let peer = AgentPeer(process: 40, user: 0)
            agent.handle(.registration(99, peer, request: Array(text.utf8)))
            let word = text.hasPrefix("scan 3") ? "version" : "malformed"
            #expect(bench.host.answers[99] == "refused 2 \(word)\n")
        }
    }

    @Test func `shows in the metrics what was scanned`() throws {
        let bench = Self.bench()
        bench.kernel.scanTotals.bytes = 4711
        bench.kernel.scanTotals.tooLarge = 3
        var agent = bench.agent()
        let page = try bench.page("/metrics", of: &agent).body
        #expect(ExportedMetrics.declared(in: page) == (try ExportedMetrics.listed("agent")))
        #expect(page.contains("\ncloudtaser_agent_scan_active 1\n"))
        #expect(page.contains("\ncloudtaser_agent_scan_bytes_total 4711\n"))
        #expect(page.contains("\ncloudtaser_agent_scan_truncated_total 3\n"))
        let blind = Self.bench(canScan: false)
        var other = blind.agent()
        let without = try blind.page("/metrics", of: &other).body
        #expect(without.contains("\ncloudtaser_agent_scan_active 0\n"))
        #expect(!without.contains("scan_bytes_total"))
        #expect(try blind.page("/status", of: &other).body.contains("\"scan\":false"))
    }
}
