// SPDX-License-Identifier: Apache-2.0
import Ports
import SecretMemory
import Testing
import Wrapper
import WrapperConfiguration

@Suite struct `A wrapper's stop` {
    @Test func `reports the program's end as a shell would`() {
        #expect(WrapperStop.programEnded(.exited(code: 3)).statusCode == 3)
        #expect(WrapperStop.programEnded(.signalled(signal: 15)).statusCode == 143)
        #expect(WrapperStop.stopRequested(signal: 15).statusCode == 143)
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
        .wrappingTokenInvalid, .wrappingTokenForeign(creationPath: "p"), .leaseUnknown,
        .renewalRefused, .interrupted,
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
