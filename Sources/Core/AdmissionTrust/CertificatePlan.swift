// SPDX-License-Identifier: Apache-2.0

/// What a Secret's certificates say, for a decision.
package struct CertificateView: Sendable, Hashable {
    /// The newest first; it is the one that signs.
    package var authorities: [CertificateFacts]
    package var leaf: CertificateFacts
    /// Which of the authorities signed the leaf.
    package var signer: Int

    package init(authorities: [CertificateFacts], leaf: CertificateFacts, signer: Int) {
        self.authorities = authorities
        self.leaf = leaf
        self.signer = signer
    }
}

/// What to do with certificates now.
///
/// An authority is followed by another in three steps, and each state is one in which all replicas
/// and all API servers understand one another: the next authority is believed beside the last; when
/// API servers have had it for a while, the leaf is signed by it; after the overlap the last one is
/// believed no more.
package enum CertificatePlan: Sendable, Hashable {
    /// Nothing before this time, in seconds since 1970.
    case keep(until: Int64)
    /// The newest authority signs a new leaf.
    case renewLeaf
    /// Another authority, believed beside the others; the leaf stays.
    case addAuthority
    /// Only so many authorities stay, the newest ones.
    case keepAuthorities(Int)
    /// Nothing of it can be used any more.
    case startAnew

    /// - Parameters:
    ///   - trustedFor: for how many seconds API servers have had the newest authority; nil: they
    ///     do not have it.
    ///   - names: what the leaf must be good for.
    package init(
        _ view: CertificateView, at now: Int64, trustedFor: Int64?, names: [String],
        times: CertificateTimes
    ) {
        guard let newest = view.authorities.first, now < newest.validUntil else {
            self = .startAnew
            return
        }
        guard view.signer == 0 else {
            self = Self.followed(view, at: now, trustedFor: trustedFor, times)
            return
        }
        // From when the leaf changed over, which may be long after the authority was made: until
        // then everybody serves one of the last authority. The last ones go before the next one
        // comes. The leaf comes before it, too: it has to last while an authority settles.
        let overlapEnd = view.leaf.validFrom + times.backdate + times.overlap
        if view.authorities.count > 1, now >= overlapEnd {
            self = .keepAuthorities(1)
        } else if now >= view.leaf.renewAt || view.leaf.names != names {
            self = .renewLeaf
        } else if now >= newest.renewAt {
            self = .addAuthority
        } else {
            let next = view.authorities.count > 1 ? overlapEnd : .max
            self = .keep(until: min(next, newest.renewAt, view.leaf.renewAt))
        }
    }

    /// The newest authority waits for being trusted.
    private static func followed(
        _ view: CertificateView, at now: Int64, trustedFor: Int64?, _ times: CertificateTimes
    ) -> CertificatePlan {
        // One that is over helps nobody any more.
        guard now < view.leaf.validUntil else { return .renewLeaf }
        guard let trustedFor else { return .keep(until: view.leaf.validUntil) }
        guard trustedFor < times.settle else { return .renewLeaf }
        return .keep(until: min(now + times.settle - trustedFor, view.leaf.validUntil))
    }
}
