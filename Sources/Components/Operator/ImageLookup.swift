// SPDX-License-Identifier: Apache-2.0
internal import ImageFormat
internal import ImagePorts
internal import Injection
internal import Synchronization

/// One image at one server.
struct ImageLookup: Sendable {
    private let question: ImageCommands.Question
    private let repository: RegistryRepository
    private let owner: ImageCommands
    /// All that match, and nobody's.
    private let credentials: [RegistryCredential?]
    /// Which of them was good.
    private let good = Good()

    private final class Good: Sendable {
        let index = Mutex<Int?>(nil)
    }

    /// An image of an index, or the only one.
    struct Image: Sendable, Equatable {
        let digest: ImageDigest
        /// nil: its config says it.
        let platform: ImagePlatform?
        /// nil: not known.
        let size: Int?
    }

    init(
        _ question: ImageCommands.Question, at place: RegistryMirrors.Place,
        for owner: ImageCommands
    ) {
        self.question = question
        self.owner = owner
        repository = place.repository
        let matching = owner.keyring.keyring.credentials(
            host: place.credentialHost, repository: place.repository.name)
        credentials = Array(matching.prefix(ImageCommands.credentialsMax)) + [nil]
    }

    /// One for each platform that the pod may run on.
    func commands() async throws(RegistryFailure) -> [ImageCommand] {
        let (digest, document) = try await named()
        let images = try Self.images(of: document, question.architectures, digest)
        let outcomes = await withTaskGroup(
            of: (Int, Result<ImageCommand, RegistryFailure>).self
        ) { group in
            for (index, image) in images.enumerated() {
                group.addTask { (index, await outcome(of: image)) }
            }
            var outcomes: [(Int, Result<ImageCommand, RegistryFailure>)] = []
            for await outcome in group { outcomes.append(outcome) }
            return outcomes.sorted { $0.0 < $1.0 }
        }
        var commands: [ImageCommand] = []
        for (_, outcome) in outcomes { commands.append(try outcome.get()) }
        return commands
    }

    private func outcome(of image: Image) async -> Result<ImageCommand, RegistryFailure> {
        do throws(RegistryFailure) {
            return .success(try await command(of: image))
        } catch { return .failure(error) }
    }

    // MARK: - What is in the documents

    /// Those of the platforms that count. One that does not say its platform counts.
    static func images(
        of document: ImageDocument, _ architectures: [String], _ digest: ImageDigest
    ) throws(RegistryFailure) -> [Image] {
        guard case .index(let entries) = document else {
            return [Image(digest: digest, platform: nil, size: nil)]
        }
        let images = entries.filter { entry in
            guard let platform = entry.platform else { return true }
            return platform.system == "linux"
                && (architectures.isEmpty || architectures.contains(platform.architecture))
        }
        guard images.count <= ImageCommands.platformsMax else {
            throw .malformed(
                detail: "its index has more than \(ImageCommands.platformsMax) images that count; "
                    + "name the nodes' architectures in the policy")
        }
        return images.map { Image(digest: $0.digest, platform: $0.platform, size: $0.size) }
    }

    static func command(_ config: ImageConfig, _ platform: ImagePlatform?) -> ImageCommand? {
        guard let platform = platform ?? config.platform else { return nil }
        return ImageCommand(
            system: platform.system, architecture: platform.architecture,
            variant: platform.variant, entrypoint: config.entrypoint, command: config.command)
    }

    // MARK: - Reading

    /// What the image's name leads to.
    private func named() async throws(RegistryFailure) -> (ImageDigest, ImageDocument) {
        let selector =
            owner.cache.digest(of: question.image).map { ImageReference.Selector.digest($0) }
            ?? question.image.selector
        let (digest, document) = try await document(selector, size: nil)
        if case .tag = question.image.selector, case .tag = selector {
            owner.cache.set(digest, of: question.image)
        }
        return (digest, document)
    }

    private func command(of image: Image) async throws(RegistryFailure) -> ImageCommand {
        let (_, document) = try await document(.digest(image.digest), size: image.size)
        guard case .manifest(let descriptor) = document else {
            throw .malformed(detail: "its index names another index")
        }
        let key = ImageCache.ContentKey(question.image, descriptor.digest)
        let config: ImageConfig
        if let known = owner.cache.config(key) {
            config = known
        } else {
            try Self.check(size: descriptor.size, ImageLimits.configBytesMax)
            let bytes = try await attempt { credential throws(RegistryFailure) in
                try await owner.registry.config(repository, descriptor.digest, credential)
            }
            try check(bytes, descriptor.digest)
            config = try Self.read { () throws(ImageFormatFailure) in try ImageConfig(bytes) }
            owner.cache.set(config, key)
        }
        guard let command = Self.command(config, image.platform) else {
            throw .malformed(detail: "its config names no platform")
        }
        return command
    }

    private func document(
        _ selector: ImageReference.Selector, size: Int?
    ) async throws(RegistryFailure) -> (ImageDigest, ImageDocument) {
        if case .digest(let digest) = selector,
            let known = owner.cache.document(.init(question.image, digest))
        {
            return (digest, known)
        }
        if let size { try Self.check(size: size, ImageLimits.manifestBytesMax) }
        let manifest = try await attempt { credential throws(RegistryFailure) in
            try await owner.registry.manifest(repository, selector, credential)
        }
        let digest: ImageDigest
        if case .digest(let wanted) = selector {
            try check(manifest.bytes, wanted)
            digest = wanted
        } else {
            digest = ImageDigest(of: manifest.bytes, owner.hasher)
        }
        let document = try Self.read { () throws(ImageFormatFailure) in
            try ImageDocument(manifest.bytes, contentType: manifest.contentType)
        }
        owner.cache.set(document, .init(question.image, digest))
        return (digest, document)
    }

    private static func check(size: Int, _ limit: Int) throws(RegistryFailure) {
        guard size <= limit else { throw .tooLarge(limit: limit) }
    }

    private func check(_ bytes: [UInt8], _ digest: ImageDigest) throws(RegistryFailure) {
        guard ImageDigest(of: bytes, owner.hasher) == digest else { throw .digestMismatch }
    }

    private static func read<Value>(
        _ parse: () throws(ImageFormatFailure) -> Value
    ) throws(RegistryFailure) -> Value {
        do throws(ImageFormatFailure) { return try parse() } catch {
            throw .malformed(detail: error.reason)
        }
    }

    /// With the credential that was good before, or each until one is.
    private func attempt<Value>(
        _ call: (RegistryCredential?) async throws(RegistryFailure) -> Value
    ) async throws(RegistryFailure) -> Value {
        let first = good.index.withLock { $0 }
        var order = Array(credentials.indices)
        if let first {
            order.removeAll { $0 == first }
            order.insert(first, at: 0)
        }
        var told: RegistryFailure?
        for index in order {
            do throws(RegistryFailure) {
                let value = try await call(credentials[index])
                owner.metrics.called(nil)
                good.index.withLock { $0 = index }
                return value
            } catch {
                owner.metrics.called(error)
                guard error.mayDependOnCredential else { throw error }
                // What tells most: too often, not there, not allowed.
                if told == nil || Self.rank(error) > Self.rank(told) { told = error }
            }
        }
        throw told ?? .unauthorized
    }

    private static func rank(_ failure: RegistryFailure?) -> Int {
        switch failure {
        case .rateLimited: 2
        case .notFound: 1
        default: 0
        }
    }
}
