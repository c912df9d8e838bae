// SPDX-License-Identifier: Apache-2.0
import NodeAgentHTTP
import NodePorts
import Protection
import ScriptedServer
import Testing

private let empty = #"{"tier":"lsm","mode":"deny","scans":true,"workloads":[],"more":false}"#

/// What came of asking a server.
private func ask(
    _ server: PlainServer, _ client: NodeAgentHTTP = patient()
) async throws -> Result<NodeProtection, AgentAnswerFailure> {
    let address = try #require(NodeAddress("127.0.0.1", port: server.port))
    do throws(AgentAnswerFailure) {
        return .success(try await client.protection(at: address))
    } catch { return .failure(error) }
}

/// What takes long on a busy machine is no failure.
private func patient() -> NodeAgentHTTP {
    var settings = NodeAgentSettings()
    settings.requestTime = .seconds(120)
    settings.connectTime = .seconds(120)
    return NodeAgentHTTP(settings)
}

@Suite struct `Questions to agents` {
    @Test func `say nothing of who asks`() async throws {
        let server = try await PlainServer { _, _ in ScriptedAnswer(200, empty) }
        #expect(try await ask(server).get().tier == .lsm)
        let request = try #require(server.requests.first)
        #expect(request.method == "GET" && request.target == "/workloads" && request.body.isEmpty)
        let names = Set(request.headers.map { $0.0.lowercased() })
        #expect(names.isSubset(of: ["host", "user-agent", "connection"]), "\(names)")
        #expect(request.header("User-Agent") == "cloudtaser")
    }

    @Test func `lead nowhere else`() async throws {
        let elsewhere = try await PlainServer { _, _ in ScriptedAnswer(200, empty) }
        let target = "http://127.0.0.1:\(elsewhere.port)/workloads"
        for status in [301, 302, 303, 307, 308] {
            let server = try await PlainServer { _, _ in
                ScriptedAnswer(status, empty, headers: [("Location", target)])
            }
            #expect(try await ask(server) == .failure(.unexpectedStatus(status)))
            #expect(server.requests.count == 1)
        }
        #expect(elsewhere.requests.isEmpty)
        #expect(try await ask(elsewhere).get().mode == .deny, "control: it would answer")
    }

    @Test func `are over when their time is`() async throws {
        let server = try await PlainServer { _, _ in
            var answer = ScriptedAnswer()
            answer.isSilent = true
            return answer
        }
        var settings = NodeAgentSettings()
        settings.requestTime = .milliseconds(300)
        #expect(try await ask(server, NodeAgentHTTP(settings)) == .failure(.timedOut))
        #expect(NodeAgentSettings().requestTime == .seconds(5))
    }

    @Test func `are not asked again when the answer breaks off`() async throws {
        let server = try await PlainServer { _, _ in
            var answer = ScriptedAnswer(200, #"{"tier":"#)
            answer.breaksOff = true
            return answer
        }
        switch try await ask(server) {
        case .failure(.unreachable), .failure(.malformed): break
        case let other: Issue.record("\(other)")
        }
        #expect(server.requests.count == 1)
    }

    @Test func `end at the limit of an answer that goes on`() async throws {
        let server = try await PlainServer { _, _ in
            var answer = ScriptedAnswer(200, empty)
            answer.parts += Array(repeating: String(repeating: " ", count: 1 << 16), count: 64)
            return answer
        }
        #expect(
            try await ask(server)
                == .failure(.tooLarge(limit: NodeProtection.documentBytesMax)))
    }

    @Test func `tell failures in words of ours`() async throws {
        let server = try await PlainServer { _, _ in ScriptedAnswer(500, "hunter2") }
        let found = try await ask(server)
        guard case .failure(let failure) = found else {
            Issue.record("\(found)")
            return
        }
        #expect(!"\(failure)\(failure.shown)".contains("hunter2"))
        #expect(failure.shown == "it answers with the status 500")
        for (failure, text) in [
            (AgentAnswerFailure.unreachable(detail: "cannot connect"), "not available: cannot"),
            (.timedOut, "in time"), (.tooLarge(limit: 9), "larger than 9 bytes"),
            (.malformed(detail: "is no JSON object"), "its answer is no JSON"),
            (.cancelled, "given up"),
        ] {
            #expect(failure.shown.contains(text))
        }
    }
}
