// SPDX-License-Identifier: Apache-2.0
import Destinations
import Inventory
import KubernetesFormat
import NetworkPolicies
import TestKit
import Testing

@Suite("Policies are generated") struct GeneratedPoliciesTests {
    private func settings(
        _ address: String = "https://10.0.0.5:8200", networks: [String] = [],
        upstream: [String] = [], names: EgressSettings.NameService = .kubeDNS,
        cilium: Bool = false
    ) throws -> EgressSettings {
        try EgressSettings(
            vaultAddress: address, vaultNetworks: networks, upstreamNetworks: upstream,
            names: names, isForCilium: cilium)
    }

    private func generate(
        _ objects: [ClusterObject], _ settings: EgressSettings
    ) -> GeneratedPolicies {
        GeneratedPolicies(Inventory(objects), objects, settings)
    }

    private func labels(_ policy: GeneratedPolicies.Policy) -> JSONTree? {
        policy.tree.value(at: "spec", "podSelector", "matchLabels")
    }

    // MARK: - Settings

    @Test(arguments: [
        ("https://10.0.0.5:8200", ["10.0.0.5/32"], 8200),
        ("https://10.0.0.5", ["10.0.0.5/32"], 443),
        ("HTTPS://10.0.0.5:1/v1?x#y", ["10.0.0.5/32"], 1),
        ("https://[2001:db8::1]:8200", ["2001:db8:0:0:0:0:0:1/128"], 8200),
    ])
    func `an address in digits is its own network`(
        _ address: String, _ networks: [String], _ port: Int
    ) throws {
        let found = try settings(address)
        #expect(found.vault.map(\.text) == networks && found.vaultPort == port)
    }

    @Test(arguments: [
        "http://10.0.0.5", "https://", "https://:8200", "10.0.0.5", "https://10.0.0.5:0",
        "https://10.0.0.5:65536", "https://10.0.0.5:x", "https://[10.0.0.5", "https://[x]:1",
        "https://a b:1", "https://user@10.0.0.5",
    ])
    func `what is no address is refused`(_ address: String) {
        #expect(throws: EgressSettings.Failure.address) { try settings(address) }
    }

    @Test func `a host name needs a network, or Cilium`() throws {
        let address = "https://Vault.example.eu:8200"
        #expect(throws: EgressSettings.Failure.needsNetwork(host: "vault.example.eu")) {
            try settings(address)
        }
        let named = try settings(address, networks: ["203.0.113.0/28", "10.0.0.0/24"])
        #expect(named.vault.map(\.text) == ["10.0.0.0/24", "203.0.113.0/28"])
        #expect(named.vaultHost == nil)
        #expect(try settings(address, cilium: true).vaultHost == "vault.example.eu")
    }

    @Test func `networks are in digits, and not every address`() {
        for text in ["vault", "10.0.0.1/24", "10.0.0.0/33"] {
            #expect(throws: EgressSettings.Failure.network(text)) {
                try settings(networks: [text])
            }
        }
        for text in ["0.0.0.0/0", "::/0"] {
            #expect(throws: EgressSettings.Failure.everything(text)) {
                try settings(upstream: [text])
            }
        }
    }

    // MARK: - Who gets one

    @Test func `workloads that ask get a policy that selects them, others none`() throws {
        let objects = [
            try Make.workload("Deployment", "web", labels: ["app": "web"]),
            try Make.workload("StatefulSet", "db", labels: ["app": "db"], asks: false),
            try Make.workload("DaemonSet", "log", namespace: "bank", labels: ["app": "log"]),
        ]
        let found = generate(objects, try settings())
        #expect(
            found.policies.map { "\($0.namespace)/\($0.name)" } == [
                "bank/cloudtaser-daemonset-log", "shop/cloudtaser-deployment-web",
            ])
        #expect(found.policies.compactMap(labels) == [["app": "log"], ["app": "web"]])
        #expect(found.skipped.isEmpty)
    }

    @Test func `a namespace that asks, and a pod that is wrapped, count too`() throws {
        let namespace = try Make.object([
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": ["name": "shop", "labels": ["cloudtaser.io/inject": "true"]],
        ])
        let silent = try Make.workload(asks: false)
        #expect(generate([namespace, silent], try settings()).policies.count == 1)
        #expect(generate([silent], try settings()).policies.isEmpty)
        let pod = try Make.object([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": "p", "namespace": "shop",
                "labels": ["app": "p", "pod-template-hash": "1"],
            ],
            "spec": [
                "containers": [
                    [
                        "name": "a",
                        "command": ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/app"],
                    ]
                ]
            ],
        ])
        let found = generate([pod], try settings())
        #expect(found.policies.compactMap(labels) == [["app": "p"]])
    }

    @Test func `what no policy can be for is told with the reason`() throws {
        let objects = [
            try Make.workload(
                "Deployment", "host", labels: ["app": "h"], spec: ["hostNetwork": true]),
            try Make.workload("Deployment", "bare", labels: [:]),
            try Make.workload("Deployment", "wide", labels: ["team": "a"]),
            try Make.workload(
                "Deployment", "operator",
                labels: ["team": "a", "app.kubernetes.io/name": "cloudtaser"], asks: false),
        ]
        let found = generate(objects, try settings())
        #expect(found.policies.isEmpty)
        #expect(
            found.skipped.map { "\($0.workload): \($0.reason.prefix(24))" } == [
                "Deployment shop/bare: has no labels that a pol",
                "Deployment shop/host: is on the node's network",
                "Deployment shop/wide: its labels also select D",
            ])
        // Control: without the operator in its way it gets one.
        #expect(generate(Array(objects.dropLast()), try settings()).policies.count == 1)
    }

    @Test func `workloads of the same labels share one, and whom else it selects is told`() throws {
        let objects = [
            try Make.workload("Deployment", "one"), try Make.workload("Deployment", "two"),
            try Make.workload("StatefulSet", "quiet", asks: false),
        ]
        let found = generate(objects, try settings())
        #expect(found.policies.count == 1)
        #expect(
            found.policies.first?.workloads == ["Deployment shop/one", "Deployment shop/two"])
        #expect(
            found.notes.first
                == "shop/cloudtaser-deployment-one also selects StatefulSet shop/quiet")
    }

    // MARK: - What it says

    @Test func `a policy is about egress alone, to the vault and name servers`() throws {
        let found = generate([try Make.workload()], try settings())
        let tree = try #require(found.policies.first).tree
        #expect(tree.value(at: "spec", "policyTypes") == ["Egress"])
        #expect(tree.value(at: "spec", "ingress") == nil)
        let dns: JSONTree = [
            "to": [
                [
                    "namespaceSelector": [
                        "matchLabels": ["kubernetes.io/metadata.name": "kube-system"]
                    ], "podSelector": ["matchLabels": ["k8s-app": "kube-dns"]],
                ]
            ],
            "ports": [["protocol": "UDP", "port": 53], ["protocol": "TCP", "port": 53]],
        ]
        let vault: JSONTree = [
            "to": [["ipBlock": ["cidr": "10.0.0.5/32"]]],
            "ports": [["protocol": "TCP", "port": 8200]],
        ]
        #expect(tree.value(at: "spec", "egress") == [vault, dns])
    }

    @Test(arguments: EgressSettings.NameService.allCases)
    func `each kind of name server is reached`(_ names: EgressSettings.NameService) throws {
        let object = try Make.workload()
        let found = generate([object], try settings(names: names))
        let policy = try NetworkPolicy(Make.object(try #require(found.policies.first).tree))
        let evaluator = PolicyEvaluator([policy])
        let pod = NetworkPod(namespace: "shop", labels: ["app": "web"])
        let place = names.place
        let server = NetworkPod(namespace: place.namespace, labels: [place.label: place.value])
        for transport in [NetworkPolicy.TransportProtocol.udp, .tcp] {
            let port = NetworkPort(transport, place.port)
            #expect(
                evaluator.verdict(.egress, of: pod, with: .pod(server), port).allowed == .all)
            let node = try Make.network("169.254.20.10")
            #expect(
                evaluator.verdict(.egress, of: pod, with: .addresses(node), port).allowed
                    == (names == .nodeLocal ? .all : .none))
            // Another pod there is none.
            let other = NetworkPod(namespace: place.namespace, labels: ["k8s-app": "other"])
            #expect(
                evaluator.verdict(.egress, of: pod, with: .pod(other), port).allowed == .none)
        }
    }

    @Test func `the store is for the S3 proxy alone`() throws {
        let proxy = try Make.workload(
            "Deployment", "proxy",
            labels: [
                "app.kubernetes.io/name": "cloudtaser", "app.kubernetes.io/component": "s3-proxy",
            ], asks: false)
        let objects = [proxy, try Make.workload()]
        let found = generate(objects, try settings(upstream: ["198.51.100.0/24"]))
        let allowed = found.policies.map { policy in
            let text = String(decoding: policy.tree.rendered(), as: UTF8.self)
            return (policy.name, text.contains("198.51.100.0/24"))
        }
        #expect(allowed.map(\.0) == ["cloudtaser-deployment-proxy", "cloudtaser-deployment-web"])
        #expect(allowed.map(\.1) == [true, false])
        #expect(
            generate([proxy], try settings()).notes.last?.contains("--s3-upstream-cidr") == true)
    }

    @Test func `Cilium's policies name the host`() throws {
        let found = generate(
            [try Make.workload()], try settings("https://vault.example.eu:8200", cilium: true))
        let tree = try #require(found.policies.first).tree
        #expect(tree["apiVersion"] == "cilium.io/v2" && tree["kind"] == "CiliumNetworkPolicy")
        #expect(tree.value(at: "spec", "endpointSelector") == ["matchLabels": ["app": "web"]])
        #expect(
            tree.value(at: "spec", "egress")?.elements?.first == [
                "toFQDNs": [["matchName": "vault.example.eu"]],
                "toPorts": [["ports": [["port": "8200", "protocol": "TCP"]]]],
            ])
        let text = String(decoding: tree.rendered(), as: UTF8.self)
        #expect(text.contains(#""rules":{"dns":[{"matchPattern":"*"}]}"#))
    }

    // MARK: - Evidence

    private static func draw(_ random: inout SeededGenerator) throws -> [ClusterObject] {
        try (0..<Int.random(in: 1...6, using: &random)).map { index in
            let kind = ["Deployment", "StatefulSet", "DaemonSet"].randomElement(using: &random)
            let namespace = ["shop", "bank"].randomElement(using: &random) ?? "shop"
            var labels: JSONTree = ["app": .string("app-\(Int.random(in: 0...4, using: &random))")]
            if Bool.random(using: &random) { labels["tier"] = "front" }
            return try Make.workload(
                kind ?? "Deployment", "w\(index)", namespace: namespace, labels: labels,
                asks: Int.random(in: 0..<4, using: &random) > 0)
        }
    }

    private static let names = EgressSettings.NameService.allCases

    @Test(
        "policies that are generated let protected pods reach the vault and name servers alone",
        .evidence(
            "SIM-NETPOL-01",
            control: "without the policies the same pods reach every address"))
    func reach() throws {
        var random = SeededGenerator(seed: 23)
        var pods = 0
        var isOpenWithout = true
        for round in 0..<200 {
            let objects = try Self.draw(&random)
            let vault = "10.\(Int.random(in: 0...255, using: &random)).0.0/16"
            let settings = try settings(
                "https://vault.example.eu:8200", networks: [vault],
                names: Self.names[round % Self.names.count])
            let generated = generate(objects, settings)
            // The order of what was read does not change a byte.
            let shuffled = generate(objects.shuffled(using: &random), settings)
            #expect(generated.list.rendered() == shuffled.list.rendered())
            let evaluator = PolicyEvaluator(
                try generated.policies.map { try NetworkPolicy(Make.object($0.tree)) })
            let inventory = Inventory(objects)
            for subject in NetworkSubject.all(of: inventory.originals, in: objects) {
                func allowed(
                    _ peer: NetworkPeer, _ port: NetworkPort, by evaluator: PolicyEvaluator
                ) -> Extent {
                    evaluator.verdict(.egress, of: subject.pod, with: peer, port).allowed
                }
                let other = NetworkPeer.addresses(try Make.network("192.0.2.1"))
                guard subject.workload.isProtected else { continue }
                pods += 1
                let place = settings.names.place
                let server = NetworkPeer.pod(
                    NetworkPod(namespace: place.namespace, labels: [place.label: place.value]))
                let network = NetworkPeer.addresses(try Make.network(vault))
                #expect(allowed(network, NetworkPort(.tcp, 8200), by: evaluator) == .all)
                #expect(allowed(network, NetworkPort(.tcp, 22), by: evaluator) == .none)
                for transport in [NetworkPolicy.TransportProtocol.udp, .tcp] {
                    let port = NetworkPort(transport, place.port)
                    #expect(allowed(server, port, by: evaluator) == .all)
                }
                for transport in [NetworkPolicy.TransportProtocol.udp, .tcp, .sctp] {
                    let every = NetworkPort(transport, nil)
                    #expect(allowed(other, every, by: evaluator) == .none)
                    #expect(
                        allowed(.anyPod(inOwnNamespace: true), every, by: evaluator) == .none)
                }
                let open = allowed(other, NetworkPort(.tcp, nil), by: PolicyEvaluator([]))
                isOpenWithout = isOpenWithout && open == .all
            }
        }
        Evidence.control(passed: isOpenWithout && pods > 200)
        Evidence.observe(
            "Of \(pods) drawn workloads that ask, each reached the vault's network and the name "
                + "servers and no other address or pod, as the policies are evaluated.")
    }

    // MARK: - Check

    @Test func `a check tells what is allowed and why, and that the CNI decides`() throws {
        let workload = try Make.workload()
        let host = try Make.workload(
            "Deployment", "host", labels: ["app": "host"], spec: ["hostNetwork": true])
        let settings = try settings()
        func check(_ more: [ClusterObject]) -> PolicyCheck {
            let objects = [workload, host] + more
            return PolicyCheck(Inventory(objects), objects, settings)
        }
        func words(_ check: PolicyCheck, _ peer: String) -> String {
            check.rows.filter { $0.workload.hasSuffix("web") && $0.peer.hasPrefix(peer) }
                .map { "\($0.direction.rawValue) \($0.allowed.rawValue) \($0.reason)" }
                .joined(separator: ", ")
        }
        let before = check([])
        #expect(words(before, "vault 10.0.0.5/32 TCP 8200") == "Egress all no policy selects it")
        #expect(words(before, "to any other IPv4") == "Egress all no policy selects it")
        let policies = try generate([workload], settings).policies.map { try Make.object($0.tree) }
        let after = check(policies)
        let name = "shop/cloudtaser-deployment-web"
        #expect(words(after, "vault") == "Egress all \(name)")
        #expect(words(after, "name servers UDP") == "Egress all \(name)")
        #expect(words(after, "to any other IPv4") == "Egress none by \(name)")
        #expect(words(after, "to any pod of its namespace") == "Egress none by \(name)")
        #expect(words(after, "from any pod of its namespace") == "Ingress all no policy selects it")
        #expect(after.table.contains("on the node's network: policies do not apply"))
        #expect(after.table.contains("the CNI decides whether it is enforced"))
        let broken = check([
            try Make.object([
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": ["name": "x"], "spec": "none",
            ])
        ])
        #expect(broken.unread.count == 1 && after.unread.isEmpty)
        let other = check([
            try Make.object([
                "apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
                "metadata": ["name": "x"], "spec": [:],
            ])
        ])
        #expect(other.unread.map(\.reason).first?.contains("is a policy of another kind") == true)
    }

    @Test(arguments: [
        (["calico-node"], PolicyEnforcement.recognised(["calico-node"])),
        (["kube-flannel-ds"], .absent(["kube-flannel-ds"])),
        (["kube-flannel-ds", "cilium"], .recognised(["cilium"])), (["fluentd"], .notKnown),
        ([], .notKnown),
    ])
    func `who enforces is known by the DaemonSets of network plugins`(
        _ names: [String], _ expected: PolicyEnforcement
    ) throws {
        let objects = try names.map { try Make.workload("DaemonSet", $0, namespace: "kube-system") }
        #expect(PolicyEnforcement(objects) == expected)
    }

    @Test func `a pod that is over is nobody's business; a Job that is over may come again`() throws
    {
        let template: JSONTree = ["spec": ["containers": [["name": "app"]]]]
        let job = try Make.object([
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": ["name": "load", "namespace": "shop"], "spec": ["template": template],
            "status": ["conditions": [["type": "Complete", "status": "True"]]],
        ])
        let pod = try Make.object([
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "old", "namespace": "shop"],
            "spec": ["containers": [["name": "app"]]], "status": ["phase": "Succeeded"],
        ])
        let inventory = Inventory([job, pod])
        let subjects = NetworkSubject.all(of: inventory.originals, in: [job, pod])
        #expect(subjects.map(\.workload.object.reference) == ["Job shop/load"])
    }
}
