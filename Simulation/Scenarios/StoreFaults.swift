// SPDX-License-Identifier: Apache-2.0
internal import Ports
internal import SecretMemory
internal import Simulation
internal import SimulationEngine

/// What can go wrong between a wrapper and its vault: the network first, then every case of the
/// port's closed failure enum as a fault class of its own, named `store.<case>`.
package final class StoreFaults {
    static let address = "vault"
    static let host = "vault.example.eu"

    private let run: SimulationRun
    private let component: String
    /// Of one request (seconds): what a lost packet costs.
    private let requestSecondsMax: Int
    /// What the last call took.
    private(set) var latency = Duration.zero

    init(run: SimulationRun, component: String, requestSecondsMax: Int) {
        self.run = run
        self.component = component
        self.requestSecondsMax = requestSecondsMax
    }

    /// Called by the store at each call.
    func plan(_ call: SecretStoreCall) -> SimulatedStoreFault? {
        switch run.network.route(from: component, to: Self.address) {
        case .lost:
            latency = .seconds(requestSecondsMax)
            return .before(.timedOut(host: Self.host, seconds: requestSecondsMax))
        case .refused:
            latency = .milliseconds(1)
            return .before(
                .connectionFailed(host: Self.host, port: 8200, errorNumber: 111))
        case .reset(let identity, let oneWay):
            latency = oneWay
            guard identity == Self.address else { return Self.impostor }
            return .answerLost(.responseTruncated(path: "simulated"))
        case .reached(let identity, let oneWay):
            latency = oneWay * 2
            guard latency <= .seconds(requestSecondsMax) else {
                latency = .seconds(requestSecondsMax)
                return .answerLost(.timedOut(host: Self.host, seconds: requestSecondsMax))
            }
            guard identity == Self.address else { return Self.impostor }
            return planted(call)
        }
    }

    /// Whoever answers cannot prove to be the vault.
    private static let impostor = SimulatedStoreFault.before(
        .certificateNameMismatch(host: host))

    private func planted(_ call: SecretStoreCall) -> SimulatedStoreFault? {
        for fault in Self.faults where fault.concerns(call) {
            guard run.faults.fires("store.\(fault.name)", site: Self.site(call)) else { continue }
            return fault.isInAnswer ? .inAnswer(fault.failure) : .before(fault.failure)
        }
        return nil
    }

    private static func site(_ call: SecretStoreCall) -> String {
        switch call {
        case .logIn: "login"
        case .unwrap: "unwrap"
        case .read: "read"
        case .currentVersion: "version"
        case .renewToken: "renew-token"
        case .renewLease: "renew-lease"
        case .revokeLease: "revoke-lease"
        case .revokeToken: "revoke-token"
        case .encrypt, .decrypt: "transit"
        }
    }

    /// Cases of the port's failure enum that runs meet: those of the network, the program's end or
    /// a signal (`interrupted`), and a class for each other.
    package static var caseNames: Set<String> {
        Set(faults.map(\.name)).union([
            "timedOut", "connectionFailed", "certificateNameMismatch", "responseTruncated",
            "interrupted",
        ])
    }

    /// One class.
    struct Fault {
        enum Where { case anywhere, logIn, read, renewal }

        let name: String
        let at: Where
        let failure: SecretStoreFailure
        /// The vault has done its part, and a lease was reported.
        var isInAnswer = false

        func concerns(_ call: SecretStoreCall) -> Bool {
            switch (at, call) {
            case (.anywhere, _), (.logIn, .logIn), (.logIn, .unwrap), (.read, .read),
                (.renewal, .renewLease),
                (.renewal, .renewToken):
                true
            default: false
            }
        }
    }

    static let faults: [Fault] = [
        Fault(name: "nameNotResolved", at: .anywhere, failure: .nameNotResolved(host: host)),
        Fault(
            name: "certificateUntrusted", at: .anywhere,
            failure: .certificateUntrusted(host: host, detail: "simulated")),
        Fault(
            name: "certificateExpired", at: .anywhere,
            failure: .certificateExpired(host: host, detail: "simulated")),
        Fault(name: "tlsFailed", at: .anywhere, failure: .tlsFailed(host: host, detail: "reset")),
        Fault(
            name: "trustAnchorsUnreadable", at: .logIn,
            failure: .trustAnchorsUnreadable(path: "/etc/vault-ca.pem")),
        Fault(
            name: "clientCertificateRejected", at: .logIn,
            failure: .clientCertificateRejected(path: "/run/client.pem", detail: "simulated")),
        Fault(name: "sealed", at: .anywhere, failure: .sealed(host: host)),
        Fault(name: "uninitialized", at: .anywhere, failure: .uninitialized(host: host)),
        Fault(name: "standby", at: .anywhere, failure: .standby(host: host)),
        Fault(
            name: "rateLimited", at: .anywhere,
            failure: .rateLimited(host: host, retryAfterSeconds: 7)),
        Fault(name: "serverError", at: .anywhere, failure: .serverError(host: host, status: 502)),
        Fault(
            name: "originForbidden", at: .logIn, failure: .originForbidden(origin: "https://v")),
        Fault(
            name: "redirectForbidden", at: .anywhere,
            failure: .redirectForbidden(from: "https://v", to: "https://elsewhere.example")),
        Fault(
            name: "credentialUnreadable", at: .logIn,
            failure: .credentialUnreadable(path: "/run/token", errorNumber: 2)),
        Fault(
            name: "credentialMissing", at: .logIn, failure: .credentialMissing(method: "token")),
        Fault(
            name: "loginRefused", at: .logIn,
            failure: .loginRefused(method: "jwt", role: "app", status: 403)),
        Fault(name: "wrappingTokenInvalid", at: .logIn, failure: .wrappingTokenInvalid),
        Fault(
            name: "wrappingTokenForeign", at: .logIn,
            failure: .wrappingTokenForeign(creationPath: "sys/wrapping/wrap")),
        Fault(name: "tokenInvalid", at: .anywhere, failure: .tokenInvalid),
        Fault(name: "permissionDenied", at: .read, failure: .permissionDenied(path: "p")),
        Fault(name: "notFound", at: .read, failure: .notFound(path: "p")),
        Fault(name: "mountUnknown", at: .read, failure: .mountUnknown(path: "p")),
        Fault(name: "versionDeleted", at: .read, failure: .versionDeleted(path: "p")),
        Fault(name: "versionDestroyed", at: .read, failure: .versionDestroyed(path: "p")),
        Fault(name: "leaseUnknown", at: .renewal, failure: .leaseUnknown),
        Fault(name: "renewalRefused", at: .renewal, failure: .renewalRefused),
        Fault(
            name: "responseMalformed", at: .anywhere,
            failure: .responseMalformed(path: "p", detail: "simulated"), isInAnswer: true),
        Fault(
            name: "responseTooLarge", at: .read,
            failure: .responseTooLarge(path: "p", limitBytes: 1), isInAnswer: true),
        Fault(
            name: "unexpectedStatus", at: .anywhere,
            failure: .unexpectedStatus(path: "p", status: 418)),
        Fault(
            name: "fieldMissing", at: .read, failure: .fieldMissing(path: "p", field: "f"),
            isInAnswer: true),
        Fault(
            name: "fieldNotText", at: .read, failure: .fieldNotText(path: "p", field: "f"),
            isInAnswer: true),
        Fault(
            name: "valueContainsNUL", at: .read,
            failure: .valueContainsNUL(path: "p", field: "f"), isInAnswer: true),
        Fault(
            name: "valueTooLarge", at: .read,
            failure: .valueTooLarge(path: "p", field: "f", limitBytes: 1), isInAnswer: true),
        Fault(
            name: "memory", at: .anywhere, failure: .memory(.capacityExceeded(capacityBytes: 1)),
            isInAnswer: true),
    ]
}
