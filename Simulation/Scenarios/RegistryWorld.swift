// SPDX-License-Identifier: Apache-2.0
internal import ImageFormat
internal import ImagePorts
internal import Injection
internal import KubernetesFormat
internal import KubernetesPorts
internal import Operator
internal import Ports
internal import SimulatedCluster
internal import SimulationEngine

/// The registries of `RegistryScenario`, who pushes to them, and who asks the operator.
final class RegistryWorld: @unchecked Sendable {
    static let healTime = Duration.seconds(600)
    private static let endTime = Duration.seconds(900)
    private static let host = "registry.sim"
    private static let mirror = "mirror.sim"
    private static let names = ["app", "web", "job"]
    private static let user = RegistryCredential(user: "user", password: "right")
    private static let reviewers = 3
    /// How long a call to nobody takes before it is given up.
    private static let callTimeMax = Duration.seconds(3)
    /// Until failures that were told before the end of faults are forgotten.
    private static let settleTime = ImageCommands.failureTimeMax + ImageCommands.questionTime

    private struct Keyring: RegistryKeyringSource { let keyring: RegistryKeyring }

    /// What an image starts, and since when.
    private struct Version {
        let since: MonotonicTime
        let commands: [ImageCommand]
    }

    private let run: SimulationRun
    private let tampering: RegistryScenario.Tampering
    private let hasher = SimulatedHasher()
    private var registry: SimulatedRegistry?
    private var versions: [String: [Version]] = [:]
    private var pushCount = 0

    init(_ run: SimulationRun, _ tampering: RegistryScenario.Tampering) {
        self.run = run
        self.tampering = tampering
    }

    func work(_ clock: SimulatedClock) async {
        let registry = SimulatedRegistry(hasher: hasher) { [self] call in
            await meet(call, clock)
        }
        self.registry = registry
        registry.addServer(Self.host, users: [Self.user])
        registry.addServer(Self.mirror, users: nil)
        for name in Self.names { push(name) }
        guard let commands = commands(registry, clock) else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in await keepPushing(clock) }
            for _ in 0..<Self.reviewers {
                group.addTask { [self] in await keepAsking(commands, clock) }
            }
        }
    }

    private func commands(
        _ registry: SimulatedRegistry, _ clock: SimulatedClock
    ) -> ImageCommands? {
        func file(_ credential: RegistryCredential) -> [UInt8] {
            let auths = JSONTree.object([.init(Self.host, ["auth": .string(credential.basic)])])
            return JSONTree.object([.init("auths", auths)]).rendered()
        }
        let wrong = RegistryCredential(user: "user", password: "wrong")
        var settings = ImageCommandsSettings()
        guard let keyring = try? RegistryKeyring([file(wrong), file(Self.user)]),
            let mirrors = try? RegistryMirrors(["\(Self.host)=https://\(Self.mirror)/m"])
        else { return nil }
        settings.mirrors = mirrors
        return ImageCommands(
            registry: tampering.wrap(registry), keyring: Keyring(keyring: keyring),
            hasher: tampering.wrapHasher(hasher), settings: settings, clock: clock)
    }

    // MARK: - Registries

    private func meet(
        _ call: RegistryCallRecord, _ clock: SimulatedClock
    ) async -> SimulatedRegistryFault? {
        let site = call.repository.host
        let faults = run.faults
        var latency = run.choices.draw(in: 5...150, label: "registry/latency")
        if faults.fires("registry.slow", site: site) {
            latency = run.choices.draw(in: 500...4000, label: "registry/slow")
        }
        let time = Duration.milliseconds(latency)
        await clock.sleep(for: min(time, Self.callTimeMax))
        guard time <= Self.callTimeMax else { return .fails(.timedOut) }
        if faults.fires("registry.rate-limited", site: site) {
            let seconds = run.choices.draw(in: 0...100, label: "registry/retry-after")
            return .fails(.rateLimited(retryAfterSeconds: seconds == 0 ? nil : seconds))
        }
        for (name, failure) in [
            ("registry.unavailable", RegistryFailure.unavailable(detail: "status 503")),
            ("registry.unauthorized", .unauthorized), ("registry.not-found", .notFound),
            ("registry.malformed", .malformed(detail: "status 418")),
        ] where faults.fires(name, site: site) {
            return .fails(failure)
        }
        // What is behind a tag can be anything.
        let parts = call.path.split(separator: "/")
        if let digest = parts.last, digest.hasPrefix("sha256:"),
            faults.fires("registry.corrupted", site: site)
        {
            run.marks.hit("registry.corrupted")
            return .sends(Self.corrupted(isBlob: parts.first == "blobs", digest: String(digest)))
        }
        return nil
    }

    /// Something that reads well. It says of what it stands in place, for who believes that.
    static func corrupted(isBlob: Bool, digest: String) -> [UInt8] {
        var content: JSONTree = ["os": "linux", "architecture": "amd64", "was": .string(digest)]
        if isBlob {
            content["config"] = ["Entrypoint": ["/evil"]]
        } else {
            content["schemaVersion"] = 2
            content["manifests"] = []
        }
        return content.rendered()
    }

    // MARK: - Pushing

    private func keepPushing(_ clock: SimulatedClock) async {
        while clock.monotonic() < Self.time(Self.healTime) {
            let pause = run.choices.draw(in: 5...120, label: "workload/push")
            await clock.sleep(for: .seconds(pause))
            push(run.choices.pick(Self.names, label: "workload/pushed"))
            run.marks.hit("registry.pushed")
        }
    }

    private static func time(_ duration: Duration) -> MonotonicTime {
        MonotonicTime(nanoseconds: 0).advanced(by: duration)
    }

    /// A new version at both servers: an attestation first, then two platforms.
    private func push(_ name: String) {
        guard let registry else { return }
        pushCount += 1
        let differs = run.choices.happens(1, in: 4, label: "workload/differs")
        let places = [
            RegistryRepository(host: Self.host, name: name),
            RegistryRepository(host: Self.mirror, name: "m/" + name),
        ]
        var commands: [ImageCommand] = []
        for place in places {
            commands = []
            var entries = [
                entry(
                    ["os": "unknown", "architecture": "unknown"], "/attestation-\(pushCount)",
                    place,
                    registry)
            ]
            for machine in ["amd64", "arm64"] {
                let word = "/\(name)-\(pushCount)" + (differs ? "-\(machine)" : "")
                entries.append(
                    entry(
                        ["os": "linux", "architecture": .string(machine)], word, place, registry))
                commands.append(
                    ImageCommand(architecture: machine, entrypoint: [word], command: []))
            }
            let index: JSONTree = ["schemaVersion": 2, "manifests": .array(entries)]
            registry.pushManifest(
                index.rendered(), type: "application/vnd.oci.image.index.v1+json", tag: "1",
                to: place)
        }
        versions[name, default: []].append(Version(since: run.now, commands: commands))
    }

    /// - Returns: of the index.
    private func entry(
        _ platform: JSONTree, _ word: String, _ place: RegistryRepository,
        _ registry: SimulatedRegistry
    ) -> JSONTree {
        func descriptor(_ bytes: [UInt8], _ type: String) -> JSONTree {
            [
                "mediaType": .string(type), "size": .number(String(bytes.count)),
                "digest": .string(ImageDigest(of: bytes, hasher).description),
            ]
        }
        var config = platform
        config["config"] = ["Entrypoint": [.string(word)]]
        let configBytes = config.rendered()
        registry.pushBlob(configBytes, to: place)
        let type = "application/vnd.oci.image.manifest.v1+json"
        let manifest: JSONTree = [
            "schemaVersion": 2,
            "config": descriptor(configBytes, "application/vnd.oci.image.config.v1+json"),
        ]
        let bytes = manifest.rendered()
        registry.pushManifest(bytes, type: type, tag: nil, to: place)
        var entry = descriptor(bytes, type)
        entry["platform"] = platform
        return entry
    }

    // MARK: - Asking

    private func keepAsking(_ commands: ImageCommands, _ clock: SimulatedClock) async {
        while clock.monotonic() < Self.time(Self.endTime) {
            let pause = run.choices.draw(in: 50...20_000, label: "workload/ask")
            await clock.sleep(for: .milliseconds(pause))
            let name = run.choices.pick(Self.names, label: "workload/asked")
            let machines = run.choices.pick(
                [[], ["amd64"], ["arm64"], ["arm64", "amd64"]], label: "workload/machines")
            let start = clock.monotonic()
            let image = "\(Self.host)/\(name):1"
            let question = ImageQuestion(
                images: [image], pullSecrets: [], serviceAccount: "default",
                architectures: machines)
            let answer = await commands.answers(to: question, namespace: "shop")[image]
            judge(answer, name, machines, from: start, to: clock.monotonic())
        }
    }

    private func judge(
        _ answer: ImageAnswer?, _ name: String, _ machines: [String], from start: MonotonicTime,
        to end: MonotonicTime
    ) {
        if start.duration(to: end) > ImageCommands.questionTime {
            run.report(ImageJudged(image: name, verdict: .late))
        }
        switch answer {
        case .found(let found):
            run.marks.hit("registry.found")
            if Set(found.map(\.entrypoint)).count > 1 { run.marks.hit("registry.disagreed") }
            guard !isTrue(found, name, machines, at: start) else { return }
            run.report(ImageJudged(image: name, verdict: .untrue))
        case .failed(let reason):
            if reason.contains("in time") { run.marks.hit("registry.late") }
            run.marks.hit("registry.failed")
            guard start >= Self.time(Self.healTime + Self.settleTime) else { return }
            run.report(ImageJudged(image: name, verdict: .lost))
        case nil: run.report(ImageJudged(image: name, verdict: .lost))
        }
    }

    /// Whether the image started so at some time since the tag may have been looked at.
    private func isTrue(
        _ found: [ImageCommand], _ name: String, _ machines: [String], at start: MonotonicTime
    ) -> Bool {
        let all = versions[name] ?? []
        return all.indices.contains { index in
            let isOver =
                index + 1 < all.count
                && all[index + 1].since.advanced(by: ImageCommands.tagTime) < start
            let wanted = all[index].commands.filter {
                machines.isEmpty || machines.contains($0.architecture)
            }
            return !isOver && wanted == found
        }
    }
}
