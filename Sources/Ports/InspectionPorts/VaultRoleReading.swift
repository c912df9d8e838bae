// SPDX-License-Identifier: Apache-2.0

/// What a vault says of a role to somebody who may read it.
package enum VaultRoleAnswer: Sendable, Equatable {
    /// `data` of the answer, in JSON. No role has a secret in it.
    case found([UInt8])
    /// The login method has no such role.
    case noRole
    /// No login method is mounted there.
    case noMethod
}

package enum VaultRoleFailure: Error, Sendable, Equatable {
    /// The token or a name holds what no request may.
    case invalid(detail: String)
    /// It answers, and does not show it: the token's policies do not allow it, or it is sealed.
    case refused(status: Int)
    case vault(VaultSurveyFailure)

    package var reason: String {
        switch self {
        case .invalid(let detail): detail
        case .refused(403): "the token may not read it"
        case .refused(503): "the vault is sealed"
        case .refused(let status): "the vault answers with status \(status)"
        case .vault(let failure): failure.reason
        }
    }
}

/// Reads what a role is bound to.
package protocol VaultRoleReading: Sendable {
    /// - Parameters:
    ///   - role: its name.
    ///   - mount: of the login method, like `kubernetes`.
    ///   - address: `https://host:port`; the token is sent there, and nowhere else.
    ///   - namespace: of the vault; nil: its root.
    ///   - authorities: PEM; nil: the system's.
    func role(
        _ role: String, of mount: String, at address: String, namespace: String?, token: String,
        authorities: [UInt8]?
    ) async throws(VaultRoleFailure) -> VaultRoleAnswer
}
