// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
package import ImageFormat
package import ImagePorts
internal import NIOCore
internal import NIOSSL

/// How calls behave, and whom they trust.
package struct OCIRegistrySettings: Sendable, Equatable {
    /// PEM of the authorities; nil: those of the system.
    package var authorities: [UInt8]?
    /// `host` or `host:port` of servers that are spoken to without TLS.
    package var insecureHosts: Set<String> = []
    /// Of one call with everything that it takes: login, redirects, another attempt.
    package var requestTime = Duration.seconds(3)
    /// Of connecting, TLS included.
    package var connectTime = Duration.seconds(2)
    /// Longest wait that a server may ask for; longer ones are told to the caller.
    package var waitMax = Duration.seconds(1)
    /// Of the bodies of all answers that come in at once.
    package var bodyBytesMax = 64 << 20
    /// Before a failure that may pass is tried again.
    package var pause = Duration.milliseconds(100)

    package init() {}
}

/// `ImageRegistry` over HTTP/1.1 and TLS.
package final class OCIRegistry: ImageRegistry {
    /// Attempts after the first.
    static let repeatsMax = 1
    static let redirectsMax = 3

    let settings: OCIRegistrySettings
    let client: HTTPClient
    let authorizations = AuthorizationCache()
    let bodies: ByteBudget

    package struct SettingsInvalid: Error, Sendable, Equatable {
        package let reason: String
    }

    /// - Throws: the authorities are no certificates.
    package init(
        _ settings: OCIRegistrySettings = OCIRegistrySettings()
    ) throws(SettingsInvalid) {
        self.settings = settings
        bodies = ByteBudget(settings.bodyBytesMax)
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.certificateVerification = .fullVerification
        if let authorities = settings.authorities {
            guard let roots = try? NIOSSLCertificate.fromPEMBytes(authorities), !roots.isEmpty
            else { throw SettingsInvalid(reason: "holds no certificates in PEM") }
            // Not beside the system's: an image may have none, and then nothing is believed.
            tls.trustRoots = .certificates(roots)
        }
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = tls
        // They are followed here, without anybody's credential.
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.decompression = .disabled
        configuration.timeout.connect = .init(settings.connectTime)
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(
            eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }

    deinit {
        // Nothing waits for it: a client that is let go has no calls.
        client.shutdown { [client] _ in _ = client }
    }

    package func manifest(
        _ repository: RegistryRepository, _ selector: ImageReference.Selector,
        _ credential: RegistryCredential?
    ) async throws(RegistryFailure) -> RegistryManifest {
        let answer = try await call(
            RegistryCall(
                repository, "manifests/\(selector)", accept: ImageDocument.mediaTypes,
                limit: ImageLimits.manifestBytesMax),
            credential)
        return RegistryManifest(bytes: answer.body, contentType: answer.contentType)
    }

    package func config(
        _ repository: RegistryRepository, _ digest: ImageDigest, _ credential: RegistryCredential?
    ) async throws(RegistryFailure) -> [UInt8] {
        try await call(
            RegistryCall(repository, "blobs/\(digest)", limit: ImageLimits.configBytesMax),
            credential
        ).body
    }

    // MARK: - Time

    /// In its time, and once more after a failure that passes.
    private func call(
        _ call: RegistryCall, _ credential: RegistryCredential?
    ) async throws(RegistryFailure) -> RegistryAnswer {
        // What is put into a path was parsed; this is in case somebody does not.
        guard ImageReference.isHost(call.repository.host),
            ImageReference.isRepository(call.repository.name)
        else { throw .malformed(detail: "a name that no repository can have") }
        return try await within(settings.requestTime) { () throws(RegistryFailure) in
            var count = 0
            while true {
                do throws(RegistryFailure) {
                    return try await self.authorized(call, credential)
                } catch {
                    guard count < Self.repeatsMax, let wait = self.wait(after: error) else {
                        throw error
                    }
                    count += 1
                    do { try await Task.sleep(for: wait) } catch { throw .cancelled }
                }
            }
        }
    }

    /// - Returns: nil: it is of no use to ask again.
    private func wait(after failure: RegistryFailure) -> Duration? {
        switch failure {
        case .unavailable: return settings.pause
        case .rateLimited(let seconds?):
            let wait = Duration.seconds(max(0, seconds))
            return wait <= settings.waitMax ? wait : nil
        default: return nil
        }
    }

    private func within<Value: Sendable>(
        _ time: Duration, _ work: @escaping @Sendable () async throws(RegistryFailure) -> Value
    ) async throws(RegistryFailure) -> Value {
        let first = await withTaskGroup(of: Result<Value, RegistryFailure>?.self) { group in
            group.addTask {
                do throws(RegistryFailure) {
                    return .success(try await work())
                } catch { return .failure(error) }
            }
            group.addTask {
                try? await Task.sleep(for: time)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        guard !Task.isCancelled else { throw .cancelled }
        guard let first else { throw .timedOut }
        return try first.get()
    }
}
