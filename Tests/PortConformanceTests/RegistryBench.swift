// SPDX-License-Identifier: Apache-2.0
import CryptoHasher
import Foundation
import ImageFormat
import ImagePorts
import LoopbackPKI
import OCIRegistry
import RegistryServer
import SimulatedCluster

/// A registry that the checks run against, with one user. Checks run in parallel, each in
/// repositories of its own.
protocol RegistryBench: ImageDestination {
    var registry: any ImageRegistry { get }
    /// `host:port`
    var host: String { get }
}

extension RegistryBench {
    /// Who may read.
    var user: RegistryCredential {
        RegistryCredential(user: RegistryServer.user, password: RegistryServer.password)
    }
    var wrong: RegistryCredential {
        RegistryCredential(user: RegistryServer.user, password: "not-the-password")
    }

    func repository(_ name: String) -> RegistryRepository {
        RegistryRepository(host: host, name: name)
    }

    /// A new repository's name.
    func name() -> String { "team/app-" + UUID().uuidString.lowercased() }
}

/// The fake.
struct SimulatedRegistryBench: RegistryBench {
    let host = "registry.test:5000"
    let simulated = SimulatedRegistry(hasher: CryptoHasher())

    init() { simulated.addServer(host, users: [user]) }

    var registry: any ImageRegistry { simulated }

    func pushBlob(_ bytes: [UInt8], to name: String) async throws {
        simulated.pushBlob(bytes, to: repository(name))
    }

    func pushManifest(_ bytes: [UInt8], type: String, tag: String?, to name: String) async throws {
        simulated.pushManifest(bytes, type: type, tag: tag, to: repository(name))
    }
}

extension OCIRegistrySettings {
    /// What takes long on a busy machine is no failure.
    static func patient(_ pki: LoopbackPKI) -> OCIRegistrySettings {
        var settings = OCIRegistrySettings()
        settings.authorities = Array(pki.authority.certificatePEM.utf8)
        settings.requestTime = .seconds(300)
        settings.connectTime = .seconds(300)
        return settings
    }
}

/// The adapter on a real server.
final class RealRegistryBench: RegistryBench {
    /// One server for all checks.
    static let shared = Result { try RealRegistryBench() }

    let server: RegistryServer
    let registry: any ImageRegistry
    private let upload: RegistryUpload

    init() throws {
        server = try RegistryServer(pki: LoopbackPKI())
        registry = try OCIRegistry(.patient(server.pki))
        let user = RegistryCredential(
            user: RegistryServer.user, password: RegistryServer.password)
        upload = try RegistryUpload(
            host: server.host, pki: server.pki, authorization: "Basic " + user.basic)
    }

    var host: String { server.host }

    func pushBlob(_ bytes: [UInt8], to name: String) async throws {
        try await upload.pushBlob(bytes, to: name)
    }

    func pushManifest(_ bytes: [UInt8], type: String, tag: String?, to name: String) async throws {
        try await upload.pushManifest(bytes, type: type, tag: tag, to: name)
    }
}
