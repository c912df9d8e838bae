// SPDX-License-Identifier: Apache-2.0
package import AdmissionTrust

/// Why a certificate cannot be made or read. Nothing of a key is said.
package enum CertificateFailure: Error, Sendable, Hashable {
    /// No PEM of a certificate, or of a private key.
    case malformed(detail: String)
    case notIssued(detail: String)
}

/// Makes and reads X.509 certificates (RFC 5280).
///
/// Contract:
/// - Each certificate has a new key and a serial number that nobody guesses.
/// - An authority's certificate can sign others and is good for nothing else; a leaf serves, under
///   the names that were asked for, and signs nothing.
/// - Reading never trusts: what a certificate says of itself is told, and who signed it is asked
///   for apart.
package protocol CertificateIssuer: Sendable {
    /// A certificate that signs itself.
    func authority(
        _ request: CertificateRequest
    ) throws(CertificateFailure) -> CertificateIdentity

    /// A server's certificate.
    func leaf(
        _ request: CertificateRequest, by authority: CertificateIdentity
    ) throws(CertificateFailure) -> CertificateIdentity

    /// - Parameter certificate: PEM of one.
    func facts(of certificate: [UInt8]) throws(CertificateFailure) -> CertificateFacts

    /// Whether the key is the certificate's.
    func isPair(_ identity: CertificateIdentity) -> Bool

    /// Whether the authority's key signed it. Times are not looked at.
    func isSigned(_ certificate: [UInt8], by authority: [UInt8]) -> Bool
}
