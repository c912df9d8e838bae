// SPDX-License-Identifier: Apache-2.0

/// One certificate that a vault showed, as it says itself: what is declared in it is not checked
/// against anything but the chain.
package struct ShownCertificate: Sendable, Equatable {
    package let subject: String
    package let issuer: String
    /// As the certificate's text form gives them: `Nov 27 10:00:00 2026 GMT`.
    package let notBefore: String
    package let notAfter: String
    package let serial: String

    package init(
        subject: String, issuer: String, notBefore: String, notAfter: String, serial: String
    ) {
        self.subject = subject
        self.issuer = issuer
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.serial = serial
    }
}

/// What a vault says of itself without a token.
package struct VaultObservation: Sendable, Equatable {
    /// By the status of `GET /v1/sys/health`
    /// (https://openbao.org/api-docs/system/health/).
    package enum State: String, Sendable, CaseIterable {
        case active, standby, sealed
        case notInitialized = "not initialized"
        /// Something answered that is none.
        case other

        /// - Parameter status: of the answer of something that is a vault.
        package init(healthStatus status: Int) {
            self =
                switch status {
                case 200: .active
                case 429, 472, 473: .standby
                case 501: .notInitialized
                case 503: .sealed
                default: .other
                }
        }
    }

    package let state: State
    /// In digits, of the connection that was made.
    package let address: String
    /// The leaf first; verified for the vault's name.
    package let certificates: [ShownCertificate]
    /// As the vault says; nil: it did not.
    package let version: String?

    package init(
        state: State, address: String, certificates: [ShownCertificate], version: String?
    ) {
        self.state = state
        self.address = address
        self.certificates = certificates
        self.version = version
    }
}

package enum VaultSurveyFailure: Error, Sendable, Equatable {
    /// Not `https://host:port`.
    case addressInvalid(detail: String)
    case unreachable(detail: String)
    case timedOut
    /// Its certificate is not to be trusted, or does not name this vault.
    case tlsFailed(detail: String)

    package var reason: String {
        switch self {
        case .addressInvalid(let detail): "the address is not to be used: \(detail)"
        case .unreachable(let detail): "not reached: \(detail)"
        case .timedOut: "no answer in time"
        case .tlsFailed(let detail): "its certificate is not trusted: \(detail)"
        }
    }
}

/// Looks at a vault from outside: no token is shown to it, and nothing is read of it.
package protocol VaultSurvey: Sendable {
    /// - Parameters:
    ///   - address: `https://host:port`.
    ///   - authorities: PEM; nil: the system's.
    func observe(
        _ address: String, authorities: [UInt8]?
    ) async throws(VaultSurveyFailure) -> VaultObservation
}
