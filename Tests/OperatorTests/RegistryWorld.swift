// SPDX-License-Identifier: Apache-2.0
import CryptoHasher
import ImageFormat
import ImagePorts
import Injection
import KubernetesFormat
import KubernetesPorts
import MetricsFormat
import Operator
import Ports
import SimulatedCluster
import SimulationEngine
import SimulationScenarios
import Synchronization
import Testing

/// Credentials that can be exchanged.
final class ChangingKeyring: RegistryKeyringSource {
    private let state: Mutex<RegistryKeyring>

    init(_ keyring: RegistryKeyring = .empty) { state = Mutex(keyring) }

    var keyring: RegistryKeyring { state.withLock { $0 } }

    func set(_ keyring: RegistryKeyring) { state.withLock { $0 = keyring } }
}

/// Registries whose calls take 100 ms, and an operator that looks images up there, in virtual time.
final class RegistryWorld: @unchecked Sendable {
    static let host = "registry.test"
    static let manifestType = "application/vnd.oci.image.manifest.v1+json"
    static let indexType = "application/vnd.oci.image.index.v1+json"
    static let configType = "application/vnd.oci.image.config.v1+json"

    let clock: SimulatedClock
    let registry: SimulatedRegistry
    let keyring = ChangingKeyring()
    let calls: Calls
    private(set) var commands: ImageCommands

    final class Calls: @unchecked Sendable {
        var all: [String] = []
        var credentials: [RegistryCredential?] = []
        var latency = Duration.milliseconds(100)
        var inFlight = 0
        var inFlightMax = 0
        var fault: (RegistryCallRecord) -> SimulatedRegistryFault? = { _ in nil }
        /// Of calls to this host, longer.
        var slow: [String: Duration] = [:]
    }

    init(_ clock: SimulatedClock, _ change: (inout ImageCommandsSettings) throws -> Void) rethrows {
        self.clock = clock
        let calls = Calls()
        self.calls = calls
        registry = SimulatedRegistry(hasher: CryptoHasher()) { call in
            calls.all.append("\(call.repository.host) \(call.path)")
            calls.credentials.append(call.credential)
            calls.inFlight += 1
            calls.inFlightMax = max(calls.inFlightMax, calls.inFlight)
            await clock.sleep(for: calls.slow[call.repository.host] ?? calls.latency)
            calls.inFlight -= 1
            return calls.fault(call)
        }
        registry.addServer(Self.host, users: nil)
        var settings = ImageCommandsSettings()
        try change(&settings)
        commands = ImageCommands(
            registry: registry, keyring: keyring, hasher: CryptoHasher(), settings: settings,
            clock: clock)
    }

    /// Where an image is.
    func at(_ name: String, _ host: String = RegistryWorld.host) -> RegistryRepository {
        RegistryRepository(host: host, name: name)
    }

    static func descriptor(_ digest: ImageDigest, _ size: Int, _ type: String) -> JSONTree {
        [
            "mediaType": .string(type), "size": .number(String(size)),
            "digest": .string(digest.description),
        ]
    }

    /// - Returns: its entry in an index.
    @discardableResult
    func push(
        _ entrypoint: String, to repository: RegistryRepository, tag: String? = nil,
        platform: JSONTree = ["os": "linux", "architecture": "amd64"]
    ) -> JSONTree {
        var config = platform
        config["config"] = ["Entrypoint": [.string(entrypoint)]]
        let bytes = config.rendered()
        let digest = registry.pushBlob(bytes, to: repository)
        let manifest: JSONTree = [
            "schemaVersion": 2, "config": Self.descriptor(digest, bytes.count, Self.configType),
            "layers": [],
        ]
        let manifestBytes = manifest.rendered()
        let manifestDigest = registry.pushManifest(
            manifestBytes, type: Self.manifestType, tag: tag, to: repository)
        var entry = Self.descriptor(manifestDigest, manifestBytes.count, Self.manifestType)
        entry["platform"] = platform
        return entry
    }

    @discardableResult
    func pushIndex(
        _ entries: [JSONTree], to repository: RegistryRepository, tag: String
    ) -> ImageDigest {
        let index: JSONTree = ["schemaVersion": 2, "manifests": .array(entries)]
        return registry.pushManifest(
            index.rendered(), type: Self.indexType, tag: tag, to: repository)
    }

    func ask(_ images: [String], _ architectures: [String] = []) async -> [String: ImageAnswer] {
        await commands.answers(
            to: ImageQuestion(
                images: images, pullSecrets: [], serviceAccount: "default",
                architectures: architectures),
            namespace: "shop")
    }

    func ask(_ image: String, _ architectures: [String] = []) async -> String {
        switch await ask([image], architectures)[image] {
        case .found(let commands):
            commands.map { "\($0.architecture)=\($0.entrypoint.joined(separator: " "))" }
                .joined(separator: ",")
        case .failed(let reason): reason
        case nil: "no answer"
        }
    }

    func sleep(_ seconds: Int) async { await clock.sleep(for: .seconds(seconds)) }

    var metrics: String {
        var page = MetricsPage()
        commands.append(to: &page)
        return page.text
    }
}

/// Runs it in virtual time.
func withRegistries(
    _ change: @escaping (inout ImageCommandsSettings) throws -> Void = { _ in },
    _ body: @escaping (RegistryWorld) async throws -> Void
) throws {
    var failure: (any Error)?
    var isDone = false
    let limits = RunLimits(duration: .seconds(200_000), stepsMax: 2_000_000)
    let result = SimulationRunner().run(named: "registry", limits: limits, seed: 1) { run in
        run.spawn("operator") { context in
            do {
                try await body(RegistryWorld(context.clock, change))
            } catch { failure = error }
            isDone = true
        }
    }
    #expect(result.findings.isEmpty, "\(result.findings)")
    if let failure { throw failure }
    #expect(isDone, "it came to its end")
}
