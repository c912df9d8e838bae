// SPDX-License-Identifier: Apache-2.0
internal import AdmissionTrust
internal import KubernetesFormat

/// Which key a certificate is of, which one has signed it, and for what names: as it says itself
/// (RFC 5280, 4.2.1). No signature is checked.
struct CertificateKeys {
    /// 2.5.29.14, 2.5.29.35, 2.5.29.17
    private static let subjectKey: [UInt8] = [0x55, 0x1D, 0x0E]
    private static let authorityKey: [UInt8] = [0x55, 0x1D, 0x23]
    private static let alternativeNames: [UInt8] = [0x55, 0x1D, 0x11]
    /// [3] of a certificate's body, [0] of an authority's key, [2] of a name.
    private static let extensions: UInt8 = 0xA3
    private static let keyIdentifier: UInt8 = 0x80
    private static let dnsName: UInt8 = 0x82

    /// nil: it does not say.
    private(set) var own: [UInt8]?
    private(set) var signer: [UInt8]?
    private(set) var names: [String] = []

    /// Of the first certificate of a PEM file; nil: there is none that can be read.
    static func first(inPEM bytes: [UInt8]) -> CertificateKeys? {
        all(inPEM: bytes).first ?? nil
    }

    static func all(inPEM bytes: [UInt8]) -> [CertificateKeys?] {
        PEMBundle.certificates(in: bytes).map { pem in
            let lines = String(decoding: pem, as: UTF8.self).split(separator: "\n")
            let body = lines.filter { !$0.hasPrefix("-----") }.joined()
            return Base64.decoded(body).flatMap(CertificateKeys.init(der:))
        }
    }

    init?(der bytes: [UInt8]) {
        guard let outer = DERValue(bytes[...]), outer.tag == DERValue.sequence,
            let body = DERValue(outer.content), body.tag == DERValue.sequence
        else { return nil }
        for field in Self.values(body.content) where field.tag == Self.extensions {
            guard let list = DERValue(field.content) else { continue }
            Self.values(list.content).forEach { read($0) }
        }
    }

    private mutating func read(_ value: DERValue) {
        let parts = Self.values(value.content)
        guard let identifier = parts.first, identifier.tag == DERValue.objectIdentifier,
            let octets = parts.last, octets.tag == DERValue.octets,
            let inner = DERValue(octets.content)
        else { return }
        switch Array(identifier.content) {
        case Self.subjectKey: own = Array(inner.content)
        case Self.authorityKey:
            signer = Self.values(inner.content).first { $0.tag == Self.keyIdentifier }
                .map { Array($0.content) }
        case Self.alternativeNames:
            names = Self.values(inner.content).filter { $0.tag == Self.dnsName }
                .map { String(decoding: $0.content, as: UTF8.self) }
        default: break
        }
    }

    private static func values(_ bytes: ArraySlice<UInt8>) -> [DERValue] {
        var values: [DERValue] = []
        var rest = bytes
        while let value = DERValue(rest) {
            values.append(value)
            rest = value.after
        }
        return values
    }
}
