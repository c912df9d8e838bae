// SPDX-License-Identifier: Apache-2.0
import Ports
import Testing
import Wrapper
import WrapperConfiguration

@Suite struct `The wrapper's registration` {
    private static let registered = WrapperStateMachine.Event.registered(
        NodeRegistration(enrolment: 17, tier: "lsm", canScan: true))
    private static let absent = WrapperStateMachine.Event.unregistered(.absent(errorNumber: 2))

    private static func driver(_ agent: AgentPolicy, seconds: Int = 10) -> MachineDriver {
        MachineDriver {
            $0.agent = agent
            $0.fetchLimit = .seconds(seconds)
        }
    }

    @Test(arguments: [AgentPolicy.required, .preferred])
    func `comes before the login`(_ policy: AgentPolicy) {
        var driver = Self.driver(policy)
        #expect(driver.handle(.begin) == .register)
        #expect(driver.handle(Self.registered) == .logIn)
        #expect(driver.told == ["agent_protects"])
        #expect(driver.messages.first?.contains("lsm") == true)
    }

    @Test func `is not made where no agent is wanted`() {
        var driver = Self.driver(.none)
        #expect(driver.handle(.begin) == .logIn)
        #expect(driver.told.isEmpty)
    }

    @Test func `is tried again, where it is required, until the time for the fetch is over`() {
        for failure in [
            NodeAgentFailure.absent(errorNumber: 2), .timedOut, .refused(reason: "unguarded"),
            .systemCall("connect", errorNumber: 13),
        ] {
            var driver = Self.driver(.required)
            var action = driver.handle(.begin)
            var tries = 0
            while action == .register {
                tries += 1
                action = driver.handle(.unregistered(failure))
                if case .wait = action { action = driver.waitOut(action) }
            }
            #expect(tries > 3, "\(failure)")
            let seconds = Double(driver.now.nanoseconds) / 1e9
            #expect(seconds <= 10 && seconds > 3)
            #expect(driver.told == Array(repeating: "agent_retry", count: tries - 1))
            #expect(action == .forgetLogin)
            guard case .finish(let stop) = driver.handle(.forgotten) else {
                Issue.record("no end after \(failure)")
                continue
            }
            let isRefusal = if case .refused = failure { true } else { false }
            #expect(stop.statusCode == (isRefusal ? 116 : 115))
        }
    }

    @Test func `that succeeds late goes on as at once, with the pauses begun anew`() {
        var driver = Self.driver(.required)
        driver.handle(.begin)
        #expect(driver.waitOut(driver.handle(Self.absent)) == .register)
        #expect(driver.waitOut(driver.handle(Self.absent)) == .register)
        #expect(driver.handle(Self.registered) == .logIn)
        #expect(driver.told == ["agent_retry", "agent_retry", "agent_protects"])
        // As long as the first pause of a fetch that registered at once.
        let before = driver.now
        let pause = driver.handle(.storeFailed(.timedOut(host: "v", seconds: 1)))
        var plain = MachineDriver { $0.fetchLimit = .seconds(10) }
        plain.handle(.begin)
        let first = plain.handle(.storeFailed(.timedOut(host: "v", seconds: 1)))
        let waited = (MachineDriver.end(of: pause) ?? 0) - Double(before.nanoseconds) / 1e9
        #expect(abs(waited - (MachineDriver.end(of: first) ?? -1)) < 1e-6)
    }

    @Test(arguments: ["traced", "enrolled", "invisible", "version", "malformed"])
    func `that is required and refused for good ends at once with 116`(_ reason: String) {
        var driver = Self.driver(.required)
        driver.handle(.begin)
        #expect(driver.handle(.unregistered(.refused(reason: reason))) == .forgetLogin)
        let stop = WrapperStop.refused(.agentRefused, detail: reason)
        #expect(driver.handle(.forgotten) == .finish(stop))
        #expect(stop.statusCode == 116)
        #expect(driver.now.nanoseconds == 0)
    }

    @Test func `that is answered with nonsense ends at once with 116`() {
        var driver = Self.driver(.required)
        driver.handle(.begin)
        #expect(driver.handle(.unregistered(.malformed)) == .forgetLogin)
        guard case .finish(let stop) = driver.handle(.forgotten) else {
            Issue.record("no end")
            return
        }
        #expect(stop.statusCode == 116)
    }

    @Test func `ends when it is asked to stop while it waits`() {
        var driver = Self.driver(.required)
        driver.handle(.begin)
        driver.handle(Self.absent)
        #expect(driver.handle(.host(.stopRequested(signal: 15))) == .forgetLogin)
        #expect(driver.handle(.forgotten) == .finish(.stopRequested(signal: 15)))
    }

    @Test func `that is preferred and fails goes on, and tells`() {
        for failure in [
            NodeAgentFailure.absent(errorNumber: 2), .timedOut, .refused(reason: "traced"),
            .malformed, .systemCall("connect", errorNumber: 13),
        ] {
            var driver = Self.driver(.preferred)
            #expect(driver.handle(.begin) == .register)
            #expect(driver.handle(.unregistered(failure)) == .logIn, "\(failure)")
            #expect(driver.told == ["agent_does_not_protect"])
            #expect(driver.messages.first?.contains("CLOUDTASER_AGENT=preferred") == true)
        }
    }

    @Test func `happens once, however often the vault must be asked`() {
        var driver = Self.driver(.required)
        driver.handle(.begin)
        driver.handle(Self.registered)
        let again = driver.waitOut(driver.handle(.storeFailed(.timedOut(host: "v", seconds: 1))))
        #expect(again == .logIn)
    }
}
