// SPDX-License-Identifier: Apache-2.0
import COpenSSL
import COpenSSLShims
import Glibc
internal import LoopbackPKI

/// The server's side of TLS: certificate, versions, client certificates.
final class TLSServerContext: Sendable {
    nonisolated(unsafe) let pointer: OpaquePointer

    init(
        identity: Identity, clientAuthorityPEM: String?, isClientCertificateRequired: Bool,
        onlyTLS11: Bool
    ) throws {
        guard let made = SSL_CTX_new(TLS_server_method()) else {
            throw VaultListenerFailure(call: "SSL_CTX_new", errorNumber: 0)
        }
        pointer = made
        if onlyTLS11 {
            // TLS 1.1 signs with SHA-1, which is below OpenSSL's default security level.
            SSL_CTX_set_security_level(made, 0)
            guard openssl_context_set_versions(made, TLS1_VERSION, TLS1_1_VERSION) == 1 else {
                throw VaultListenerFailure(call: "set_versions", errorNumber: 0)
            }
        }
        let certificate = try LoopbackPKI.readCertificate(identity.certificatePEM)
        defer { X509_free(certificate) }
        let key = try LoopbackPKI.readKey(identity.keyPEM)
        defer { EVP_PKEY_free(key) }
        guard SSL_CTX_use_certificate(made, certificate) == 1,
            SSL_CTX_use_PrivateKey(made, key) == 1
        else { throw VaultListenerFailure(call: "SSL_CTX_use_certificate", errorNumber: 0) }
        if let clientAuthorityPEM {
            let authority = try LoopbackPKI.readCertificate(clientAuthorityPEM)
            defer { X509_free(authority) }
            guard X509_STORE_add_cert(SSL_CTX_get_cert_store(made), authority) == 1 else {
                throw VaultListenerFailure(call: "X509_STORE_add_cert", errorNumber: 0)
            }
            if isClientCertificateRequired {
                SSL_CTX_set_verify(
                    made, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
            } else {
                // The result of the verification stays to be asked for.
                SSL_CTX_set_verify(made, SSL_VERIFY_PEER, { _, _ in 1 })
            }
        }
    }

    deinit { SSL_CTX_free(pointer) }
}

/// One accepted connection, blocking.
final class TLSServerStream {
    private let ssl: OpaquePointer

    /// nil when the handshake fails.
    init?(context: TLSServerContext, descriptor: Int32) {
        guard let made = SSL_new(context.pointer) else { return nil }
        guard SSL_set_fd(made, descriptor) == 1, SSL_accept(made) == 1 else {
            ERR_clear_error()
            SSL_free(made)
            return nil
        }
        ssl = made
    }

    deinit {
        SSL_free(ssl)
        ERR_clear_error()
    }

    /// Common name of the client's certificate, when it has one that was verified.
    var clientName: String? {
        guard SSL_get_verify_result(ssl) == Int(X509_V_OK),
            let certificate = SSL_get1_peer_certificate(ssl)
        else { return nil }
        defer { X509_free(certificate) }
        var name = [CChar](repeating: 0, count: 65)
        let count = X509_NAME_get_text_by_NID(
            X509_get_subject_name(certificate), NID_commonName, &name, Int32(name.count))
        guard count > 0 else { return nil }
        return String(
            decoding: name.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// At least one byte, or nil at the end of the stream.
    func read() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        let count = SSL_read(ssl, &bytes, Int32(bytes.count))
        guard count > 0 else { return nil }
        return Array(bytes.prefix(Int(count)))
    }

    /// Returns whether everything was sent.
    func write(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        return bytes.withUnsafeBytes { source in
            while offset < source.count {
                let part = min(source.count - offset, 1 << 20)
                let written = SSL_write(ssl, source.baseAddress?.advanced(by: offset), Int32(part))
                guard written > 0 else { return false }
                offset += Int(written)
            }
            return true
        }
    }

    func waitForPeerToClose() {
        while read() != nil {}
    }

    /// Sends close_notify.
    func finish() { SSL_shutdown(ssl) }
}
