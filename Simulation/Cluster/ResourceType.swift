// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// One kind of object that the server knows.
struct ResourceType: Sendable {
    var group: String
    /// Newest first; an object is shown in the version that was asked for.
    var versions: [String]
    var resource: String
    var kind: String
    var isNamespaced = true
    var hasStatus = false
    /// Counts changes of what is wanted.
    var hasGeneration = false
    /// Whether a replacement may leave out the version that it replaces.
    var isReplacedUnconditionally = true
    /// Whether replacing what is not there creates it.
    var isCreatedByReplacing = false
    var isCustom = false

    static let namespaces = ResourceType(
        group: "", versions: ["v1"], resource: "namespaces", kind: "Namespace",
        isNamespaced: false, hasStatus: true)

    /// Those that CloudTaser reads or writes, and what its tests put beside them.
    static let builtIn: [ResourceType] = {
        var types = [namespaces]
        func add(
            _ group: String, _ resource: String, _ kind: String, version: String = "v1",
            namespaced: Bool = true, status: Bool = false, generation: Bool = false
        ) {
            types.append(
                ResourceType(
                    group: group, versions: [version], resource: resource, kind: kind,
                    isNamespaced: namespaced, hasStatus: status, hasGeneration: generation))
        }
        add("", "configmaps", "ConfigMap")
        add("", "secrets", "Secret")
        add("", "serviceaccounts", "ServiceAccount")
        add("", "events", "Event")
        add("", "pods", "Pod", status: true)
        add("", "nodes", "Node", namespaced: false, status: true)
        for (resource, kind) in [
            ("deployments", "Deployment"), ("daemonsets", "DaemonSet"),
            ("statefulsets", "StatefulSet"), ("replicasets", "ReplicaSet"),
        ] {
            add("apps", resource, kind, status: true, generation: true)
        }
        add("batch", "jobs", "Job", status: true)
        add("batch", "cronjobs", "CronJob", status: true)
        let admission = "admissionregistration.k8s.io"
        for (resource, kind) in [
            ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
            ("validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
            ("validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
            ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
        ] {
            add(admission, resource, kind, namespaced: false, generation: true)
        }
        add("rbac.authorization.k8s.io", "clusterroles", "ClusterRole", namespaced: false)
        add(
            "apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition",
            namespaced: false, status: true, generation: true)
        types.append(
            ResourceType(
                group: "coordination.k8s.io", versions: ["v1"], resource: "leases", kind: "Lease",
                isReplacedUnconditionally: false, isCreatedByReplacing: true))
        return types
    }()
}

extension SimulatedAPIServer {
    /// Serves what a CustomResourceDefinition describes. Its schema is not checked.
    mutating func registerTypes(of definition: JSONTree) {
        guard let spec = definition["spec"], let group = spec["group"]?.text,
            let resource = spec.value(at: "names", "plural")?.text,
            let kind = spec.value(at: "names", "kind")?.text
        else { return }
        let served = (spec["versions"]?.elements ?? []).filter { $0["served"] == true }
        types.removeAll { $0.group == group && $0.resource == resource }
        types.append(
            ResourceType(
                group: group, versions: served.compactMap { $0["name"]?.text },
                resource: resource, kind: kind,
                isNamespaced: spec["scope"]?.text == "Namespaced",
                hasStatus: served.contains { $0.value(at: "subresources", "status") != nil },
                hasGeneration: true, isReplacedUnconditionally: false, isCustom: true))
    }
}
