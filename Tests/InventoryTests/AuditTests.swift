// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import TestKit
import Testing

@Suite("Audit") struct AuditTests {
    private static let asking: JSONTree = ["cloudtaser.io/inject": "true"]

    private func container(_ name: String, _ command: JSONTree) -> JSONTree {
        ["name": .string(name), "command": command]
    }

    private func counts(_ audit: Audit) -> [Int] {
        Audit.Standing.allCases.map { audit.count($0) } + [audit.total]
    }

    @Test(
        .evidence(
            "SIM-CLI-01", control: "one more plain container raises its count and the total by one")
    )
    func `counts every container once, and the four words add up`() throws {
        let both: JSONTree = [
            "initContainers": [
                container(
                    "cloudtaser-install", ["/cloudtaser-wrapper", "install", "/cloudtaser/bin"])
            ],
            "containers": [
                container("app", Objects.wrapped), container("sidecar", Objects.command),
            ],
        ]
        let system = try Objects.make([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": ["name": "dns", "namespace": "kube-system"],
            "spec": ["containers": [container("dns", Objects.command)]],
        ])
        let broken = try Objects.make([
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "broken", "namespace": "shop"],
        ])
        let objects = [
            try Objects.pod("web", both, annotations: Self.asking), system, broken,
            try Objects.pod("done", both, phase: "Succeeded"),
        ]
        let unread = [UnreadObject(source: "x.yaml", reason: "is no YAML")]
        let audit = Audit(Inventory(objects, unread: unread))
        // Protected, unprotected, excluded, unreadable, total.
        #expect(counts(audit) == [1, 2, 4, 2, 9])
        #expect(
            audit.table.contains(
                "1 protected + 2 unprotected + 4 excluded + 2 unreadable = 9 containers"))
        #expect(audit.findings.isEmpty)
        #expect(audit.table.contains("copies the wrapper, has no values"))
        let one = try Objects.pod("one", ["containers": [container("app", Objects.command)]])
        let more = Audit(Inventory(objects + [one], unread: unread))
        Evidence.control(passed: counts(more) == [1, 3, 4, 2, 10])
        Evidence.observe("Of 9 containers each was counted once, in one of the four words.")
    }

    @Test func `an earlier version without replicas counts nowhere, and is told`() throws {
        let spec: JSONTree = [
            "containers": [
                [
                    "name": "app", "command": ["/app"],
                    "env": [
                        [
                            "name": "A",
                            "valueFrom": ["secretKeyRef": ["name": "db", "key": "a"]],
                        ]
                    ],
                ]
            ]
        ]
        func set(_ replicas: Int, isOwned: Bool, kind: String = "ReplicaSet") throws
            -> ClusterObject
        {
            var metadata: JSONTree = [
                "name": "web-1", "namespace": "shop",
                "annotations": ["api-token": "xyz-12345"],
            ]
            if isOwned {
                metadata["ownerReferences"] = [
                    ["kind": "Deployment", "name": "web", "controller": true]
                ]
            }
            return try Objects.make([
                "apiVersion": kind == "ReplicaSet" ? "apps/v1" : "v1", "kind": .string(kind),
                "metadata": metadata,
                "spec": ["replicas": .number(String(replicas)), "template": ["spec": spec]],
            ])
        }
        let secret = try Objects.make([
            "apiVersion": "v1", "kind": "Secret",
            "metadata": ["name": "db", "namespace": "shop"],
        ])
        for kind in ["ReplicaSet", "ReplicationController"] {
            let inventory = Inventory([try set(0, isOwned: true, kind: kind), secret])
            let audit = Audit(inventory)
            #expect(counts(audit) == [0, 0, 0, 0, 0] && audit.retiredCount == 1)
            // What it names is needed to go back, and nothing else is found in it.
            #expect(audit.findings.isEmpty, "\(audit.findings)")
            #expect(audit.json["retired"] == 1)
            let discovery = Discovery(inventory)
            #expect(discovery.entries.isEmpty && discovery.workloadCount == 0)
            #expect(discovery.findings.isEmpty && discovery.retiredCount == 1)
        }
        // Controls: with replicas, or of nobody.
        for (replicas, isOwned) in [(1, true), (0, false)] {
            let inventory = Inventory([try set(replicas, isOwned: isOwned), secret])
            #expect(counts(Audit(inventory)) == [0, 1, 0, 0, 1])
            #expect(Audit(inventory).retiredCount == 0)
            #expect(Discovery(inventory).entries.count == 1)
            #expect(!Discovery(inventory).findings.isEmpty)
        }
    }

    @Test func `a template counts only where no pod of it was read`() throws {
        let spec: JSONTree = ["containers": [container("app", Objects.command)]]
        let set = try Objects.make([
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": [
                "name": "web-1", "namespace": "shop",
                "ownerReferences": [["kind": "Deployment", "name": "web", "controller": true]],
            ],
            "spec": ["template": ["spec": spec]],
        ])
        let old = try Objects.make([
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": [
                "name": "web-0", "namespace": "shop",
                "ownerReferences": [["kind": "Deployment", "name": "web", "controller": true]],
            ],
            "spec": ["template": ["spec": spec]],
        ])
        let deployment = try Objects.deployment("web", spec)
        let pod = try Objects.pod("web-1-a", spec, owner: "ReplicaSet/web-1")
        #expect(
            Audit(Inventory([deployment, set, old, pod])).rows.map(\.object) == ["Pod shop/web-1-a"]
        )
        // Without its pods the Deployment stands for them.
        #expect(
            Audit(Inventory([deployment, set, old])).rows.map(\.object) == ["Deployment shop/web"])
    }

    @Test func `a Job that is over counts as ended, and once`() throws {
        func job(_ condition: String?) throws -> ClusterObject {
            let spec: JSONTree = ["containers": [container("app", Objects.command)]]
            let conditions: JSONTree =
                condition.map {
                    [["type": .string($0), "status": "True"]]
                } ?? []
            return try Objects.make([
                "apiVersion": "batch/v1", "kind": "Job",
                "metadata": ["name": "load", "namespace": "shop"],
                "spec": ["template": ["spec": spec]], "status": ["conditions": conditions],
            ])
        }
        let spec: JSONTree = ["containers": [container("app", Objects.command)]]
        let ended = try Objects.pod("load-1", spec, owner: "Job/load", phase: "Succeeded")
        for word in ["Complete", "Failed"] {
            #expect(counts(Audit(Inventory([try job(word), ended]))) == [0, 0, 1, 0, 1])
            #expect(counts(Audit(Inventory([try job(word)]))) == [0, 0, 1, 0, 1])
        }
        // Controls: one that goes on makes another pod.
        #expect(counts(Audit(Inventory([try job(nil), ended]))) == [0, 1, 1, 0, 2])
        #expect(counts(Audit(Inventory([try job("Suspended")]))) == [0, 1, 0, 0, 1])
    }

    @Test func `a pod of the kubelet's own is nobody's`() throws {
        let spec: JSONTree = ["containers": [container("app", Objects.command)]]
        let pods = try ["proxy-a", "dns-a"].map { try Objects.pod($0, spec, owner: "Node/a") }
        #expect(Audit(Inventory(pods)).rows.map(\.owner) == ["Pod shop/proxy-a", "Pod shop/dns-a"])
        // Control: of another kind that was not read.
        let other = try Objects.pod("web-1", spec, owner: "Rollout/web")
        #expect(Audit(Inventory([other])).rows.map(\.owner) == ["Rollout shop/web"])
    }

    /// Of two experiments of one test of the catalogue.
    private static let drift = EvidenceTrait.evidence(
        "SIM-CLI-06",
        control: "the same pod stored wrapped, and the same node with a ready agent, are not found")

    @Test(drift)
    func `a pod that asks and is not wrapped is found; a template that asks is not`() throws {
        let spec: JSONTree = ["containers": [container("app", Objects.command)]]
        let wrapped: JSONTree = ["containers": [container("app", Objects.wrapped)]]
        let audit = Audit(
            Inventory([
                try Objects.pod("missed", spec, annotations: Self.asking),
                try Objects.pod("good", wrapped, annotations: Self.asking),
                try Objects.deployment("template", spec, annotations: Self.asking),
                // Naming the wrapper somewhere else is not being started by it.
                try Objects.pod(
                    "posing",
                    [
                        "containers": [
                            container("app", ["/app", "/cloudtaser/bin/cloudtaser-wrapper"])
                        ]
                    ],
                    annotations: Self.asking),
            ]))
        #expect(audit.findings.map(\.object) == ["Pod shop/missed", "Pod shop/posing"])
        #expect(audit.findings.allSatisfy { $0.id == .unwrapped })
        #expect(audit.table.contains("asks: the webhook wraps its pods"))
        let good = try Objects.pod("good", wrapped, annotations: Self.asking)
        Evidence.control(passed: Audit(Inventory([good])).findings.isEmpty)
        Evidence.observe("Of three pods that ask, the two that are not wrapped were found.")
    }

    @Test func `a pod is missed as the operator says it, with what its namespace says`() throws {
        let plain: JSONTree = ["containers": [container("app", Objects.command)]]
        let wrapped: JSONTree = ["containers": [container("app", Objects.wrapped)]]
        let half: JSONTree = [
            "containers": [
                container("app", Objects.wrapped), container("other", Objects.command),
            ]
        ]
        let forAll: JSONTree = [
            "cloudtaser.io/inject": "true", "cloudtaser.io/secret-paths": "secret/shop/db",
        ]
        let pods = [
            try Objects.pod("half", half, annotations: forAll),
            try Objects.pod("misspelt", plain, labels: ["cloudtaser.io/inject": "yes"]),
            try Objects.pod("silent", plain),
            try Objects.pod(
                "unread",
                ["containers": [["name": "app", "command": "no list"]]],
                annotations: Self.asking),
            // None of these.
            try Objects.pod("declines", plain, annotations: ["cloudtaser.io/inject": "false"]),
            try Objects.pod("wrapped", wrapped, annotations: forAll),
            try Objects.pod("beside", half, annotations: Self.asking),
            try Objects.pod("over", plain, annotations: Self.asking, phase: "Failed"),
        ]
        func missed(_ namespace: JSONTree?) throws -> [String] {
            let read = try namespace.map { [try Objects.make($0)] } ?? []
            return Audit(Inventory(read + pods)).findings.filter { $0.id == .unwrapped }
                .map { $0.object.replacing("Pod shop/", with: "") }
        }
        func namespace(_ said: String) -> JSONTree {
            [
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": ["name": "shop", "labels": ["cloudtaser.io/inject": .string(said)]],
            ]
        }
        #expect(try missed(nil) == ["half", "misspelt", "unread"])
        #expect(try missed(namespace("false")) == ["half", "misspelt", "unread"])
        #expect(try missed(namespace("true")) == ["half", "misspelt", "silent", "unread"])
        let table = Audit(Inventory(pods)).table
        let lines = table.split(separator: "\n").filter { $0.contains("asks, and is not wrapped") }
        #expect(lines.count == 3 && lines.contains { $0.contains("half") && $0.contains("other") })
    }

    @Test func `objects of the cluster as a whole are in no namespace`() throws {
        for (version, kind) in [
            ("v1", "Node"), ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
            ("cloudtaser.io/v1alpha1", "CloudTaserPolicy"),
        ] {
            let object = try Objects.make([
                "apiVersion": .string(version), "kind": .string(kind), "metadata": ["name": "x"],
            ])
            #expect(object.reference == "\(kind) x")
        }
        let map = try Objects.make([
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "x"],
        ])
        #expect(map.reference == "ConfigMap default/x")
    }

    @Test func `a chain of owners that somebody wrote is walked once`() throws {
        let template: JSONTree = ["spec": ["containers": [container("app", Objects.command)]]]
        let count = 4_000
        func rows(isChain: Bool) throws -> (objects: [String], took: Duration) {
            let sets = try (0..<count).map { number in
                // The last is owned by the first: the chain is a circle.
                let name = "r\((number + 1) % count)"
                return try Objects.make([
                    "apiVersion": "apps/v1", "kind": "ReplicaSet",
                    "metadata": [
                        "name": .string("r\(number)"), "namespace": "shop",
                        "ownerReferences": [
                            [
                                "kind": "ReplicaSet", "name": .string(name),
                                "controller": .bool(isChain),
                            ]
                        ],
                    ], "spec": ["template": template],
                ])
            }
            let pod = try Objects.pod(
                "p", ["containers": [container("app", Objects.command)]], owner: "ReplicaSet/r0")
            var objects: [String] = []
            let took = ContinuousClock().measure {
                objects = Audit(Inventory(sets + [pod])).rows.map(\.object)
            }
            return (objects, took)
        }
        let (flat, chain) = (try rows(isChain: false), try rows(isChain: true))
        #expect(flat.objects.count == count && chain.objects == ["Pod shop/p"])
        // Once for each link it was hundreds of times as long.
        #expect(chain.took < flat.took * 20, "\(chain.took), \(flat.took)")
    }

    @Test func `pods that have ended do not stand for what makes the next ones`() throws {
        let spec: JSONTree = ["containers": [container("app", Objects.command)]]
        let cron = try Objects.make([
            "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": ["name": "nightly", "namespace": "shop"],
            "spec": ["jobTemplate": ["spec": ["template": ["spec": spec]]]],
        ])
        let job = try Objects.make([
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": [
                "name": "nightly-1", "namespace": "shop",
                "ownerReferences": [["kind": "CronJob", "name": "nightly", "controller": true]],
            ],
            "spec": ["template": ["spec": spec]],
        ])
        func rows(_ phase: String) throws -> [String] {
            let pod = try Objects.pod("nightly-1-a", spec, owner: "Job/nightly-1", phase: phase)
            return Audit(Inventory([cron, job, pod])).rows.map {
                "\($0.object) \($0.standing.rawValue)"
            }
        }
        #expect(try rows("Running") == ["Pod shop/nightly-1-a unprotected"])
        for phase in ["Succeeded", "Failed"] {
            #expect(
                try rows(phase)
                    == ["CronJob shop/nightly unprotected", "Pod shop/nightly-1-a excluded"])
        }
    }

    @Test func `finds Secrets that nothing uses`() throws {
        let pod = try Objects.pod(
            "web",
            [
                "containers": [
                    [
                        "name": "app", "command": Objects.command,
                        "envFrom": [["secretRef": ["name": "used"]]],
                    ]
                ],
                "volumes": [["name": "v", "secret": ["secretName": "mounted-by-nobody"]]],
                "imagePullSecrets": [["name": "registry"]],
            ])
        let account = try Objects.make([
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": ["name": "a", "namespace": "shop"],
            "imagePullSecrets": [["name": "pulled"]],
        ])
        let ingress = try Objects.make([
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": ["name": "i", "namespace": "shop"],
            "spec": ["tls": [["secretName": "tls"]]],
        ])
        let names = ["used", "mounted-by-nobody", "registry", "pulled", "tls", "orphan"]
        var objects = [pod, account, ingress] + (try names.map { try Objects.secret($0) })
        objects.append(try Objects.secret("sh.helm.release.v1.x", type: "helm.sh/release.v1"))
        objects.append(
            try Objects.make([
                "apiVersion": "v1", "kind": "Secret",
                "metadata": [
                    "name": "cloudtaser-operator-tls", "namespace": "cloudtaser-system",
                    "labels": [
                        "app.kubernetes.io/name": "cloudtaser",
                        "app.kubernetes.io/managed-by": "cloudtaser-operator",
                    ],
                ],
            ]))
        let orphans = Audit(Inventory(objects)).findings.filter { $0.id == .orphanedSecret }
        #expect(orphans.map(\.object) == ["Secret shop/orphan"])
    }

    @Test(drift)
    func `finds nodes without an agent that is ready, and says when no node was read`() throws {
        func node(_ name: String) throws -> ClusterObject {
            try Objects.make([
                "apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(name)],
            ])
        }
        func agent(
            _ node: String, ready: Bool = true, phase: String = "Running"
        ) throws -> ClusterObject {
            try Objects.pod(
                "agent-\(node)",
                [
                    "nodeName": .string(node),
                    "containers": [container("agent", ["/cloudtaser-agent", "run"])],
                ],
                phase: phase,
                labels: [
                    "app.kubernetes.io/name": "cloudtaser", "app.kubernetes.io/component": "agent",
                ], ready: ready)
        }
        let agents = [try agent("a"), try agent("b", ready: false)]
        let audit = Audit(Inventory(agents + [try node("a"), try node("b"), try node("c")]))
        #expect(audit.findings.map(\.object) == ["Node b", "Node c"])
        #expect(audit.nodes.map(\.hasAgent) == [true, false, false])
        let ended = try agent("a", phase: "Failed")
        #expect(Audit(Inventory([ended, try node("a")])).findings.map(\.object) == ["Node a"])
        let well = Audit(Inventory([try agent("a"), try node("a")]))
        Evidence.control(passed: well.findings.isEmpty)
        Evidence.observe("Of three nodes the two without a ready agent were found.")
        let blind = Audit(Inventory(agents))
        #expect(blind.findings.map(\.id) == [.nodesUnknown] && blind.nodes.isEmpty)
        #expect(blind.table.contains("No Node was read"))
    }

    @Test func `namespaces that are left out have no findings`() throws {
        let spec: JSONTree = ["containers": [container("app", Objects.command)]]
        let pod = try Objects.pod("missed", spec, annotations: Self.asking)
        #expect(Audit(Inventory([pod])).findings.count == 1)
        let audit = Audit(Inventory([pod]), excluding: ["shop"])
        #expect(audit.findings.isEmpty && counts(audit) == [0, 0, 1, 0, 1])
    }
}
