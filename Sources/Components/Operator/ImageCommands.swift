// SPDX-License-Identifier: Apache-2.0
internal import Caching
package import ImageFormat
package import ImagePorts
package import Injection
package import KubernetesPorts
package import MetricsFormat
internal import Ports
internal import Synchronization

/// Which registries are asked, and instead of whom.
package struct ImageCommandsSettings: Sendable, Equatable {
    package var mirrors = RegistryMirrors()
    /// Hosts of images that may be looked up; nil: any.
    package var hosts: Set<String>?

    package init() {}
}

/// Looks up in registries what images start. Pull secrets of pods are not read
/// (docs/adr/0018-registries-with-the-operators-credentials.md).
package final class ImageCommands: ImageCommandSource {
    /// Of one question, so that a review is answered before the API server gives it up.
    package static let questionTime = Duration.milliseconds(3500)
    /// How long a tag means the same.
    package static let tagTime = Duration.seconds(60)
    /// How long content is kept that its digest names.
    package static let contentTime = Duration.seconds(86_400)
    /// How long a failure is told without asking again.
    package static let failureTime = Duration.seconds(5)
    /// The same where the registry says when to come back.
    package static let failureTimeMax = Duration.seconds(60)
    /// Images of one question that are looked up at once.
    static let parallelMax = 8
    /// Manifests of one index that are read.
    package static let platformsMax = 16
    /// Credentials of one registry that are tried.
    package static let credentialsMax = 16

    struct Question: Hashable {
        let image: ImageReference
        /// Sorted; empty: any.
        let architectures: [String]
    }

    let registry: any ImageRegistry
    let keyring: any RegistryKeyringSource
    let hasher: any ContentHasher
    let settings: ImageCommandsSettings
    let clock: any AsyncTimeSource
    let metrics: ImageMetrics
    let cache: ImageCache
    private let flights = SingleFlight<Question, ImageAnswer>()

    package init(
        registry: any ImageRegistry, keyring: any RegistryKeyringSource,
        hasher: any ContentHasher, settings: ImageCommandsSettings = ImageCommandsSettings(),
        clock: any AsyncTimeSource, metrics: ImageMetrics = ImageMetrics()
    ) {
        self.registry = registry
        self.keyring = keyring
        self.hasher = hasher
        self.settings = settings
        self.clock = clock
        self.metrics = metrics
        cache = ImageCache(clock: clock)
    }

    package func append(to page: inout MetricsPage) {
        metrics.append(to: &page, entries: cache.count)
    }

    package func answers(
        to question: ImageQuestion, namespace: String
    ) async -> [String: ImageAnswer] {
        let end = clock.monotonic().advanced(by: Self.questionTime)
        let architectures = Set(question.architectures).sorted()
        return await withTaskGroup(of: (String, ImageAnswer).self) { group in
            var answers: [String: ImageAnswer] = [:]
            for (index, image) in question.images.enumerated() {
                if index >= Self.parallelMax, let (name, answer) = await group.next() {
                    answers[name] = answer
                }
                group.addTask { [self] in
                    (image, await answer(about: image, architectures, until: end))
                }
            }
            for await (name, answer) in group { answers[name] = answer }
            return answers
        }
    }

    // MARK: - One image

    private func answer(
        about name: String, _ architectures: [String], until end: MonotonicTime
    ) async -> ImageAnswer {
        let image: ImageReference
        do throws(ImageReferenceFailure) { image = try ImageReference(name) } catch {
            metrics.lookedUp(.failed)
            return .failed("its name cannot be looked up: \(error.reason)")
        }
        if let hosts = settings.hosts, !hosts.contains(image.host) {
            metrics.lookedUp(.failed)
            return .failed("the operator may not ask \(image.host)")
        }
        let question = Question(image: image, architectures: architectures)
        if let known = cache.answer(to: question) {
            metrics.lookedUp(.hit)
            return known
        }
        let found = await flights.value(question) { await lookUp(question, until: end) }
        guard let found else {
            metrics.lookedUp(.late)
            return .failed("\(image.host) does not answer in time")
        }
        if case .found = found { metrics.lookedUp(.found) } else { metrics.lookedUp(.failed) }
        return found
    }

    /// At mirrors, then at the registry itself, each with its share of the time.
    ///
    /// - Returns: nil: it was given up; some of it may be known now.
    private func lookUp(_ question: Question, until end: MonotonicTime) async -> ImageAnswer? {
        let places = settings.mirrors.places(of: question.image)
        var reasons: [String] = []
        var pause = Self.failureTime
        var isLate = false
        for (index, place) in places.enumerated() {
            let rest = clock.monotonic().duration(to: end)
            guard rest > .zero else { return nil }
            let told = await clock.within(rest / (places.count - index)) { [self] in
                await outcome(of: question, at: place)
            }
            guard !Task.isCancelled else { return nil }
            switch told {
            case .success(let commands): return .found(commands)
            case .failure(let failure):
                reasons.append("\(place.credentialHost): \(failure.shown)")
                if case .rateLimited(let seconds?) = failure {
                    pause = max(pause, min(.seconds(max(0, seconds)), Self.failureTimeMax))
                }
                isLate = false
            case nil:
                reasons.append("\(place.credentialHost): it does not answer in time")
                isLate = true
            }
        }
        // Who had more time may still wait for it.
        guard !isLate else { return nil }
        let reason = reasons.joined(separator: "; ")
        cache.setFailure(reason, of: question, for: pause)
        return .failed(reason)
    }

    private func outcome(
        of question: Question, at place: RegistryMirrors.Place
    ) async -> Result<[ImageCommand], RegistryFailure> {
        do throws(RegistryFailure) {
            return .success(try await ImageLookup(question, at: place, for: self).commands())
        } catch { return .failure(error) }
    }
}
