// SPDX-License-Identifier: Apache-2.0
import NodeAgentHTTP
import NodePorts
import Protection
import ScriptedServer
import SimulatedCluster
import Testing

/// Agents that the checks ask.
protocol NodeAgentBench: Sendable {
    var agents: any NodeAgents { get }
    /// - Returns: where somebody answers so from now on.
    func serve(
        status: Int, _ body: String, headers: [(String, String)]
    ) async throws -> NodeAddress
}

/// What every `NodeAgents` does: run against the fake, and against a scripted server through the
/// adapter.
struct NodeAgentCheck: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let run: @Sendable (any NodeAgentBench) async throws -> Void

    init(_ name: String, _ run: @escaping @Sendable (any NodeAgentBench) async throws -> Void) {
        testDescription = name
        self.run = run
    }

    private static let empty =
        #"{"tier":"lsm","mode":"deny","scans":true,"workloads":[],"more":false}"#

    static let all = [
        NodeAgentCheck("an agent's answer is read") { bench in
            let id = String(repeating: "a1", count: 32)
            let workload =
                #"{"pod":"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0","container":"\#(id)","#
                + #""enrolment":16,"scanned":true}"#
            let address = try await bench.serve(
                status: 200, empty.replacing("[]", with: "[\(workload)]"), headers: [])
            #expect(
                try await bench.agents.protection(at: address)
                    == NodeProtection(
                        tier: .lsm, mode: .deny, scans: true, containers: [id: true]))
        },
        NodeAgentCheck("an answer may be as large as the limit") { bench in
            let limit = NodeProtection.documentBytesMax
            let spaces = String(repeating: " ", count: limit - empty.utf8.count)
            let fitting = try await bench.serve(status: 200, empty + spaces, headers: [])
            #expect(try await bench.agents.protection(at: fitting).containers.isEmpty)
            let larger = try await bench.serve(status: 200, empty + spaces + " ", headers: [])
            await expectRefusal(.tooLarge(limit: limit)) { () throws(AgentAnswerFailure) in
                _ = try await bench.agents.protection(at: larger)
            }
        },
        NodeAgentCheck("another status is told, and nothing of what came with it") { bench in
            for status in [204, 301, 404, 500, 503] {
                let address = try await bench.serve(
                    status: status, status == 204 ? "" : empty, headers: [])
                await expectRefusal(.unexpectedStatus(status)) { () throws(AgentAnswerFailure) in
                    _ = try await bench.agents.protection(at: address)
                }
            }
        },
        NodeAgentCheck("what is no answer of an agent is malformed") { bench in
            for (body, detail) in [
                ("", "is no JSON object"), ("ok\n", "is no JSON object"),
                ("{}", "has no tier that is known"),
                (empty.replacing("[]", with: "[{}]"), "has a workload that is none"),
            ] {
                let address = try await bench.serve(status: 200, body, headers: [])
                await expectRefusal(.malformed(detail: detail)) { () throws(AgentAnswerFailure) in
                    _ = try await bench.agents.protection(at: address)
                }
            }
        },
        NodeAgentCheck("nobody answers where nobody listens") { bench in
            let address = try #require(NodeAddress("127.0.0.1", port: 1))
            await expectRefusal(.unreachable(detail: "cannot connect")) {
                () throws(AgentAnswerFailure) in
                _ = try await bench.agents.protection(at: address)
            }
        },
        NodeAgentCheck("a cancelled question ends") { bench in
            let address = try await bench.serve(status: 200, empty, headers: [])
            let call = Task {
                while !Task.isCancelled { await Task.yield() }
                await expectRefusal(.cancelled) { () throws(AgentAnswerFailure) in
                    _ = try await bench.agents.protection(at: address)
                }
            }
            call.cancel()
            await call.value
        },
    ]
}

/// Expects one of the port's failures.
private func expectRefusal(
    _ wanted: AgentAnswerFailure, sourceLocation: SourceLocation = #_sourceLocation,
    _ call: () async throws(AgentAnswerFailure) -> Void
) async {
    do throws(AgentAnswerFailure) {
        try await call()
        Issue.record("expected \(wanted), but it succeeded", sourceLocation: sourceLocation)
    } catch {
        #expect(error == wanted, sourceLocation: sourceLocation)
    }
}
