// SPDX-License-Identifier: Apache-2.0
import CurlHTTP
import NodeAgentHTTP
import NodePorts
import Protection
import ScriptedServer
import SimulatedCluster
import Synchronization
import Testing

/// The fake.
private final class SimulatedAgentsBench: NodeAgentBench {
    private let simulated = SimulatedNodeAgents()
    private let last = Mutex(1)

    var agents: any NodeAgents { simulated }

    func serve(
        status: Int, _ body: String, headers: [(String, String)]
    ) async throws -> NodeAddress {
        let number = last.withLock { last in
            last += 1
            return last
        }
        let address = try #require(NodeAddress("10.0.0.\(number)"))
        simulated.serve(
            address, SimulatedNodeAgents.Answer(status: status, body: Array(body.utf8)))
        return address
    }
}

/// The adapter on a real server with scripted answers.
private final class ScriptedAgentsBench: NodeAgentBench {
    let agents: any NodeAgents
    private let servers = Mutex<[PlainServer]>([])

    init(_ agents: any NodeAgents) { self.agents = agents }

    /// The operator's.
    static func nio() -> ScriptedAgentsBench {
        var settings = NodeAgentSettings()
        // What takes long on a busy machine is no failure.
        settings.requestTime = .seconds(300)
        settings.connectTime = .seconds(300)
        return ScriptedAgentsBench(NodeAgentHTTP(settings))
    }

    /// The tool's.
    static func curl() -> ScriptedAgentsBench {
        ScriptedAgentsBench(CurlNodeAgents(time: .seconds(300)))
    }

    func serve(
        status: Int, _ body: String, headers: [(String, String)]
    ) async throws -> NodeAddress {
        let server = try await PlainServer { request, _ in
            #expect(request.method == "GET" && request.target == "/workloads")
            return ScriptedAnswer(status, body, headers: headers)
        }
        servers.withLock { $0.append(server) }
        return try #require(NodeAddress("127.0.0.1", port: server.port))
    }
}

@Suite("NodeAgents: the fake") struct SimulatedNodeAgentsTests {
    @Test(arguments: NodeAgentCheck.all)
    func `does as every agent's client does`(_ check: NodeAgentCheck) async throws {
        try await check.run(SimulatedAgentsBench())
    }
}

@Suite("NodeAgents: the adapters on a scripted server") struct ScriptedNodeAgentsTests {
    @Test(arguments: NodeAgentCheck.all)
    func `does as every agent's client does`(_ check: NodeAgentCheck) async throws {
        try await check.run(ScriptedAgentsBench.nio())
    }

    @Test(arguments: NodeAgentCheck.all)
    func `does by libcurl as every agent's client does`(_ check: NodeAgentCheck) async throws {
        try await check.run(ScriptedAgentsBench.curl())
    }
}
