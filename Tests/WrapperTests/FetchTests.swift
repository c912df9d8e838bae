// SPDX-License-Identifier: Apache-2.0
import Ports
import SecretMemory
import Testing
import Wrapper
import WrapperConfiguration

@Suite struct `The wrapper's way to the program's start` {
    @Test func `is log in, read each path, revoke, forget, start, pass the end on`() {
        var driver = MachineDriver(requests: 2)
        #expect(driver.handle(.begin) == .logIn)
        #expect(driver.handle(.loggedIn(.seconds(60))) == .read(request: 0))
        #expect(driver.handle(.read(SecretFacts())) == .read(request: 1))
        #expect(driver.handle(.read(SecretFacts())) == .revokeToken)
        #expect(driver.handle(.revoked) == .forgetLogin)
        #expect(driver.handle(.forgotten) == .startProgram)
        #expect(driver.handle(.started) == .wait(until: nil))
        let end = ChildExit.exited(code: 7)
        #expect(driver.handle(.host(.programEnded(end))) == .finish(.programEnded(end)))
    }

    @Test func `leaves a token alone that it was given`() {
        var driver = MachineDriver { $0.ownsToken = false }
        driver.handle(.begin)
        driver.handle(.loggedIn(.forever))
        #expect(driver.handle(.read(SecretFacts())) == .forgetLogin)
    }

    @Test func `goes on when the token cannot be revoked, and says so`() {
        var driver = MachineDriver()
        driver.handle(.begin)
        driver.handle(.loggedIn(.seconds(60)))
        driver.handle(.read(SecretFacts()))
        #expect(driver.handle(.storeFailed(.timedOut(host: "v", seconds: 5))) == .forgetLogin)
        #expect(driver.handle(.forgotten) == .startProgram)
        #expect(driver.told == ["revocation_failed"])
    }

    @Test func `never reaches the start after a refusal, wherever it comes`() {
        let stop = WrapperStop.refused(.permissionDenied, detail: "p")
        for goodReads in 0...2 {
            var driver = MachineDriver(requests: 3)
            driver.handle(.begin)
            driver.handle(.loggedIn(.seconds(60)))
            for _ in 0..<goodReads { driver.handle(.read(SecretFacts())) }
            #expect(driver.handle(.readFailed(.permissionDenied(path: "p"), nil)) == .revokeToken)
            #expect(driver.handle(.revoked) == .forgetLogin)
            #expect(driver.handle(.forgotten) == .finish(stop))
        }
        var driver = MachineDriver()
        driver.handle(.begin)
        #expect(
            driver.handle(.storeFailed(.credentialMissing(method: "token"))) == .forgetLogin)
        #expect(
            driver.handle(.forgotten)
                == .finish(.refused(.credentialUnreadable, detail: "none given for token")))
    }

    @Test func `cleans up before it reports a refused value`() {
        var driver = MachineDriver()
        driver.handle(.begin)
        driver.handle(.loggedIn(.seconds(60)))
        let stop = WrapperStop.refused(.valueContainsNUL, detail: "N")
        #expect(driver.handle(.valuesRefused(stop, nil)) == .revokeToken)
        #expect(driver.handle(.storeFailed(.sealed(host: "v"))) == .forgetLogin)
        #expect(driver.handle(.forgotten) == .finish(stop))
    }

    @Test func `revokes each lease when the token is not its own, the one of a failed read too`() {
        var driver = MachineDriver(requests: 2) { $0.ownsToken = false }
        driver.handle(.begin)
        driver.handle(.loggedIn(.forever))
        driver.handle(.read(.leased("a", .seconds(60))))
        let lease = Lease(id: LeaseID("b"), grant: .seconds(60))
        let failure = SecretStoreFailure.fieldMissing(path: "p", field: "f")
        #expect(driver.handle(.readFailed(failure, lease)) == .revoke(LeaseID("a")))
        #expect(driver.handle(.revoked) == .revoke(LeaseID("b")))
        #expect(driver.handle(.revoked) == .forgetLogin)
    }

    @Test func `passes a failed start on with its own code`() {
        for (failure, code) in [
            (ProcessHostFailure.notFound(program: "x"), 127),
            (.notExecutable(program: "x", errorNumber: 13), 126),
            (.argumentsTooLarge(program: "x"), 107),
            (.refused(call: "ptrace", errorNumber: 1), 110),
            (.deliveryFailed(step: "map", errorNumber: 12), 111),
        ] as [(ProcessHostFailure, Int32)] {
            var driver = MachineDriver()
            driver.handle(.begin)
            driver.handle(.loggedIn(.seconds(60)))
            driver.handle(.read(SecretFacts()))
            driver.handle(.revoked)
            driver.handle(.forgotten)
            guard case .finish(let stop) = driver.handle(.hostFailed(failure)) else {
                Issue.record("did not finish")
                continue
            }
            #expect(stop.statusCode == code)
        }
    }
}

@Suite struct `A try that failed` {
    static let transient: [SecretStoreFailure] = [
        .nameNotResolved(host: "v"), .connectionFailed(host: "v", port: 1, errorNumber: 111),
        .timedOut(host: "v", seconds: 3), .sealed(host: "v"), .uninitialized(host: "v"),
        .standby(host: "v"), .rateLimited(host: "v", retryAfterSeconds: nil),
        .serverError(host: "v", status: 500), .responseTruncated(path: "p"),
    ]

    @Test(arguments: transient)
    func `is made again after a growing pause`(failure: SecretStoreFailure) {
        var driver = MachineDriver()
        driver.handle(.begin)
        var pauses: [Double] = []
        for _ in 0..<4 {
            let action = driver.handle(.storeFailed(failure))
            guard let end = MachineDriver.end(of: action) else {
                Issue.record("\(action)")
                return
            }
            pauses.append(end - Double(driver.now.nanoseconds) / 1e9)
            #expect(driver.waitOut(action) == .logIn)
        }
        #expect(pauses == [0.25, 0.5, 1, 2], "half of the span with no chance added")
        driver.handle(.loggedIn(.seconds(60)))
        let action = driver.handle(.readFailed(failure, nil))
        #expect(driver.waitOut(action) == .read(request: 0))
        #expect(driver.told.allSatisfy { $0 == "vault_retry" } && driver.told.count == 5)
    }

    @Test func `is given up when the time for the fetch is over`() {
        var driver = MachineDriver { $0.fetchLimit = .seconds(10) }
        driver.handle(.begin)
        let failure = SecretStoreFailure.sealed(host: "v")
        var action = driver.handle(.storeFailed(failure))
        var tries = 1
        while case .wait = action {
            #expect(driver.waitOut(action) == .logIn)
            action = driver.handle(.storeFailed(failure))
            tries += 1
        }
        #expect(tries == 6, "0.25 + 0.5 + 1 + 2 + 4 s, and 8 more would be too many")
        #expect(action == .forgetLogin)
        let stop = WrapperStop.refused(.vaultSealed, detail: "v")
        #expect(driver.handle(.forgotten) == .finish(stop))
    }

    @Test func `is final where no time for another is given`() {
        var driver = MachineDriver { $0.fetchLimit = .zero }
        driver.handle(.begin)
        #expect(driver.handle(.storeFailed(.sealed(host: "v"))) == .forgetLogin)
    }

    @Test func `waits as long as the vault asks for, or not at all`() {
        var driver = MachineDriver { $0.fetchLimit = .seconds(60) }
        driver.handle(.begin)
        let patient = driver.handle(.storeFailed(.rateLimited(host: "v", retryAfterSeconds: 17)))
        #expect(MachineDriver.end(of: patient) == 17)
        #expect(driver.waitOut(patient) == .logIn)
        let failure = SecretStoreFailure.rateLimited(host: "v", retryAfterSeconds: 44)
        #expect(driver.handle(.storeFailed(failure)) == .forgetLogin, "61 s are too many")
    }

    @Test func `does not even revoke before the vault wants to be asked again`() {
        var driver = MachineDriver { $0.fetchLimit = .seconds(5) }
        driver.handle(.begin)
        driver.handle(.loggedIn(.seconds(60)))
        let failure = SecretStoreFailure.rateLimited(host: "v", retryAfterSeconds: 7)
        let wait = driver.handle(.readFailed(failure, nil))
        #expect(MachineDriver.end(of: wait) == 7)
        #expect(driver.waitOut(wait) == .revokeToken)
    }

    @Test func `is jittered within half of its span`() {
        for chance: UInt64 in [0, 1, 512, 1024, 1025, .max] {
            var backoff = Backoff()
            for doubling in 0..<12 {
                let span = min(0.5 * Double(1 << doubling), 30)
                let pause = backoff.next(chance: chance) / .seconds(1)
                #expect(pause >= span / 2 && pause <= span)
            }
        }
    }

    @Test func `ends the wait when the wrapper is asked to stop`() {
        var driver = MachineDriver()
        driver.handle(.begin)
        driver.handle(.loggedIn(.seconds(60)))
        driver.handle(.readFailed(.sealed(host: "v"), nil))
        #expect(driver.handle(.host(.stopRequested(signal: 15))) == .revokeToken)
        driver.handle(.storeFailed(.sealed(host: "v")))
        #expect(driver.handle(.forgotten) == .finish(.stopRequested(signal: 15)))
    }

    @Test func `by interruption asks the host why, without a busy loop`() {
        var driver = MachineDriver()
        driver.handle(.begin)
        let action = driver.handle(.storeFailed(.interrupted))
        #expect(MachineDriver.end(of: action) == 0.1)
        #expect(driver.waitOut(action) == .logIn, "nothing explains it: go on")
    }

    @Test func `with a token that has ended meanwhile begins with another login`() {
        var driver = MachineDriver()
        driver.handle(.begin)
        driver.handle(.loggedIn(.seconds(20)))
        let wait = driver.handle(.readFailed(.tokenInvalid, nil))
        #expect(driver.waitOut(wait) == .logIn)
        var given = MachineDriver { ($0.ownsToken, $0.canLogInAgain) = (false, false) }
        given.handle(.begin)
        given.handle(.loggedIn(.seconds(20)))
        #expect(given.handle(.readFailed(.tokenInvalid, nil)) == .forgetLogin)
    }
}
