// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import Enforcement
import Ports
import Testing

@Suite struct `An agent that follows another one` {
    @Test func `counts who is enrolled, tells what was lost, and gives no number twice`() throws {
        let bench = Bench()
        bench.kernel.earlier = [
            EnrolledWorkload(id: 2, wrapper: 0), EnrolledWorkload(id: 16, wrapper: 70),
        ]
        bench.kernel.living[16] = 3
        bench.kernel.untoldLoss = 12
        var agent = bench.agent(isAdopted: true)
        bench.host.inputs = [
            .registration(10, AgentPeer(process: 10, user: 0), request: Array("register 2\n".utf8))
        ]
        #expect(try agent.run() == 15)
        #expect(bench.recorder.told.contains("lost 12"))
        // 16 is the earlier workload's.
        #expect(bench.host.answers[10] == "enrolled 2 17 lsm blind\n")
        #expect(bench.kernel.left == 1)
    }

    @Test func `control: the first agent of a node takes nothing over`() throws {
        let bench = Bench()
        bench.kernel.earlier = [EnrolledWorkload(id: 16, wrapper: 70)]
        bench.kernel.untoldLoss = 12
        var agent = bench.agent()
        bench.host.inputs = [
            .registration(10, AgentPeer(process: 10, user: 0), request: Array("register 2\n".utf8))
        ]
        _ = try agent.run()
        #expect(!bench.recorder.told.contains { $0.hasPrefix("lost") })
        #expect(bench.host.answers[10] == "enrolled 2 16 lsm blind\n")
    }
}
