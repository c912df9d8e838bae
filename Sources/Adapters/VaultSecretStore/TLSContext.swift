// SPDX-License-Identifier: Apache-2.0
import COpenSSL
import COpenSSLShims
internal import Ports
internal import SecretMemory
internal import WrapperConfiguration

/// What every connection of a store shares: versions, trust anchors, the client certificate.
final class TLSContext {
    let pointer: OpaquePointer

    /// Largest record sent (bytes): the smallest that OpenSSL allows.
    private static let sendFragmentBytes = 512

    /// Where distributions keep their bundle of trust anchors, tried in this order.
    static let systemBundles = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
    ]

    /// Reads the files that `settings` names. The environment (OPENSSL_CONF, SSL_CERT_FILE, …)
    /// has no say: no configuration is loaded and no default path is asked for.
    init(settings: VaultSettings, memory: ExchangeMemory) throws(SecretStoreFailure) {
        OPENSSL_init_ssl(UInt64(OPENSSL_INIT_NO_LOAD_CONFIG), nil)
        guard let made = SSL_CTX_new(TLS_client_method()) else {
            throw Self.setUpFailure(settings)
        }
        pointer = made
        guard openssl_context_set_versions(made, TLS1_2_VERSION, 0) == 1 else {
            throw Self.setUpFailure(settings)
        }
        _ = openssl_context_set_client_options(made)
        let modes = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
        _ = openssl_context_set_mode(made, Int(modes | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
        // Small fragments: the write buffer is part of the arena, and requests are short.
        SSL_CTX_ctrl(made, SSL_CTRL_SET_MAX_SEND_FRAGMENT, Self.sendFragmentBytes, nil)
        _ = openssl_context_set_session_cache_mode(made, Int(SSL_SESS_CACHE_OFF))
        SSL_CTX_set_verify(made, SSL_VERIFY_PEER, nil)
        try loadTrustAnchors(settings.trustAnchorsFile)
        if let file = settings.clientCertificateFile {
            try useClientCertificate(
                file, keyFile: settings.clientKeyFile ?? file, memory: memory)
        }
    }

    deinit { SSL_CTX_free(pointer) }

    private static func setUpFailure(_ settings: VaultSettings) -> SecretStoreFailure {
        TLSFailure.classify(
            OpenSSLErrors.take(), verification: Int(X509_V_OK), origin: settings.origin,
            clientCertificateFile: settings.clientCertificateFile)
    }

    private func loadTrustAnchors(_ file: String?) throws(SecretStoreFailure) {
        for path in file.map({ [$0] }) ?? Self.systemBundles {
            let isLoaded = OpenSSLAllocator.withAllocations(of: .public) {
                SSL_CTX_load_verify_file(pointer, path) == 1
            }
            if isLoaded { return }
            ERR_clear_error()
        }
        throw .trustAnchorsUnreadable(path: file ?? Self.systemBundles[0])
    }

    private func useClientCertificate(
        _ file: String, keyFile: String, memory: ExchangeMemory
    ) throws(SecretStoreFailure) {
        guard SSL_CTX_use_certificate_chain_file(pointer, file) == 1 else {
            throw .clientCertificateRejected(path: file, detail: OpenSSLErrors.take().text)
        }
        // Read with read(2): OpenSSL's own file reader would leave the key in stdio's buffer.
        let bytes = try CredentialFile.read(keyFile, memory: memory)
        let isUsed = bytes.withBytes { span in
            span.withUnsafeBytes { raw in
                OpenSSLAllocator.withAllocations(of: .secret) { usePrivateKey(raw) }
            }
        }
        guard isUsed, SSL_CTX_check_private_key(pointer) == 1 else {
            throw .clientCertificateRejected(path: keyFile, detail: OpenSSLErrors.take().text)
        }
    }

    private func usePrivateKey(_ pem: UnsafeRawBufferPointer) -> Bool {
        guard let bio = BIO_new_mem_buf(pem.baseAddress, Int32(pem.count)) else { return false }
        defer { BIO_free(bio) }
        // OpenSSL's own callback asks whoever sits at the terminal, and waits.
        guard let key = PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil) else {
            return false
        }
        defer { EVP_PKEY_free(key) }
        return SSL_CTX_use_PrivateKey(pointer, key) == 1
    }
}

/// The calling thread's queue of OpenSSL errors.
struct OpenSSLErrors {
    /// Packed codes, the oldest first.
    let codes: [UInt]

    /// Empties the queue.
    static func take() -> OpenSSLErrors {
        var codes: [UInt] = []
        while true {
            let code = ERR_get_error()
            if code == 0 { return OpenSSLErrors(codes: codes) }
            codes.append(code)
        }
    }

    /// The reasons in OpenSSL's words, without numbers and file names.
    var text: String {
        let reasons = codes.compactMap { code in
            ERR_reason_error_string(code).map { String(cString: $0) }
        }
        return reasons.isEmpty ? "no reason given" : reasons.joined(separator: "; ")
    }

    /// Reason codes within the ssl library.
    var reasons: [Int32] { codes.map { openssl_error_reason($0) } }

    var isUnexpectedEnd: Bool { codes.contains { openssl_is_unexpected_eof($0) == 1 } }
}
