// SPDX-License-Identifier: Apache-2.0
import CryptoObjectCipher
import KubernetesPorts
import ObjectKeyPorts
import Ports
import S3ProxyConfiguration
import SecretMemory
import ServerProcess
import Synchronization
import VaultCustody
import VaultSecretStore
import WrapperConfiguration

/// The vault: keys, credentials, and whether they can be had.
final class VaultAccess: Sendable {
    /// Between two tries of what has never succeeded.
    static let firstPause = Duration.seconds(2)

    let custodian: any KeyCustodian
    let credentials: VaultCredentials
    let arena: SecretArena
    let settings: S3ProxySettings
    let workers: VaultWorkers<VaultSecretStore>
    let clock: any AsyncTimeSource
    let log: ProgramLog
    let known = Mutex(Known())

    struct Known {
        var isKeyGood = false
        var hasClients = false
        var hasUpstream = false
        var readAt: MonotonicTime?
    }

    init(
        _ settings: S3ProxySettings, clock: any AsyncTimeSource, log: ProgramLog
    ) throws(StartFailure) {
        self.settings = settings
        self.clock = clock
        self.log = log
        do throws(SecretMemoryFailure) {
            arena = try SecretArena(
                bytes: Self.arenaBytes(settings), minimumTier: settings.vault.minimumTier.tier)
        } catch {
            throw StartFailure(
                text: "no secret memory for \(settings.keys.cacheEntries) keys (\(error)); raise "
                    + "RLIMIT_MEMLOCK, or lower --key-cache-entries or --minimum-tier")
        }
        var limits = VaultWorkersSettings()
        limits.threads = settings.vaultThreads
        limits.callTime = .seconds(settings.vault.requestSecondsMax)
        limits.host = settings.vault.origin.host
        let vault = settings.vault
        do throws(VaultWorkersFailure) {
            workers = try VaultWorkers(
                settings: limits, clock: clock,
                makeStore: { () throws(SecretStoreFailure) in
                    try VaultSecretStore(settings: vault, credential: nil)
                },
                leave: { store in
                    // A token that was given is not ours to revoke; others end by themselves if
                    // this fails.
                    if case .token = vault.auth {} else { try? store.revokeToken() }
                    store.forget()
                })
        } catch { throw StartFailure(text: "no thread for the vault: \(error)") }
        custodian = TransitKeyCustodian(workers: workers, arena: arena)
        credentials = VaultCredentials(
            settings: VaultCredentialsSettings(
                clientsPath: settings.credentials.clientsPath,
                upstreamPath: settings.credentials.upstreamPath), arena: arena)
    }

    /// Cached keys, those of requests under way with what they derive from them, and credentials.
    private static func arenaBytes(_ settings: S3ProxySettings) -> Int {
        let keys = (settings.keys.cacheEntries + 4 * settings.requestsMax) * 32
        // What is copied into an upload is opened and sealed at once.
        let request = 2 * CryptoObjectCipher.streamBytes + CryptoObjectCipher.derivationBytes
        return min(keys + settings.requestsMax * request + (512 << 10), SecretArena.bytesMax)
    }

    var waitingCount: Int { workers.waitingCount }

    /// What has never been had, and has to be before anybody can be served; empty: nothing.
    var missing: [String] {
        known.withLock { known in
            (known.isKeyGood ? [] : ["transit key"]) + (known.hasClients ? [] : ["clients"])
                + (known.hasUpstream ? [] : ["upstream credentials"])
        }
    }

    /// Since the credentials were last read; nil: never.
    var credentialsAge: Duration? {
        known.withLock { $0.readAt }.map { $0.duration(to: clock.monotonic()) }
    }

    /// Reads everything again and again until the task is cancelled.
    func follow() async {
        while !Task.isCancelled {
            await readClients()
            await readUpstream()
            if !known.withLock({ $0.isKeyGood }) { await checkKey() }
            let isComplete = missing.isEmpty
            await clock.sleep(
                for: isComplete ? .seconds(settings.credentials.seconds) : Self.firstPause)
        }
    }

    /// Gives tokens back. It blocks for as long as calls that are under way take.
    func stop() { workers.stop() }
}
