// SPDX-License-Identifier: Apache-2.0
import AdmissionTrust
import KubernetesPorts
import SimulatedCluster
import Testing
import X509Issuer

/// What every `CertificateIssuer` does: the one that makes certificates, and the fake.
@Suite("CertificateIssuer") struct CertificateIssuerTests {
    static let issuers: [any CertificateIssuer] = [X509Issuer(), SimulatedCertificateIssuer()]
    static let now: Int64 = 1_767_225_600

    private func request(_ names: [String] = [], life: Int64 = 1000) -> CertificateRequest {
        CertificateRequest(
            commonName: "test \(life)", names: names, validFrom: Self.now - 100,
            validUntil: Self.now + life)
    }

    @Test("a certificate says what was asked for", arguments: 0..<2)
    func facts(_ index: Int) throws {
        let issuer = Self.issuers[index]
        let authority = try issuer.authority(request())
        #expect(
            try issuer.facts(of: authority.certificate)
                == CertificateFacts(
                    validFrom: Self.now - 100, validUntil: Self.now + 1000, isAuthority: true,
                    names: []))
        let names = ["a.b.svc", "127.0.0.1", "::1"]
        let leaf = try issuer.leaf(request(names, life: 10), by: authority)
        #expect(
            try issuer.facts(of: leaf.certificate)
                == CertificateFacts(
                    validFrom: Self.now - 100, validUntil: Self.now + 10, isAuthority: false,
                    names: names))
    }

    @Test("keys are pairs with their own certificates only", arguments: 0..<2)
    func pairs(_ index: Int) throws {
        let issuer = Self.issuers[index]
        let one = try issuer.authority(request())
        let two = try issuer.authority(request())
        #expect(issuer.isPair(one) && issuer.isPair(two))
        #expect(one.privateKey != two.privateKey)
        #expect(
            !issuer.isPair(
                CertificateIdentity(certificate: one.certificate, privateKey: two.privateKey)))
        let junk = KeyBytes(pem: Array("junk".utf8))
        #expect(
            !issuer.isPair(CertificateIdentity(certificate: one.certificate, privateKey: junk)))
    }

    @Test("who signed it is told apart from who has the same name", arguments: 0..<2)
    func signed(_ index: Int) throws {
        let issuer = Self.issuers[index]
        let one = try issuer.authority(request())
        let two = try issuer.authority(request())
        let leaf = try issuer.leaf(request(["a"]), by: one)
        #expect(issuer.isSigned(leaf.certificate, by: one.certificate))
        #expect(!issuer.isSigned(leaf.certificate, by: two.certificate))
        #expect(!issuer.isSigned(leaf.certificate, by: leaf.certificate))
        #expect(!issuer.isSigned(Array("junk".utf8), by: one.certificate))
        #expect(throws: CertificateFailure.self) {
            try issuer.leaf(
                request(["a"]),
                by: CertificateIdentity(certificate: one.certificate, privateKey: two.privateKey))
        }
    }

    @Test("what is no certificate is refused, and nothing of it is said", arguments: 0..<2)
    func junk(_ index: Int) throws {
        let issuer = Self.issuers[index]
        for text in [
            "", "secret", "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n",
        ] {
            do {
                _ = try issuer.facts(of: Array(text.utf8))
                Issue.record("junk was read")
            } catch { #expect(!"\(error)".contains("secret")) }
        }
    }
}
