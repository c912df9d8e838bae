// SPDX-License-Identifier: Apache-2.0
import AsyncClock
import KubernetesPorts
import ObjectServer
import ObjectServerPorts
import Ports
import S3Proxy
import S3ProxyConfiguration
import SecretMemory
import ServerProcess
import VaultCustody

/// The parts of the program, put together.
struct S3ProxyProgram: Sendable {
    static let version = "0.1.0"
    /// How long requests that are under way may take after the last new connection.
    static let answerTime = Duration.seconds(60)

    /// Between two looks for keys that are held no longer, and for what is left of uploads.
    static let tidyingPause = Duration.seconds(30)

    private let settings: S3ProxySettings
    private let clock = AsyncClock()
    private let log: ProgramLog
    private let vault: VaultAccess
    private let stopping = StopFlag()

    init(_ settings: S3ProxySettings) throws(StartFailure) {
        self.settings = settings
        log = ProgramLog(clock: AsyncClock(), least: settings.logLevel.severity)
        vault = try VaultAccess(settings, clock: AsyncClock(), log: log)
    }

    func run() async throws(StartFailure) {
        let signals = try StopSignals()
        DescriptorLimit.raise()
        let certificate = try ServedCertificate(settings.transport)
        let proxy = try makeHandler(parts)
        let server = try await serve(
            settings.listen, "--listen", certificate?.identity, proxy)
        let health = try await serve(
            settings.healthListen, "--health-listen", nil,
            HealthPage(
                proxy: proxy, vault: vault, server: server, identity: certificate?.identity,
                stopping: stopping))
        log.write(
            .notice, "serving", "S3 and health are served",
            [
                ("port", String(server.port)), ("healthPort", String(health.port)),
                ("tls", String(certificate != nil)), ("keyMemory", "\(vault.arena.tier)"),
            ])
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await vault.follow() }
            group.addTask {
                while !Task.isCancelled {
                    await clock.sleep(for: Self.tidyingPause)
                    proxy.forgetEndedKeys()
                    await proxy.tidy()
                }
            }
            if let certificate {
                group.addTask { await certificate.follow(clock: clock, log: log) }
            }
            let signal = await signals.wait()
            log.write(.notice, "stopping", "stopping on signal \(signal)")
            stopping.set()
            server.endReuse()
            // Whoever routes to this program needs a moment to learn that it is not ready.
            await clock.sleep(for: .seconds(settings.drainSeconds))
            await server.drain(within: Self.answerTime)
            group.cancelAll()
        }
        vault.stop()
        await health.drain(within: .zero)
        log.write(.notice, "stopped", "everything that was asked is answered")
    }

    /// For work that is over soon: what it needs of the vault is read once.
    func partsOnce(withKey needsKey: Bool) async throws(StartFailure) -> ProxyParts {
        await vault.readUpstream()
        if needsKey { await vault.checkKey() }
        let wanted = needsKey ? ["transit key", "upstream credentials"] : ["upstream credentials"]
        let missing = vault.missing.filter { wanted.contains($0) }
        guard missing.isEmpty else {
            let list = missing.joined(separator: " and no ")
            throw StartFailure(text: "the vault gave no \(list); each line before says why")
        }
        return parts
    }

    /// After such work: gives tokens back.
    func end() { vault.stop() }

    private var parts: ProxyParts {
        ProxyParts(
            settings: settings, custodian: vault.custodian, salts: KernelSaltSource(),
            clients: vault.credentials,
            upstreamCredentials: { [vault] in vault.credentials.upstream },
            keyMemory: vault.arena, clock: clock, log: log)
    }

    private func serve(
        _ place: S3ProxySettings.Place, _ flag: String, _ identity: TLSIdentity?,
        _ handler: any RequestHandler
    ) async throws(StartFailure) -> ObjectServer {
        do throws(ObjectServerFailure) {
            return try await ObjectServer(
                address: place.host, port: Int(place.port), identity: identity,
                limits: ObjectServerLimits(), handler: handler)
        } catch {
            throw StartFailure(
                text: "cannot listen on \(place) (\(error)); choose another with \(flag)")
        }
    }
}

/// The certificate that is served, and the files it comes from.
struct ServedCertificate: Sendable {
    let identity: TLSIdentity
    private let files: CertificateFiles
    private let first: CertificateFiles.Content

    /// nil: without TLS.
    init?(_ transport: S3ProxySettings.Transport) throws(StartFailure) {
        guard case .tls(let certificate, let key) = transport else { return nil }
        files = CertificateFiles(certificatePath: certificate, keyPath: key)
        first = try files.read()
        do throws(ObjectServerFailure) {
            identity = try TLSIdentity(certificates: first.certificates, key: first.key)
        } catch { throw StartFailure(text: files.unusable) }
    }

    /// Serves changed files until the task is cancelled.
    func follow(clock: any AsyncTimeSource, log: ProgramLog) async {
        await files.follow(from: first, clock: clock, log: log) { new in
            do throws(ObjectServerFailure) {
                try identity.replace(certificates: new.certificates, key: new.key)
                return true
            } catch { return false }
        }
    }
}
