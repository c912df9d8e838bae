// SPDX-License-Identifier: Apache-2.0
package import ImageFormat
package import ImagePorts
internal import Synchronization

/// One call of the `ImageRegistry` port, as a plan of failures sees it.
package struct RegistryCallRecord: Sendable, Equatable {
    package let repository: RegistryRepository
    /// `manifests/1`, `blobs/sha256:…`.
    package let path: String
    package let credential: RegistryCredential?
}

/// How a planned failure meets a call.
package enum SimulatedRegistryFault: Sendable, Equatable {
    case fails(RegistryFailure)
    /// Other bytes than those that are stored.
    case sends([UInt8])
}

/// `ImageRegistry` straight on stored content, without HTTP, tokens or TLS: every server there is.
package final class SimulatedRegistry: ImageRegistry {
    private struct Server {
        /// nil: everybody may read.
        var users: Set<RegistryCredential>?
        var repositories: [String: Repository] = [:]
    }

    private struct Repository {
        var tags: [String: ImageDigest] = [:]
        var manifests: [ImageDigest: RegistryManifest] = [:]
        var blobs: [ImageDigest: [UInt8]] = [:]
    }

    private let hasher: any ContentHasher
    /// Called at the start of each call: takes the time that the network takes, and says whether
    /// the call fails.
    private let begin: @Sendable (RegistryCallRecord) async -> SimulatedRegistryFault?
    private let servers = Mutex<[String: Server]>([:])

    package init(
        hasher: any ContentHasher,
        begin: @escaping @Sendable (RegistryCallRecord) async -> SimulatedRegistryFault? = { _ in
            nil
        }
    ) {
        self.hasher = hasher
        self.begin = begin
    }

    // MARK: - Content

    /// - Parameter users: who may read; nil: everybody.
    package func addServer(_ host: String, users: Set<RegistryCredential>?) {
        servers.withLock { $0[host, default: Server()].users = users }
    }

    package func removeServer(_ host: String) { servers.withLock { $0[host] = nil } }

    @discardableResult
    package func pushBlob(_ bytes: [UInt8], to repository: RegistryRepository) -> ImageDigest {
        let digest = ImageDigest(of: bytes, hasher)
        change(repository) { $0.blobs[digest] = bytes }
        return digest
    }

    /// - Parameter tag: nil: only its digest leads to it.
    @discardableResult
    package func pushManifest(
        _ bytes: [UInt8], type: String?, tag: String?, to repository: RegistryRepository
    ) -> ImageDigest {
        let digest = ImageDigest(of: bytes, hasher)
        change(repository) {
            $0.manifests[digest] = RegistryManifest(bytes: bytes, contentType: type)
            if let tag { $0.tags[tag] = digest }
        }
        return digest
    }

    private func change(
        _ repository: RegistryRepository, _ change: (inout Repository) -> Void
    ) {
        servers.withLock {
            change(
                &$0[repository.host, default: Server()]
                    .repositories[repository.name, default: Repository()])
        }
    }

    // MARK: - Calls

    package func manifest(
        _ repository: RegistryRepository, _ selector: ImageReference.Selector,
        _ credential: RegistryCredential?
    ) async throws(RegistryFailure) -> RegistryManifest {
        let other = try await begin(repository, "manifests/\(selector)", credential)
        let content = try content(of: repository, credential)
        let digest: ImageDigest? =
            switch selector {
            case .tag(let tag): content.tags[tag]
            case .digest(let digest): digest
            }
        guard let digest, let manifest = content.manifests[digest] else { throw .notFound }
        guard manifest.bytes.count <= ImageLimits.manifestBytesMax else {
            throw .tooLarge(limit: ImageLimits.manifestBytesMax)
        }
        return RegistryManifest(
            bytes: other ?? manifest.bytes, contentType: manifest.contentType)
    }

    package func config(
        _ repository: RegistryRepository, _ digest: ImageDigest, _ credential: RegistryCredential?
    ) async throws(RegistryFailure) -> [UInt8] {
        let other = try await begin(repository, "blobs/\(digest)", credential)
        guard let bytes = try content(of: repository, credential).blobs[digest] else {
            throw .notFound
        }
        guard bytes.count <= ImageLimits.configBytesMax else {
            throw .tooLarge(limit: ImageLimits.configBytesMax)
        }
        return other ?? bytes
    }

    /// - Returns: what is sent instead.
    private func begin(
        _ repository: RegistryRepository, _ path: String, _ credential: RegistryCredential?
    ) async throws(RegistryFailure) -> [UInt8]? {
        guard !Task.isCancelled else { throw .cancelled }
        let fault = await begin(
            RegistryCallRecord(repository: repository, path: path, credential: credential))
        guard !Task.isCancelled else { throw .cancelled }
        switch fault {
        case .fails(let failure): throw failure
        case .sends(let bytes): return bytes
        case nil: return nil
        }
    }

    private func content(
        of repository: RegistryRepository, _ credential: RegistryCredential?
    ) throws(RegistryFailure) -> Repository {
        guard let server = servers.withLock({ $0[repository.host] }) else {
            throw .unavailable(detail: "cannot connect")
        }
        if let users = server.users {
            guard let credential, users.contains(credential) else { throw .unauthorized }
        }
        guard let content = server.repositories[repository.name] else { throw .notFound }
        return content
    }
}
