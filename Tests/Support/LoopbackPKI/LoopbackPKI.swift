// SPDX-License-Identifier: Apache-2.0
import COpenSSL
import COpenSSLShims

/// Why a test certificate could not be made: the OpenSSL call that failed.
package struct LoopbackPKIFailure: Error {
    package let call: String
}

/// A certificate and its private key, as PEM text. Test material, valid nowhere but in a test.
package struct Identity: Sendable {
    package let certificatePEM: String
    package let keyPEM: String

    package init(certificatePEM: String, keyPEM: String) {
        self.certificatePEM = certificatePEM
        self.keyPEM = keyPEM
    }
}

/// A throw-away certificate authority and the certificates that TLS tests need, made in memory
/// with OpenSSL's own functions (P-256, SHA-256).
package struct LoopbackPKI: Sendable {
    /// What makes a certificate different from a good one.
    package struct Request: Sendable {
        package var commonName: String
        /// Subject alternative names as OpenSSL's configuration spells them:
        /// `DNS:vault.test`, `IP:127.0.0.1`. Empty: none.
        package var alternativeNames: [String]
        /// Seconds from now.
        package var validFrom = -3600
        /// Seconds from now.
        package var validUntil = 30 * 86_400
        /// `serverAuth` or `clientAuth`.
        package var usage = "serverAuth"

        package init(commonName: String, alternativeNames: [String] = []) {
            self.commonName = commonName
            self.alternativeNames = alternativeNames
        }
    }

    /// The authority that clients are told to trust.
    package let authority: Identity
    /// Names the good server certificate carries.
    package static let serverNames = [
        "DNS:localhost", "DNS:vault.test", "IP:127.0.0.1", "IP:::1",
    ]

    package init(commonName: String = "CloudTaser loopback CA") throws {
        authority = try Self.make(
            Request(commonName: commonName, alternativeNames: []), issuer: nil)
    }

    /// A server certificate for `serverNames`.
    ///
    /// - Parameter days: from now until it expires.
    package func server(days: Int = 30) throws -> Identity {
        var request = Request(commonName: "vault.test", alternativeNames: Self.serverNames)
        request.validUntil = days * 86_400
        return try issue(request)
    }

    /// The right names, and its time is over.
    package func expiredServer() throws -> Identity {
        var request = Request(commonName: "vault.test", alternativeNames: Self.serverNames)
        request.validFrom = -2 * 86_400
        request.validUntil = -86_400
        return try issue(request)
    }

    /// Valid, for somebody else.
    package func otherHostServer() throws -> Identity {
        try issue(Request(commonName: "other.test", alternativeNames: ["DNS:other.test"]))
    }

    /// A client certificate.
    package func client() throws -> Identity {
        var request = Request(commonName: "workload")
        request.usage = "clientAuth"
        return try issue(request)
    }

    /// A certificate signed by this authority.
    package func issue(_ request: Request) throws -> Identity {
        try Self.make(request, issuer: authority)
    }

    // MARK: - OpenSSL

    /// Self-signed authority when `issuer` is nil.
    private static func make(_ request: Request, issuer: Identity?) throws -> Identity {
        let key = try need(openssl_generate_p256(), "EVP_EC_gen")
        defer { EVP_PKEY_free(key) }
        let certificate = try need(X509_new(), "X509_new")
        defer { X509_free(certificate) }
        try fill(certificate, request, key: key)
        guard let issuer else {
            X509_set_issuer_name(certificate, X509_get_subject_name(certificate))
            try add(NID_basic_constraints, "critical,CA:TRUE", to: certificate, from: certificate)
            try add(NID_key_usage, "critical,keyCertSign", to: certificate, from: certificate)
            try add(NID_subject_key_identifier, "hash", to: certificate, from: certificate)
            return try sign(certificate, key: key, with: key)
        }
        let authority = try readCertificate(issuer.certificatePEM)
        defer { X509_free(authority) }
        let authorityKey = try readKey(issuer.keyPEM)
        defer { EVP_PKEY_free(authorityKey) }
        X509_set_issuer_name(certificate, X509_get_subject_name(authority))
        try add(NID_basic_constraints, "critical,CA:FALSE", to: certificate, from: authority)
        try add(NID_ext_key_usage, request.usage, to: certificate, from: authority)
        try add(NID_authority_key_identifier, "keyid", to: certificate, from: authority)
        if !request.alternativeNames.isEmpty {
            try add(
                NID_subject_alt_name, request.alternativeNames.joined(separator: ","),
                to: certificate, from: authority)
        }
        return try sign(certificate, key: key, with: authorityKey)
    }

    private static func fill(
        _ certificate: OpaquePointer, _ request: Request, key: OpaquePointer
    ) throws {
        X509_set_version(certificate, 2)
        let serial = Int64.random(in: 1...Int64.max)
        ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), serial)
        X509_gmtime_adj(X509_getm_notBefore(certificate), request.validFrom)
        X509_gmtime_adj(X509_getm_notAfter(certificate), request.validUntil)
        let subject = X509_get_subject_name(certificate)
        let added = X509_NAME_add_entry_by_txt(
            subject, "CN", 0x1000 | 1 /* MBSTRING_UTF8 */, request.commonName, -1, -1, 0)
        guard added == 1 else { throw LoopbackPKIFailure(call: "X509_NAME_add_entry_by_txt") }
        guard X509_set_pubkey(certificate, key) == 1 else {
            throw LoopbackPKIFailure(call: "X509_set_pubkey")
        }
    }

    private static func add(
        _ identifier: Int32, _ value: String, to certificate: OpaquePointer,
        from issuer: OpaquePointer
    ) throws {
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer, certificate, nil, nil, 0)
        let made = X509V3_EXT_conf_nid(nil, &context, identifier, value)
        let entry = try need(made, "X509V3_EXT_conf_nid(\(value))")
        defer { X509_EXTENSION_free(entry) }
        guard X509_add_ext(certificate, entry, -1) == 1 else {
            throw LoopbackPKIFailure(call: "X509_add_ext")
        }
    }

    private static func sign(
        _ certificate: OpaquePointer, key: OpaquePointer, with signer: OpaquePointer
    ) throws -> Identity {
        guard X509_sign(certificate, signer, EVP_sha256()) > 0 else {
            throw LoopbackPKIFailure(call: "X509_sign")
        }
        let certificatePEM = try text { PEM_write_bio_X509($0, certificate) }
        let keyPEM = try text { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) }
        return Identity(certificatePEM: certificatePEM, keyPEM: keyPEM)
    }

    static func text(_ write: (OpaquePointer) -> Int32) throws -> String {
        let bio = try need(BIO_new(BIO_s_mem()), "BIO_new")
        defer { BIO_free(bio) }
        guard write(bio) == 1 else { throw LoopbackPKIFailure(call: "PEM_write") }
        var bytes: UnsafeMutablePointer<CChar>?
        let count = openssl_memory_bio_bytes(bio, &bytes)
        return String(
            decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    /// Parses a PEM certificate; the caller frees it.
    package static func readCertificate(_ pem: String) throws -> OpaquePointer {
        try withMemory(pem) { try need(PEM_read_bio_X509($0, nil, nil, nil), "PEM_read") }
    }

    /// Parses a PEM private key; the caller frees it.
    package static func readKey(_ pem: String) throws -> OpaquePointer {
        try withMemory(pem) { try need(PEM_read_bio_PrivateKey($0, nil, nil, nil), "PEM_read") }
    }

    private static func withMemory<Result>(
        _ pem: String, _ body: (OpaquePointer) throws -> Result
    ) throws -> Result {
        var copy = pem
        return try copy.withUTF8 { bytes in
            let bio = try need(
                BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)), "BIO_new_mem_buf")
            defer { BIO_free(bio) }
            return try body(bio)
        }
    }

    private static func need<Value>(_ value: Value?, _ call: String) throws -> Value {
        guard let value else { throw LoopbackPKIFailure(call: call) }
        return value
    }
}
