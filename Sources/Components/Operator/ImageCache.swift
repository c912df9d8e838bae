// SPDX-License-Identifier: Apache-2.0
internal import Caching
internal import ImageFormat
internal import Injection
internal import KubernetesPorts
internal import Ports
internal import Synchronization

/// What was read from registries. Content is kept for the image's own repository only: who knows a
/// digest is not told what another repository has behind it.
final class ImageCache: Sendable {
    struct ContentKey: Hashable {
        let host: String
        let repository: String
        let digest: ImageDigest

        init(_ image: ImageReference, _ digest: ImageDigest) {
            host = image.host
            repository = image.repository
            self.digest = digest
        }
    }

    private enum Content {
        case document(ImageDocument)
        case config(ImageConfig)
    }

    private struct State {
        var tags = TimedCache<ImageReference, ImageDigest, MonotonicTime>(
            countMax: ImageCache.countMax, costMax: .max)
        var contents = TimedCache<ContentKey, Content, MonotonicTime>(
            countMax: ImageCache.countMax, costMax: ImageCache.bytesMax)
        var failures = TimedCache<ImageCommands.Question, String, MonotonicTime>(
            countMax: ImageCache.countMax, costMax: .max)
    }

    /// Tags; contents; failures.
    static let countMax = 4096
    /// Of contents, as they are counted below.
    static let bytesMax = 16 << 20
    /// Of an entry beside its texts.
    private static let entryBytes = 512
    private static let descriptorBytes = 256

    private let clock: any AsyncTimeSource
    private let state = Mutex(State())

    init(clock: any AsyncTimeSource) { self.clock = clock }

    var count: Int { state.withLock { $0.tags.count + $0.contents.count } }

    /// Everything that is needed is known; or it failed a moment ago.
    func answer(to question: ImageCommands.Question) -> ImageAnswer? {
        if let reason = state.withLock({
            $0.failures.value(question, at: clock.monotonic())
        }) {
            return .failed(reason)
        }
        guard let digest = digest(of: question.image),
            let named = document(.init(question.image, digest)),
            let images = try? ImageLookup.images(of: named, question.architectures, digest)
        else { return nil }
        var commands: [ImageCommand] = []
        for image in images {
            guard let manifest = document(.init(question.image, image.digest)),
                case .manifest(let descriptor) = manifest,
                let config = config(.init(question.image, descriptor.digest)),
                let command = ImageLookup.command(config, image.platform)
            else { return nil }
            commands.append(command)
        }
        return .found(commands)
    }

    func digest(of image: ImageReference) -> ImageDigest? {
        switch image.selector {
        case .digest(let digest): digest
        case .tag: state.withLock { $0.tags.value(image, at: clock.monotonic()) }
        }
    }

    func document(_ key: ContentKey) -> ImageDocument? {
        guard case .document(let document) = content(key) else { return nil }
        return document
    }

    func config(_ key: ContentKey) -> ImageConfig? {
        guard case .config(let config) = content(key) else { return nil }
        return config
    }

    private func content(_ key: ContentKey) -> Content? {
        state.withLock { $0.contents.value(key, at: clock.monotonic()) }
    }

    // MARK: - Writing

    func set(_ digest: ImageDigest, of image: ImageReference) {
        let end = clock.monotonic().advanced(by: ImageCommands.tagTime)
        state.withLock { $0.tags.set(image, digest, cost: 1, until: end) }
    }

    func set(_ document: ImageDocument, _ key: ContentKey) {
        var cost = Self.entryBytes
        if case .index(let entries) = document { cost += entries.count * Self.descriptorBytes }
        set(.document(document), key, cost)
    }

    func set(_ config: ImageConfig, _ key: ContentKey) {
        let words = config.entrypoint + config.command
        set(
            .config(config), key,
            words.reduce(Self.entryBytes) { $0 + $1.utf8.count + MemoryLayout<String>.size })
    }

    private func set(_ content: Content, _ key: ContentKey, _ cost: Int) {
        let end = clock.monotonic().advanced(by: ImageCommands.contentTime)
        state.withLock { $0.contents.set(key, content, cost: cost, until: end) }
    }

    func setFailure(_ reason: String, of question: ImageCommands.Question, for time: Duration) {
        let end = clock.monotonic().advanced(by: time)
        state.withLock { $0.failures.set(question, reason, cost: 1, until: end) }
    }
}
