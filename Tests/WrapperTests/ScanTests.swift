// SPDX-License-Identifier: Apache-2.0
import Delivery
import Ports
import Testing
import Wrapper
import WrapperConfiguration

@Suite struct `The scan of a program's output` {
    private static let stop = WrapperStop.refused(.agentAbsent, detail: "no answer in time")
    private static let refused = WrapperStop.refused(.agentRefused, detail: "full")

    private static func driver(
        _ policy: AgentPolicy = .required, canScan: Bool = true, delivery: DeliveryMode = .splice,
        rotation: RotationStrategy = .none
    ) -> MachineDriver {
        var driver = MachineDriver {
            $0.agent = policy
            $0.delivery = delivery
            $0.rotation = rotation
            $0.fetchLimit = .seconds(10)
        }
        driver.handle(.begin)
        driver.handle(
            .registered(NodeRegistration(enrolment: 17, tier: "lsm", canScan: canScan)))
        return driver
    }

    /// Through the reads, to what comes before the start.
    private static func fetched(
        _ driver: inout MachineDriver, _ facts: SecretFacts = SecretFacts()
    ) -> MachineDriver.Action {
        driver.handle(.loggedIn(.forever))
        var action = driver.handle(.read(facts))
        if action == .revokeToken { action = driver.handle(.revoked) }
        if action == .forgetLogin { action = driver.handle(.forgotten) }
        return action
    }

    @Test(arguments: [AgentPolicy.required, .preferred])
    func `is asked for after the reads and before the start`(_ policy: AgentPolicy) {
        var driver = Self.driver(policy)
        #expect(Self.fetched(&driver) == .scan)
        #expect(driver.handle(.scanning) == .startProgram)
        #expect(driver.told == ["agent_protects", "output_scanned"])
    }

    @Test(arguments: [AgentPolicy.required, .preferred])
    func `is not asked for on a node that cannot, and that is told`(_ policy: AgentPolicy) {
        var driver = Self.driver(policy, canScan: false)
        #expect(Self.fetched(&driver) == .startProgram)
        #expect(driver.told == ["agent_protects", "output_not_scanned"])
        #expect(driver.messages.last?.contains("cannot scan") == true)
    }

    @Test(arguments: [DeliveryMode.file, .environ])
    func `is not asked for where no index is delivered, and that is told`(_ mode: DeliveryMode) {
        var driver = Self.driver(delivery: mode)
        #expect(Self.fetched(&driver) == .startProgram)
        #expect(driver.told == ["agent_protects", "output_not_scanned"])
        #expect(driver.messages.last?.contains("delivery \(mode.rawValue)") == true)
    }

    @Test func `is not asked for without an agent`() {
        var driver = MachineDriver { $0.agent = .preferred }
        driver.handle(.begin)
        driver.handle(.unregistered(.absent(errorNumber: 2)))
        #expect(Self.fetched(&driver) == .startProgram)
    }

    @Test func `that fails where it is preferred is told, and the program starts`() {
        for isTransient in [true, false] {
            var driver = Self.driver(.preferred)
            #expect(Self.fetched(&driver) == .scan)
            let action = driver.handle(.unscanned(Self.refused, isTransient: isTransient))
            #expect(action == .startProgram)
            #expect(driver.told.last == "output_not_scanned")
            #expect(driver.messages.last?.contains("CLOUDTASER_AGENT=preferred") == true)
        }
    }

    @Test func `that is required is tried again until the time is over, and nothing starts`() {
        var driver = Self.driver()
        var action = Self.fetched(&driver)
        var tries = 0
        while action == .scan {
            tries += 1
            action = driver.handle(.unscanned(Self.stop, isTransient: true))
            if case .wait = action { action = driver.waitOut(action) }
        }
        #expect(tries > 3 && driver.told.last == "scan_retry")
        #expect(action == .finish(Self.stop), "the login was given back before")
        #expect(Self.stop.statusCode == 115)
    }

    @Test func `that is required and comes late starts the program`() {
        var driver = Self.driver()
        #expect(Self.fetched(&driver) == .scan)
        let wait = driver.handle(.unscanned(Self.stop, isTransient: true))
        #expect(driver.waitOut(wait) == .scan)
        #expect(driver.handle(.scanning) == .startProgram)
    }

    @Test func `that is required and refused for good ends at once`() {
        var driver = Self.driver()
        #expect(Self.fetched(&driver) == .scan)
        let action = driver.handle(.unscanned(Self.refused, isTransient: false))
        #expect(action == .finish(Self.refused))
        #expect(Self.refused.statusCode == 116 && driver.now.nanoseconds == 0)
    }

    @Test func `ends when it is asked to stop while it waits`() {
        var driver = Self.driver()
        _ = Self.fetched(&driver)
        driver.handle(.unscanned(Self.stop, isTransient: true))
        #expect(
            driver.handle(.host(.stopRequested(signal: 15))) == .finish(.stopRequested(signal: 15)))
    }

    // MARK: - Later values

    /// To the fresh values of a rotation.
    private static func rotated(
        _ policy: AgentPolicy, _ strategy: RotationStrategy
    ) -> (MachineDriver, MachineDriver.Action) {
        var driver = driver(policy, rotation: strategy)
        let lease = SecretFacts.leased("a", .seconds(60, renewable: false))
        #expect(fetched(&driver, lease) == .scan)
        #expect(driver.handle(.scanning) == .startProgram)
        #expect(driver.waitOut(driver.handle(.started)) == .read(request: 0))
        let action = driver.handle(.read(.leased("b", .seconds(60))))
        return (driver, action)
    }

    @Test(arguments: [RotationStrategy.signal(1), .execHook(["/bin/reload"])])
    func `comes before new values are handed over`(_ strategy: RotationStrategy) {
        var (driver, action) = Self.rotated(.required, strategy)
        #expect(action == .scan)
        action = driver.handle(.scanning)
        #expect(action == .replaceValues)
    }

    @Test func `comes before the program is stopped for new values`() {
        var (driver, action) = Self.rotated(.required, .restart)
        #expect(action == .scan)
        action = driver.handle(.scanning)
        #expect(action == .wait(until: driver.now))
        #expect(driver.handle(.host(.deadline)) == .stopProgram)
        driver.handle(.done)
        #expect(driver.handle(.host(.programEnded(.signalled(signal: 15)))) == .startProgram)
    }

    @Test(arguments: [RotationStrategy.signal(1), .restart])
    func `that fails where it is required keeps the old values for now`(
        _ strategy: RotationStrategy
    ) {
        var (driver, _) = Self.rotated(.required, strategy)
        #expect(
            driver.handle(.unscanned(Self.stop, isTransient: true)) == .revoke(LeaseID("b")))
        #expect(driver.told.contains("rotation_failed"))
        #expect(driver.waitOut(driver.handle(.revoked)) == .read(request: 0), "and tries again")
    }

    @Test func `that fails where it is preferred does not keep new values back`() {
        var (driver, _) = Self.rotated(.preferred, .signal(1))
        #expect(driver.handle(.unscanned(Self.stop, isTransient: true)) == .replaceValues)
        #expect(driver.told.last == "output_not_scanned")
    }

    @Test func `is asked for anew when values had to be read again`() {
        var (driver, _) = Self.rotated(.required, .restart)
        driver.handle(.scanning)
        driver.handle(.host(.deadline))
        driver.handle(.done)
        // It took its time to end: what was read is over.
        let ended = driver.handle(
            .host(.programEnded(.signalled(signal: 15))), after: 61)
        #expect(ended == .read(request: 0))
        #expect(driver.handle(.read(.leased("c", .seconds(60)))) == .scan)
        #expect(driver.handle(.scanning) == .startProgram)
    }
}
