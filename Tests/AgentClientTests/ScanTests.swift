// SPDX-License-Identifier: Apache-2.0
import AgentClient
import AgentProtocol
import Destinations
import Glibc
import Ports
import Testing

@Suite struct `A scan asked for over the agent's socket` {
    private static func scan(
        address: UInt64 = 0x4000_0000_1000, ruleCount: Int = 2
    ) -> OutputScan {
        OutputScan(
            index: ValueIndex(
                address: address, byteCount: 1568,
                bitmap: (0..<8192).map { UInt8(truncatingIfNeeded: $0) }, gaps: [],
                droppedWindows: 0),
            rules: (0..<ruleCount).map {
                DestinationRule(secret: $0, network: .everyVersion6, port: 443)
            })
    }

    private static func ask(
        _ path: String, _ scan: OutputScan = Self.scan(), within milliseconds: Int32 = 5000
    ) -> NodeAgentFailure? {
        var agent = LocalNodeAgent(path: path, millisecondsMax: milliseconds)
        do throws(NodeAgentFailure) {
            try agent.scan(scan)
            return nil
        } catch { return error }
    }

    @Test(arguments: [0, 2, 64])
    func `says the whole request and hears that it is done`(ruleCount: Int) throws {
        let scan = Self.scan(ruleCount: ruleCount)
        let expected = try ScanRequest(
            address: scan.index.address, length: 1568, rules: scan.rules,
            bitmap: scan.index.bitmap)
        let agent = try FakeAgent(reading: expected.bytes.count) {
            FakeAgent.say("scanning 2 17\n", $0)
        }
        #expect(Self.ask(agent.path, scan) == nil)
        #expect(agent.requestBytes == expected.bytes)
    }

    @Test(arguments: Registration.Refusal.allCases)
    func `gives the reason of a refusal`(_ refusal: Registration.Refusal) throws {
        // Whether the rest of the request was read or not.
        for count in [1, 8192] {
            let agent = try FakeAgent(reading: count) {
                FakeAgent.say(Registration.line(scanning: .failure(refusal)), $0)
            }
            #expect(Self.ask(agent.path) == .refused(reason: refusal.rawValue))
        }
    }

    @Test(arguments: ["\n", "enrolled 2 17 lsm scan\n", "scanning 1 17\n", "scanning 2 x\n"])
    func `knows an answer that no agent gives`(_ text: String) throws {
        let agent = try FakeAgent(reading: 8192) { FakeAgent.say(text, $0) }
        #expect(Self.ask(agent.path) == .malformed)
    }

    @Test func `is not sent when no agent takes it`() throws {
        let agent = try FakeAgent { FakeAgent.say("scanning 2 17\n", $0) }
        let failure = NodeAgentFailure.refused(reason: "malformed")
        #expect(Self.ask(agent.path, Self.scan(ruleCount: 65)) == failure)
        #expect(Self.ask(agent.path, Self.scan(address: 8)) == failure)
        #expect(agent.requestBytes.isEmpty)
    }

    @Test func `waits no longer than its limit for an agent that reads nothing`() throws {
        // Nobody accepts: the request stays in the socket's buffers, and no answer comes.
        let agent = try FakeAgent(script: nil)
        let clock = ContinuousClock()
        let time = clock.measure {
            #expect(Self.ask(agent.path, within: 300) == .timedOut)
        }
        #expect(time >= .milliseconds(298) && time < .seconds(2))
    }

    @Test func `calls an agent absent that is gone`() throws {
        #expect(Self.ask("/nowhere/agent.sock") == .absent(errorNumber: ENOENT))
        let agent = try FakeAgent(reading: 8192) { _ in }
        #expect(Self.ask(agent.path) == .absent(errorNumber: ECONNRESET))
    }
}
