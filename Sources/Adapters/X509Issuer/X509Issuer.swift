// SPDX-License-Identifier: Apache-2.0
package import AdmissionTrust
internal import Crypto
internal import Foundation
package import KubernetesPorts
internal import SwiftASN1
internal import X509

/// `CertificateIssuer` with P-256 keys and SHA-256.
package struct X509Issuer: CertificateIssuer {
    package init() {}

    package func authority(
        _ request: CertificateRequest
    ) throws(CertificateFailure) -> CertificateIdentity {
        let key = P256.Signing.PrivateKey()
        return try attempt {
            let name = try DistinguishedName { CommonName(request.commonName) }
            let own = Certificate.PrivateKey(key)
            return try make(
                request, key: key, issuer: name, signer: own,
                Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true))
                    SubjectKeyIdentifier(hash: own.publicKey)
                })
        }
    }

    package func leaf(
        _ request: CertificateRequest, by authority: CertificateIdentity
    ) throws(CertificateFailure) -> CertificateIdentity {
        let key = P256.Signing.PrivateKey()
        let issuer = try Self.certificate(authority.certificate)
        let signer = try Self.key(authority.privateKey)
        guard signer.publicKey == issuer.publicKey else {
            throw .notIssued(detail: "the authority's key is not that of its certificate")
        }
        return try attempt {
            try make(
                request, key: key, issuer: issuer.subject, signer: signer,
                Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.serverAuth])
                    SubjectAlternativeNames(request.names.map(Self.name))
                    SubjectKeyIdentifier(hash: Certificate.PrivateKey(key).publicKey)
                    AuthorityKeyIdentifier(
                        keyIdentifier: try issuer.extensions.subjectKeyIdentifier?.keyIdentifier)
                })
        }
    }

    package func facts(
        of certificate: [UInt8]
    ) throws(CertificateFailure) -> CertificateFacts {
        let certificate = try Self.certificate(certificate)
        do {
            var isAuthority = false
            if case .isCertificateAuthority = try certificate.extensions.basicConstraints {
                isAuthority = true
            }
            let names = try certificate.extensions.subjectAlternativeNames
            return CertificateFacts(
                validFrom: Self.seconds(certificate.notValidBefore),
                validUntil: Self.seconds(certificate.notValidAfter), isAuthority: isAuthority,
                names: (names ?? SubjectAlternativeNames()).compactMap(Self.text))
        } catch { throw .malformed(detail: "extensions of a certificate cannot be read") }
    }

    package func isPair(_ identity: CertificateIdentity) -> Bool {
        guard let certificate = try? Self.certificate(identity.certificate),
            let key = try? Self.key(identity.privateKey)
        else { return false }
        return key.publicKey == certificate.publicKey
    }

    package func isSigned(_ certificate: [UInt8], by authority: [UInt8]) -> Bool {
        guard let certificate = try? Self.certificate(certificate),
            let authority = try? Self.certificate(authority),
            certificate.issuer == authority.subject
        else { return false }
        return authority.publicKey.isValidSignature(certificate.signature, for: certificate)
    }

    // MARK: - Making

    private func make(
        _ request: CertificateRequest, key: P256.Signing.PrivateKey, issuer: DistinguishedName,
        signer: Certificate.PrivateKey, _ extensions: Certificate.Extensions
    ) throws -> CertificateIdentity {
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PrivateKey(key).publicKey,
            notValidBefore: Date(timeIntervalSince1970: TimeInterval(request.validFrom)),
            notValidAfter: Date(timeIntervalSince1970: TimeInterval(request.validUntil)),
            issuer: issuer, subject: try DistinguishedName { CommonName(request.commonName) },
            signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions, issuerPrivateKey: signer)
        return CertificateIdentity(
            certificate: Self.lines(try certificate.serializeAsPEM().pemString),
            privateKey: KeyBytes(pem: Self.lines(key.pemRepresentation)))
    }

    /// Nothing that an error of the libraries says is passed on: it may quote what it was given.
    private func attempt(
        _ body: () throws -> CertificateIdentity
    ) throws(CertificateFailure) -> CertificateIdentity {
        do { return try body() } catch {
            throw .notIssued(detail: "\(type(of: error))")
        }
    }

    // MARK: - Reading

    private static func certificate(_ pem: [UInt8]) throws(CertificateFailure) -> Certificate {
        do {
            return try Certificate(pemEncoded: String(decoding: pem, as: UTF8.self))
        } catch { throw .malformed(detail: "a certificate is no PEM of X.509") }
    }

    private static func key(_ bytes: KeyBytes) throws(CertificateFailure) -> Certificate.PrivateKey
    {
        do {
            return try Certificate.PrivateKey(
                pemEncoded: String(decoding: bytes.pem, as: UTF8.self))
        } catch { throw .malformed(detail: "a private key is no PEM of a key for signing") }
    }

    private static func lines(_ text: String) -> [UInt8] {
        Array((text.hasSuffix("\n") ? text : text + "\n").utf8)
    }

    private static func seconds(_ date: Date) -> Int64 { Int64(date.timeIntervalSince1970) }

    // MARK: - Names

    /// An address if it is one, else a DNS name.
    private static func name(_ text: String) -> GeneralName {
        guard let bytes = AddressText.bytes(text) else { return .dnsName(text) }
        return .ipAddress(ASN1OctetString(contentBytes: bytes[...]))
    }

    private static func text(_ name: GeneralName) -> String? {
        switch name {
        case .dnsName(let text): text
        case .ipAddress(let address): AddressText.text(Array(address.bytes))
        default: nil
        }
    }
}
