// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Synchronization
import TestKit
import Testing
import VaultListener
import WrapperConfiguration

/// The real wrapper against an agent's socket that a test answers at.
@Suite("The wrapper and its node's agent") struct AgentTests {
    /// A socket in the wrapper's folder; a thread answers the first registration.
    private final class Agent: Sendable {
        let path: String
        private let listener: Int32
        private let handshakes = Mutex<[Int]>([])

        /// The vault's handshakes when the registration came, and right before its answer.
        var handshakesSeen: [Int] { handshakes.withLock { $0 } }

        init(for wrapper: WrapperProgram, answer: String, after milliseconds: UInt32 = 0) throws {
            path = wrapper.folder.path(percentEncoded: false) + "/agent.sock"
            listener = try localListener(path)
            let vault = wrapper.vault
            Thread.detachNewThread { [self] in
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                var bytes = [UInt8](repeating: 0, count: 128)
                _ = read(connection, &bytes, bytes.count)
                handshakes.withLock { $0.append(vault.listener.handshakes) }
                usleep(milliseconds * 1000)
                handshakes.withLock { $0.append(vault.listener.handshakes) }
                let line = Array(answer.utf8)
                _ = send(connection, line, line.count, Int32(MSG_NOSIGNAL))
                close(connection)
            }
        }

        deinit {
            shutdown(listener, Int32(SHUT_RDWR))
            close(listener)
        }
    }

    private static func wrapper(_ policy: AgentPolicy) throws -> WrapperProgram {
        let wrapper = try WrapperProgram()
        wrapper.environment["CLOUDTASER_AGENT"] = policy.rawValue
        wrapper.environment["CLOUDTASER_AGENT_SOCKET"] = "/nowhere/agent.sock"
        return wrapper
    }

    @Test func `asks nothing of the vault before it is enrolled`() throws {
        let wrapper = try Self.wrapper(.required)
        let agent = try Agent(for: wrapper, answer: "enrolled 2 17 lsm blind\n", after: 700)
        wrapper.environment["CLOUDTASER_AGENT_SOCKET"] = agent.path
        let run = try wrapper.run("echo $DB_PASSWORD")
        #expect(run.status == 0 && run.output == "hunter2-äöü\n", "\(run)")
        #expect(agent.handshakesSeen == [0, 0])
        // Control: the same vault was asked afterwards.
        #expect(wrapper.vault.listener.handshakes > 0)
    }

    @Test func `asks nothing at all where it must be enrolled and is refused`() throws {
        let wrapper = try Self.wrapper(.required)
        let agent = try Agent(for: wrapper, answer: "refused 2 traced\n")
        wrapper.environment["CLOUDTASER_AGENT_SOCKET"] = agent.path
        let run = try wrapper.run()
        #expect(run.status == WrapperExit.agentRefused.rawValue && run.status == 116, "\(run)")
        #expect(
            run.errors.contains("traced") && run.errors.contains(WrapperExit.agentRefused.remedy))
        #expect(wrapper.vault.listener.handshakes == 0 && !wrapper.wasStarted())
    }

    @Test func `asks nothing at all where it must be enrolled and no agent answers`() throws {
        let wrapper = try Self.wrapper(.required)
        let run = try wrapper.run()
        #expect(run.status == WrapperExit.agentAbsent.rawValue && run.status == 115, "\(run)")
        #expect(run.errors.contains(WrapperExit.agentAbsent.remedy))
        #expect(wrapper.vault.listener.handshakes == 0 && !wrapper.wasStarted())
    }

    @Test func `goes on without the agent where it is preferred, and says so when refused`() throws
    {
        let absent = try Self.wrapper(.preferred).run("echo $DB_PASSWORD")
        #expect(absent.status == 0 && absent.output == "hunter2-äöü\n", "\(absent)")
        let wrapper = try Self.wrapper(.preferred)
        let agent = try Agent(for: wrapper, answer: "refused 2 traced\n")
        wrapper.environment["CLOUDTASER_AGENT_SOCKET"] = agent.path
        let refused = try wrapper.run("echo $DB_PASSWORD")
        #expect(refused.status == 0 && refused.output == "hunter2-äöü\n", "\(refused)")
        #expect(refused.errors.contains("CLOUDTASER_AGENT=preferred"))
    }

    @Test func `does not ask an agent that is not wanted`() throws {
        let wrapper = try Self.wrapper(.none)
        let agent = try Agent(for: wrapper, answer: "refused 2 traced\n")
        wrapper.environment["CLOUDTASER_AGENT_SOCKET"] = agent.path
        let run = try wrapper.run("echo $DB_PASSWORD")
        #expect(run.status == 0 && run.output == "hunter2-äöü\n", "\(run)")
        #expect(agent.handshakesSeen.isEmpty)
    }
}
