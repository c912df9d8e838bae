// SPDX-License-Identifier: Apache-2.0
package import AdmissionTrust
internal import KubernetesFormat
package import KubernetesPorts
internal import Synchronization

/// `CertificateIssuer` without cryptography: a certificate is a line that says who it is, who made
/// it, and for how long; its key is its number. The next number is random for nobody.
package final class SimulatedCertificateIssuer: CertificateIssuer {
    private let made = Mutex(0)
    /// Everything fails while it holds.
    private let broken = Mutex(false)

    package init() {}

    package func setBroken(_ isBroken: Bool) { broken.withLock { $0 = isBroken } }

    package func authority(
        _ request: CertificateRequest
    ) throws(CertificateFailure) -> CertificateIdentity {
        try make(request, by: nil)
    }

    package func leaf(
        _ request: CertificateRequest, by authority: CertificateIdentity
    ) throws(CertificateFailure) -> CertificateIdentity {
        guard isPair(authority), let signer = Line(authority.certificate), signer.isAuthority else {
            throw .notIssued(detail: "the authority's key is not that of its certificate")
        }
        return try make(request, by: signer.number)
    }

    package func facts(
        of certificate: [UInt8]
    ) throws(CertificateFailure) -> CertificateFacts {
        guard let line = Line(certificate) else {
            throw .malformed(detail: "a certificate is no PEM of the simulator's")
        }
        return line.facts
    }

    package func isPair(_ identity: CertificateIdentity) -> Bool {
        guard let line = Line(identity.certificate) else { return false }
        return identity.privateKey == Self.key(line.number)
    }

    package func isSigned(_ certificate: [UInt8], by authority: [UInt8]) -> Bool {
        guard let line = Line(certificate), let signer = Line(authority) else { return false }
        return signer.isAuthority && line.signer == signer.number
    }

    private func make(
        _ request: CertificateRequest, by signer: Int?
    ) throws(CertificateFailure) -> CertificateIdentity {
        guard !broken.withLock({ $0 }) else { throw .notIssued(detail: "broken") }
        let number = made.withLock { made in
            made += 1
            return made
        }
        let line = Line(
            number: number, signer: signer ?? number, isAuthority: signer == nil,
            request: request)
        return CertificateIdentity(certificate: line.pem, privateKey: Self.key(number))
    }

    private static func key(_ number: Int) -> KeyBytes {
        KeyBytes(pem: Array("key \(number)\n".utf8))
    }
}

private struct Line {
    let number: Int
    let signer: Int
    let facts: CertificateFacts

    var isAuthority: Bool { facts.isAuthority }

    init(number: Int, signer: Int, isAuthority: Bool, request: CertificateRequest) {
        self.number = number
        self.signer = signer
        facts = CertificateFacts(
            validFrom: request.validFrom, validUntil: request.validUntil, isAuthority: isAuthority,
            names: request.names)
    }

    var pem: [UInt8] {
        let words =
            [
                "\(number)", "\(signer)", isAuthority ? "authority" : "leaf",
                "\(facts.validFrom)", "\(facts.validUntil)",
            ] + facts.names
        let text = Base64.encoded(Array(words.joined(separator: " ").utf8))
        return Array(
            "-----BEGIN CERTIFICATE-----\n\(text)\n-----END CERTIFICATE-----\n".utf8)
    }

    init?(_ pem: [UInt8]) {
        // Bytes: cut as characters this was half the time of the scenario.
        let lines = pem.split(separator: UInt8(ascii: "\n"))
        guard lines.count == 3,
            let bytes = Base64.decoded(String(decoding: lines[1], as: UTF8.self))
        else { return nil }
        let words = bytes.split(separator: UInt8(ascii: " "))
            .map { String(decoding: $0, as: UTF8.self) }
        guard words.count >= 5, let number = Int(words[0]), let signer = Int(words[1]),
            let from = Int64(words[3]), let until = Int64(words[4])
        else { return nil }
        self.number = number
        self.signer = signer
        facts = CertificateFacts(
            validFrom: from, validUntil: until, isAuthority: words[2] == "authority",
            names: Array(words.dropFirst(5)))
    }
}
