// SPDX-License-Identifier: Apache-2.0
import Injection
import KubernetesFormat
import KubernetesPorts
import Operator
import SimulatedCluster
import Testing

@Suite("A policy's status", .timeLimit(.minutes(5)))
struct PolicyStatusTests {
    private static let good = """
        {"vaults":[{"name":"main","address":"https://vault.example.eu:8200","audience":"vault"}],
         "grants":[],"wrapper":{"image":"registry.example.eu/wrapper:1"}}
        """

    private let cluster = SimulatedCluster()
    private let api: SimulatedKubernetesAPI

    init() async throws {
        cluster.withServer { $0.addUser(.administrator, token: "token") }
        api = SimulatedKubernetesAPI(cluster, token: "token", clock: ImmediateClock())
        let definition: JSONTree = [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": ["name": "cloudtaserpolicies.cloudtaser.io"],
            "spec": [
                "group": "cloudtaser.io", "scope": "Cluster",
                "names": ["plural": "cloudtaserpolicies", "kind": "CloudTaserPolicy"],
                "versions": [
                    ["name": "v1alpha1", "served": true, "subresources": ["status": [:]]]
                ],
            ],
        ]
        _ = try await api.create(
            definition.rendered(),
            in: ResourceCollection(
                group: "apiextensions.k8s.io", version: "v1",
                resource: "customresourcedefinitions"), WriteOptions())
    }

    private func put(_ name: String, _ spec: String = Self.good) async throws {
        let object: JSONTree = [
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "CloudTaserPolicy",
            "metadata": ["name": .string(name)], "spec": try JSONTree(Array(spec.utf8)),
        ]
        _ = try await api.create(
            object.rendered(), in: ClusterPolicies.collection, WriteOptions())
    }

    /// What is written in so many looks of a leader.
    private func look(_ times: Int = 3) async {
        let status = PolicyStatus(api: api, clock: ImmediateClock())
        let left = Countdown(times * 4)
        await status.run(while: { left.next() })
    }

    private func condition(_ name: String) async throws -> JSONTree {
        let object = try JSONTree(try await api.get(ClusterPolicies.collection.object(name)))
        #expect(
            object.value(at: "status", "observedGeneration")
                == object.value(at: "metadata", "generation"))
        let all = object.value(at: "status", "conditions")?.elements ?? []
        #expect(all.count == 1)
        let condition = try #require(all.first)
        #expect(condition["type"] == "InForce" && condition["lastTransitionTime"] != nil)
        return condition
    }

    @Test func `says that the only one is in force, once`() async throws {
        try await put("main")
        await look()
        let condition = try await condition("main")
        #expect(condition["status"] == "True" && condition["reason"] == "Applied")
        let before = cluster.withServer { $0.revision }
        await look()
        #expect(cluster.withServer { $0.revision } == before)
    }

    @Test func `says of several that none is, and what to do; and of the last that it is`()
        async throws
    {
        try await put("main")
        await look()
        try await put("other")
        await look()
        for name in ["main", "other"] {
            let condition = try await condition(name)
            #expect(condition["status"] == "False" && condition["reason"] == "SeveralPolicies")
            let message = condition["message"]?.text ?? ""
            #expect(message.contains("2 CloudTaserPolicies (main, other)"))
            #expect(message.hasSuffix("delete all but one"))
        }
        try await api.delete(
            ClusterPolicies.collection.object("main"), DeletePreconditions(), WriteOptions())
        await look()
        #expect(try await condition("other")["status"] == "True")
    }

    @Test func `says what is wrong with one that cannot be used`() async throws {
        try await put("main", #"{"wrapper":{"image":"w"},"delivery":[]}"#)
        await look()
        let condition = try await condition("main")
        #expect(condition["status"] == "False" && condition["reason"] == "Unusable")
        #expect(condition["message"]?.text?.hasPrefix("spec.delivery: is empty") == true)
    }

    @Test func `is written by the leader only`() async throws {
        try await put("main")
        let before = cluster.withServer { $0.revision }
        await look(0)
        #expect(cluster.withServer { $0.revision } == before)
    }
}

private final class Countdown: @unchecked Sendable {
    private var left: Int
    init(_ left: Int) { self.left = left }
    func next() -> Bool {
        left -= 1
        return left >= 0
    }
}
