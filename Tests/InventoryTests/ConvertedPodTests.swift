// SPDX-License-Identifier: Apache-2.0
import Injection
import Inventory
import KubernetesFormat
import TestKit
import Testing

/// What is converted, as the webhook takes it; and of drawn workloads, what changed.
@Suite("Converted pods") struct ConvertedPodTests {
    private static func policy(paths: String) throws -> CloudTaserPolicy {
        try CloudTaserPolicy(
            spec: Array(
                """
                {"vaults":[{"name":"main","address":"https://vault.example.eu:8200",
                 "audience":"vault"}],
                 "grants":[{"namespaces":["shop"],"vault":"main","roles":["web"],
                  "paths":["\(paths)"]}],
                 "wrapper":{"image":"wrapper"},"entrypoints":"explicit-command"}
                """.utf8))
    }

    /// A pod of a template, as a controller makes it.
    private static func pod(of tree: JSONTree) throws -> JSONTree {
        let template = try #require(tree.value(at: "spec", "template"))
        var metadata = template["metadata"] ?? [:]
        metadata["name"] = "web-1"
        metadata["namespace"] = "shop"
        return [
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": try #require(template["spec"]),
        ]
    }

    private static func decide(_ pod: JSONTree, paths: String) throws -> InjectionDecision {
        Injection.decide(
            PodReview(pod: pod.rendered(), namespace: NamespaceFacts(name: "shop")),
            policy: try policy(paths: paths), image: { _ in nil }
        ).decision
    }

    private static func injected(_ pod: JSONTree) throws -> JSONTree {
        let decision = try decide(pod, paths: "secret/{{namespace}}/*")
        guard case .patch(let patch) = decision else {
            Issue.record("\(decision) of \(String(decoding: pod.rendered(), as: UTF8.self))")
            return pod
        }
        return try JSONPatch.apply(try JSONTree(patch.json), to: pod)
    }

    private static func draw(_ random: inout SeededGenerator) throws -> ClusterObject {
        func chance(_ of: Int) -> Bool { Int.random(in: 0..<of, using: &random) == 0 }
        func entries() -> [JSONTree] {
            var names = ["A", "B", "C", "D"].shuffled(using: &random)
            return (0..<Int.random(in: 0...3, using: &random)).map { _ in
                let name = names.removeLast()
                if chance(2) {
                    // One value for each name, as in most pods; sometimes another.
                    return ConversionTests.secretEntry(
                        name, chance(6) ? "other" : "db", name.lowercased())
                }
                return chance(3)
                    ? ["name": .string(name), "value": .string("$(A)")]
                    : ["name": .string("P" + name), "value": "plain", "later": ["x": 1]]
            }
        }
        func containers(_ range: ClosedRange<Int>) -> JSONTree {
            .array(
                Int.random(in: range, using: &random) == 0
                    ? []
                    : (0..<Int.random(in: range, using: &random)).map { index in
                        ConversionTests.container(
                            "c\(range.upperBound)\(index)", env: entries(),
                            envFrom: chance(3) ? [["secretRef": ["name": "set"]]] : [],
                            command: chance(12) ? nil : ["/app"])
                    })
        }
        var spec: JSONTree = ["restartPolicy": "Always", "unknown": [1, "two"]]
        if chance(2) { spec["initContainers"] = containers(1...2) }
        spec["containers"] = containers(1...3)
        if chance(3) { spec["volumes"] = [["name": "v", "secret": ["secretName": "s"]]] }
        return try Objects.deployment(
            "web", spec, annotations: chance(2) ? ["kept": "x"] : [:])
    }

    /// The object without what may differ: annotations of ours, and entries that name Secrets.
    private static func rest(_ tree: JSONTree) -> JSONTree {
        var tree = tree
        var template = tree.value(at: "spec", "template") ?? [:]
        var metadata = template["metadata"] ?? [:]
        for member in ["annotations", "labels"] {
            metadata[member] = .object(
                (metadata[member]?.members ?? []).filter {
                    !$0.name.hasPrefix("cloudtaser.io/")
                })
        }
        template["metadata"] = metadata
        var spec = template["spec"] ?? [:]
        for kind in ["initContainers", "containers"] {
            guard let containers = spec[kind]?.elements else { continue }
            spec[kind] = .array(
                containers.map { container in
                    var container = container
                    for (list, member) in [("env", "valueFrom"), ("envFrom", "secretRef")] {
                        let kept = (container[list]?.elements ?? []).filter { $0[member] == nil }
                        container[list] = kept.isEmpty ? nil : .array(kept)
                    }
                    return container
                })
        }
        template["spec"] = spec
        var whole = tree["spec"] ?? [:]
        whole["template"] = template
        tree["spec"] = whole
        return tree
    }

    /// Entries of the Secret kind, by container and place.
    private static func entries(_ tree: JSONTree) -> Int {
        Inventory([try? ClusterObject(tree, source: "x")].compactMap { $0 }).workloads
            .flatMap(\.uses).count {
                $0.finding == .secretInEnvironment || $0.finding == .secretImported
            }
    }

    @Test func `what is drawn converts once, is injected, and changes nowhere else`() throws {
        var random = SeededGenerator(seed: 11)
        let secret = try Objects.secret("set", ["S_ONE": "", "S_TWO": ""])
        let settings = try ConversionSettings(role: "web")
        var (converted, stayed) = (0, 0)
        for _ in 0..<200 {
            let object = try Self.draw(&random)
            let manifests = ConvertedManifests(Inventory([object, secret]), settings)
            let before = Self.entries(object.tree)
            guard let found = manifests.converted.first else {
                stayed += before > 0 ? 1 : 0
                #expect(before == 0 || !manifests.left.isEmpty)
                continue
            }
            converted += 1
            #expect(Self.rest(found.tree) == Self.rest(object.tree))
            // Each entry is gone or told.
            let told = manifests.left.count { $0.contains(".env[") || $0.contains(".envFrom[") }
            #expect(Self.entries(found.tree) == told && told < before)
            let again = ConvertedManifests(
                Inventory([try ClusterObject(found.tree, source: "again"), secret]), settings)
            #expect(again.converted.isEmpty)
            // The webhook injects its pods, and audit counts every container as protected.
            let pod = try Self.injected(try Self.pod(of: found.tree))
            let audit = Audit(Inventory([try ClusterObject(pod, source: "pod")]))
            let programs = audit.rows.filter { $0.note != "copies the wrapper, has no values" }
            #expect(!programs.isEmpty && programs.allSatisfy { $0.standing == .protected })
            #expect(!audit.findings.contains { $0.id == .unwrapped })
        }
        #expect(converted > 25 && stayed > 25, "\(converted) \(stayed)")
    }

    @Test func `without a grant of the path the pod is refused`() throws {
        let spec: JSONTree = [
            "containers": [
                ConversionTests.container(
                    "app", env: [ConversionTests.secretEntry("A", "db", "k")])
            ]
        ]
        let manifests = ConvertedManifests(
            Inventory([try Objects.deployment("web", spec)]), try ConversionSettings(role: "web"))
        let pod = try Self.pod(of: try #require(manifests.converted.first).tree)
        guard case .refused = try Self.decide(pod, paths: "secret/other/*") else {
            Issue.record("it is not refused")
            return
        }
        guard case .patch = try Self.decide(pod, paths: "secret/shop/db") else {
            Issue.record("it is not injected")
            return
        }
    }
}
