// SPDX-License-Identifier: Apache-2.0
import Injection
import KubernetesFormat
import KubernetesPorts
import Operator
import Ports
import SimulatedCluster
import Synchronization
import Testing

/// A cluster without a webhook: whatever is created is stored.
private struct OpenCluster {
    let cluster = SimulatedCluster()
    let api: SimulatedKubernetesAPI

    init() async throws {
        cluster.withServer { $0.addUser(.administrator, token: "token") }
        api = SimulatedKubernetesAPI(cluster, token: "token", clock: ImmediateClock())
        try await label("shop", nil, isNew: true)
        try await label("asking", "true", isNew: true)
    }

    func label(_ namespace: String, _ label: String?, isNew: Bool = false) async throws {
        var object: JSONTree = [
            "apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)],
        ]
        if let label {
            object["metadata"] = [
                "name": .string(namespace), "labels": ["cloudtaser.io/inject": .string(label)],
            ]
        }
        let collection = ClusterNamespaces.collection
        if isNew {
            _ = try await api.create(object.rendered(), in: collection, WriteOptions())
        } else {
            _ = try await api.replace(
                collection.object(namespace), with: object.rendered(), WriteOptions())
        }
    }

    static func pods(_ namespace: String) -> ResourceCollection {
        ResourceCollection(group: "", version: "v1", resource: "pods", namespace: namespace)
    }

    func put(
        _ name: String, in namespace: String = "shop", label: String? = nil,
        commands: [[String]] = [["/bin/web"]], phase: String = "Running"
    ) async throws {
        var metadata: JSONTree = ["name": .string(name), "namespace": .string(namespace)]
        if let label { metadata["labels"] = ["cloudtaser.io/inject": .string(label)] }
        metadata["annotations"] = ["cloudtaser.io/secret-paths": "secret/shop/db"]
        let containers = commands.enumerated().map { index, command -> JSONTree in
            [
                "name": .string("c\(index)"), "image": "app",
                "command": .array(command.map { .string($0) }),
            ]
        }
        let pod: JSONTree = [
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": ["containers": .array(containers)], "status": ["phase": .string(phase)],
        ]
        _ = try await api.create(pod.rendered(), in: Self.pods(namespace), WriteOptions())
    }

    /// Whom Events are about, of all namespaces.
    func told() async throws -> [String] {
        let events = ResourceCollection(group: "", version: "v1", resource: "events")
        let page = try await api.list(
            events, ObjectSelection(), limit: KubernetesLimits.pageItemsMax, continuation: nil)
        return try page.items.map { try JSONTree($0) }.map { event in
            #expect(event["reason"] == "NotInjected")
            return event.value(at: "involvedObject", "name")?.text ?? ""
        }.sorted()
    }

    func comes(toTell names: [String]) async throws -> Bool {
        try await eventually { try await told() == names }
    }

    /// Looks until `body` returns.
    func looking(
        excluded: Set<String> = ["kube-system"],
        _ body: (UninjectedPods) async throws -> Void
    ) async throws {
        let namespaces = ClusterNamespaces(api: api, clock: ImmediateClock())
        let pods = UninjectedPods(
            api: api, clock: ImmediateClock(), namespaces: namespaces, excluded: excluded)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await namespaces.mirror.run() }
            group.addTask { await pods.run(while: { true }) }
            try await body(pods)
            group.cancelAll()
        }
    }
}

/// A server that takes no objects in a namespace, as one whose quota is used up.
private struct Unwritable: ForwardingKubernetesAPI {
    let api: any KubernetesAPI
    let namespace: String

    func create(
        _ object: [UInt8], in collection: ResourceCollection, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        guard collection.namespace != namespace else { throw .forbidden(message: "quota") }
        return try await api.create(object, in: collection, options)
    }
}

private func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<200_000 {
        if try await condition() { return true }
        await Task.yield()
    }
    return false
}

@Suite("Pods that ask and are not injected", .timeLimit(.minutes(5)))
struct UninjectedPodsTests {
    private static let wrapped = ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/bin/web"]

    @Test func `are counted, and each is told of once`() async throws {
        let open = try await OpenCluster()
        try await open.put("labelled", label: "true")
        try await open.put("misspelt", label: "yes")
        try await open.put("by-namespace", in: "asking")
        try await open.put("half", label: "true", commands: [Self.wrapped, ["/bin/other"]])
        // None of these.
        try await open.put("wrapped", label: "true", commands: [Self.wrapped])
        try await open.put("silent")
        try await open.put("declines", in: "asking", label: "false")
        try await open.put("over", label: "true", phase: "Succeeded")
        try await open.put("system", in: "kube-system", label: "true")
        let all = ["by-namespace", "half", "labelled", "misspelt"]
        try await open.looking { pods in
            let isTold = try await open.comes(toTell: all)
            #expect(isTold)
            #expect(pods.count == 4)
        }
        // Whoever leads next tells of none again.
        try await open.put("later", label: "true")
        try await open.looking { pods in
            let isTold = try await open.comes(toTell: (all + ["later"]).sorted())
            #expect(isTold)
            #expect(pods.count == 5)
        }
    }

    @Test func `are counted no more when they are gone, and are others with their namespace`()
        async throws
    {
        let open = try await OpenCluster()
        try await open.put("one", label: "true")
        try await open.put("silent")
        try await open.looking { pods in
            #expect(try await eventually { pods.count == 1 })
            try await open.api.delete(
                OpenCluster.pods("shop").object("one"), DeletePreconditions(), WriteOptions())
            #expect(try await eventually { pods.count == 0 })
            try await open.label("shop", "true")
            #expect(
                try await open.comes(toTell: ["one", "silent"]))
            #expect(pods.count == 1)
        }
    }

    @Test func `are told of also where many come first of which nothing can be told`()
        async throws
    {
        let open = try await OpenCluster()
        let count = UninjectedPods.attemptsMax * 2 + 1
        // By their namespace's name these come before the other.
        for index in 0..<count { try await open.put("a-\(index)", in: "asking") }
        try await open.put("z", label: "true")
        let api = Unwritable(api: open.api, namespace: "asking")
        let namespaces = ClusterNamespaces(api: api, clock: ImmediateClock())
        let failures = Mutex(0)
        let pods = UninjectedPods(
            api: api, clock: ImmediateClock(), namespaces: namespaces, excluded: []
        ) { report in
            if case .notTold = report { failures.withLock { $0 += 1 } }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await namespaces.mirror.run() }
            group.addTask { await pods.run(while: { true }) }
            #expect(try await eventually { pods.count == count + 1 })
            let isTold = try await open.comes(toTell: ["z"])
            #expect(isTold)
            // The control: others were tried, again and again.
            #expect(try await eventually { failures.withLock { $0 } > 2 * count })
            group.cancelAll()
        }
    }

    @Test func `are told of by the leader only`() async throws {
        let open = try await OpenCluster()
        try await open.put("one", label: "true")
        let namespaces = ClusterNamespaces(api: open.api, clock: ImmediateClock())
        let pods = UninjectedPods(
            api: open.api, clock: ImmediateClock(), namespaces: namespaces, excluded: [])
        await pods.run(while: { false })
        #expect(pods.count == nil)
        let told = try await open.told()
        #expect(told == [])
    }

    @Test func `are told of at most so many in one look`() async throws {
        let open = try await OpenCluster()
        for index in 0...UninjectedPods.eventsMax {
            try await open.put("pod-\(index)", label: "true")
        }
        let namespaces = ClusterNamespaces(api: open.api, clock: ImmediateClock())
        let looks = Looks()
        let pods = UninjectedPods(
            api: open.api, clock: looks, namespaces: namespaces, excluded: [])
        looks.isDue.withLock { $0 = { pods.count == UninjectedPods.eventsMax + 1 } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await namespaces.mirror.run() }
            let isKnown = try await eventually { namespaces.mirror.isKnown }
            #expect(isKnown)
            for (look, told) in [(1, UninjectedPods.eventsMax), (2, UninjectedPods.eventsMax + 1)] {
                // Each look begins with two questions whether it still leads, and ends with one.
                looks.left.withLock { $0 = look == 1 ? 3 : 5 }
                await pods.run(while: { looks.goesOn() })
                let count = try await open.told().count
                #expect(count == told)
            }
            group.cancelAll()
        }
    }

    @Test func `are counted beyond those that are kept`() async throws {
        let open = try await OpenCluster()
        for name in ["a", "b", "c", "d"] { try await open.put(name, label: "true") }
        let mirror = ObjectMirror(
            api: open.api, clock: ImmediateClock(), collection: UninjectedPods.collection,
            valuesMax: 3, read: { $0.value(at: "metadata", "name")?.text })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await mirror.run() }
            #expect(try await eventually { mirror.isKnown })
            #expect(mirror.count == 4 && mirror.values?.count == 3)
            for (name, left) in [("d", 3), ("a", 2)] {
                try await open.api.delete(
                    OpenCluster.pods("shop").object(name), DeletePreconditions(), WriteOptions())
                #expect(try await eventually { mirror.count == left })
            }
            // There is room again.
            try await open.put("e", label: "true")
            #expect(
                (try await eventually { mirror.values?.keys.sorted() == ["b", "c", "e"] }) == true)
            group.cancelAll()
        }
    }
}

/// A clock by which a look is due when everything has been read, and a leadership that ends after
/// so many questions.
private final class Looks: AsyncTimeSource {
    let isDue = Mutex<@Sendable () -> Bool>({ true })
    let left = Mutex(0)

    func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: 5) }
    func secondsSince1970() -> Int64 { 0 }

    func sleep(until time: MonotonicTime) async {
        repeat { await Task.yield() } while !isDue.withLock { $0 }() && !Task.isCancelled
    }

    func goesOn() -> Bool {
        left.withLock { left in
            left -= 1
            return left >= 0
        }
    }
}
