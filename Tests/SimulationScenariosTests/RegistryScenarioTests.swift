// SPDX-License-Identifier: Apache-2.0
import ImageFormat
import ImagePorts
import KubernetesFormat
import SimulationEngine
import SimulationScenarios
import Testing

/// Takes the first manifest of an index, whatever it is for.
private struct FirstManifestRegistry: ImageRegistry {
    let registry: any ImageRegistry

    func manifest(
        _ repository: RegistryRepository, _ selector: ImageReference.Selector,
        _ credential: RegistryCredential?
    ) async throws(RegistryFailure) -> RegistryManifest {
        let found = try await registry.manifest(repository, selector, credential)
        guard let first = (try? JSONTree(found.bytes))?["manifests"]?.elements?.first,
            let digest = first["digest"]?.text.flatMap({ ImageDigest($0) })
        else { return found }
        return try await registry.manifest(repository, .digest(digest), credential)
    }

    func config(
        _ repository: RegistryRepository, _ digest: ImageDigest, _ credential: RegistryCredential?
    ) async throws(RegistryFailure) -> [UInt8] {
        try await registry.config(repository, digest, credential)
    }
}

/// Believes what content says of itself.
private struct TrustingHasher: ContentHasher {
    let hasher: any ContentHasher

    func sha256(_ bytes: [UInt8]) -> [UInt8] {
        guard let text = (try? JSONTree(bytes))?["was"]?.text, let digest = ImageDigest(text) else {
            return hasher.sha256(bytes)
        }
        var rest = digest.digits[...]
        var hash: [UInt8] = []
        while !rest.isEmpty {
            hash.append(UInt8(rest.prefix(2), radix: 16) ?? 0)
            rest = rest.dropFirst(2)
        }
        return hash
    }
}

/// Lookups with one mistake each.
enum BrokenLookups: String, CaseIterable, Sendable {
    case first = "takes the first manifest of an index"
    case trusting = "does not compare content with its digest"

    var tampering: RegistryScenario.Tampering {
        var tampering = RegistryScenario.Tampering()
        switch self {
        case .first: tampering.wrap = { FirstManifestRegistry(registry: $0) }
        case .trusting: tampering.wrapHasher = { TrustingHasher(hasher: $0) }
        }
        return tampering
    }
}

@Suite("Registries in the simulator")
struct RegistryScenarioTests {
    private static func run(_ broken: BrokenLookups?, seed: UInt64) -> RunResult {
        var runner = SimulationRunner()
        runner.makeOracles = { RegistryScenario.makeOracles() }
        let scenario = RegistryScenario(
            tampering: broken?.tampering ?? RegistryScenario.Tampering())
        return runner.run(
            named: RegistryScenario.name, limits: RegistryScenario.limits, seed: seed
        ) { scenario.build(in: $0) }
    }

    /// A campaign plays more: see the Makefile.
    @Test("what is said of an image is true, in time", arguments: 1...10 as ClosedRange<UInt64>)
    func healthy(_ seed: UInt64) {
        let result = Self.run(nil, seed: seed)
        #expect(result.findings.isEmpty, "\(result.findings.first.map { "\($0)" } ?? "")")
        #expect(result.marks["registry.found", default: 0] > 0)
    }

    @Test("a run is the same again")
    func repeats() {
        #expect(Self.run(nil, seed: 3) == Self.run(nil, seed: 3))
    }

    @Test("what is broken is found out", arguments: BrokenLookups.allCases)
    func broken(_ lookups: BrokenLookups) {
        let failure = (1...60 as ClosedRange<UInt64>).lazy.map { Self.run(lookups, seed: $0) }
            .first { result in
                result.findings.contains {
                    $0.oracle == "true-image" && $0.message.contains("untrue")
                }
            }
        #expect(failure != nil, "found nothing wrong with one that \(lookups.rawValue)")
    }

    @Test("the oracle's canaries turn it red")
    func canary() {
        var runner = SimulationRunner()
        runner.makeOracles = { RegistryScenario.makeOracles() }
        let own = RegistryScenario.canaries.filter { $0.oracle == "true-image" }
        #expect(own.count == ImageJudged.Verdict.allCases.count)
        #expect(own.allSatisfy { $0.verdict(with: runner) == .red })
    }
}
