// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

/// Everything that replicas share about their server's certificate.
package struct CertificateHoldings: Sendable, Hashable {
    /// PEM of those that are believed, the newest first.
    package var authorities: [[UInt8]]
    /// Of the newest authority.
    package var authorityKey: KeyBytes
    package var leaf: CertificateIdentity

    /// More are kept of nothing: they came by deleting the Secret again and again.
    package static let authoritiesMax = 4

    package init(authorities: [[UInt8]], authorityKey: KeyBytes, leaf: CertificateIdentity) {
        self.authorities = authorities
        self.authorityKey = authorityKey
        self.leaf = leaf
    }

    /// For `caBundle`.
    package var bundle: [UInt8] { PEMBundle.joined(authorities) }
}

/// The Secret with certificates, as it is stored. Its form is that of every
/// `kubernetes.io/tls` Secret, with two entries more.
package struct CertificateSecret: Sendable {
    private static let type = "kubernetes.io/tls"
    private static let authoritiesEntry = "ca.crt"
    private static let authorityKeyEntry = "ca.key"
    private static let leafEntry = "tls.crt"
    private static let leafKeyEntry = "tls.key"

    private var object: JSONTree

    /// A new one.
    package init(name: String, namespace: String) {
        object = [
            "apiVersion": "v1", "kind": "Secret",
            "metadata": [
                "name": .string(name), "namespace": .string(namespace),
                "labels": .managedByOperator,
            ],
            "type": .string(Self.type),
        ]
    }

    /// - Throws: when it is no Secret.
    package init(_ document: [UInt8]) throws(AnswerFailure) {
        do throws(JSONTree.Failure) {
            object = try JSONTree(document)
        } catch { throw .malformed(detail: "the Secret is no JSON") }
        guard object["kind"]?.text == "Secret" else { throw .malformed(detail: "no Secret") }
    }

    package var uid: String? { object.value(at: "metadata", "uid")?.text }
    package var resourceVersion: String? { object.value(at: "metadata", "resourceVersion")?.text }

    /// Whether its content may be written: not if it is immutable or of another type.
    package var isReplaceable: Bool {
        object["immutable"] != true && object["type"]?.text == Self.type
    }

    /// nil: an entry is missing or no base64.
    package var holdings: CertificateHoldings? {
        guard let authorities = entry(Self.authoritiesEntry),
            let authorityKey = entry(Self.authorityKeyEntry),
            let leaf = entry(Self.leafEntry), let leafKey = entry(Self.leafKeyEntry)
        else { return nil }
        return CertificateHoldings(
            authorities: PEMBundle.certificates(in: authorities),
            authorityKey: KeyBytes(pem: authorityKey),
            leaf: CertificateIdentity(certificate: leaf, privateKey: KeyBytes(pem: leafKey)))
    }

    private func entry(_ name: String) -> [UInt8]? {
        object.value(at: "data", name)?.text.flatMap(Base64.decoded)
    }

    /// With this content only; what others wrote beside it stays, and so does the version that was
    /// read.
    package func rendered(_ holdings: CertificateHoldings) -> [UInt8] {
        var object = object
        object["data"] = [
            Self.authoritiesEntry: .string(Base64.encoded(holdings.bundle)),
            Self.authorityKeyEntry: .string(Base64.encoded(holdings.authorityKey.pem)),
            Self.leafEntry: .string(Base64.encoded(holdings.leaf.certificate)),
            Self.leafKeyEntry: .string(Base64.encoded(holdings.leaf.privateKey.pem)),
        ].sorted()
        return object.rendered()
    }
}

extension JSONTree {
    /// Labels of what the operator makes.
    package static let managedByOperator: JSONTree = [
        "app.kubernetes.io/name": "cloudtaser",
        "app.kubernetes.io/managed-by": "cloudtaser-operator",
    ]
}

extension [String: JSONTree] {
    fileprivate func sorted() -> JSONTree {
        .object(sorted { $0.key < $1.key }.map { .init($0.key, $0.value) })
    }
}
