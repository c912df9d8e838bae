// SPDX-License-Identifier: Apache-2.0

extension SimulatedVault {
    /// A dynamic secret's life, kept after its end so that an oracle can look.
    package struct Lease: Sendable, Equatable {
        package enum State: Sendable, Equatable {
            case live
            /// At the vault's seconds: asked for, or because its token ended.
            case revoked(at: Int)
            case expired(at: Int)
        }

        package let id: String
        /// The API path that granted it.
        package let path: String
        package let namespace: String
        /// The token that obtained it.
        package let token: String
        package let issuedAt: Int
        /// In the vault's seconds.
        package internal(set) var expiresAt: Int
        package let maxExpiresAt: Int
        /// What a renewal gives anew (seconds).
        package let secondsToLive: Int
        package let isRenewable: Bool
        package internal(set) var state = State.live
        package internal(set) var renewals = 0

        package var isLive: Bool { state == .live }
    }

    /// Makes a lease for what `path` just issued.
    mutating func grantLease(
        path: String, token: String, namespace: String, secondsToLive: Int,
        maxSecondsToLive: Int, isRenewable: Bool
    ) -> Lease {
        let lifetime = min(secondsToLive, maxSecondsToLive)
        let lease = Lease(
            id: "\(path)/lease-\(leases.count + 1)", path: path, namespace: namespace,
            token: token, issuedAt: now, expiresAt: now + lifetime,
            maxExpiresAt: now + maxSecondsToLive, secondsToLive: lifetime,
            isRenewable: isRenewable)
        leases.append(lease)
        return lease
    }

    /// `sys/leases/renew`, without an increment: the lease's own.
    mutating func renewLease(
        _ id: String, token value: String?, in namespace: String
    ) throws(Refusal) -> Lease {
        _ = try caller(value, in: namespace)
        guard let index = liveLease(id, in: namespace) else { throw .leaseUnknown }
        guard leases[index].isRenewable else { throw .leaseNotRenewable }
        leases[index].expiresAt = min(
            now + leases[index].secondsToLive, leases[index].maxExpiresAt)
        leases[index].renewals += 1
        return leases[index]
    }

    /// `sys/leases/revoke`: one that is gone is no failure.
    mutating func revokeLease(
        _ id: String, token value: String?, in namespace: String
    ) throws(Refusal) {
        let token = try caller(value, in: namespace)
        guard token.mayUse("sys/leases/revoke") else { throw .forbidden }
        revoke(lease: id, namespace: namespace)
    }

    /// What an administrator does: ends a lease. Unknown ones are no matter.
    package mutating func revoke(lease id: String, namespace: String = "") {
        guard let index = liveLease(id, in: namespace) else { return }
        leases[index].state = .revoked(at: now)
    }

    package var liveLeases: [Lease] { leases.filter(\.isLive) }

    private func liveLease(_ id: String, in namespace: String) -> Int? {
        leases.firstIndex { $0.id == id && $0.namespace == namespace && $0.isLive }
    }
}
