// SPDX-License-Identifier: Apache-2.0
import Ports
import Testing
import Wrapper
import WrapperConfiguration

@Suite struct `A rotation` {
    static let strategies: [RotationStrategy] = [
        .restart, .signal(1), .execHook(["/bin/reload"]),
    ]

    /// Runs into the end of lease `a`, up to the fresh read.
    private static func atMaximum(_ strategy: RotationStrategy) -> MachineDriver {
        var driver = MachineDriver { $0.rotation = strategy }
        let action = driver.start(
            .forever, reading: [.leased("a", .seconds(60, renewable: false))])
        #expect(driver.waitOut(action) == .read(request: 0))
        return driver
    }

    @Test func `by restart stops the program, starts it anew, revokes the former lease`() {
        var driver = Self.atMaximum(.restart)
        let look = driver.handle(.read(.leased("b", .seconds(60))))
        #expect(look == .wait(until: driver.now), "has it ended by itself?")
        #expect(driver.handle(.host(.deadline)) == .stopProgram)
        #expect(driver.handle(.done) == .wait(until: nil))
        #expect(driver.handle(.host(.programEnded(.signalled(signal: 15)))) == .startProgram)
        #expect(driver.handle(.started) == .revoke(LeaseID("a")))
        let wait = driver.handle(.revoked)
        #expect(driver.waitOut(wait) == .renew(LeaseID("b")))
    }

    @Test func `by signal or hook hands the values over first`() {
        for (strategy, action) in [
            (RotationStrategy.signal(1), WrapperStateMachine.Action.sendSignal(1)),
            (.execHook(["/bin/reload"]), .runHook),
        ] {
            var driver = Self.atMaximum(strategy)
            #expect(driver.handle(.read(.leased("b", .seconds(60)))) == .replaceValues)
            #expect(driver.handle(.done) == action)
            let wait = driver.handle(.done)
            #expect(driver.waitOut(wait) == .renew(LeaseID("b")))
            #expect(driver.told.contains("rotation_done"))
        }
    }

    @Test func `does not restart a program that ended by itself meanwhile`() {
        var driver = Self.atMaximum(.restart)
        driver.handle(.read(.leased("b", .seconds(60))))
        let end = ChildExit.exited(code: 0)
        #expect(driver.handle(.host(.programEnded(end))) == .revokeToken)
        driver.handle(.revoked)
        #expect(driver.handle(.forgotten) == .finish(.programEnded(end)))
    }

    @Test func `does not start another program when the container is asked to end`() {
        var driver = Self.atMaximum(.restart)
        driver.handle(.read(.leased("b", .seconds(60))))
        driver.handle(.host(.deadline))
        driver.handle(.done)
        #expect(driver.handle(.host(.stopRequested(signal: 15))) == .wait(until: nil))
        let end = ChildExit.signalled(signal: 15)
        #expect(driver.handle(.host(.programEnded(end))) == .revokeToken)
    }

    @Test(arguments: strategies)
    func `that fails leaves the program as it is and is tried again later`(
        strategy: RotationStrategy
    ) {
        var driver = Self.atMaximum(strategy)
        let wait = driver.handle(.readFailed(.sealed(host: "v"), nil))
        #expect(driver.told.last == "rotation_failed")
        #expect(driver.waitOut(wait) == .read(request: 0))
        let stop = WrapperStop.refused(.valueContainsNUL, detail: "N")
        let lease = Lease(id: LeaseID("b"), grant: .seconds(60))
        #expect(driver.handle(.valuesRefused(stop, lease)) == .revoke(LeaseID("b")))
        #expect(driver.waitOut(driver.handle(.revoked)) == .read(request: 0))
    }

    @Test func `follows a new version of a KV secret`() {
        var driver = MachineDriver(requests: 2) {
            ($0.rotation, $0.checkInterval) = (.restart, .seconds(100))
        }
        var action = driver.start(reading: [.version(4), .version(1)])
        #expect(MachineDriver.end(of: action) == 100)
        #expect(driver.waitOut(action) == .checkVersion(request: 0))
        action = driver.handle(.version(4))
        #expect(driver.waitOut(action) == .checkVersion(request: 1))
        #expect(driver.handle(.version(2)) == .read(request: 0))
        #expect(driver.told.contains("version_changed"))
    }

    @Test func `without a strategy is not looked for`() {
        var driver = MachineDriver()
        #expect(driver.start(reading: [.version(4)]) == .wait(until: nil))
    }

    @Test func `that has nothing to follow is said to have none`() {
        var driver = MachineDriver { $0.rotation = .restart }
        #expect(driver.start() == .wait(until: nil))
        #expect(driver.told.first == "rotation_without_object")
    }

    @Test func `follows a new login, which takes the former leases along`() {
        var driver = MachineDriver { $0.rotation = .signal(10) }
        let action = driver.start(
            .seconds(30, renewable: false), reading: [.leased("a", .seconds(600))])
        #expect(driver.waitOut(action) == .logIn)
        #expect(driver.handle(.loggedIn(.seconds(30))) == .read(request: 0))
    }

    @Test func `ends with the wrapper when the new program cannot be started`() {
        var driver = Self.atMaximum(.restart)
        driver.handle(.read(.leased("b", .seconds(60))))
        driver.handle(.host(.deadline))
        driver.handle(.done)
        driver.handle(.host(.programEnded(.exited(code: 0))))
        let failure = ProcessHostFailure.deliveryFailed(step: "map", errorNumber: 12)
        #expect(driver.handle(.hostFailed(failure)) == .revokeToken)
        driver.handle(.revoked)
        guard case .finish(let stop) = driver.handle(.forgotten) else {
            Issue.record("did not finish")
            return
        }
        #expect(stop.statusCode == 111)
    }

    @Test func `reads anew when the values have ended before the old program has`() {
        var driver = Self.atMaximum(.restart)
        driver.handle(.read(.leased("b", .seconds(5))))
        driver.handle(.host(.deadline))
        driver.handle(.done)
        let end = ChildExit.signalled(signal: 9)
        #expect(driver.handle(.host(.programEnded(end)), after: 30) == .read(request: 0))
        // From here on it is a fetch as the first one was: no program runs.
        let wait = driver.handle(.readFailed(.sealed(host: "v"), nil))
        #expect(driver.waitOut(wait) == .read(request: 0))
        #expect(driver.handle(.read(.leased("c", .seconds(60)))) == .startProgram)
        #expect(driver.waitOut(driver.handle(.started)) == .renew(LeaseID("c")))
    }

    @Test func `leaves leases alone at the end that have run out`() {
        var driver = MachineDriver { ($0.rotation, $0.ownsToken) = (.signal(1), false) }
        var action = driver.start(
            .forever, reading: [.leased("a", .seconds(6, renewable: false))])
        for name in ["b", "c"] {
            #expect(driver.waitOut(action) == .read(request: 0))
            driver.handle(.read(.leased(name, .seconds(6, renewable: false))))
            driver.handle(.done)
            action = driver.handle(.done)
        }
        // At 8 s: a has run out at 6, b lives until 10, c until 14.
        let end = driver.handle(.host(.programEnded(.exited(code: 0))))
        #expect(end == .revoke(LeaseID("c")))
        #expect(driver.handle(.revoked) == .revoke(LeaseID("b")))
        #expect(driver.handle(.revoked) == .forgetLogin)
    }

    @Test func `of a certificate that a wrong clock calls over has a pause`() {
        var driver = MachineDriver { $0.rotation = .signal(1) }
        let action = driver.start(.forever, reading: [SecretFacts(lifetime: .zero)])
        #expect((MachineDriver.end(of: action) ?? 0) > 6)
    }
}
