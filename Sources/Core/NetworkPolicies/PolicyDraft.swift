// SPDX-License-Identifier: Apache-2.0
internal import Destinations
internal import Inventory
internal import KubernetesFormat

/// One policy before it is written.
struct PolicyDraft {
    let namespace: String
    let name: String
    let labels: [String: String]
    let needsUpstream: Bool
    var workloads: [String] = []

    /// What controllers write, of which each pod has its own.
    private static let ownLabels: Set = [
        "pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index", "controller-uid", "job-name",
        "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/job-completion-index",
    ]
    /// Of a name (RFC 1123 subdomain, as the API server checks it).
    private static let nameBytesMax = 253

    /// nil: a policy does not apply to it, or cannot select it.
    init?(_ subject: NetworkSubject) {
        let object = subject.workload.object
        let chosen = object.tree.value(at: "spec", "selector", "matchLabels") ?? .null
        var labels = chosen.texts
        // A Job's selector is written by its controller, and a pod has none.
        if subject.workload.isPod || object.kind == "Job" { labels = [:] }
        if labels.isEmpty { labels = subject.pod.labels }
        labels = labels.filter { !Self.ownLabels.contains($0.key) }
        guard !subject.isOnHostNetwork, !labels.isEmpty,
            labels.allSatisfy({ subject.pod.labels[$0.key] == $0.value })
        else { return nil }
        let name = "cloudtaser-\(object.kind.lowercased())-\(object.name)"
        guard name.utf8.count <= Self.nameBytesMax else { return nil }
        namespace = object.namespace
        self.name = name
        self.labels = labels
        needsUpstream = subject.isProxy
    }

    /// Equal for workloads that one policy is for.
    var key: String {
        "\(namespace) \(needsUpstream) "
            + labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            .joined(separator: ",")
    }

    func selects(_ subject: NetworkSubject) -> Bool {
        subject.pod.namespace == namespace
            && labels.allSatisfy { subject.pod.labels[$0.key] == $0.value }
    }

    private var selector: JSONTree {
        [
            "matchLabels": .object(
                labels.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
        ]
    }

    private func object(_ version: String, _ kind: String, _ spec: JSONTree) -> JSONTree {
        [
            "apiVersion": .string(version), "kind": .string(kind),
            "metadata": [
                "name": .string(name), "namespace": .string(namespace),
                "labels": ["app.kubernetes.io/managed-by": "cloudtaser"],
            ],
            "spec": spec,
        ]
    }

    // MARK: - networking.k8s.io/v1

    func standard(_ settings: EgressSettings) -> JSONTree {
        func ports(_ number: Int, _ transports: [String]) -> JSONTree {
            .array(transports.map { ["protocol": .string($0), "port": .number(String(number))] })
        }
        func blocks(_ networks: [String]) -> JSONTree {
            .array(networks.map { ["ipBlock": ["cidr": .string($0)]] })
        }
        var egress: [JSONTree] = [
            [
                "to": blocks(settings.vault.map(\.text)),
                "ports": ports(settings.vaultPort, ["TCP"]),
            ]
        ]
        let service = settings.names.place
        var servers: [JSONTree] = [
            [
                "namespaceSelector": [
                    "matchLabels": [
                        "kubernetes.io/metadata.name": .string(service.namespace)
                    ]
                ],
                "podSelector": [
                    "matchLabels": .object([.init(service.label, .string(service.value))])
                ],
            ]
        ]
        if let address = service.address { servers += blocks([address]).elements ?? [] }
        egress.append(["to": .array(servers), "ports": ports(service.port, ["UDP", "TCP"])])
        if needsUpstream, !settings.upstream.isEmpty {
            egress.append([
                "to": blocks(settings.upstream.map(\.text)),
                "ports": ports(settings.upstreamPort, ["TCP"]),
            ])
        }
        return object(
            "networking.k8s.io/v1", "NetworkPolicy",
            ["podSelector": selector, "policyTypes": ["Egress"], "egress": .array(egress)])
    }

    // MARK: - cilium.io/v2

    /// https://docs.cilium.io/en/stable/security/policy/language/#dns-based: a name is known to
    /// Cilium only where it sees the question for it, which the rule for name servers makes it do.
    func forCilium(_ settings: EgressSettings) -> JSONTree {
        func ports(_ number: Int, _ transport: String, dns: Bool = false) -> JSONTree {
            var entry: JSONTree = [
                "ports": [["port": .string(String(number)), "protocol": .string(transport)]]
            ]
            if dns { entry["rules"] = ["dns": [["matchPattern": "*"]]] }
            return [entry]
        }
        func texts(_ texts: [String]) -> JSONTree { .array(texts.map { .string($0) }) }
        var egress: [JSONTree] = []
        if let host = settings.vaultHost {
            egress.append([
                "toFQDNs": [["matchName": .string(host)]],
                "toPorts": ports(settings.vaultPort, "TCP"),
            ])
        }
        if !settings.vault.isEmpty {
            egress.append([
                "toCIDR": texts(settings.vault.map(\.text)),
                "toPorts": ports(settings.vaultPort, "TCP"),
            ])
        }
        let service = settings.names.place
        egress.append([
            "toEndpoints": [
                [
                    "matchLabels": .object([
                        .init("k8s:io.kubernetes.pod.namespace", .string(service.namespace)),
                        .init("k8s:\(service.label)", .string(service.value)),
                    ])
                ]
            ], "toPorts": ports(service.port, "ANY", dns: true),
        ])
        if let address = service.address {
            egress.append([
                "toCIDR": texts([address]), "toPorts": ports(service.port, "ANY", dns: true),
            ])
        }
        if needsUpstream, !settings.upstream.isEmpty {
            egress.append([
                "toCIDR": texts(settings.upstream.map(\.text)),
                "toPorts": ports(settings.upstreamPort, "TCP"),
            ])
        }
        return object(
            "cilium.io/v2", "CiliumNetworkPolicy",
            ["endpointSelector": selector, "egress": .array(egress)])
    }
}

extension EgressSettings.NameService {
    /// Where name servers are.
    package var place: Place {
        switch self {
        case .kubeDNS, .nodeLocal:
            Place(
                namespace: "kube-system", label: "k8s-app", value: "kube-dns", port: 53,
                // https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/
                address: self == .nodeLocal ? "169.254.20.10/32" : nil)
        case .openShift:
            // Its pods listen on 5353; the service's 53 is translated before policies look.
            Place(
                namespace: "openshift-dns", label: "dns.operator.openshift.io/daemonset-dns",
                value: "default", port: 5353, address: nil)
        }
    }

    package struct Place: Sendable {
        package let namespace: String
        package let label: String
        package let value: String
        package let port: Int
        package let address: String?
    }
}
