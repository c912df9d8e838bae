// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import Testing

/// What is a credential by its shape or its name, and what only looks like one.
@Suite("Shapes of credentials") struct CredentialShapeTests {
    private static let key = "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n"
    private static let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N"

    // Pieces are put together here, so that no scanner of this repository takes them for real.
    @Test(
        arguments: [
            token, "Bearer \(token)", "ghp" + "_16C7e42F292c6912E7710c838347Ae178B4a",
            "glpat" + "-abcdefghij1234567890", "xoxb" + "-123456789012-abcdefghijkl",
            "sk" + "_live_4eC39HqLyjWDarjtT1zdp7dc", "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
            "hvs" + ".CAESIJabcdefghijklmnopqrstuvwx",
            "Server=tcp:x.example;User ID=u;Password=pw1234;",
            "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=abcdef0123456789==;",
            "host=db user=u password=hunter2 dbname=x",
            "jdbc:mysql://db/x?user=u&password=hunter2", "redis://:pw123@redis:6379",
            "https://ghp" + "_16C7e42F292c6912E7710c838347Ae178B4a@git.example/x.git",
            Base64.encoded(Array(key.utf8)), #"{"type":"x","private_key":"\#(key)"}"#,
        ])
    func `a value is one by its shape, whatever it is called`(_ value: String) {
        #expect(CredentialNames.isCredential(name: "SETTING", value: value))
        #expect(CredentialNames.isCredential(name: "TOKEN_URL", value: value))
    }

    @Test(
        arguments: [
            "not.a.jwt", "eyJhbGciOiJIUzI1NiJ9", "1.2.3", "http://a/b:c@d", "postgres://u@db/x",
            "postgres://u:$(P)@db/x", "postgres://u:$(A)$(B)@db/x", "postgres://u:${P}@db/x",
            "postgres://u:<password>@db/x", "Server=x;Password=;Timeout=3",
            "Server=x;Password=${P};Timeout=3", "a=b;c=d", "the password is elsewhere",
            "-----BEGIN PUBLIC KEY-----", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSQo=",
            "https://x/y?password=$(P)", "https://x/y?page=2", "sk_live_", "ghp_short", "x=1 y=2",
        ])
    func `and what only looks like one is none`(_ value: String) {
        #expect(!CredentialNames.isCredential(name: "SETTING", value: value))
    }

    @Test(
        arguments: [
            "PASSWORD1", "DBPASSWORD", "PGPASS", "SECRETKEY", "APITOKEN", "DD_APP_KEY", "passwort",
            "RABBITMQ_ERLANG_COOKIE", "BASIC_AUTH", "MYSQL_PWD", "SECRET_KEY_BASE", "CLIENT_SECRET",
        ])
    func `a name is about one`(_ name: String) {
        #expect(CredentialNames.isCredential(name: name, value: "abc-123"))
    }

    @Test(
        arguments: [
            ("R_PASSWORD", "${A}"), ("R_PASSWORD", "$(A)$(B)"), ("R_PASSWORD", "{{ .Values.x }}"),
            ("R_PASSWORD", "<set-me>"), ("USE_PASSWORD", "yes"), ("ALLOW_EMPTY_PASSWORD", "Yes"),
            ("REQUIRE_PASSWORD", "off"), ("TOKEN_COUNT_LIMIT", "4096"), ("OPENAI_MAX_TOKEN", "10"),
            ("PASSWORD_MIN", "8"), ("SECRET_NAMESPACE", "shop"), ("TOKEN_EXPIRATION", "3600"),
            ("PASSWORD_HASH_ALGO", "argon2"), ("AUTH_TOKEN_LOCATION", "header"), ("PWD", "/app"),
            ("OLDPWD", "/app"), ("EXISTING_SECRET", "db"), ("imagePullSecret", "registry"),
            ("COMPASS", "x"), ("BYPASS", "x"), ("TOKENIZER", "bert"), ("MAX_TOKENS", "4096"),
        ])
    func `a name that says where or how is not`(_ name: String, _ value: String) {
        #expect(!CredentialNames.isCredential(name: name, value: value))
    }

    // MARK: - Files in ConfigMaps

    private func map(_ data: JSONTree, binary: JSONTree = [:]) throws -> ClusterObject {
        try Objects.make([
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": "settings", "namespace": "shop"], "data": data,
            "binaryData": binary,
        ])
    }

    @Test(
        arguments: [
            ("# settings\nspring.datasource.url=x\nspring.datasource.password=hunter2\n", true),
            ("db:\n  host: x\n  password: hunter2\n", true),
            ("- token: abc-123\n", true), (#"{"user": "u", "password": "hunter2"}"#, true),
            ("{\n  \"apiKey\": \"abc-123\",\n}", true), ("export DB_PASSWORD='hunter2'\n", true),
            ("url: postgres://u:hunter2@db/x\n", true), (key, true),
            ("# password=hunter2\n; token=abc\n// secret: x\n", false),
            ("password=${DB_PASSWORD}\npassword: $PASSWORD\npassword={{ .x }}\n", false),
            ("password_file=/run/x\ntoken-url: https://x\npassword:\n", false),
            ("token: the word that follows\nimagePullSecret: registry\n", false),
            ("password: true\n", false),
        ])
    func `a file in a ConfigMap is read line by line`(_ text: String, _ expected: Bool) throws {
        let found = Discovery(Inventory([try map(["file": .string(text)])])).findings
        #expect(found.map(\.id) == (expected ? [.credentialInConfigMap] : []))
        #expect(found.allSatisfy { !$0.message.contains("hunter2") && $0.message.contains("file") })
    }

    @Test func `a ConfigMap is told where it is mounted, and by itself where nothing uses it`()
        throws
    {
        let object = try map(
            ["a.properties": "x=1\npassword=hunter2\n", "b": "red"],
            binary: ["k": .string(Base64.encoded(Array(Self.key.utf8)))])
        func use(_ volume: JSONTree) throws -> Discovery {
            var volume = volume
            volume["name"] = "v"
            let spec: JSONTree = [
                "containers": [
                    [
                        "name": "app", "command": Objects.command,
                        "volumeMounts": [["name": "v", "mountPath": "/v", "subPath": "k"]],
                    ]
                ], "volumes": [volume],
            ]
            return Discovery(Inventory([try Objects.deployment("web", spec), object]))
        }
        let whole = try use(["configMap": ["name": "settings"]])
        #expect(whole.entries.map(\.use.keys) == [["a.properties", "k"]])
        #expect(whole.entries.map(\.use.finding) == [.credentialInConfigMap])
        #expect(whole.entries.map(\.use.container) == ["app"] && whole.findings.isEmpty)
        let source: JSONTree = ["configMap": ["name": "settings", "items": [["key": "k"]]]]
        let projected = try use(["projected": ["sources": [["downwardAPI": [:]], source]]])
        #expect(projected.entries.map(\.use.keys) == [["k"]])
        #expect(
            projected.entries[0].use.path == "spec.template.spec.volumes[0].projected.sources[1]")
        // Only what is harmless is mounted: then it is told of the ConfigMap itself.
        let other = try use(["configMap": ["name": "settings", "items": [["key": "b"]]]])
        #expect(other.entries.isEmpty)
        #expect(other.findings.map(\.object) == ["ConfigMap shop/settings"])
        #expect(Discovery(Inventory([try map(["b": "red"])])).findings.isEmpty)
    }
}

/// Secrets that are used without a container's seeing them.
@Suite("Secrets behind volumes and other objects") struct MountingSecretTests {
    @Test(
        arguments: [
            ["csi": ["driver": "x", "nodePublishSecretRef": ["name": "s"]]],
            ["azureFile": ["secretName": "s", "shareName": "x"]],
            ["cephfs": ["monitors": ["x"], "secretRef": ["name": "s"]]],
            ["rbd": ["monitors": ["x"], "image": "y", "secretRef": ["name": "s"]]],
            ["iscsi": ["targetPortal": "x", "secretRef": ["name": "s"]]],
            ["flexVolume": ["driver": "x/y", "secretRef": ["name": "s"]]],
            ["scaleIO": ["gateway": "x", "secretRef": ["name": "s"]]],
            ["storageos": ["volumeName": "x", "secretRef": ["name": "s"]]],
        ] as [JSONTree])
    func `what a volume is mounted with is told, and is not orphaned`(_ volume: JSONTree) throws {
        var volume = volume
        volume["name"] = "v"
        let spec: JSONTree = [
            "containers": [
                [
                    "name": "app", "command": Objects.command,
                    "volumeMounts": [["name": "v", "mountPath": "/v"]],
                ]
            ], "volumes": [volume],
        ]
        let web = try Objects.deployment("web", spec)
        let inventory = Inventory([web, try Objects.secret("s"), try Objects.secret("other")])
        let uses = Discovery(inventory).entries.map(\.use)
        #expect(uses.map(\.finding) == [.storeCredential] && uses.map(\.subject) == ["s"])
        // No container has it: it counts for the pod.
        #expect(uses[0].container == nil && uses[0].conversion.word == "no")
        let orphans = Audit(inventory).findings.filter { $0.id == .orphanedSecret }
        #expect(orphans.map(\.object) == ["Secret shop/other"])
    }

    @Test(
        arguments: [
            (
                "gateway.networking.k8s.io/v1", "Gateway",
                ["spec": ["listeners": [["tls": ["certificateRefs": [["name": "s"]]]]]]], "shop"
            ),
            (
                "gateway.networking.k8s.io/v1", "Gateway",
                [
                    "spec": [
                        "listeners": [
                            ["tls": ["certificateRefs": [["name": "s", "namespace": "shop"]]]]
                        ]
                    ]
                ], "edge"
            ),
            (
                "v1", "PersistentVolume",
                [
                    "spec": [
                        "csi": ["nodeStageSecretRef": ["name": "s", "namespace": "shop"]]
                    ]
                ], ""
            ),
            (
                "storage.k8s.io/v1", "StorageClass",
                ["parameters": ["csi.storage.k8s.io/provisioner-secret-name": "s"]], ""
            ),
            (
                "databases.example.org/v1", "Postgres",
                ["spec": ["backup": ["accessKeySecretRef": ["name": "s", "key": "k"]]]], "shop"
            ),
            (
                "monitoring.coreos.com/v1", "ServiceMonitor",
                ["spec": ["endpoints": [["basicAuth": ["password": ["name": "s", "key": "k"]]]]]],
                "shop"
            ),
        ] as [(String, String, JSONTree, String)])
    func `what another object names is not orphaned, in the namespace that is meant`(
        _ version: String, _ kind: String, _ members: JSONTree, _ namespace: String
    ) throws {
        var tree = members
        tree["apiVersion"] = .string(version)
        tree["kind"] = .string(kind)
        tree["metadata"] = ["name": "x", "namespace": .string(namespace)]
        func orphans(_ objects: [ClusterObject]) -> [String] {
            Audit(Inventory(objects)).findings.filter { $0.id == .orphanedSecret }.map(\.object)
        }
        let secrets = [try Objects.secret("s"), try Objects.secret("other")]
        #expect(orphans(secrets).count == 2)
        #expect(orphans(secrets + [try Objects.make(tree)]) == ["Secret shop/other"])
    }

    @Test func `an ingress names the Secret of its users in an annotation`() throws {
        for (text, count) in [("s", 0), ("shop/s", 0), ("edge/s", 1)] {
            let ingress = try Objects.make([
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": [
                    "name": "x", "namespace": "shop",
                    "annotations": ["nginx.ingress.kubernetes.io/auth-secret": .string(text)],
                ], "spec": [:],
            ])
            let audit = Audit(Inventory([ingress, try Objects.secret("s")]))
            #expect(audit.findings.count { $0.id == .orphanedSecret } == count)
        }
    }
}
