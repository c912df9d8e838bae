// SPDX-License-Identifier: Apache-2.0

/// A certificate and its private key, as PEM.
package struct CertificateIdentity: Sendable, Hashable, CustomStringConvertible,
    CustomDebugStringConvertible, CustomReflectable
{
    package let certificate: [UInt8]
    package let privateKey: KeyBytes

    package init(certificate: [UInt8], privateKey: KeyBytes) {
        self.certificate = certificate
        self.privateKey = privateKey
    }

    package var description: String { "(certificate and key)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// PEM of a private key. It comes from a Secret and goes into one, so that it is in ordinary memory
/// in any case; nothing that prints it, shows it.
package struct KeyBytes: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    package let pem: [UInt8]

    package init(pem: [UInt8]) { self.pem = pem }

    package var description: String { "(private key)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// What a certificate says.
package struct CertificateFacts: Sendable, Hashable {
    /// Seconds since 1970, both within its time.
    package var validFrom: Int64
    package var validUntil: Int64
    package var isAuthority: Bool
    /// DNS names and addresses that it is good for, in its order.
    package var names: [String]

    package init(validFrom: Int64, validUntil: Int64, isAuthority: Bool, names: [String]) {
        self.validFrom = validFrom
        self.validUntil = validUntil
        self.isAuthority = isAuthority
        self.names = names
    }

    /// When two thirds of its time are over.
    package var renewAt: Int64 { validFrom + (validUntil - validFrom) / 3 * 2 }
}

/// What a new certificate is to say.
package struct CertificateRequest: Sendable, Hashable {
    package var commonName: String
    /// DNS names and addresses; none for an authority.
    package var names: [String]
    /// Seconds since 1970.
    package var validFrom: Int64
    package var validUntil: Int64

    package init(commonName: String, names: [String], validFrom: Int64, validUntil: Int64) {
        self.commonName = commonName
        self.names = names
        self.validFrom = validFrom
        self.validUntil = validUntil
    }
}

/// How long certificates live, and how slowly one authority follows another.
package struct CertificateTimes: Sendable, Hashable {
    /// Seconds, as all of them.
    package let authorityLife: Int64
    package let leafLife: Int64
    /// Certificates are valid from so long ago: clocks differ.
    package let backdate: Int64
    /// How long API servers have had a new authority before a certificate of it is used. Each of
    /// them follows the webhook's configuration by a watch of its own.
    package let settle: Int64
    /// How long the last authority is believed after the leaf was signed by the next one. By then
    /// each replica has read the Secret again.
    package let overlap: Int64

    /// A year, 30 days, an hour, half a minute, a day.
    package static let usual = CertificateTimes(
        authorityLife: 365 * 86_400, leafLife: 30 * 86_400, backdate: 3600, settle: 30,
        overlap: 86_400)

    /// nil unless a leaf fits into what is left of an authority that is about to be followed, an
    /// overlap into a third of its life, and an overlap into the time before a leaf is renewed.
    package init?(
        checked authorityLife: Int64, leafLife: Int64, backdate: Int64, settle: Int64,
        overlap: Int64
    ) {
        guard leafLife > 3 * settle, settle >= 0, overlap > settle, backdate >= 0,
            authorityLife / 3 > leafLife, authorityLife / 3 > overlap,
            (leafLife + backdate) * 2 / 3 - backdate > overlap
        else { return nil }
        self.init(
            authorityLife: authorityLife, leafLife: leafLife, backdate: backdate, settle: settle,
            overlap: overlap)
    }

    private init(
        authorityLife: Int64, leafLife: Int64, backdate: Int64, settle: Int64, overlap: Int64
    ) {
        self.authorityLife = authorityLife
        self.leafLife = leafLife
        self.backdate = backdate
        self.settle = settle
        self.overlap = overlap
    }

    /// An authority's certificate, made at `now`.
    package func authorityRequest(at now: Int64) -> CertificateRequest {
        // The time in its name tells it from the one before: verifiers look for authorities by
        // name.
        CertificateRequest(
            commonName: "CloudTaser webhook authority \(now)", names: [],
            validFrom: now - backdate, validUntil: now + authorityLife)
    }

    /// A server's certificate, made at `now` by an authority that is valid until `limit`.
    package func leafRequest(
        for names: [String], at now: Int64, until limit: Int64
    ) -> CertificateRequest {
        CertificateRequest(
            commonName: "CloudTaser webhook", names: names, validFrom: now - backdate,
            validUntil: min(now + leafLife, limit))
    }
}
