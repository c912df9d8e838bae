// SPDX-License-Identifier: Apache-2.0
import COpenSSL
import Glibc
import Ports
import SecretMemory
import Simulation
import Testing
import VaultListener
import WrapperConfiguration

@testable import VaultSecretStore

@Suite("Routing of OpenSSL's allocations")
struct AllocationRouteTests {
    private static let contexts = ContextSizes(cipher: 184, digest: 72)

    private static func route(_ file: String?, _ bytes: Int = 100) -> AllocationRoute {
        guard let file else {
            return AllocationFile(file: nil).route(bytes: bytes, contexts: contexts)
        }
        return AllocationFile(file: file).route(bytes: bytes, contexts: contexts)
    }

    @Test(
        "What may hold plaintext or keys is routed to secret memory",
        arguments: [
            "../ssl/record/ssl3_buffer.c", "../ssl/ssl_lib.c", "../ssl/ssl_sess.c",
            "../ssl/t1_enc.c", "../ssl/statem/statem_clnt.c", "../crypto/bn/bn_lib.c",
            "../crypto/ec/ec_key.c", "../crypto/mem_sec.c", "../crypto/buffer/buffer.c",
            "../crypto/bio/bss_mem.c", "../crypto/evp/p_lib.c", "../crypto/evp/kdf_lib.c",
            "../crypto/pem/pem_lib.c", "../crypto/rsa/rsa_lib.c", "../crypto/params_dup.c",
            "../crypto/hmac/hmac.c", "../crypto/rand/rand_pool.c",
            "../providers/implementations/ciphers/cipher_aes_gcm.c",
            "../providers/implementations/kdfs/hkdf.c",
            "../providers/implementations/rands/drbg_ctr.c",
        ])
    func secret(file: String) { #expect(Self.route(file) == .secret) }

    @Test(
        "Public data and tables are routed to ordinary memory, whatever folder the build was in",
        arguments: [
            "../crypto/x509/x_name.c", "crypto/asn1/tasn_new.c", "/build/ssl/crypto/err/err.c",
            "../crypto/objects/o_names.c", "../crypto/conf/conf_mod.c", "../crypto/lhash/lhash.c",
            "../crypto/property/property.c", "../crypto/core_namemap.c",
            "../crypto/evp/keymgmt_meth.c", "../ssl/t1_lib.c",
        ])
    func ordinary(file: String) { #expect(Self.route(file) == .ordinary) }

    @Test("A file that is not known, or none at all, gets secret memory")
    func unknown() {
        #expect(Self.route("../ssl/quic/quic_impl.c") == .secret)
        #expect(Self.route("somewhere/else.c") == .secret)
        #expect(Self.route("../crypto/x509.c") == .secret)
        #expect(Self.route("") == .secret)
        #expect(Self.route(nil) == .secret)
    }

    @Test("While a private key is read, parsers are routed to secret memory, tables are not")
    func secretContent() {
        func route(_ file: String, _ content: OpenSSLAllocator.Content?) -> AllocationRoute {
            AllocationFile(file: file)
                .route(bytes: 21848, contexts: Self.contexts, content: content)
        }
        #expect(route("../crypto/asn1/asn1_lib.c", .secret) == .secret)
        #expect(route("../crypto/asn1/asn1_lib.c", nil) == .ordinary)
        #expect(route("../crypto/buffer/buffer.c", .secret) == .secret)
        #expect(route("../crypto/buffer/buffer.c", nil) == .ordinary)
        #expect(route("../crypto/property/property.c", .secret) == .ordinary)
        #expect(route("../crypto/bn/bn_lib.c", .public) == .ordinary)
    }

    @Test("Contexts are told from method tables by their measured size")
    func contextSizes() {
        #expect(Self.route("../crypto/evp/evp_enc.c", 184) == .secret)
        #expect(Self.route("../crypto/evp/evp_enc.c", 256) == .ordinary)
        #expect(Self.route("../crypto/evp/digest.c", 72) == .secret)
        #expect(Self.route("../crypto/evp/digest.c", 240) == .ordinary)
        // Until the sizes are known, everything from these files is secret.
        let file = AllocationFile(file: "../crypto/evp/evp_enc.c")
        #expect(file.route(bytes: 256, contexts: nil) == .secret)
    }

    @Test("Of the growing buffers only the handshake's, by its exact size, is ordinary")
    func handshakeBuffer() {
        let bytes = AllocationFile.handshakeBufferBytes
        #expect(Self.route("../crypto/buffer/buffer.c", bytes) == .ordinary)
        #expect(Self.route("../crypto/buffer/buffer.c", bytes + 1) == .secret)
        #expect(Self.route("../crypto/buffer/buffer.c", bytes - 1) == .secret)
    }
}

/// Each in a process of its own: OpenSSL takes an allocator only before its first allocation.
@Suite("OpenSSL in secret memory")
struct OpenSSLAllocatorTests {
    @Test("Contexts land in the arena, whose tier is reported; a second installation is the same")
    func install() async {
        await #expect(processExitsWith: .success) {
            guard OpenSSLAllocator.report == nil else { exit(1) }
            try OpenSSLAllocator.install(arenaBytes: 64 << 10, minimumTier: .ordinary)
            try OpenSSLAllocator.install(arenaBytes: 1 << 20, minimumTier: .ordinary)
            let before = OpenSSLAllocator.report?.liveBytes ?? -1
            let context = EVP_CIPHER_CTX_new()
            guard let report = OpenSSLAllocator.report, report.arenaBytes == 64 << 10,
                before == 0, report.liveBytes > 0, report.tier == report.weakestTier
            else { exit(2) }
            EVP_CIPHER_CTX_free(context)
            exit(OpenSSLAllocator.report?.liveBytes == 0 ? 0 : 3)
        }
    }

    @Test("Installing after OpenSSL's first allocation is refused")
    func tooLate() async {
        await #expect(processExitsWith: .success) {
            EVP_MD_CTX_free(EVP_MD_CTX_new())
            do {
                try OpenSSLAllocator.install(arenaBytes: 64 << 10, minimumTier: .ordinary)
                exit(1)
            } catch OpenSSLAllocatorFailure.tooLate {
                exit(OpenSSLAllocator.report == nil ? 0 : 2)
            }
        }
    }

    @Test("An arena below the required tier is refused, and OpenSSL left as it was")
    func lowTier() async {
        await #expect(processExitsWith: .success) {
            do {
                try OpenSSLAllocator.install(
                    arenaBytes: 64 << 10, minimumTier: .secret, maximumTier: .ordinary)
                exit(1)
            } catch OpenSSLAllocatorFailure.memory(.tierUnavailable(let shortage)) {
                guard shortage.best == .ordinary, OpenSSLAllocator.report == nil else { exit(2) }
            }
            try OpenSSLAllocator.install(
                arenaBytes: 64 << 10, minimumTier: .ordinary, maximumTier: .ordinary)
            guard OpenSSLAllocator.report?.tier == .ordinary else { exit(3) }
            do {
                // Installed already, and not good enough for this caller.
                try OpenSSLAllocator.install(arenaBytes: 64 << 10, minimumTier: .locked)
                exit(4)
            } catch OpenSSLAllocatorFailure.memory(.tierUnavailable) { exit(0) }
        }
    }

    @Test("A declared content decides where parsers allocate")
    func content() async {
        await #expect(processExitsWith: .success) {
            try OpenSSLAllocator.install(arenaBytes: 64 << 10, minimumTier: .ordinary)
            func liveBytes() -> Int { OpenSSLAllocator.report?.liveBytes ?? -1 }
            let big = OpenSSLAllocator.withAllocations(of: .public) { BN_new() }
            guard liveBytes() == 0 else { exit(1) }
            let name = OpenSSLAllocator.withAllocations(of: .secret) { ASN1_STRING_new() }
            guard liveBytes() > 0 else { exit(2) }
            // Control: without a declaration the files decide, the other way round.
            let before = liveBytes()
            let other = ASN1_STRING_new()
            guard liveBytes() == before else { exit(3) }
            BN_free(big)
            ASN1_STRING_free(name)
            ASN1_STRING_free(other)
            exit(liveBytes() == 0 ? 0 : 4)
        }
    }

    @Test("A full arena makes OpenSSL fail, and is counted")
    func refused() async {
        await #expect(processExitsWith: .success) {
            try OpenSSLAllocator.install(arenaBytes: 4096, minimumTier: .ordinary)
            guard SSL_CTX_new(TLS_client_method()) == nil else { exit(1) }
            let report = OpenSSLAllocator.report
            exit(report?.refused ?? 0 > 0 && report?.spilled == 0 ? 0 : 2)
        }
    }

    @Test("A full arena that may spill goes on in ordinary memory, and says so")
    func spilled() async {
        await #expect(processExitsWith: .success) {
            try OpenSSLAllocator.install(
                arenaBytes: 4096, minimumTier: .ordinary, whenExhausted: .spill)
            guard let context = SSL_CTX_new(TLS_client_method()) else { exit(1) }
            guard let report = OpenSSLAllocator.report, report.refused == 0,
                report.spilledBytes > 0, report.weakestTier == .ordinary
            else { exit(2) }
            SSL_CTX_free(context)
            exit(0)
        }
    }

    @Test("Shutting down leaves nothing of OpenSSL and gives the arena back")
    func shutDown() async {
        await #expect(processExitsWith: .success) {
            try OpenSSLAllocator.install(arenaBytes: 64 << 10, minimumTier: .ordinary)
            guard let context = SSL_CTX_new(TLS_client_method()) else { exit(1) }
            SSL_CTX_free(context)
            guard OpenSSLAllocator.report?.liveBytes ?? 0 > 0 else { exit(2) }
            OpenSSLAllocator.shutDown()
            OpenSSLAllocator.shutDown()
            guard let report = OpenSSLAllocator.report, report.isShutDown, report.liveBytes == 0,
                report.ordinaryLiveBytes == 0
            else { exit(3) }
            exit(0)
        }
    }

    @Test("Where others hold most of the limit, the smallest arena is taken of the same tier")
    func smallestArena() async {
        await #expect(processExitsWith: .success) {
            let limitBytes: UInt64 = 512 << 10
            try MemoryLockLimit.set(softBytes: limitBytes, hardBytes: limitBytes)
            // Root holds CAP_IPC_LOCK, which frees of the limit.
            let user = uid_t(3_000_000 + getpid())
            if getuid() == 0, setgid(user) != 0 || setuid(user) != 0 { exit(1) }
            // One page less than the larger arena and the pages to be left need.
            let heldBytes = Int(limitBytes) - (192 << 10) - 8192 + 4096
            let held = try SecretRegion(payloadBytes: heldBytes, minimumTier: .locked)
            var settings = VaultSettings(
                origin: Origin(scheme: "https", host: "127.0.0.1", port: 1),
                auth: .token(file: nil))
            settings.minimumTier = .ordinary
            let store = try VaultSecretStore(
                settings: settings, credential: nil,
                openSSLMemory: .arena(leavingBytes: 8192))
            guard let report = OpenSSLAllocator.report, report.tier == held.tier,
                store.weakestTier == held.tier
            else { exit(2) }
            exit(report.arenaBytes == OpenSSLAllocator.arenaBytesMinimum ? 0 : 3)
        }
    }

    @Test("A store that was forgotten for good answers no more")
    func oneTimeStore() throws {
        let vault = try LoopbackVault()
        var settings = VaultSettings(
            origin: Origin(scheme: "https", host: "127.0.0.1", port: vault.listener.port),
            auth: .token(file: try vault.file("token", SimulatedVault.rootToken)))
        settings.trustAnchorsFile = vault.authorityFile
        settings.minimumTier = .ordinary
        var store = OneTimeVaultStore(
            try VaultSecretStore(
                settings: settings, credential: nil, openSSLMemory: .unchanged))
        // Control: before, it gets through to the vault.
        _ = try store.logIn()
        #expect(throws: SecretStoreFailure.mountUnknown(path: "none/app")) {
            try store.read(path: "none/app", fields: ["x"]) { _, _ in }
        }
        store.forget()
        store.forget()
        #expect(throws: SecretStoreFailure.tokenInvalid) { try store.logIn() }
        #expect(throws: SecretStoreFailure.tokenInvalid) {
            try store.read(path: "none/app", fields: ["x"]) { _, _ in }
        }
    }
}
