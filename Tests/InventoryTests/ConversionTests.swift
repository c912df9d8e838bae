// SPDX-License-Identifier: Apache-2.0
import Injection
import Inventory
import KubernetesFormat
import TestKit
import Testing

@Suite("Converted manifests") struct ConversionTests {
    static func secretEntry(_ name: String, _ secret: String, _ key: String) -> JSONTree {
        [
            "name": .string(name),
            "valueFrom": ["secretKeyRef": ["name": .string(secret), "key": .string(key)]],
        ]
    }

    static func container(
        _ name: String, env: [JSONTree] = [], envFrom: [JSONTree] = [],
        command: JSONTree? = ["/app"]
    ) -> JSONTree {
        var tree: JSONTree = ["name": .string(name), "image": .string("image-\(name)")]
        if let command { tree["command"] = command }
        if !env.isEmpty { tree["env"] = .array(env) }
        if !envFrom.isEmpty { tree["envFrom"] = .array(envFrom) }
        return tree
    }

    private func convert(
        _ objects: [ClusterObject], _ settings: ConversionSettings? = nil
    ) throws -> ConvertedManifests {
        ConvertedManifests(Inventory(objects), try settings ?? ConversionSettings(role: "web"))
    }

    private func convert(_ spec: JSONTree, beside: [ClusterObject] = []) throws
        -> ConvertedManifests
    { try convert([try Objects.deployment("web", spec)] + beside) }

    private func annotations(_ manifests: ConvertedManifests) -> [String: String] {
        let template = manifests.converted.first?.tree.value(at: "spec", "template", "metadata")
        return (template?["annotations"] ?? .null).texts
    }

    @Test func `entries become annotations, and nothing else changes`() throws {
        let plain: JSONTree = ["name": "COLOUR", "value": "red"]
        let spec: JSONTree = [
            "containers": [
                Self.container(
                    "app",
                    env: [
                        Self.secretEntry("DB_PASSWORD", "db", "password"), plain,
                        Self.secretEntry("DB_USER", "db", "user"),
                    ],
                    envFrom: [
                        ["configMapRef": ["name": "settings"]],
                        ["prefix": "API_", "secretRef": ["name": "api"]],
                    ])
            ],
            "tolerations": [["operator": "Exists"]],
        ]
        let api = try Objects.secret("api", ["TOKEN": "x", "URL": "y"])
        let manifests = try convert(spec, beside: [api])
        #expect(manifests.left.isEmpty && manifests.converted.count == 1)
        let metadata = manifests.converted.first?.tree.value(at: "spec", "template", "metadata")
        #expect(metadata?["labels"] == ["cloudtaser.io/inject": "true"])
        #expect(
            annotations(manifests) == [
                "cloudtaser.io/inject": "true", "cloudtaser.io/vault-role": "web",
                "cloudtaser.io/secret-paths": "secret/shop/db,secret/shop/api",
                "cloudtaser.io/env-map":
                    "password=DB_PASSWORD,user=DB_USER;TOKEN=API_TOKEN,URL=API_URL",
            ])
        let after = manifests.converted.first?.tree.value(at: "spec", "template", "spec")
        var expected = spec
        expected["containers"] = [
            Self.container("app", env: [plain], envFrom: [["configMapRef": ["name": "settings"]]])
        ]
        #expect(after == expected)
        #expect(
            manifests.vaultCommands == [
                "bao kv put secret/shop/api TOKEN=@TOKEN URL=@URL",
                "bao kv put secret/shop/db password=@password user=@user",
            ])
    }

    @Test func `a role and a path are filled in, and what is none is refused`() throws {
        let settings = try ConversionSettings(
            role: "{namespace}-{serviceaccount}", prefix: "kv/{namespace}/{name}")
        let spec: JSONTree = [
            "serviceAccountName": "runner",
            "containers": [Self.container("app", env: [Self.secretEntry("A", "db", "k")])],
        ]
        let found = annotations(try convert([try Objects.deployment("web", spec)], settings))
        #expect(found["cloudtaser.io/vault-role"] == "shop-runner")
        #expect(found["cloudtaser.io/secret-paths"] == "kv/shop/web/db")
        for prefix in ["", "/a", "a//b", "a/", "../a", "a b", "a,b", "a?b", "{other}"] {
            #expect(throws: ConversionSettings.Failure.prefix) {
                try ConversionSettings(prefix: prefix)
            }
        }
        #expect(throws: ConversionSettings.Failure.role) { try ConversionSettings(role: "a b") }
    }

    /// A spec, and what is said of the entry that stays.
    private static let staying: [(JSONTree, String)] = [
        (
            [
                "containers": [
                    container("a", env: [secretEntry("X", "one", "k")]),
                    container("b", env: [secretEntry("X", "two", "k")]),
                ]
            ], "X is one/k elsewhere in the pod"
        ),
        (
            [
                "containers": [
                    container("a", env: [secretEntry("X", "one", "k")]),
                    container("b", env: [["name": "X", "value": "other"]]),
                ]
            ], "X is set otherwise in container b"
        ),
        (
            [
                "containers": [
                    container(
                        "a",
                        env: [
                            secretEntry("X", "one", "k"), ["name": "U", "value": "u:$(X)@db"],
                        ])
                ]
            ], "$(X) is used in container a"
        ),
        (
            [
                "containers": [
                    container("a", env: [secretEntry("X", "one", "k")], command: ["app", "$(X)"])
                ]
            ], "$(X) is used in container a"
        ),
        (
            [
                "containers": [
                    container("a", env: [secretEntry("X", "one", "k")]),
                    container("b", command: nil),
                ]
            ], "container b has no command"
        ),
        (
            ["containers": [container("a", env: [secretEntry("VAULT_TOKEN", "one", "k")])]],
            "VAULT_TOKEN is no name"
        ),
        (
            [
                "containers": [container("a", env: [secretEntry("X", "one", "k")])],
                "hostPID": true,
            ], "give up hostPID"
        ),
        (
            ["containers": [container("a", envFrom: [["secretRef": ["name": "unread"]]])]],
            "name its keys"
        ),
        (
            ["containers": [container("a", env: [["name": "PASSWORD", "value": "x"]])]],
            "it is no Secret's"
        ),
        (
            [
                "containers": [
                    container(
                        "a",
                        env: [
                            [
                                "name": "X",
                                "valueFrom": [
                                    "secretKeyRef": ["name": "s", "key": "k", "optional": true]
                                ],
                            ]
                        ])
                ]
            ], "it is optional"
        ),
    ]

    @Test(arguments: staying.indices)
    func `what cannot convert stays, with the reason`(_ index: Int) throws {
        let (spec, reason) = Self.staying[index]
        let manifests = try convert(spec)
        // Where two containers contradict each other, neither converts: both would get one value.
        #expect(manifests.left.count == (index == 0 ? 2 : 1), "\(manifests.left)")
        #expect(manifests.left.contains { $0.contains(reason) }, "\(manifests.left)")
        #expect(manifests.converted.isEmpty)
    }

    @Test func `what converts is emitted, and the rest of the object is told`() throws {
        let spec: JSONTree = [
            "containers": [
                Self.container(
                    "app", env: [Self.secretEntry("A", "db", "k")],
                    envFrom: [["secretRef": ["name": "unread"]]]), Self.container("side"),
            ],
            "volumes": [["name": "v", "secret": ["secretName": "tls"]]],
        ]
        let manifests = try convert(spec)
        #expect(manifests.converted.count == 1)
        #expect(
            manifests.left.map { $0.split(separator: ": ")[1] } == [
                "spec.template.spec.containers[0].envFrom[0]", "spec.template.spec.volumes[0]",
            ])
        #expect(
            manifests.converted.first?.notes == [
                "Deployment shop/web: annotations are for all containers: side get the values too"
            ])
        let again = try convert([
            try ClusterObject(try #require(manifests.converted.first).tree, source: "again")
        ])
        #expect(again.converted.isEmpty)
        #expect(again.left.allSatisfy { $0.contains("has cloudtaser.io/secret-paths already") })
    }

    @Test func `where the policy reads entrypoints, no container needs a command`() throws {
        let spec: JSONTree = [
            "containers": [
                Self.container("app", env: [Self.secretEntry("A", "db", "k")], command: nil),
                Self.container("side", command: nil),
            ]
        ]
        let object = try Objects.deployment("web", spec)
        #expect(try convert([object]).converted.isEmpty)
        let reading = try ConversionSettings(role: "web", readsEntrypoints: true)
        #expect(try convert([object], reading).converted.count == 1)
        // hostPID still stands in the way.
        var shared = spec
        shared["hostPID"] = true
        let left = try convert([try Objects.deployment("web", shared)], reading).left
        #expect(left.count == 1 && left.first?.contains("hostPID") == true)
    }

    @Test func `what is the cluster's own, CloudTaser's own or declines stays`() throws {
        func left(
            namespace: String = "shop", labels: JSONTree = [:], annotations: JSONTree = [:]
        ) throws -> [String] {
            let container = Self.container("app", env: [Self.secretEntry("A", "db", "k")])
            let object = try Objects.make([
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": ["name": "web", "namespace": .string(namespace)],
                "spec": [
                    "template": [
                        "metadata": ["labels": labels, "annotations": annotations],
                        "spec": ["containers": [container]],
                    ]
                ],
            ])
            let manifests = try convert([object])
            #expect(manifests.converted.isEmpty != manifests.left.isEmpty)
            return manifests.left
        }
        #expect(try left().isEmpty)
        #expect(try left(namespace: "kube-system").first?.contains("cluster's own") == true)
        let product: JSONTree = ["app.kubernetes.io/name": "cloudtaser"]
        #expect(try left(labels: product).first?.contains("CloudTaser's own") == true)
        let declines: JSONTree = ["cloudtaser.io/inject": "false"]
        #expect(try left(annotations: declines).first?.contains("inject: false") == true)
    }

    @Test func `a name that an entry sets again is not taken from an imported Secret`() throws {
        let spec: JSONTree = [
            "containers": [
                Self.container(
                    "app", env: [["name": "A", "value": "own"]],
                    envFrom: [
                        ["secretRef": ["name": "one"]], ["secretRef": ["name": "two"]],
                    ])
            ]
        ]
        let beside = [
            try Objects.secret("one", ["A": "", "B": "", "C": ""]),
            try Objects.secret("two", ["C": ""]),
        ]
        let manifests = try convert(spec, beside: beside)
        #expect(manifests.left.isEmpty, "\(manifests.left)")
        #expect(annotations(manifests)["cloudtaser.io/env-map"] == "B=B;C=C")
    }

    @Test func `what a server writes is left out`() throws {
        let spec: JSONTree = [
            "containers": [Self.container("app", env: [Self.secretEntry("A", "db", "k")])]
        ]
        let metadata: JSONTree = [
            "name": "j", "namespace": "shop", "uid": "u", "resourceVersion": "1", "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [],
            "labels": ["app": "j", "controller-uid": "u"],
            "annotations": [
                "kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes",
            ],
        ]
        let job = try Objects.make([
            "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata,
            "spec": [
                "selector": ["matchLabels": ["controller-uid": "u"]], "backoffLimit": 3,
                "template": [
                    "metadata": [
                        "creationTimestamp": .null,
                        "labels": ["batch.kubernetes.io/job-name": "j", "app": "j"],
                    ],
                    "spec": spec,
                ],
            ],
            "status": ["active": 1],
        ])
        let tree = try #require(try convert([job]).converted.first).tree
        #expect(tree["status"] == nil)
        #expect(
            tree["metadata"] == [
                "name": "j", "namespace": "shop", "labels": ["app": "j"],
                "annotations": ["kept": "yes"],
            ])
        #expect(tree["spec"]?.members?.map(\.name) == ["backoffLimit", "template"])
        let template = tree.value(at: "spec", "template", "metadata")
        #expect(template?["labels"] == ["app": "j", "cloudtaser.io/inject": "true"])
        #expect(template?["creationTimestamp"] == nil)
    }

    @Test func `no value of a Secret is in what is written`() throws {
        let spec: JSONTree = [
            "containers": [Self.container("app", envFrom: [["secretRef": ["name": "db"]]])]
        ]
        let manifests = try convert(spec, beside: [try Objects.secret("db")])
        let text =
            String(decoding: manifests.list.rendered(), as: UTF8.self)
            + manifests.vaultCommands.joined()
        #expect(manifests.converted.count == 1 && !text.contains("aHVudGVyMg"))
        let stored = String(decoding: try Objects.secret("db").tree.rendered(), as: UTF8.self)
        #expect(stored.contains("aHVudGVyMg"))
    }
}
