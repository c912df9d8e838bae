// SPDX-License-Identifier: Apache-2.0
import Ports
import Testing
import Wrapper
import WrapperConfiguration

@Suite struct `While the program runs, the wrapper` {
    static let lease = LeaseID("a")

    @Test func `renews a lease at two thirds of its life, a little earlier by chance`() {
        for (chance, time) in [(0, 40.0), (1024, 36.0)] as [(UInt64, Double)] {
            var driver = MachineDriver()
            driver.chance = chance
            let action = driver.start(.forever, reading: [.leased("a", .seconds(60))])
            #expect(MachineDriver.end(of: action) == time)
            #expect(driver.waitOut(action) == .renew(Self.lease))
        }
    }

    @Test func `goes on renewing from each grant`() {
        var driver = MachineDriver()
        var action = driver.start(.forever, reading: [.leased("a", .seconds(60))])
        for _ in 0..<3 {
            let before = driver.now
            #expect(driver.waitOut(action) == .renew(Self.lease))
            #expect(before.duration(to: driver.now) == .seconds(40))
            action = driver.handle(.renewed(.seconds(60)))
        }
    }

    @Test func `renews the token as it does leases`() {
        var driver = MachineDriver()
        var action = driver.start(.seconds(30), reading: [.leased("a", .seconds(3600))])
        #expect(MachineDriver.end(of: action) == 20)
        #expect(driver.waitOut(action) == .renewToken)
        action = driver.handle(.renewed(.seconds(30)))
        #expect(MachineDriver.end(of: action) == 40)
    }

    @Test func `logs in again when the token comes to its maximum`() {
        var driver = MachineDriver()
        var action = driver.start(.seconds(30), reading: [.leased("a", .seconds(3600))])
        #expect(driver.waitOut(action) == .renewToken)
        action = driver.handle(.renewed(.seconds(12)))
        #expect(driver.waitOut(action) == .logIn)
        action = driver.handle(.loggedIn(.seconds(30)))
        #expect(driver.told.last == "token_replaced")
        #expect(driver.waitOut(action) == .renewToken)
    }

    @Test func `says so when a given token ends, and asks no more`() {
        var driver = MachineDriver { ($0.ownsToken, $0.canLogInAgain) = (false, false) }
        let action = driver.start(
            .seconds(30, renewable: false), reading: [.leased("a", .seconds(600))])
        let next = driver.waitOut(action)
        #expect(driver.told.last == "token_ending")
        #expect(MachineDriver.end(of: next) == 400)
    }

    @Test func `tries a failed renewal again until the lease has ended, then lets it go`() {
        var driver = MachineDriver()
        var action = driver.start(.forever, reading: [.leased("a", .seconds(6))])
        var tries = 0
        while case .wait(.some) = action, tries < 100 {
            let due = driver.waitOut(action)
            guard due == .renew(Self.lease) else {
                action = due
                break
            }
            action = driver.handle(.storeFailed(.sealed(host: "v")))
            tries += 1
        }
        #expect(tries > 2 && tries < 10)
        #expect(action == .wait(until: nil))
        #expect(driver.told.last == "lease_ending")
    }

    @Test func `keeps the vault's Retry-After`() {
        var driver = MachineDriver()
        let due = driver.waitOut(
            driver.start(.forever, reading: [.leased("a", .seconds(3600))]))
        #expect(due == .renew(Self.lease))
        let now = driver.now
        let failure = SecretStoreFailure.rateLimited(host: "v", retryAfterSeconds: 99)
        let wait = driver.handle(.storeFailed(failure))
        #expect(wait == .wait(until: now.advanced(by: .seconds(99))))
    }

    @Test func `asks no more than four times a second, however short the lives`() {
        var driver = MachineDriver()
        var action = driver.start(.forever, reading: [.leased("a", .seconds(0))])
        for _ in 0..<20 {
            let before = driver.now
            guard driver.waitOut(action) == .renew(Self.lease) else { break }
            #expect(before.duration(to: driver.now) >= .milliseconds(250))
            action = driver.handle(.renewed(.seconds(0)))
        }
    }

    @Test func `revokes its token when the program has ended, then forgets and finishes`() {
        var driver = MachineDriver()
        driver.start(.seconds(30), reading: [.leased("a", .seconds(60))])
        let end = ChildExit.exited(code: 0)
        #expect(driver.handle(.host(.programEnded(end))) == .revokeToken)
        #expect(driver.handle(.revoked) == .forgetLogin)
        #expect(driver.handle(.forgotten) == .finish(.programEnded(end)))
    }

    @Test func `gives up revoking leases one by one when the time for it is over`() {
        var driver = MachineDriver(requests: 3) { $0.ownsToken = false }
        driver.start(
            .forever, reading: ["a", "b", "c"].map { .leased($0, .seconds(60)) })
        let end = ChildExit.signalled(signal: 9)
        #expect(driver.handle(.host(.programEnded(end))) == .revoke(LeaseID("c")))
        #expect(driver.handle(.revoked, after: 5) == .revoke(LeaseID("b")))
        #expect(driver.handle(.revoked, after: 5) == .forgetLogin)
        #expect(driver.told.last == "revocation_failed")
    }

    @Test func `lets itself be interrupted by the program's end`() {
        var driver = MachineDriver()
        let due = driver.waitOut(
            driver.start(.forever, reading: [.leased("a", .seconds(60))]))
        #expect(due == .renew(Self.lease))
        let wait = driver.handle(.storeFailed(.interrupted))
        #expect(MachineDriver.end(of: wait) == 40.1)
        #expect(driver.handle(.host(.programEnded(.exited(code: 1)))) == .revokeToken)
    }

    @Test(arguments: [true, false])
    func `tells of a process that was ended for want of its values, and goes on`(
        _ isMemoryExhausted: Bool
    ) {
        var driver = MachineDriver()
        driver.start(.forever, reading: [.leased("a", .seconds(60))])
        let failed = FailedDelivery(
            process: 7, step: "create-region", errorNumber: 12,
            isMemoryExhausted: isMemoryExhausted)
        let action = driver.handle(.host(.deliveryFailed(failed)))
        guard case .wait(.some) = action else { Issue.record("\(action)"); return }
        #expect(driver.told.last == "delivery_failed")
        #expect(driver.messages.last?.contains("process 7 failed at step create-region") == true)
        #expect(driver.messages.last?.contains("RLIMIT_MEMLOCK") == isMemoryExhausted)
        #expect(driver.handle(.host(.programEnded(.exited(code: 0)))) == .revokeToken)
    }

    /// Found by the simulator: a slow renewal reached the vault, and the program ended after what
    /// had been the lease's end.
    @Test(arguments: [true, false])
    func `revokes a lease whose renewal was broken off, over as it may be`(isBrokenOff: Bool) {
        var driver = MachineDriver { $0.ownsToken = false }
        let action = driver.start(.forever, reading: [.leased("a", .seconds(60))])
        #expect(driver.waitOut(action) == .renew(Self.lease))
        let failure: SecretStoreFailure =
            isBrokenOff ? .interrupted : .standby(host: "vault.example.eu")
        driver.handle(.storeFailed(failure), after: 30)
        let end = driver.handle(.host(.programEnded(.exited(code: 0))))
        // Control: a lease that the vault did not renew has run out.
        #expect(end == (isBrokenOff ? .revoke(Self.lease) : .forgetLogin))
    }

    @Test func `passes on a signal that came between two programs`() {
        var driver = MachineDriver()
        driver.start()
        #expect(driver.handle(.host(.stopRequested(signal: 15))) == .sendSignal(15))
        #expect(driver.handle(.done) == .wait(until: nil))
    }

    @Test func `leaves the vault alone as long as it asked, whatever else is due`() {
        var driver = MachineDriver(requests: 2)
        let leases = [SecretFacts.leased("a", .seconds(60)), .leased("b", .seconds(63))]
        let due = driver.waitOut(driver.start(.forever, reading: leases))
        #expect(due == .renew(Self.lease))
        let failure = SecretStoreFailure.rateLimited(host: "v", retryAfterSeconds: 5)
        let wait = driver.handle(.storeFailed(failure))
        #expect(MachineDriver.end(of: wait) == 42)
        // Lease b is due at 42 s, and the vault wants peace until 45 s.
        let later = driver.waitOut(wait)
        #expect(MachineDriver.end(of: later) == 45)
        #expect(driver.waitOut(later) == .renew(Self.lease))
    }

    /// Found by the simulator: a second lease ended unsaid while the vault wanted peace.
    @Test(arguments: [(5, 0), (19, 0), (20, 1), (24, 2)])
    func `says which leases end before the vault may be asked again`(seconds: Int, told: Int) {
        var driver = MachineDriver(requests: 2)
        let leases = [SecretFacts.leased("a", .seconds(60)), .leased("b", .seconds(63))]
        _ = driver.waitOut(driver.start(.forever, reading: leases))
        // At 40 s; the leases end at 60 s and at 63 s, and b is due at 42 s.
        let failure = SecretStoreFailure.rateLimited(host: "v", retryAfterSeconds: seconds)
        let wait = driver.handle(.storeFailed(failure))
        let later = driver.waitOut(wait)
        #expect(MachineDriver.end(of: later) == Double(40 + seconds))
        driver.handle(.host(.deadline))
        #expect(driver.told.count { $0 == "lease_ending" } == told, "each once")
    }

    @Test(arguments: [(5, true), (11, false)])
    func `waits for the vault before it revokes, if it waits long enough itself`(
        seconds: Int, revokes: Bool
    ) {
        var driver = MachineDriver()
        let due = driver.waitOut(
            driver.start(.seconds(90), reading: [.leased("a", .seconds(60))]))
        #expect(due == .renew(Self.lease))
        driver.handle(.storeFailed(.rateLimited(host: "v", retryAfterSeconds: seconds)))
        let action = driver.handle(.host(.programEnded(.exited(code: 0))))
        if revokes {
            #expect(driver.waitOut(action) == .revokeToken)
        } else {
            #expect(action == .forgetLogin)
            #expect(driver.told.last == "revocation_failed")
        }
    }

    @Test func `revokes the leases of a former login by themselves, then its token`() {
        func end(_ answer: WrapperStateMachine.Event) -> [WrapperStateMachine.Action] {
            var driver = MachineDriver()
            let grant = Grant.seconds(30, renewable: false)
            let due = driver.waitOut(
                driver.start(grant, reading: [.leased("a", .seconds(600))]))
            #expect(due == .logIn)
            driver.handle(.loggedIn(grant))
            let first = driver.handle(.host(.programEnded(.exited(code: 0))))
            let second = driver.handle(answer)
            return [first, second, driver.handle(.revoked)]
        }
        let whole: [WrapperStateMachine.Action] = [.revoke(Self.lease), .revokeToken, .forgetLogin]
        #expect(end(.revoked) == whole)
        // A policy that allows only the second.
        #expect(end(.storeFailed(.permissionDenied(path: "sys/leases/revoke"))) == whole)
    }
}
