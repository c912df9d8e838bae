// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import KubernetesPorts
import NodePorts
import Operator
import Protection
import SimulatedCluster
import Synchronization
import Testing

/// A cluster with nodes, agents and pods that a test writes, and the leader that looks at them.
final class ReportCluster: Sendable {
    static let operators = "cloudtaser-system"
    static let reports = ResourceCollection(
        group: "cloudtaser.io", version: "v1alpha1", resource: "protectionreports",
        namespace: "shop")
    static let pods = ResourceCollection(
        group: "", version: "v1", resource: "pods", namespace: "shop")

    let cluster = SimulatedCluster()
    let agents = SimulatedNodeAgents()
    /// Straight to the server.
    let api: SimulatedKubernetesAPI
    let calls = Mutex<[KubernetesCall]>([])
    let fault = Mutex<@Sendable (KubernetesCall) -> SimulatedKubernetesFault?>({ _ in nil })
    let told = Mutex<[ProtectionReports.Report]>([])

    init() async throws {
        cluster.withServer { $0.addUser(.administrator, token: "token") }
        api = SimulatedKubernetesAPI(cluster, token: "token", clock: ImmediateClock())
        for name in ["shop", "bank", Self.operators] {
            try await put(
                ClusterNamespaces.collection, "Namespace", ["name": .string(name)])
        }
        try await put(
            ResourceCollection(
                group: "apiextensions.k8s.io", version: "v1",
                resource: "customresourcedefinitions"), "CustomResourceDefinition",
            ["name": "protectionreports.cloudtaser.io"],
            [
                "spec": [
                    "group": "cloudtaser.io", "scope": "Namespaced",
                    "names": ["plural": "protectionreports", "kind": "ProtectionReport"],
                    "versions": [
                        ["name": "v1alpha1", "served": true, "subresources": ["status": [:]]]
                    ],
                ]
            ])
    }

    // MARK: - What is there

    /// - Returns: its uid.
    @discardableResult
    func put(
        _ collection: ResourceCollection, _ kind: String, _ metadata: JSONTree,
        _ more: JSONTree = [:]
    ) async throws -> String {
        let version = collection.group.isEmpty ? "" : collection.group + "/"
        var object = more
        object["apiVersion"] = .string(version + collection.version)
        object["kind"] = .string(kind)
        object["metadata"] = metadata
        let made = try JSONTree(
            try await api.create(object.rendered(), in: collection, WriteOptions()))
        return try #require(made.value(at: "metadata", "uid")?.text)
    }

    /// Something that makes pods, or makes something that does.
    func owner(
        _ group: String, _ kind: String, _ name: String, of owner: JSONTree? = nil
    ) async throws -> JSONTree {
        let resource = kind.lowercased() + "s"
        var metadata: JSONTree = ["name": .string(name), "namespace": "shop"]
        if let owner { metadata["ownerReferences"] = [owner] }
        let uid = try await put(
            ResourceCollection(group: group, version: "v1", resource: resource, namespace: "shop"),
            kind, metadata)
        return [
            "apiVersion": .string(group + "/v1"), "kind": .string(kind), "name": .string(name),
            "uid": .string(uid), "controller": true,
        ]
    }

    /// A pod that asks and runs; its containers have one digit again and again as identifiers.
    func pod(
        _ name: String, _ ids: [String], node: String = "n1", owner: JSONTree? = nil,
        in namespace: String = "shop", isWrapped: Bool = true
    ) async throws {
        var metadata: JSONTree = [
            "name": .string(name), "namespace": .string(namespace),
            "labels": ["cloudtaser.io/inject": "true"],
            "annotations": ["cloudtaser.io/secret-paths": "secret/shop/db"],
        ]
        if let owner { metadata["ownerReferences"] = [owner] }
        let command: JSONTree =
            isWrapped
            ? ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/bin/web"] : ["/bin/web"]
        let containers = ids.map { id -> JSONTree in
            ["name": .string("c-" + id), "image": "app", "command": command]
        }
        let statuses = ids.map { id -> JSONTree in
            [
                "name": .string("c-" + id), "state": ["running": [:]],
                "containerID": .string("containerd://" + Self.id(id)),
            ]
        }
        var collection = Self.pods
        collection.namespace = namespace
        try await put(
            collection, "Pod", metadata,
            [
                "spec": ["nodeName": .string(node), "containers": .array(containers)],
                "status": ["phase": "Running", "containerStatuses": .array(statuses)],
            ])
    }

    static func id(_ digit: String) -> String { String(repeating: digit, count: 64) }

    /// The agent's pod of a node, at `10.0.0.NUMBER`.
    func agent(
        _ node: String, _ number: Int, named name: String? = nil, isGoing: Bool = false
    ) async throws {
        var metadata: JSONTree = [
            "name": .string(name ?? "agent-\(number)"), "namespace": .string(Self.operators),
            "labels": [
                "app.kubernetes.io/name": "cloudtaser", "app.kubernetes.io/component": "agent",
            ],
        ]
        if isGoing { metadata["deletionTimestamp"] = "2026-11-27T00:00:00Z" }
        var collection = Self.pods
        collection.namespace = Self.operators
        try await put(
            collection, "Pod", metadata,
            [
                "spec": ["nodeName": .string(node)],
                "status": ["phase": "Running", "podIP": .string("10.0.0.\(number)")],
            ])
    }

    /// What the agent at that address says from now on; nil: nothing.
    func tell(_ number: Int, _ ids: [String]?, mode: String = "deny") throws {
        let address = try #require(NodeAddress("10.0.0.\(number)"))
        guard let ids else { return agents.serve(address, nil) }
        let workloads = ids.enumerated().map { index, id -> JSONTree in
            [
                "pod": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "container": .string(Self.id(id)),
                "enrolment": .number(String(16 + index)), "scanned": true,
            ]
        }
        let answer: JSONTree = [
            "tier": "lsm", "mode": .string(mode), "scans": true, "workloads": .array(workloads),
            "more": false,
        ]
        agents.serve(address, SimulatedNodeAgents.Answer(body: answer.rendered()))
    }

    // MARK: - Looking

    /// Looks again and again until `body` returns.
    func looking(
        podsMax: Int = ProtectionReports.podsMax,
        _ body: (ProtectionReports) async throws -> Void
    ) async throws {
        let watched = SimulatedKubernetesAPI(cluster, token: "token", clock: ImmediateClock()) {
            [self] call in
            calls.withLock { $0.append(call) }
            return fault.withLock { $0 }(call)
        }
        let namespaces = ClusterNamespaces(api: api, clock: ImmediateClock())
        let reports = ProtectionReports(
            api: watched, agents: agents, clock: ImmediateClock(), namespaces: namespaces,
            namespace: Self.operators, excluded: ["kube-system", Self.operators], podsMax: podsMax
        ) { [self] report in told.withLock { $0.append(report) } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await namespaces.mirror.run() }
            group.addTask { await reports.run(while: { true }) }
            try await body(reports)
            group.cancelAll()
        }
    }

    func report(_ name: String, in namespace: String = "shop") async throws -> JSONTree? {
        var collection = Self.reports
        collection.namespace = namespace
        do throws(KubernetesFailure) {
            let object = try await api.get(collection.object(name))
            return try? JSONTree(object)
        } catch {
            if case .notFound = error { return nil }
            throw error
        }
    }

    static func condition(_ report: JSONTree?) -> JSONTree? {
        report?.value(at: "status", "conditions")?.elements?.first { $0["type"] == "Protected" }
    }

    /// Until the report's condition has that reason.
    func comes(
        _ name: String, to reason: String, in namespace: String = "shop"
    ) async throws -> Bool {
        try await soon {
            Self.condition(try await report(name, in: namespace))?["reason"]?.text == reason
        }
    }

    /// Until so many more looks have read all reports.
    func looks(_ count: Int) async throws -> Bool {
        let lists = { [self] in
            calls.withLock { calls in
                calls.count {
                    $0.verb == .list && $0.collection.resource == "protectionreports"
                }
            }
        }
        let before = lists()
        return try await soon { lists() >= before + count }
    }
}

func soon(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<200_000 {
        if try await condition() { return true }
        await Task.yield()
    }
    return false
}
