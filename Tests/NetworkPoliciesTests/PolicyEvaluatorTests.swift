// SPDX-License-Identifier: Apache-2.0
import Destinations
import KubernetesFormat
import NetworkPolicies
import Testing

/// Each sentence of the API's reference, with what it allows and what it does not.
@Suite("Policies are evaluated") struct PolicyEvaluatorTests {
    private static let subject = NetworkPod(
        namespace: "shop", labels: ["app": "web", "tier": "front"],
        ports: [.init(name: "http", transport: .tcp, number: 8080)])

    private func verdict(
        _ specs: [JSONTree], _ direction: NetworkPolicy.Direction, _ peer: NetworkPeer,
        _ port: NetworkPort = NetworkPort(.tcp, 80), of pod: NetworkPod = subject
    ) throws -> Extent {
        let policies = try specs.enumerated().map { index, spec in
            try Make.policy(spec, name: "p\(index)")
        }
        return PolicyEvaluator(policies).verdict(direction, of: pod, with: peer, port).allowed
    }

    private func address(_ text: String) throws -> NetworkPeer {
        .addresses(try Make.network(text))
    }

    private static func pod(
        _ labels: [String: String], _ namespace: String = "shop",
        _ namespaceLabels: [String: String] = [:]
    ) -> NetworkPeer {
        .pod(
            NetworkPod(
                namespace: namespace, namespaceLabels: namespaceLabels, labels: labels,
                ports: [.init(name: "db", transport: .tcp, number: 5432)]))
    }

    // MARK: - Who is isolated

    @Test(
        arguments: [
            // podSelector of a policy that denies both directions, and whether it selects the pod.
            ([:], true), (["matchLabels": ["app": "web"]], true),
            (["matchLabels": ["app": "db"]], false),
            (["matchExpressions": [["key": "tier", "operator": "In", "values": ["front"]]]], true),
            (
                ["matchExpressions": [["key": "tier", "operator": "NotIn", "values": ["front"]]]],
                false
            ),
            (["matchExpressions": [["key": "none", "operator": "DoesNotExist"]]], true),
            (["matchExpressions": [["key": "none", "operator": "Exists"]]], false),
        ] as [(JSONTree, Bool)])
    func `a policy isolates the pods that it selects, of its own namespace`(
        _ selector: JSONTree, _ isSelected: Bool
    ) throws {
        let spec: JSONTree = [
            "podSelector": selector, "policyTypes": ["Ingress", "Egress"],
        ]
        let elsewhere = NetworkPod(namespace: "bank", labels: Self.subject.labels)
        for direction in NetworkPolicy.Direction.allCases {
            let peer = try address("192.0.2.1")
            #expect(try verdict([spec], direction, peer) == (isSelected ? .none : .all))
            #expect(try verdict([spec], direction, peer, of: elsewhere) == .all)
            #expect(try verdict([], direction, peer) == .all)
        }
    }

    @Test(
        arguments: [
            // Spec without podSelector, and the directions that it is about.
            ([:], [.ingress]), (["ingress": []], [.ingress]),
            (["egress": []], [.ingress]), (["egress": .null], [.ingress]),
            (["egress": [["ports": [["port": 1]]]]], [.ingress, .egress]),
            (["policyTypes": ["Egress"]], [.egress]), (["policyTypes": ["Ingress"]], [.ingress]),
            (["policyTypes": ["Ingress"], "egress": [["ports": [["port": 1]]]]], [.ingress]),
            (["policyTypes": []], [.ingress]),
        ] as [(JSONTree, Set<NetworkPolicy.Direction>)])
    func `policyTypes default to ingress, and to egress where a rule for it is there`(
        _ spec: JSONTree, _ expected: Set<NetworkPolicy.Direction>
    ) throws {
        var spec = spec
        spec["podSelector"] = [:]
        for direction in NetworkPolicy.Direction.allCases {
            let extent = try verdict([spec], direction, try address("192.0.2.1"))
            #expect((extent == .none) == expected.contains(direction))
        }
    }

    // MARK: - Peers

    private static func egress(_ peers: [JSONTree], _ ports: [JSONTree] = []) -> JSONTree {
        var rule: JSONTree = [:]
        if !peers.isEmpty { rule["to"] = .array(peers) }
        if !ports.isEmpty { rule["ports"] = .array(ports) }
        return ["podSelector": [:], "policyTypes": ["Egress"], "egress": [rule]]
    }

    @Test(
        arguments: [
            (["cidr": "10.0.0.0/24"], "10.0.0.5/32", Extent.all),
            (["cidr": "10.0.0.0/24"], "10.0.1.5/32", .none),
            (["cidr": "10.0.0.0/24"], "10.0.0.0/24", .all),
            (["cidr": "10.0.0.0/24"], "10.0.0.0/16", .part),
            (["cidr": "10.0.0.0/24", "except": ["10.0.0.5/32"]], "10.0.0.5/32", .none),
            (["cidr": "10.0.0.0/24", "except": ["10.0.0.5/32"]], "10.0.0.6/32", .all),
            (["cidr": "10.0.0.0/24", "except": ["10.0.0.0/25"]], "10.0.0.0/24", .part),
            (["cidr": "0.0.0.0/0"], "192.0.2.1/32", .all),
            (["cidr": "0.0.0.0/0"], "2001:db8::1/128", .none),
            (["cidr": "::/0"], "2001:db8::1/128", .all),
            (["cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]], "2001:db8:1::1/128", .none),
            // Bits behind the prefix do not count.
            (["cidr": "10.0.0.7/24"], "10.0.0.5/32", .all),
        ] as [(JSONTree, String, Extent)])
    func `a block allows its addresses but those of except`(
        _ block: JSONTree, _ asked: String, _ expected: Extent
    ) throws {
        let spec = Self.egress([["ipBlock": block]])
        #expect(try verdict([spec], .egress, try address(asked)) == expected)
        // A block is about addresses outside the cluster. Of one with all addresses, plugins differ
        // in whether pods are meant: that is not "none".
        let isEverything = block["cidr"]?.text?.hasSuffix("/0") == true
        for pod in [Self.pod([:]), .anyPod(inOwnNamespace: true), .anyPod(inOwnNamespace: false)] {
            #expect(try verdict([spec], .egress, pod) == (isEverything ? .part : .none))
        }
    }

    @Test(
        arguments: [
            // A peer, labels of a pod, its namespace, that one's labels, whether it is meant.
            (["podSelector": [:]], [:], "shop", [:], true),
            (["podSelector": [:]], [:], "bank", [:], false),
            (["podSelector": ["matchLabels": ["a": "b"]]], ["a": "b"], "shop", [:], true),
            (["podSelector": ["matchLabels": ["a": "b"]]], ["a": "c"], "shop", [:], false),
            (["namespaceSelector": [:]], [:], "bank", [:], true),
            (["namespaceSelector": [:]], [:], "shop", [:], true),
            (["namespaceSelector": ["matchLabels": ["t": "1"]]], [:], "bank", ["t": "1"], true),
            (["namespaceSelector": ["matchLabels": ["t": "1"]]], [:], "bank", [:], false),
            (
                ["namespaceSelector": ["matchLabels": ["kubernetes.io/metadata.name": "bank"]]],
                [:],
                "bank", [:], true
            ),
            (
                ["namespaceSelector": ["matchLabels": ["kubernetes.io/metadata.name": "bank"]]],
                [:],
                "shop", [:], false
            ),
            // Both: pods of those namespaces.
            (
                ["namespaceSelector": [:], "podSelector": ["matchLabels": ["a": "b"]]], ["a": "b"],
                "bank", [:], true
            ),
            (
                ["namespaceSelector": [:], "podSelector": ["matchLabels": ["a": "b"]]], [:], "bank",
                [:], false
            ),
            (
                [
                    "namespaceSelector": [
                        "matchExpressions": [["key": "t", "operator": "NotIn", "values": ["1"]]]
                    ]
                ], [:], "bank", ["t": "1"], false
            ),
        ] as [(JSONTree, [String: String], String, [String: String], Bool)])
    func `selectors mean pods of the policy's namespace, or of those that are selected`(
        _ peer: JSONTree, _ labels: [String: String], _ namespace: String,
        _ namespaceLabels: [String: String], _ expected: Bool
    ) throws {
        let other = Self.pod(labels, namespace, namespaceLabels)
        let ingress: JSONTree = ["podSelector": [:], "ingress": [["from": [peer]]]]
        let wanted: Extent = expected ? .all : .none
        #expect(try verdict([Self.egress([peer])], .egress, other) == wanted)
        #expect(try verdict([ingress], .ingress, other) == wanted)
        // Nobody outside the cluster is meant by a selector.
        #expect(try verdict([ingress], .ingress, try address("192.0.2.1")) == .none)
    }

    @Test func `one peer of several is enough, and without peers everybody is meant`() throws {
        let peers: [JSONTree] = [
            ["podSelector": ["matchLabels": ["a": "b"]]], ["ipBlock": ["cidr": "10.0.0.0/8"]],
        ]
        let spec = Self.egress(peers)
        #expect(try verdict([spec], .egress, try address("10.1.1.1")) == .all)
        #expect(try verdict([spec], .egress, Self.pod(["a": "b"])) == .all)
        #expect(try verdict([spec], .egress, Self.pod([:])) == .none)
        for open in [
            Self.egress([]),
            ["podSelector": [:], "policyTypes": ["Egress"], "egress": [["to": []]]],
        ] as [JSONTree] {
            #expect(try verdict([open], .egress, try address("192.0.2.1")) == .all)
            #expect(try verdict([open], .egress, Self.pod([:], "bank")) == .all)
        }
    }

    // MARK: - Ports

    @Test(
        arguments: [
            ([["port": 80]], NetworkPort(.tcp, 80), Extent.all),
            ([["port": 80]], NetworkPort(.tcp, 81), .none),
            ([["port": 80]], NetworkPort(.udp, 80), .none),
            ([["port": 80, "protocol": "UDP"]], NetworkPort(.udp, 80), .all),
            ([["protocol": "UDP"]], NetworkPort(.udp, 9), .all),
            ([["protocol": "UDP"]], NetworkPort(.tcp, 9), .none),
            ([["port": 80, "endPort": 90]], NetworkPort(.tcp, 90), .all),
            ([["port": 80, "endPort": 90]], NetworkPort(.tcp, 91), .none),
            ([["port": 80], ["port": 82]], NetworkPort(.tcp, 82), .all),
            ([["port": 80]], NetworkPort(.tcp, nil), .part),
            ([["port": 1, "endPort": 65_535]], NetworkPort(.tcp, nil), .all),
            ([], NetworkPort(.sctp, 7), .all),
            ([["port": "db"]], NetworkPort(.tcp, 5432), .all),
            ([["port": "db"]], NetworkPort(.tcp, 5433), .none),
            ([["port": "db", "protocol": "UDP"]], NetworkPort(.udp, 5432), .none),
            ([["port": "none"]], NetworkPort(.tcp, 5432), .none),
        ] as [([JSONTree], NetworkPort, Extent)])
    func `ports are those of the protocol, by number, range or the target's name`(
        _ ports: [JSONTree], _ asked: NetworkPort, _ expected: Extent
    ) throws {
        let spec = Self.egress([["podSelector": [:]]], ports)
        #expect(try verdict([spec], .egress, Self.pod([:]), asked) == expected)
    }

    @Test func `a named port of ingress is the pod's own, and of an address there is none`() throws
    {
        let ingress: JSONTree = ["podSelector": [:], "ingress": [["ports": [["port": "http"]]]]]
        let from = Self.pod([:])
        #expect(try verdict([ingress], .ingress, from, NetworkPort(.tcp, 8080)) == .all)
        #expect(try verdict([ingress], .ingress, from, NetworkPort(.tcp, 5432)) == .none)
        let egress = Self.egress([], [["port": "db"]])
        #expect(
            try verdict([egress], .egress, try address("192.0.2.1"), NetworkPort(.tcp, 5432))
                == .none)
        #expect(
            try verdict([egress], .egress, .anyPod(inOwnNamespace: true), NetworkPort(.tcp, 5432))
                == .part)
    }

    // MARK: - Together

    @Test func `policies add up, and their order does not count`() throws {
        let specs: [JSONTree] = [
            ["podSelector": [:], "policyTypes": ["Egress"]],
            Self.egress([["ipBlock": ["cidr": "10.0.0.0/24"]]]),
            Self.egress([["ipBlock": ["cidr": "10.0.1.0/24"]]], [["port": 443]]),
        ]
        for order in [specs, specs.reversed()] {
            #expect(try verdict(order, .egress, try address("10.0.0.1")) == .all)
            #expect(try verdict(order, .egress, try address("10.0.1.1")) == .none)
            #expect(
                try verdict(order, .egress, try address("10.0.1.1"), NetworkPort(.tcp, 443)) == .all
            )
            #expect(try verdict(order, .egress, try address("10.0.2.1")) == .none)
            #expect(try verdict(order, .ingress, try address("10.0.2.1")) == .all)
        }
    }

    @Test(
        arguments: [
            // Rules as peers and ports, what is asked, and how much of it they allow together.
            ([(["10.0.0.0/25"], []), (["10.0.0.128/25"], [])], "10.0.0.0/24", 80, Extent.all),
            ([(["10.0.0.0/25"], []), (["10.0.0.192/26"], [])], "10.0.0.0/24", 80, .part),
            ([(["0.0.0.0/1"], []), (["128.0.0.0/1"], [])], "0.0.0.0/0", nil, .all),
            ([(["::/1"], []), (["8000::/1"], [])], "::/0", nil, .all),
            ([(["::/1"], []), (["128.0.0.0/1"], [])], "::/0", nil, .part),
            // Ports of one and addresses of the other, and all four corners or three of them.
            ([([], [1...79]), ([], [80...65_535])], "10.0.0.0/24", nil, .all),
            ([([], [1...79]), ([], [81...65_535])], "10.0.0.0/24", nil, .part),
            (
                [
                    (["10.0.0.0/25"], [1...99]), (["10.0.0.128/25"], [1...99]),
                    ([], [100...65_535]),
                ], "10.0.0.0/24", nil, .all
            ),
            (
                [
                    (["10.0.0.0/25"], [1...99]), (["10.0.0.128/25"], [1...98]),
                    ([], [100...65_535]),
                ], "10.0.0.0/24", nil, .part
            ),
            (
                [(["10.0.0.0/24"], [443...443]), (["10.0.1.0/24"], [80...80])],
                "10.0.0.0/24", 80, .none
            ),
            (
                [(["10.0.0.0/25"], [80...80]), (["10.0.0.0/24"], [70...90])],
                "10.0.0.0/24", 80, .all
            ),
            ([(["192.0.2.0/24"], [])], "10.0.0.0/24", 80, .none),
        ] as [([([String], [ClosedRange<Int>])], String, Int?, Extent)])
    func `what several policies or rules allow is joined`(
        _ rules: [([String], [ClosedRange<Int>])], _ asked: String, _ port: Int?,
        _ expected: Extent
    ) throws {
        let specs = rules.map { blocks, ports in
            Self.egress(
                blocks.map { ["ipBlock": ["cidr": .string($0)]] },
                ports.map { range in
                    [
                        "port": .number(String(range.lowerBound)),
                        "endPort": .number(String(range.upperBound)),
                    ]
                })
        }
        let peer = try address(asked)
        #expect(try verdict(specs, .egress, peer, NetworkPort(.tcp, port)) == expected)
        #expect(try verdict(specs.reversed(), .egress, peer, NetworkPort(.tcp, port)) == expected)
        // The same rules in one policy.
        var one = specs[0]
        one["egress"] = .array(specs.flatMap { $0["egress"]?.elements ?? [] })
        #expect(try verdict([one], .egress, peer, NetworkPort(.tcp, port)) == expected)
    }

    @Test func `what one block leaves out, another may have, and pods are joined by ports`() throws
    {
        let holed = Self.egress([
            ["ipBlock": ["cidr": "10.0.0.0/24", "except": ["10.0.0.8/29", "10.0.0.64/26"]]]
        ])
        let fill = Self.egress([
            ["ipBlock": ["cidr": "10.0.0.8/29"]], ["ipBlock": ["cidr": "10.0.0.64/26"]],
        ])
        let peer = try address("10.0.0.0/24")
        #expect(try verdict([holed], .egress, peer) == .part)
        #expect(try verdict([holed, fill], .egress, peer) == .all)
        #expect(try verdict([fill], .egress, try address("10.0.0.9")) == .all)
        let low = Self.egress([["podSelector": [:]]], [["port": 1, "endPort": 100]])
        let high = Self.egress([["podSelector": [:]]], [["port": 101, "endPort": 65_535]])
        let some = Self.egress([["podSelector": ["matchLabels": ["a": "b"]]]])
        let own = NetworkPeer.anyPod(inOwnNamespace: true)
        let every = NetworkPort(.tcp, nil)
        #expect(try verdict([low, high], .egress, own, every) == .all)
        #expect(try verdict([low, some], .egress, own, every) == .part)
        #expect(try verdict([some], .egress, own, every) == .part)
        #expect(try verdict([low], .egress, .anyPod(inOwnNamespace: false), every) == .none)
        // A name that the other end may have is some of its ports; of one that is read it is known.
        let named = Self.egress([["podSelector": [:]]], [["port": "db"]])
        #expect(try verdict([named, low], .egress, own, NetworkPort(.tcp, 80)) == .all)
        #expect(try verdict([named], .egress, own, NetworkPort(.tcp, 80)) == .part)
        let selected = Self.egress([["podSelector": ["matchLabels": ["a": "b"]]]], [["port": 81]])
        #expect(try verdict([selected], .egress, own, NetworkPort(.tcp, 80)) == .none)
    }

    @Test func `networks that are known are not asked about`() throws {
        let known = try Make.network("10.0.0.0/24")
        let policy = { (cidr: String) in
            try Make.policy(Self.egress([["ipBlock": ["cidr": .string(cidr)]]]))
        }
        func extent(_ cidrs: [String]) throws -> Extent {
            try PolicyEvaluator(cidrs.map(policy)).verdict(
                .egress, of: Self.subject, with: .addresses(.everyVersion4),
                NetworkPort(.tcp, nil), beyond: [known]
            ).allowed
        }
        #expect(try extent(["10.0.0.0/24"]) == .none)
        #expect(try extent(["10.0.0.7/32"]) == .none)
        #expect(try extent(["10.0.0.0/23"]) == .part)
        // All others, in halves of what is left: the known network is not needed for that.
        let rest = (1...24).map { length in
            let number = UInt32(0x0A00_0000) ^ (1 << UInt32(32 - length))
            let first = (number >> UInt32(32 - length)) << UInt32(32 - length)
            let parts = [24, 16, 8, 0].map { String(first >> UInt32($0) & 255) }
            return "\(parts.joined(separator: "."))/\(length)"
        }
        #expect(try extent(rest) == .all)
        #expect(try extent(Array(rest.dropLast())) == .part)
    }

    @Test(
        arguments: [
            "text", ["podSelector": ["app": "x"]], ["podSelector": [:], "policyTypes": ["Both"]],
            ["podSelector": [:], "egress": [:]], ["podSelector": [:], "egress": [["from": []]]],
            ["podSelector": [:], "egress": [["to": [[:]]]]],
            ["podSelector": [:], "egress": [["to": [["ipBlock": ["cidr": "10.0.0.1"]]]]]],
            ["podSelector": [:], "egress": [["to": [["ipBlock": ["cidr": "x/8"]]]]]],
            [
                "podSelector": [:],
                "egress": [["to": [["ipBlock": ["cidr": "1.0.0.0/8"], "podSelector": [:]]]]],
            ],
            ["podSelector": [:], "egress": [["ports": [["port": 0]]]]],
            ["podSelector": [:], "egress": [["ports": [["port": 65_536]]]]],
            ["podSelector": [:], "egress": [["ports": [["port": 5, "endPort": 4]]]]],
            ["podSelector": [:], "egress": [["ports": [["port": "a", "endPort": 4]]]]],
            ["podSelector": [:], "egress": [["ports": [["endPort": 4]]]]],
            ["podSelector": [:], "egress": [["ports": [["protocol": "tcp"]]]]],
        ] as [JSONTree])
    func `what is no policy is refused, and not taken for one that allows`(_ spec: JSONTree) throws
    {
        #expect(throws: NetworkPolicy.Failure.self) { try Make.policy(spec) }
        #expect(throws: Never.self) { try Make.policy(["podSelector": [:]]) }
    }
}
