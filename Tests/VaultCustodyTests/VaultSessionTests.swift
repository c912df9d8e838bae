// SPDX-License-Identifier: Apache-2.0
import Ports
import Testing
import VaultCustody

private func at(_ seconds: UInt64) -> MonotonicTime {
    MonotonicTime(nanoseconds: (1000 + seconds) * 1_000_000_000)
}

private func grant(_ seconds: Int?, _ isRenewable: Bool = true) -> Grant {
    Grant(lifetime: seconds.map { .seconds($0) }, isRenewable: isRenewable)
}

private let outage = SecretStoreFailure.connectionFailed(
    host: "vault", port: 8200, errorNumber: 111)

@Suite struct `A session with the vault` {
    @Test func `begins with a login`() {
        let session = VaultSession()
        #expect(session.step(at: at(0)) == .logIn)
        #expect(session.dueAt == nil && !session.isUsable(at: at(0)))
    }

    @Test func `renews a token before its end`() {
        var session = VaultSession()
        session.loggedIn(grant(600), at: at(0))
        #expect(session.step(at: at(399)) == .nothing)
        #expect(session.dueAt == at(400))
        #expect(session.step(at: at(400)) == .renew)
        session.renewed(grant(600), at: at(400))
        #expect(session.step(at: at(799)) == .nothing)
        #expect(session.step(at: at(800)) == .renew)
    }

    @Test func `never renews what does not end`() {
        var session = VaultSession()
        session.loggedIn(grant(nil, false), at: at(0))
        #expect(session.step(at: at(1_000_000)) == .nothing && session.dueAt == nil)
    }

    @Test func `replaces what cannot be renewed, and uses it until it ends`() {
        var session = VaultSession()
        session.loggedIn(grant(600, false), at: at(0))
        #expect(session.step(at: at(400)) == .logIn)
        session.upkeepFailed(outage, at: at(400))
        #expect(session.isUsable(at: at(400)) && session.step(at: at(404)) == .nothing)
        #expect(session.step(at: at(405)) == .logIn)
        #expect(!session.isUsable(at: at(600)))
        #expect(session.step(at: at(600)) == .logIn)
    }

    @Test func `replaces a token whose longest life is near`() {
        var session = VaultSession()
        session.loggedIn(grant(600), at: at(0))
        session.renewed(grant(200), at: at(400))
        #expect(session.isUsable(at: at(599)) && !session.isUsable(at: at(600)))
        #expect(session.step(at: at(534)) == .logIn)
    }

    @Test(arguments: [SecretStoreFailure.renewalRefused, .permissionDenied(path: "p")])
    func `replaces what is not renewed any further`(_ refusal: SecretStoreFailure) {
        var session = VaultSession()
        session.loggedIn(grant(600), at: at(0))
        session.upkeepFailed(refusal, at: at(400))
        #expect(session.isUsable(at: at(400)) && session.step(at: at(400)) == .logIn)
    }

    @Test func `waits a little after a renewal that did not reach the vault`() {
        var session = VaultSession()
        session.loggedIn(grant(600), at: at(0))
        session.upkeepFailed(outage, at: at(400))
        #expect(session.step(at: at(404)) == .nothing)
        #expect(session.step(at: at(405)) == .renew)
    }

    @Test func `takes another token when one that was good is refused`() {
        var session = VaultSession()
        session.loggedIn(grant(600), at: at(0))
        session.succeeded()
        let meaning = session.failed(.tokenInvalid, at: at(1))
        #expect(meaning == (true, false))
        #expect(session.step(at: at(1)) == .logIn)
    }

    @Test func `does not go on with tokens that are never good`() {
        var session = VaultSession()
        session.loggedIn(grant(600), at: at(0))
        #expect(session.failed(.tokenInvalid, at: at(1)) == (false, true))
        #expect(session.step(at: at(1)) == .logIn)
    }

    @Test func `looks for new rights with a new token, but not all the time`() {
        var session = VaultSession()
        let refusal = SecretStoreFailure.permissionDenied(path: "p")
        session.loggedIn(grant(600), at: at(0))
        #expect(session.failed(refusal, at: at(29)) == (false, false))
        #expect(session.step(at: at(29)) == .nothing)
        #expect(session.failed(refusal, at: at(30)) == (true, false))
        #expect(session.step(at: at(30)) == .logIn)
        session.loggedIn(grant(600), at: at(30))
        #expect(session.failed(refusal, at: at(31)) == (false, false))
    }

    @Test func `makes once more what did not arrive, and nothing else`() {
        for (failure, isRetried) in [
            (outage, true), (.responseTruncated(path: "p"), true), (.standby(host: "h"), true),
            (.serverError(host: "h", status: 500), true), (.sealed(host: "h"), false),
            (.timedOut(host: "h", seconds: 1), false),
            (.rateLimited(host: "h", retryAfterSeconds: 1), false),
            (.notFound(path: "p"), false), (.unexpectedStatus(path: "p", status: 400), false),
            (.certificateUntrusted(host: "h", detail: ""), false), (.interrupted, false),
        ] {
            var session = VaultSession()
            session.loggedIn(grant(600), at: at(0))
            #expect(session.failed(failure, at: at(1)) == (isRetried, false), "\(failure)")
            #expect(session.isUsable(at: at(1)))
        }
    }
}

@Suite struct `The pause after a login that failed` {
    @Test func `doubles up to its longest, and everybody gets the failure meanwhile`() {
        var pause = LoginPause()
        #expect(throws: Never.self) { try pause.check(at: at(0)) }
        var now = at(0)
        var lengths: [Duration] = []
        for _ in 0..<12 {
            pause.failed(outage, at: now)
            #expect(throws: outage) { try pause.check(at: now) }
            var length = LoginPause.first
            while (try? pause.check(at: now.advanced(by: length))) == nil {
                #expect(length < .seconds(120), "it ends")
                length += .milliseconds(250)
            }
            lengths.append(length)
            now = now.advanced(by: length)
        }
        #expect(lengths.first == LoginPause.first && lengths.last == LoginPause.longest)
        #expect(
            zip(lengths, lengths.dropFirst()).allSatisfy { $1 == min($0 * 2, LoginPause.longest) })
    }

    @Test func `is over with a call that succeeds`() {
        var pause = LoginPause()
        for _ in 0..<5 { pause.failed(outage, at: at(0)) }
        pause.succeeded()
        #expect(throws: Never.self) { try pause.check(at: at(0)) }
        pause.failed(outage, at: at(0))
        #expect(throws: Never.self) { try pause.check(at: at(1)) }
    }
}
