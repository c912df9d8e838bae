// SPDX-License-Identifier: Apache-2.0
import Ports
import SecretMemory
import Testing
import Wrapper
import WrapperConfiguration

@Suite struct `The wrapper's order of work` {
    @Test func `is log in, read each path, forget, start, pass the end on`() {
        var machine = WrapperStateMachine(requestCount: 2)
        #expect(machine.handle(.begin) == .logIn)
        #expect(machine.handle(.loggedIn) == .read(request: 0))
        #expect(machine.handle(.read) == .read(request: 1))
        #expect(machine.handle(.read) == .forgetLogin)
        #expect(machine.handle(.forgotten) == .startProgram)
        let end = ChildExit.exited(code: 7)
        #expect(machine.handle(.programEnded(end)) == .finish(.programEnded(end)))
    }

    @Test func `never starts a program after a refusal, wherever it comes`() {
        let failure = SecretStoreFailure.sealed(host: "v")
        let stop = WrapperStop.refused(.vaultSealed, detail: "v")
        for goodReads in -1...2 {
            var machine = WrapperStateMachine(requestCount: 3)
            _ = machine.handle(.begin)
            if goodReads >= 0 { _ = machine.handle(.loggedIn) }
            for _ in 0..<max(goodReads, 0) { _ = machine.handle(.read) }
            #expect(machine.handle(.storeFailed(failure)) == .forgetLogin)
            #expect(machine.handle(.forgotten) == .finish(stop))
        }
    }

    @Test func `forgets the login before it reports a refused value`() {
        var machine = WrapperStateMachine(requestCount: 1)
        _ = machine.handle(.begin)
        _ = machine.handle(.loggedIn)
        let stop = WrapperStop.refused(.valueContainsNUL, detail: "N")
        #expect(machine.handle(.valuesRefused(stop)) == .forgetLogin)
        #expect(machine.handle(.forgotten) == .finish(stop))
    }

    @Test func `passes a failed start on with its own code`() {
        for (failure, code) in [
            (ProcessHostFailure.notFound(program: "x"), 127),
            (.notExecutable(program: "x", errorNumber: 13), 126),
            (.argumentsTooLarge(program: "x"), 107),
            (.refused(call: "ptrace", errorNumber: 1), 110),
            (.deliveryFailed(step: "map", errorNumber: 12), 111),
        ] as [(ProcessHostFailure, Int32)] {
            var machine = WrapperStateMachine(requestCount: 1)
            _ = machine.handle(.begin)
            _ = machine.handle(.loggedIn)
            _ = machine.handle(.read)
            _ = machine.handle(.forgotten)
            guard case .finish(let stop) = machine.handle(.hostFailed(failure)) else {
                Issue.record("did not finish")
                continue
            }
            #expect(stop.statusCode == code)
        }
    }
}

@Suite struct `A wrapper's stop` {
    @Test func `reports the program's end as a shell would`() {
        #expect(WrapperStop.programEnded(.exited(code: 3)).statusCode == 3)
        #expect(WrapperStop.programEnded(.signalled(signal: 15)).statusCode == 143)
    }

    @Test func `has a code and a detail of its own for every failure of the store`() {
        var seen: [String: SecretStoreFailure] = [:]
        for failure in Self.everyFailure {
            let stop = WrapperStop(failure)
            #expect(stop.statusCode != WrapperExit.internalFailure.rawValue)
            let text = "\(stop)"
            #expect(seen[text] == nil, "\(failure) reads like \(String(describing: seen[text]))")
            seen[text] = failure
        }
    }

    static let everyFailure: [SecretStoreFailure] = [
        .nameNotResolved(host: "v"), .connectionFailed(host: "v", port: 1, errorNumber: 111),
        .timedOut(host: "v", seconds: 3), .certificateUntrusted(host: "v", detail: "d"),
        .certificateNameMismatch(host: "v"), .certificateExpired(host: "v", detail: "d"),
        .tlsFailed(host: "v", detail: "d"), .trustAnchorsUnreadable(path: "/ca"),
        .clientCertificateRejected(path: "/c", detail: "d"), .sealed(host: "v"),
        .uninitialized(host: "v"), .standby(host: "v"),
        .rateLimited(host: "v", retryAfterSeconds: 7),
        .rateLimited(host: "v", retryAfterSeconds: nil), .serverError(host: "v", status: 500),
        .originForbidden(origin: "o"), .redirectForbidden(from: "a", to: "b"),
        .credentialUnreadable(path: "/t", errorNumber: 2), .credentialMissing(method: "token"),
        .loginRefused(method: "jwt", role: "r", status: 400), .tokenInvalid,
        .permissionDenied(path: "p"), .notFound(path: "p"), .mountUnknown(path: "p"),
        .versionDeleted(path: "p"), .versionDestroyed(path: "p"),
        .fieldMissing(path: "p", field: "f"), .fieldNotText(path: "p", field: "f"),
        .responseMalformed(path: "p", detail: "d"), .responseTruncated(path: "p"),
        .responseTooLarge(path: "p", limitBytes: 9), .unexpectedStatus(path: "p", status: 418),
        .valueContainsNUL(path: "p", field: "f"),
        .valueTooLarge(path: "p", field: "f", limitBytes: 9),
        .memory(.capacityExceeded(capacityBytes: 1)),
    ]
}
