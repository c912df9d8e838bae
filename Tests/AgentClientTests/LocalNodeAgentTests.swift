// SPDX-License-Identifier: Apache-2.0
import AgentClient
import AgentProtocol
import Glibc
import Ports
import Synchronization
import Testing

@Suite struct `A registration over the agent's socket` {
    private static let shortMilliseconds: Int32 = 300

    private static func register(
        _ path: String, within milliseconds: Int32 = 5000
    ) -> Result<NodeRegistration, NodeAgentFailure> {
        var agent = LocalNodeAgent(path: path, millisecondsMax: milliseconds)
        do throws(NodeAgentFailure) { return .success(try agent.register()) } catch {
            return .failure(error)
        }
    }

    private static func answer(_ text: String) throws -> Result<NodeRegistration, NodeAgentFailure>
    {
        let agent = try FakeAgent.saying(text)
        return register(agent.path)
    }

    @Test func `says its line and gives what the agent says`() throws {
        let agent = try FakeAgent.saying("enrolled 2 17 lsm scan\n")
        #expect(
            Self.register(agent.path)
                == .success(NodeRegistration(enrolment: 17, tier: "lsm", canScan: true)))
        #expect(agent.request == Registration.request)
    }

    @Test func `reads an answer that comes byte by byte, and nothing behind it`() throws {
        let agent = try FakeAgent { connection in
            for character in "enrolled 2 17 lsm scan\nmore" {
                FakeAgent.say(String(character), connection)
                usleep(2000)
            }
        }
        #expect(
            Self.register(agent.path)
                == .success(NodeRegistration(enrolment: 17, tier: "lsm", canScan: true)))
    }

    @Test(arguments: Registration.Refusal.allCases)
    func `gives the reason of a refusal`(_ refusal: Registration.Refusal) throws {
        let answer = try Self.answer(Registration.line(.failure(refusal)))
        #expect(answer == .failure(.refused(reason: refusal.rawValue)))
    }

    @Test func `calls an agent absent without a socket, a folder or a listener`() throws {
        #expect(Self.register("/nowhere/agent.sock") == .failure(.absent(errorNumber: ENOENT)))
        #expect(Self.register("/dev/null/agent.sock") == .failure(.absent(errorNumber: ENOTDIR)))
        let agent = try FakeAgent(script: nil)
        agent.stopListening()
        #expect(Self.register(agent.path) == .failure(.absent(errorNumber: ECONNREFUSED)))
    }

    @Test func `names the call for a path that no socket can have`() {
        let path = "/tmp/" + String(repeating: "a", count: 108)
        let failure = NodeAgentFailure.systemCall("connect", errorNumber: ENAMETOOLONG)
        #expect(Self.register(path) == .failure(failure))
        // The longest that fits is looked for.
        let fitting = String(path.prefix(107))
        #expect(Self.register(fitting) == .failure(.absent(errorNumber: ENOENT)))
    }

    @Test(arguments: [
        "\n", "hello\n", "enrolled 2 x lsm scan\n", "enrolled 1 17 lsm scan\n",
        "HTTP/1.1 400 Bad Request\r\n",
        "enrolled 2 17  scan\n",
    ])
    func `knows an answer that no agent gives`(_ text: String) throws {
        #expect(try Self.answer(text) == .failure(.malformed))
    }

    @Test func `reads a line as long as the limit, and none that is longer`() throws {
        let (head, tail) = ("enrolled 2 17 ", " blind\n")
        let fitting = String(
            repeating: "t", count: Registration.lineBytesMax - head.utf8.count - tail.utf8.count)
        #expect(
            try Self.answer("\(head)\(fitting)\(tail)")
                == .success(NodeRegistration(enrolment: 17, tier: fitting, canScan: false)))
        #expect(try Self.answer("\(head)\(fitting)t\(tail)") == .failure(.malformed))
        #expect(
            try Self.answer(String(repeating: "x", count: 100_000)) == .failure(.malformed))
    }

    @Test(arguments: ["", "enrolled 2 17 lsm scan", "refused"])
    func `takes an agent that ends within its answer for one that is gone`(_ text: String) throws {
        let answer = try Self.answer(text)
        #expect(answer == .failure(.absent(errorNumber: ECONNRESET)))
    }

    @Test func `waits no longer than its limit for an agent that says nothing`() throws {
        let agent = try FakeAgent { _ in sleep(2) }
        let clock = ContinuousClock()
        let time = clock.measure {
            let answer = Self.register(agent.path, within: Self.shortMilliseconds)
            #expect(answer == .failure(.timedOut))
        }
        #expect(time >= .milliseconds(Int(Self.shortMilliseconds) - 2) && time < .seconds(2))
    }

    @Test func `waits no longer for an answer that trickles`() throws {
        let agent = try FakeAgent { connection in
            for _ in 0..<20 {
                FakeAgent.say("e", connection)
                usleep(100_000)
            }
        }
        let clock = ContinuousClock()
        let time = clock.measure {
            let answer = Self.register(agent.path, within: Self.shortMilliseconds)
            #expect(answer == .failure(.timedOut))
        }
        #expect(time < .seconds(1))
    }

    @Test func `waits no longer for an agent that accepts nobody`() throws {
        let agent = try FakeAgent(backlog: 0, script: nil)
        let waiting = FakeAgent.fill(agent.path, 4)
        defer { for descriptor in waiting { close(descriptor) } }
        let clock = ContinuousClock()
        let time = clock.measure {
            let answer = Self.register(agent.path, within: Self.shortMilliseconds)
            #expect(answer == .failure(.timedOut))
        }
        #expect(time < .seconds(2))
    }

    @Test func `closes its connection, whatever the answer was`() throws {
        for text in ["enrolled 2 17 lsm scan\n", "refused 2 full\n", "nonsense\n"] {
            let isClosed = Mutex<Bool?>(nil)
            let agent = try FakeAgent { connection in
                FakeAgent.say(text, connection)
                var entry = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
                _ = poll(&entry, 1, 5000)
                var byte: UInt8 = 0
                let end = recv(connection, &byte, 1, Int32(MSG_DONTWAIT))
                isClosed.withLock { $0 = end == 0 }
            }
            _ = Self.register(agent.path)
            for _ in 0..<500 where isClosed.withLock({ $0 }) == nil { usleep(10_000) }
            #expect(isClosed.withLock { $0 } == true, "\(text)")
        }
    }
}

@Suite struct `A failed registration` {
    @Test func `is tried again only where that can help`() {
        let transient: [NodeAgentFailure] = [
            .absent(errorNumber: 2), .timedOut, .systemCall("connect", errorNumber: 13),
        ]
        for failure in transient { #expect(failure.isTransient) }
        #expect(!NodeAgentFailure.malformed.isTransient)
        let again: Set<Registration.Refusal> = [.full, .failed, .gone, .unguarded]
        for refusal in Registration.Refusal.allCases {
            let failure = NodeAgentFailure.refused(reason: refusal.rawValue)
            #expect(failure.isTransient == again.contains(refusal), "\(refusal)")
        }
    }
}
