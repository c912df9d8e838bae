// SPDX-License-Identifier: Apache-2.0
import AsyncClock
import Injection
import KubernetesFormat
import KubernetesPorts
import Operator
import Ports
import SimulatedCluster
import Synchronization
import Testing

/// A cluster that knows policies.
private final class PolicyCluster: Sendable {
    let cluster = SimulatedCluster()
    let api: SimulatedKubernetesAPI
    /// What meets the next calls of a kind, in their order.
    let faults = Mutex<[(KubernetesCall.Verb, SimulatedKubernetesFault)]>([])
    let calls = Mutex<[KubernetesCall.Verb]>([])

    init() async throws {
        cluster.withServer { $0.addUser(.administrator, token: "token") }
        let plain = SimulatedKubernetesAPI(cluster, token: "token", clock: AsyncClock())
        let definition: JSONTree = [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": ["name": "cloudtaserpolicies.cloudtaser.io"],
            "spec": [
                "group": "cloudtaser.io", "scope": "Cluster",
                "names": ["plural": "cloudtaserpolicies", "kind": "CloudTaserPolicy"],
                "versions": [["name": "v1alpha1", "served": true, "storage": true]],
            ],
        ]
        _ = try await plain.create(
            definition.rendered(),
            in: ResourceCollection(
                group: "apiextensions.k8s.io", version: "v1",
                resource: "customresourcedefinitions"), WriteOptions())
        api = plain
    }

    /// As a client whose calls can be made to fail.
    var failing: SimulatedKubernetesAPI {
        SimulatedKubernetesAPI(
            cluster, token: "token", clock: AsyncClock(), watchPause: .milliseconds(5)
        ) { [self] call in
            calls.withLock { $0.append(call.verb) }
            return faults.withLock { faults in
                guard let index = faults.firstIndex(where: { $0.0 == call.verb }) else {
                    return nil
                }
                return faults.remove(at: index).1
            }
        }
    }

    func put(_ name: String, _ spec: String = AdmissionCase.policyText) async throws {
        let spec = try JSONTree(
            Array(spec.replacing("ENTRYPOINTS", with: "explicit-command").utf8))
        let object: JSONTree = [
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "CloudTaserPolicy",
            "metadata": ["name": .string(name)], "spec": spec,
        ]
        _ = try await api.patch(
            ClusterPolicies.collection.object(name), .apply(manager: "test", isForced: true),
            object.rendered(), WriteOptions())
    }

    func delete(_ name: String) async throws {
        try await api.delete(ClusterPolicies.collection.object(name), .init(), WriteOptions())
    }
}

/// Waits as long as it takes.
private func eventually(_ isTrue: () -> Bool) async throws {
    while !isTrue() { try await Task.sleep(for: .milliseconds(2)) }
}

/// Sleeps are short, so that pauses after failures are.
private struct HurriedClock: AsyncTimeSource {
    private let clock = AsyncClock()
    func monotonic() -> MonotonicTime { clock.monotonic() }
    func secondsSince1970() -> Int64 { 0 }
    func sleep(until time: MonotonicTime) async { await clock.sleep(for: .milliseconds(1)) }
}

/// Follows while `body` runs.
private func following(
    _ cluster: PolicyCluster, _ body: (ClusterPolicies) async throws -> Void
) async throws {
    let policies = ClusterPolicies(api: cluster.failing, clock: HurriedClock())
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await policies.mirror.run() }
        try await body(policies)
        group.cancelAll()
    }
}

@Suite("Policies of a cluster", .timeLimit(.minutes(5))) struct ClusterPoliciesTests {
    @Test func `are followed from none to one, a change, two and none`() async throws {
        let cluster = try await PolicyCluster()
        try await following(cluster) { policies in
            #expect(policies.policyState == .unknown || policies.policyState == .absent)
            try await eventually { policies.policyState == .absent }
            try await cluster.put("main")
            let wanted = PolicyState.one(try AdmissionCase.policy("explicit-command"))
            try await eventually { policies.policyState == wanted }
            try await cluster.put("main", #"{"vaults":[],"wrapper":{}}"#)
            try await eventually {
                policies.policyState
                    == .unusable(
                        name: "main", reason: "spec.wrapper.image: is missing; write it")
            }
            try await cluster.put("main")
            try await cluster.put("another")
            try await eventually { policies.policyState == .several(["another", "main"]) }
            try await cluster.delete("another")
            try await eventually { policies.policyState == wanted }
            try await cluster.delete("main")
            try await eventually { policies.policyState == .absent }
            #expect(policies.mirror.listCount == 1 && policies.mirror.failureCount == 0)
        }
    }

    @Test func `are unknown until the server has been read`() async throws {
        let cluster = try await PolicyCluster()
        try await cluster.put("main")
        let failure = KubernetesFailure.unreachable(host: "server", detail: "refused")
        cluster.faults.withLock {
            $0 = (0..<3).map { _ in (.list, .before(failure)) } + [(.list, .before(.unauthorized))]
        }
        let policies = ClusterPolicies(api: cluster.failing, clock: HurriedClock())
        #expect(policies.policyState == .unknown && !policies.mirror.isKnown)
        try await following(cluster) { policies in
            try await eventually { policies.mirror.isKnown }
            #expect(policies.mirror.failureCount == 4)
            guard case .one = policies.policyState else {
                Issue.record("\(policies.policyState)")
                return
            }
        }
    }

    @Test func `stay known while the server is away, and are read anew after 410`() async throws {
        let cluster = try await PolicyCluster()
        try await cluster.put("main")
        let away = SimulatedKubernetesFault.before(.unreachable(host: "server", detail: "away"))
        try await following(cluster) { policies in
            try await eventually { policies.mirror.isKnown }
            // Its watch breaks off after an event, and the next ones fail; what it missed comes.
            cluster.faults.withLock {
                $0 = [
                    (.watch, away), (.watch, away),
                    (.watch, .answerLost(.unreachable(host: "server", detail: "lost"))),
                    (.watch, .before(.gone)), (.list, away),
                ]
            }
            try await cluster.put("main", #"{"wrapper":{"image":"one"}}"#)
            try await cluster.put("main", #"{"wrapper":{"image":"two"}}"#)
            try await eventually {
                guard case .one(let policy) = policies.policyState else { return false }
                return policy.wrapperImage == "two"
            }
            // Whichever watch the faults meet, a policy that was known is never unknown again.
            for number in 3..<40 {
                try await cluster.put("main", #"{"wrapper":{"image":"\#(number)"}}"#)
                try await eventually {
                    guard case .one(let policy) = policies.policyState else {
                        Issue.record("\(policies.policyState)")
                        return true
                    }
                    return policy.wrapperImage == "\(number)"
                }
            }
        }
    }

    @Test func `do not miss a deletion that falls into a gap of the watch`() async throws {
        let cluster = try await PolicyCluster()
        try await cluster.put("main")
        let calls = Mutex(0)
        // Each watch is told that its version is forgotten, until the policy is gone.
        let api = SimulatedKubernetesAPI(cluster.cluster, token: "token", clock: AsyncClock()) {
            call in
            guard call.verb == .watch else { return nil }
            calls.withLock { $0 += 1 }
            return .before(.gone)
        }
        let policies = ClusterPolicies(api: api, clock: HurriedClock())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await policies.mirror.run() }
            try await eventually { policies.mirror.listCount > 2 }
            try await cluster.delete("main")
            try await eventually { policies.policyState == .absent }
            group.cancelAll()
        }
        #expect(calls.withLock { $0 } >= 2 && policies.mirror.failureCount == 0)
    }
}

@Suite("Namespaces of a cluster", .timeLimit(.minutes(5))) struct ClusterNamespacesTests {
    private func namespace(_ name: String) -> JSONTree {
        [
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": [
                "name": .string(name), "labels": ["cloudtaser.io/inject": "true", "team": "a"],
                "annotations": ["cloudtaser.io/inject": "true", "long": "text"],
            ],
        ]
    }

    @Test func `are known by their labels and our annotations, and new ones are asked for`()
        async throws
    {
        let cluster = try await PolicyCluster()
        let namespaces = ClusterNamespaces(api: cluster.failing, clock: HurriedClock())
        _ = try await cluster.api.create(
            namespace("shop").rendered(), in: ClusterNamespaces.collection, WriteOptions())
        let wanted = NamespaceFacts(
            name: "shop", labels: ["cloudtaser.io/inject": "true", "team": "a"],
            annotations: ["cloudtaser.io/inject": "true"])
        // Nothing follows yet.
        #expect(namespaces.known("shop") == nil)
        #expect(try await namespaces.facts(of: "shop") == wanted)
        do {
            _ = try await namespaces.facts(of: "nowhere")
            Issue.record("found")
        } catch {
            guard case .notFound = error else { throw error }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await namespaces.mirror.run() }
            try await eventually { namespaces.known("shop") == wanted }
            group.cancelAll()
        }
    }
}
