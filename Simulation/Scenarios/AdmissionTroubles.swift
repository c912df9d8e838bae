// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import KubernetesPorts
internal import Operator
internal import Ports
internal import SimulatedCluster
internal import SimulationEngine

/// What happens to the replicas, and what administrators do.
extension AdmissionWorld {
    /// All of it before faults are healed.
    func upset() {
        let last = AdmissionScenario.healTime - 20
        for name in Self.replicaNames {
            run.drawUpsets(in: 1...last, secondsMax: 20, kinds: 4) { [self] in
                upset(name, kind: $0, for: $1)
            }
        }
        for _ in 0..<run.choices.draw(below: 12, label: "workload/changes") {
            let second = run.choices.draw(in: 1...last, label: "workload/time")
            let kind = run.choices.draw(below: 8, label: "workload/kind")
            run.after(.seconds(second)) { [self] in change(kind) }
        }
    }

    private func upset(_ name: String, kind: Int, for length: Duration) {
        switch kind {
        case 0:
            run.crash(name)
            replicas[name] = nil
            run.after(length) { [run] in run.restart(name) }
        case 1:
            run.pause(name)
            replicas[name]?.followed.stoodStill(from: run.now, until: run.later(length))
            run.after(length) { [run] in run.resume(name) }
        case 2:
            run.network.partition(name, "caller")
            run.after(length) { [run] in run.network.heal(name, "caller") }
        default:
            run.network.partition(name, "server")
            run.after(length) { [run] in run.network.heal(name, "server") }
        }
    }

    private func change(_ kind: Int) {
        switch kind {
        case 0:
            run.marks.hit("admission.forgotten")
            cluster.withServer { $0.compact() }
        case 1, 2: relabel(run.choices.happens(1, in: 2, label: "workload/label") ? "true" : nil)
        case 3: setPolicies([])
        case 4: setPolicies([AdmissionGrant.all, AdmissionGrant.all])
        default: setPolicies([someGrants()])
        }
    }

    private func someGrants() -> [AdmissionGrant] {
        AdmissionGrant.all.filter { _ in
            run.choices.happens(3, in: 4, label: "workload/grants")
        }
    }

    /// Everything is well from here on, and stays so.
    func settle() {
        setPolicies([AdmissionGrant.all])
        relabel("true")
        run.heal()
    }

    private func relabel(_ label: String?) {
        run.marks.hit("admission.relabelled")
        relabelled = run.now
        cluster.withServer { server in
            server.write(Self.namespaceObject("changing", label: label))
        }
    }

    // MARK: - Objects

    /// Policies are these, and no others.
    func setPolicies(_ policies: [[AdmissionGrant]]) {
        if run.now.nanoseconds > 0 { run.marks.hit("admission.policy-changed") }
        let collection = ClusterPolicies.collection
        let names = ["main", "second"]
        cluster.withServer { server in
            for (name, grants) in zip(names, policies) {
                server.write(
                    [
                        "apiVersion": "cloudtaser.io/v1alpha1", "kind": "CloudTaserPolicy",
                        "metadata": ["name": .string(name)], "spec": AdmissionGrant.spec(grants),
                    ], in: collection)
            }
            for name in names.dropFirst(policies.count) {
                try? server.delete(collection.object(name))
            }
        }
        history.add(policies.count == 1 ? Set(policies[0]) : [], at: run.now)
    }

    static func namespaceObject(_ name: String, label: String?) -> JSONTree {
        var labels: JSONTree = ["kubernetes.io/metadata.name": .string(name)]
        if let label { labels[AdmissionPod.key] = .string(label) }
        return [
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": ["name": .string(name), "labels": labels],
        ]
    }
}

extension SimulatedAPIServer {
    /// The administrator's: creates or replaces an object without namespace.
    mutating func write(
        _ object: JSONTree, in collection: ResourceCollection = ClusterNamespaces.collection
    ) {
        var object = object
        let reference = collection.object(object.value(at: "metadata", "name")?.text ?? "")
        let options = WriteOptions()
        let made: Pending?
        if let before = try? get(reference, token: "token") {
            var metadata = object["metadata"] ?? [:]
            metadata["resourceVersion"] = before.value(at: "metadata", "resourceVersion")
            object["metadata"] = metadata
            made = try? prepareReplace(reference, object.rendered(), options, token: "token")
        } else {
            made = try? prepareCreate(object.rendered(), in: collection, options, token: "token")
        }
        if let made { _ = try? commit(made) }
    }

    mutating func registerPolicies() {
        write(
            [
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": ["name": "cloudtaserpolicies.cloudtaser.io"],
                "spec": [
                    "group": "cloudtaser.io", "scope": "Cluster",
                    "names": ["plural": "cloudtaserpolicies", "kind": "CloudTaserPolicy"],
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
