// SPDX-License-Identifier: Apache-2.0
internal import AdmissionTrust
package import KubernetesPorts

/// Certificates that belong together, with what they say.
struct HeldCertificates: Sendable, Hashable {
    let holdings: CertificateHoldings
    let view: CertificateView

    /// PEM of the authority that clients of the leaf must believe.
    var signer: [UInt8] { holdings.authorities[view.signer] }
    var newest: [UInt8] { holdings.authorities[0] }
}

/// Why a Secret's content is of no use.
package enum CertificateFault: Error, Sendable, Hashable {
    case entriesMissing
    case authoritiesMissing
    case authoritiesTooMany(Int)
    case malformed(CertificateFailure)
    /// A certificate in `ca.crt` that cannot sign, or a leaf that can.
    case roleWrong
    /// `ca.key` is not of the first certificate in `ca.crt`, or `tls.key` not of `tls.crt`.
    case keyForeign
    /// `tls.crt` is of none of the authorities.
    case leafForeign
    /// The authority's time is over.
    case expired
}

/// Makes certificates follow one another, in memory.
struct CertificateWorks: Sendable {
    let issuer: any CertificateIssuer
    let times: CertificateTimes
    let names: [String]

    /// Looks through what a Secret holds; nothing of it is taken on trust.
    func check(_ holdings: CertificateHoldings?) throws(CertificateFault) -> HeldCertificates {
        guard let holdings else { throw .entriesMissing }
        let authorities = holdings.authorities
        guard let newest = authorities.first else { throw .authoritiesMissing }
        guard authorities.count <= CertificateHoldings.authoritiesMax else {
            throw .authoritiesTooMany(authorities.count)
        }
        var facts: [CertificateFacts] = []
        let leaf: CertificateFacts
        do throws(CertificateFailure) {
            for authority in authorities { facts.append(try issuer.facts(of: authority)) }
            leaf = try issuer.facts(of: holdings.leaf.certificate)
        } catch { throw .malformed(error) }
        guard facts.allSatisfy(\.isAuthority), !leaf.isAuthority else { throw .roleWrong }
        let signing = CertificateIdentity(certificate: newest, privateKey: holdings.authorityKey)
        guard issuer.isPair(signing), issuer.isPair(holdings.leaf) else { throw .keyForeign }
        let signer = authorities.firstIndex {
            issuer.isSigned(holdings.leaf.certificate, by: $0)
        }
        guard let signer else { throw .leafForeign }
        return HeldCertificates(
            holdings: holdings,
            view: CertificateView(authorities: facts, leaf: leaf, signer: signer))
    }

    /// The first of all, or after nothing was left.
    ///
    /// - Parameter found: whom the API server believes. Other replicas may serve certificates of
    ///   them; who may write the configuration could believe anybody in any case. They go with the
    ///   overlap, as every authority.
    func fresh(
        at now: Int64, beside found: Set<[UInt8]>
    ) throws(CertificateFailure) -> CertificateHoldings {
        let authority = try issuer.authority(times.authorityRequest(at: now))
        let leaf = try issuer.leaf(
            times.leafRequest(for: names, at: now, until: now + times.authorityLife), by: authority)
        return CertificateHoldings(
            authorities: Array(
                ([authority.certificate] + authorities(among: found, at: now))
                    .prefix(CertificateHoldings.authoritiesMax)),
            authorityKey: authority.privateKey, leaf: leaf)
    }

    private func authorities(among found: Set<[UInt8]>, at now: Int64) -> [[UInt8]] {
        found.filter { other in
            guard let facts = try? issuer.facts(of: other) else { return false }
            return facts.isAuthority && now < facts.validUntil
        }.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// With another authority that is believed beside the others. The leaf stays what it is, so
    /// that nobody who knows the old authorities only is in the way of anything.
    ///
    /// - Parameter found: as for `fresh`: what is held may be older than what another replica
    ///   serves.
    func withNewAuthority(
        _ held: HeldCertificates, beside found: Set<[UInt8]> = [], at now: Int64
    ) throws(CertificateFailure) -> CertificateHoldings {
        let made = try issuer.authority(times.authorityRequest(at: now))
        var holdings = held.holdings
        let known = holdings.authorities
        let others =
            known.filter { $0 != held.signer }
            + authorities(among: found, at: now).filter { !known.contains($0) }
        holdings.authorities = Array(
            ([made.certificate, held.signer] + others).prefix(CertificateHoldings.authoritiesMax))
        holdings.authorityKey = made.privateKey
        return holdings
    }

    func withNewLeaf(
        _ held: HeldCertificates, at now: Int64
    ) throws(CertificateFailure) -> CertificateHoldings {
        var holdings = held.holdings
        let authority = CertificateIdentity(
            certificate: held.newest, privateKey: holdings.authorityKey)
        let limit = held.view.authorities.first?.validUntil ?? now
        holdings.leaf = try issuer.leaf(
            times.leafRequest(for: names, at: now, until: limit), by: authority)
        return holdings
    }
}
