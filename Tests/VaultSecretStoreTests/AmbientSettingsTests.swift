// SPDX-License-Identifier: Apache-2.0
import COpenSSL
import COpenSSLShims
import Glibc
import Ports
import SecretMemory
import Testing
import VaultListener
import VaultSecretStore
import WrapperConfiguration

/// Reads `secret/app` in a process of its own, where the store is the first to use OpenSSL.
private func readAlone(
    port: UInt16, authorityFile: String?
) throws -> Int {
    var settings = VaultSettings(
        origin: Origin(scheme: "https", host: "127.0.0.1", port: port), auth: .token(file: nil))
    settings.trustAnchorsFile = authorityFile
    settings.minimumTier = .ordinary
    var store = try VaultSecretStore(
        settings: settings, credential: .testing("s.simulated-root"))
    _ = try store.logIn()
    var count = 0
    try store.read(path: "secret/app", fields: ["yes"]) { _, value in count += value.byteCount }
    store.forget()
    return count
}

@Suite("What the environment may not say to OpenSSL") struct AmbientSettingsTests {
    /// Forbids what the vault speaks: a client that follows it cannot connect.
    private static let configuration = """
        openssl_conf = main
        [main]
        ssl_conf = tls
        [tls]
        system_default = limits
        [limits]
        MaxProtocol = TLSv1.1
        """

    @Test func `OPENSSL_CONF is not read`() async throws {
        let vault = try LoopbackVault(vault: stockedVault())
        let file = try vault.file("openssl.cnf", Self.configuration)
        let (port, authorityFile) = (vault.listener.port, vault.authorityFile)
        await #expect(processExitsWith: .success) {
            [port = port as UInt16, authorityFile = authorityFile as String, file = file as String]
            in
            setenv("OPENSSL_CONF", file, 1)
            let count = try readAlone(port: port, authorityFile: authorityFile)
            #expect(count == 4)
        }
        // Control: OpenSSL as programs usually start it follows the same file.
        await #expect(processExitsWith: .success) { [file = file as String] in
            setenv("OPENSSL_CONF", file, 1)
            OPENSSL_init_ssl(UInt64(OPENSSL_INIT_LOAD_CONFIG), nil)
            let context = try #require(SSL_CTX_new(TLS_client_method()))
            let limit = SSL_CTX_ctrl(context, SSL_CTRL_GET_MAX_PROTO_VERSION, 0, nil)
            #expect(limit == Int(TLS1_1_VERSION))
        }
    }

    @Test func `SSL_CERT_FILE adds no trust anchor`() async throws {
        let vault = try LoopbackVault(vault: stockedVault())
        let (port, authorityFile) = (vault.listener.port, vault.authorityFile)
        await #expect(processExitsWith: .success) {
            [port = port as UInt16, authorityFile = authorityFile as String] in
            setenv("SSL_CERT_FILE", authorityFile, 1)
            setenv("SSL_CERT_DIR", "/nonexistent", 1)
            expectFailure("SSL_CERT_FILE") {
                [String(try readAlone(port: port, authorityFile: nil))]
            } matches: { failure in
                switch failure {
                case .certificateUntrusted, .trustAnchorsUnreadable: true
                default: false
                }
            }
        }
        // Control: OpenSSL's default paths do take the file from the environment.
        await #expect(processExitsWith: .success) { [authorityFile = authorityFile as String] in
            setenv("SSL_CERT_FILE", authorityFile, 1)
            setenv("SSL_CERT_DIR", "/nonexistent", 1)
            let context = try #require(SSL_CTX_new(TLS_client_method()))
            #expect(SSL_CTX_set_default_verify_paths(context) == 1)
            let store = SSL_CTX_get_cert_store(context)
            #expect(openssl_store_object_count(store) > 0)
        }
    }

    @Test func `an arena too small for a handshake is named, not taken for a TLS fault`()
        async throws
    {
        let vault = try LoopbackVault(vault: stockedVault())
        let (port, authorityFile) = (vault.listener.port, vault.authorityFile)
        await #expect(processExitsWith: .success) {
            [port = port as UInt16, authorityFile = authorityFile as String] in
            try OpenSSLAllocator.install(arenaBytes: 16 << 10, minimumTier: .ordinary)
            let failure = SecretStoreFailure.memory(
                .capacityExceeded(capacityBytes: 16 << 10))
            #expect(throws: failure) {
                try readAlone(port: port, authorityFile: authorityFile)
            }
        }
    }
}
