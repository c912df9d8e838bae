// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import KubernetesPorts
internal import Operator
internal import Ports
internal import Protection
internal import SimulatedCluster
internal import SimulationEngine

/// What runs in the beginning, and what happens to it.
extension ReportWorld {
    static let workloads = ["db", "lone", "web"]
    private static let kubeletLagMax = 3
    private static let pods = ResourceCollection(
        group: "", version: "v1", resource: "pods", namespace: namespace)
    private static let agentPods = ResourceCollection(
        group: "", version: "v1", resource: "pods", namespace: operators)

    static func reportName(_ workload: String) -> String {
        switch workload {
        case "db": "statefulset-db"
        case "web": "deployment-web"
        default: "pod-lone-1"
        }
    }

    func setUp() {
        cluster.withServer { server in
            server.addUser(.administrator, token: "token")
            server.registerReports()
            for name in [Self.namespace, Self.operators] {
                server.write(Self.namespaceObject(name))
            }
            server.write(
                Self.owner("apps/v1", "ReplicaSet", "web-5d", of: ("Deployment", "web")),
                in: Self.collection("apps", "replicasets"))
        }
        for node in Self.nodes { startAgent(node) }
        for index in 0..<run.choices.draw(in: 1...3, label: "workload/pods") {
            createPod("web", "web-\(index + 1)")
        }
        createPod("db", "db-0")
        createPod("lone", "lone-1")
    }

    // MARK: - Troubles

    /// All of them before faults are healed.
    func upset() {
        let last = ReportScenario.healTime - 40
        for name in Self.replicaNames {
            run.drawUpsets(in: 1...last, secondsMax: 30, kinds: 3) { [self] in
                upset(name, kind: $0, for: $1)
            }
        }
        for _ in 0..<run.choices.draw(in: 2...16, label: "workload/changes") {
            let second = run.choices.draw(in: 20...last, label: "workload/time")
            let kind = run.choices.draw(below: 8, label: "workload/kind")
            run.after(.seconds(second)) { [self] in change(kind) }
        }
    }

    private func upset(_ name: String, kind: Int, for length: Duration) {
        switch kind {
        case 0:
            run.crash(name)
            run.after(length) { [run] in run.restart(name) }
        case 1:
            run.pause(name)
            run.after(length) { [run] in run.resume(name) }
        default:
            run.network.partition(name, "server")
            run.after(length) { [run] in run.network.heal(name, "server") }
        }
    }

    private func change(_ kind: Int) {
        switch kind {
        case 0, 1, 2: restartContainer()
        case 3: movePod()
        case 4: crashAgent()
        case 5: removeAgent()
        case 6:
            run.marks.hit("reports.forgotten")
            cluster.withServer { $0.compact() }
        default: losePrograms()
        }
    }

    /// Everything is well from here on, but for one container in some runs.
    func settle() {
        for node in Self.nodes where agents[node]?.address == nil || agents[node]?.isUp == false {
            startAgent(node)
        }
        for name in pods.keys.sorted() {
            for index in pods[name]?.containers.indices ?? 0..<0
            where pods[name]?.containers[index].openSince != nil {
                restart(name, index, isEnrolled: true)
            }
        }
        if run.choices.happens(1, in: 4, label: "workload/open") {
            run.marks.hit("reports.left-open")
            restart("db-0", 0, isEnrolled: false)
        }
        run.heal()
    }

    // MARK: - Containers

    private func nextID() -> String {
        lastNumber += 1
        let digits = String(lastNumber, radix: 16)
        return String(repeating: "0", count: 64 - digits.count) + digits
    }

    private func createPod(_ workload: String, _ name: String) {
        let count = workload == "lone" ? 1 : run.choices.draw(in: 1...2, label: "workload/pods")
        let containers = (0..<count).map { index in
            Container(name: "c\(index)", id: nextID(), openSince: nil)
        }
        let pod = Pod(
            name: name, workload: workload,
            node: run.choices.pick(Self.nodes, label: "workload/node"), containers: containers)
        pods[name] = pod
        let object = object(pod)
        cluster.withServer { $0.write(object, in: Self.pods) }
    }

    private func restartContainer() {
        let name = run.choices.pick(pods.keys.sorted(), label: "workload/container")
        let count = pods[name]?.containers.count ?? 1
        let index = run.choices.draw(below: count, label: "workload/container")
        let isUp = pods[name].flatMap { agents[$0.node] }.map { $0.isUp && $0.address != nil }
        let isEnrolled = isUp == true && !run.choices.happens(1, in: 2, label: "workload/enrol")
        restart(name, index, isEnrolled: isEnrolled)
    }

    /// The kubelet tells of it a moment later.
    private func restart(_ name: String, _ index: Int, isEnrolled: Bool) {
        run.marks.hit("reports.restarted")
        let id = nextID()
        pods[name]?.containers[index].id = id
        pods[name]?.containers[index].openSince = isEnrolled ? nil : run.now
        let lag = run.choices.draw(in: 0...Self.kubeletLagMax, label: "workload/lag")
        run.after(.seconds(lag)) { [self] in
            guard let object = pods[name].map(object) else { return }
            cluster.withServer { $0.writeStatus(object, of: Self.pods.object(name)) }
        }
    }

    /// One of `web` is deleted, and another one made.
    private func movePod() {
        guard let old = pods.values.filter({ $0.workload == "web" }).map(\.name).min() else {
            return
        }
        run.marks.hit("reports.moved")
        pods[old] = nil
        cluster.withServer { try? $0.delete(Self.pods.object(old)) }
        lastNumber += 1
        createPod("web", "web-\(lastNumber)")
    }

    // MARK: - Agents

    /// A new pod of the agent, with an address of its own.
    private func startAgent(_ node: String) {
        removeAgentPod(node)
        lastNumber += 1
        let address = "10.0.\(lastNumber / 256).\(lastNumber % 256)"
        agents[node] = Node(isUp: true, address: NodeAddress(address))
        let object: JSONTree = [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string("agent-" + node), "namespace": .string(Self.operators),
                "labels": [
                    "app.kubernetes.io/name": "cloudtaser",
                    "app.kubernetes.io/component": "agent",
                ],
            ],
            "spec": ["nodeName": .string(node)],
            "status": ["phase": "Running", "podIP": .string(address)],
        ]
        cluster.withServer { $0.write(object, in: Self.agentPods) }
    }

    private func removeAgentPod(_ node: String) {
        agents[node] = Node(isUp: false, address: nil)
        cluster.withServer { try? $0.delete(Self.agentPods.object("agent-" + node)) }
    }

    /// Its container ends and comes back; the programs, and who is enrolled, stay.
    private func crashAgent() {
        run.marks.hit("reports.agent-away")
        let node = run.choices.pick(Self.nodes, label: "workload/node")
        agents[node]?.isUp = false
        let length = run.choices.draw(in: 1...90, label: "workload/length")
        run.after(.seconds(length)) { [self] in agents[node]?.isUp = true }
    }

    private func removeAgent() {
        let node = run.choices.pick(Self.nodes, label: "workload/node")
        removeAgentPod(node)
        let length = run.choices.draw(in: 1...90, label: "workload/length")
        run.after(.seconds(length)) { [self] in startAgent(node) }
    }

    /// Somebody takes the programs out of a node's kernel.
    private func losePrograms() {
        let node = run.choices.pick(Self.nodes, label: "workload/node")
        for (name, pod) in pods where pod.node == node {
            for index in pod.containers.indices where pod.containers[index].openSince == nil {
                pods[name]?.containers[index].openSince = run.now
            }
        }
    }

    // MARK: - Objects

    private static func collection(_ group: String, _ resource: String) -> ResourceCollection {
        ResourceCollection(
            group: group, version: "v1", resource: resource, namespace: namespace)
    }

    private static func namespaceObject(_ name: String) -> JSONTree {
        ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]]
    }

    private static func owner(
        _ version: String, _ kind: String, _ name: String, of owner: (kind: String, name: String)
    ) -> JSONTree {
        [
            "apiVersion": .string(version), "kind": .string(kind),
            "metadata": [
                "name": .string(name), "namespace": .string(namespace),
                "ownerReferences": [reference(version, owner.kind, owner.name, uid: "d-1")],
            ],
        ]
    }

    private static func reference(
        _ version: String, _ kind: String, _ name: String, uid: String
    ) -> JSONTree {
        [
            "apiVersion": .string(version), "kind": .string(kind), "name": .string(name),
            "uid": .string(uid), "controller": true,
        ]
    }

    private func owner(of pod: Pod) -> JSONTree? {
        switch pod.workload {
        case "db": return Self.reference("apps/v1", "StatefulSet", "db", uid: "s-1")
        case "web":
            let set = Self.collection("apps", "replicasets").object("web-5d")
            let stored = cluster.withServer { try? $0.get(set, token: "token") }
            let uid = stored?.value(at: "metadata", "uid")?.text ?? ""
            return Self.reference("apps/v1", "ReplicaSet", "web-5d", uid: uid)
        default: return nil
        }
    }

    private func object(_ pod: Pod) -> JSONTree {
        var metadata: JSONTree = [
            "name": .string(pod.name), "namespace": .string(Self.namespace),
            "labels": ["cloudtaser.io/inject": "true"],
            "annotations": ["cloudtaser.io/secret-paths": "secret/shop/db"],
        ]
        if let owner = owner(of: pod) { metadata["ownerReferences"] = [owner] }
        let command: JSONTree = ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/bin/web"]
        let containers = pod.containers.map { container -> JSONTree in
            ["name": .string(container.name), "image": "app", "command": command]
        }
        let statuses = pod.containers.map { container -> JSONTree in
            [
                "name": .string(container.name), "state": ["running": [:]],
                "containerID": .string("containerd://" + container.id),
            ]
        }
        return [
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": ["nodeName": .string(pod.node), "containers": .array(containers)],
            "status": ["phase": "Running", "containerStatuses": .array(statuses)],
        ]
    }
}

extension SimulatedAPIServer {
    /// The kubelet's.
    mutating func writeStatus(_ object: JSONTree, of reference: ObjectReference) {
        var object = object
        guard let before = try? get(reference, token: "token") else { return }
        object["metadata"] = before["metadata"]
        let made = try? prepareReplace(
            reference.status, object.rendered(), WriteOptions(), token: "token")
        if let made { _ = try? commit(made) }
    }

    mutating func registerReports() {
        write(
            [
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": ["name": "protectionreports.cloudtaser.io"],
                "spec": [
                    "group": "cloudtaser.io", "scope": "Namespaced",
                    "names": ["plural": "protectionreports", "kind": "ProtectionReport"],
                    "versions": [
                        ["name": "v1alpha1", "served": true, "subresources": ["status": [:]]]
                    ],
                ],
            ],
            in: ResourceCollection(
                group: "apiextensions.k8s.io", version: "v1",
                resource: "customresourcedefinitions"))
    }
}
