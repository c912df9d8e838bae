// SPDX-License-Identifier: Apache-2.0
import Injection
import Testing

/// A pod that must not be let through, and the field that its author is pointed to.
struct Trap: Sendable, CustomTestStringConvertible {
    let name: String
    let field: String
    let change: @Sendable (inout Case) -> Void

    init(_ name: String, _ field: String, _ change: @escaping @Sendable (inout Case) -> Void) {
        self.name = name
        self.field = field
        self.change = change
    }

    var testDescription: String { name }

    private static func annotation(_ name: String) -> String {
        "metadata.annotations[cloudtaser.io/\(name)]"
    }

    private static func annotated(_ name: String, _ text: String?) -> Trap {
        Trap("\(name): \(text ?? "absent")", annotation(name)) { $0.annotate(name, text) }
    }

    private static func mounted(_ path: String) -> Trap {
        Trap("a mount at \(path)", "spec.containers[0].volumeMounts[0].mountPath") {
            $0.changeContainer {
                $0["volumeMounts"] = .array([
                    .members(["name": .text("data"), "mountPath": .text(path)])
                ])
            }
        }
    }

    private static func referring(_ value: String) -> Trap {
        Trap("the reference \(value)", "spec.containers[0].env[0].value") {
            $0.changeContainer {
                $0["env"] = .array([.members(["name": .text("A"), "value": .text(value)])])
            }
        }
    }

    static let vault: [Trap] = [
        annotated("vault-address", "https://evil.example.com"),
        // Another tenant's vault of the same policy.
        annotated("vault-address", "https://other.example.eu"),
        annotated("vault-address", "https://vault.example.eu"),
        annotated("vault-address", "https://vault.example.eu:8200/v1"),
        annotated("vault-address", "https://vault.example.eu.evil.com:8200"),
        annotated("vault-address", "https://vault.example.eu:8200@evil.com"),
        annotated("vault-address", "http://vault.example.eu:8200"),
        annotated("vault-address", ""),
        annotated("vault-skip-verify", "true"),
        annotated("vault-skip-verify", "yes"),
        annotated("vault-auth-method", "token"),
        annotated("vault-auth-method", "approle"),
        annotated("vault-role", nil),
        annotated("vault-role", ""),
        annotated("vault-role", "bank-admin"),
        annotated("vault-role", "shop"),
        annotated("secret-paths", "secret/bank/db"),
        annotated("secret-paths", "secret/shop/../bank/db"),
        annotated("secret-paths", "secret/data/shop/db"),
        annotated("secret-paths", "secret/shop"),
        annotated("secret-paths", "secret/shopping/db"),
        annotated("secret-paths", "/secret/shop/db"),
        Trap("the vault's name in hostAliases", "spec.hostAliases[0].hostnames[1]") {
            $0.pod.set(
                "spec", "hostAliases",
                to: .array([
                    .members([
                        "ip": .text("10.0.0.1"),
                        "hostnames": .texts(["x", "Vault.Example.EU."]),
                    ])
                ]))
        },
        Trap("DNS of the pod's own", "spec.dnsPolicy") {
            $0.pod.set("spec", "dnsPolicy", to: .text("None"))
            $0.pod.set("spec", "dnsConfig", to: .members(["nameservers": .texts(["10.0.0.1"])]))
        },
        Trap("a namespace without a grant", "metadata.namespace") {
            $0.namespace = NamespaceFacts(name: "games")
        },
        referring("vault:secret/bank/db#password"),
    ]

    static let annotations: [Trap] = [
        annotated("inject", "yes"), annotated("inject", "True"), annotated("inject", ""),
        annotated("secret-path", "secret/shop/db"), annotated("ebpf", "on"),
        annotated("ebpf", "false"), annotated("env-map", "password"), annotated("env-map", "=A"),
        annotated("env-map", "a=A;b=B"), annotated("env-map", "a=VAULT_TOKEN"),
        annotated("env-map", "a=A,b=A"), annotated("env-map", nil), annotated("secret-paths", nil),
        annotated("delivery", "environ"), annotated("delivery", "magic"),
        annotated("minimum-tier", "ordinary"), annotated("minimum-tier", "locked"),
        annotated("restrict-system-calls", "false"), annotated("rotation", "signal:NOPE"),
        annotated("rotation-hook", "x"), annotated("fetch-seconds-max", "-1"),
        annotated("destinations", "X=10.0.0.1"), annotated("undumpable", "maybe"),
        Trap("label and annotation that differ", annotation("inject")) {
            $0.pod.set("metadata", "labels", "cloudtaser.io/inject", to: .text("false"))
        },
        Trap("an annotation that is no text", annotation("vault-role")) {
            $0.pod.set(
                "metadata", "annotations", "cloudtaser.io/vault-role", to: .scalar("1"))
        },
    ]

    static let references: [Trap] = [
        referring("vault:secret/shop/db"), referring("vault:#password"),
        referring("vault:secret/shop/db#"), referring("vault:secret/shop/db#a,b"),
        referring("vault:secret/shop/db#${.a}"), referring("vault:secret/shop/db#a#x"),
        referring("vault:secret/shop/db#a#2"), referring("vault:secret/shop/db#a#1#2"),
        referring(">>vault:pki/issue/web#certificate"), referring("vault:login"),
        referring("jdbc:${vault:secret/shop/db#a}"),
        // Two paths in one, and a name that makes a second group for it.
        Trap("a reference that smuggles a path", "spec.containers[0].env[0].name") {
            $0.changeContainer {
                $0["env"] = .array([
                    .members([
                        "name": .text("A;password=B"),
                        "value": .text("vault:secret/shop/x,secret/bank/db#a"),
                    ])
                ])
            }
        },
        Trap("references of which one smuggles a path", annotation("env-map")) {
            $0.changeContainer {
                $0["env"] = .array([
                    .members([
                        "name": .text("A"), "value": .text("vault:secret/shop/x,secret/bank/db#a"),
                    ])
                ])
            }
        },
        Trap("a reference with parameters", "spec.containers[0].env") {
            $0.changeContainer {
                $0["env"] = .array([
                    .members(["name": .text("A"), "value": .text("vault:secret/shop/x?a=b#a")])
                ])
            }
        },
        Trap("a termination message that is no path", "spec.containers[0].terminationMessagePath") {
            $0.changeContainer { $0["terminationMessagePath"] = .text("log") }
        },
        Trap("a reference for a name of the map", "spec.containers[0].env[0].name") {
            $0.changeContainer {
                $0["env"] = .array([
                    .members([
                        "name": .text("DB_PASSWORD"), "value": .text("vault:secret/shop/x#a"),
                    ])
                ])
            }
        },
    ]

    static let containers: [Trap] = [
        mounted("/cloudtaser"), mounted("/cloudtaser/bin"), mounted("/x/../cloudtaser/bin"),
        mounted("//cloudtaser/./bin/"), mounted("cloudtaser/bin/cloudtaser-wrapper"),
        mounted("/"), mounted("/etc/hosts"), mounted("/etc/resolv.conf"),
        mounted("//etc/./x/../hosts"),
        Trap("a variable of the wrapper", "spec.containers[0].env[0].name") {
            $0.changeContainer {
                $0["env"] = .array([
                    .members(["name": .text("VAULT_ADDR"), "value": .text("https://evil")])
                ])
            }
        },
        Trap("a reference to a variable of the wrapper", "spec.containers[0].args[0]") {
            $0.changeContainer { $0["args"] = .texts(["$$$(VAULT_ADDR)"]) }
        },
        Trap("an image that nobody asked about", "spec.containers[0].command") {
            $0.changeContainer {
                $0["command"] = nil
                $0["image"] = .text("unknown")
            }
        },
        Trap("an image that cannot be had", "spec.containers[0].command") {
            $0.changeContainer { $0["command"] = .array([]) }
            $0.images["app"] = .failed("503")
        },
        Trap("an image that starts differently on two platforms", "spec.containers[0].command") {
            $0.changeContainer { $0["command"] = nil }
            $0.images["app"] = .found([
                ImageCommand(architecture: "amd64", entrypoint: ["/a"], command: []),
                ImageCommand(architecture: "arm64", entrypoint: ["/b"], command: []),
            ])
        },
        Trap("an image without the node's platform", "spec.containers[0].command") {
            $0.changeContainer { $0["command"] = nil }
            $0.pod.set("spec", "nodeSelector", "kubernetes.io/arch", to: .text("s390x"))
        },
        Trap("nothing to start", "spec.containers[0].command") {
            $0.changeContainer {
                $0["command"] = nil
                $0["args"] = nil
            }
            $0.images["app"] = .found([
                ImageCommand(architecture: "amd64", entrypoint: [], command: [])
            ])
        },
        Trap("no command where no registry is asked", "spec.containers[0].command") {
            $0.changeContainer { $0["command"] = nil }
            $0.policyText.replace(
                #""wrapper""#, with: #""entrypoints":"explicit-command","wrapper""#)
        },
        Trap("a wrapper that the pod brought itself", "spec.containers[0].env") {
            $0.changeContainer {
                $0["command"] = .texts([
                    "/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/bin/web",
                ])
            }
        },
        Trap("a wrapper behind another command", "spec.containers[0].command") {
            $0.changeContainer {
                $0["command"] = .texts([
                    "/bin/true", "/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/bin/web",
                ])
            }
        },
        Trap("a command that is no text", "spec.containers[0].command[0]") {
            $0.changeContainer { $0["command"] = .array([.scalar("1")]) }
        },
        Trap("containers that are no array", "spec.containers") {
            $0.pod.set("spec", "containers", to: .object([]))
        },
    ]

    static let pods: [Trap] = [
        Trap("no policy that grants hostPath", "spec.volumes") {
            $0.policyText.replace(
                #""wrapper""#, with: #""agentSocket":{"hostPath":"/run/cloudtaser"},"wrapper""#)
            $0.namespace = NamespaceFacts(
                name: "shop", labels: ["pod-security.kubernetes.io/enforce": "restricted"])
        },
        Trap("a static pod", "metadata.annotations[kubernetes.io/config.mirror]") {
            $0.pod.set("metadata", "annotations", "kubernetes.io/config.mirror", to: .text("x"))
        },
        Trap("Windows", "spec.os.name") { $0.pod.set("spec", "os", "name", to: .text("windows")) },
        Trap("no secret", annotation("secret-paths")) {
            $0.annotate("secret-paths", nil)
            $0.annotate("env-map", nil)
        },
        Trap("a volume twice", "spec.volumes[1].name") {
            $0.pod.set(
                "spec", "volumes",
                to: .array([.members(["name": .text("a")]), .members(["name": .text("a")])]))
        },
    ]

    static let all = vault + annotations + references + containers + pods
}

@Suite struct `What is refused` {
    @Test(arguments: Trap.all)
    func `the field is named, and a fix`(trap: Trap) throws {
        let refusals = try Case().changed(trap.change).refusals()
        let refusal = try #require(refusals.first, "let through")
        #expect(refusal.field == trap.field, "\(refusal.message)")
        #expect(!refusal.reason.isEmpty && !refusal.fix.isEmpty)
    }

    @Test func `without the change the pod is injected`() throws {
        #expect(try Case().patched() != nil)
    }

    @Test func `without a policy whoever asks is refused, and nobody else`() throws {
        let review = Case().review
        let asked = Injection.decide(review, policy: nil, image: { _ in nil })
        guard case .refused = asked.decision else {
            Issue.record("let through")
            return
        }
        let silent = Case().changed { $0.annotate("inject", nil) }.review
        let other = Injection.decide(silent, policy: nil, image: { _ in nil })
        #expect(other.decision == .notAskedFor)
    }

    @Test func `refusals of several containers are told at once, up to the limit`() throws {
        let many = Case().changed {
            for index in 0..<40 {
                $0.addContainer(
                    .members(["name": .text("c\(index)"), "image": .text("unknown")]),
                    to: "containers")
            }
        }
        #expect(try many.refusals().count == InjectionLimits.refusalCountMax)
    }

    @Test func `other DNS and mounts beside the resolver's files are let in`() throws {
        let pod = Case().changed {
            $0.pod.set("spec", "dnsPolicy", to: .text("ClusterFirst"))
            let options = Tree.members(["name": .text("ndots"), "value": .text("2")])
            $0.pod.set("spec", "dnsConfig", to: .members(["options": .array([options])]))
            $0.changeContainer {
                $0["volumeMounts"] = .array(
                    ["/etc", "/etc/hosts.d", "/hosts", "/etc/hosts/x"].map {
                        .members(["name": .text("data"), "mountPath": .text($0)])
                    })
            }
        }
        #expect(try pod.patched() != nil)
        // Where nothing is wrapped, nobody looks for the vault.
        let beside = Case().changed {
            $0.annotate("secret-paths", nil)
            $0.annotate("env-map", nil)
            $0.changeContainer {
                $0["env"] = .array([
                    .members(["name": .text("A"), "value": .text("vault:secret/shop/db#a")])
                ])
            }
            $0.addContainer(
                .members([
                    "name": .text("other"), "image": .text("x"), "command": .texts(["/o"]),
                    "volumeMounts": .array([
                        .members(["name": .text("d"), "mountPath": .text("/etc/hosts")])
                    ]),
                ]), to: "containers")
        }
        #expect(try beside.patched() != nil)
    }

    @Test(arguments: [
        "", "{", "[]", "null", "nope", "\"x\"", #"{"metadata":{"labels":[]}}"#,
        #"{"metadata":[]}"#,
        #"{"a":1,"a":1}"#, #"{"a":"\uD800"}"#, "{\"a\":\"\u{1}\"}",
        String(repeating: "[", count: 100_000), #"{"metadata":{"annotations":1}}"#,
    ])
    func `what is no pod is refused`(text: String) throws {
        var review = Case().review
        review.pod = Array(text.utf8)
        let answer = Injection.decide(review, policy: try Case().policy, image: { _ in nil })
        guard case .refused(let refusals) = answer.decision else {
            Issue.record("\(answer.decision)")
            return
        }
        #expect(refusals.count == 1)
    }

    @Test(arguments: [#""spec":1"#, #""spec":{"containers":[1]}"#])
    func `of a pod nothing more is read than whether it asks, unless it does`(
        spec: String
    ) throws {
        let asks =
            #""metadata":{"annotations":{"cloudtaser.io/inject":"true","#
            + #""cloudtaser.io/vault-role":"shop-web"}}"#
        var review = Case().review
        for (metadata, doesAsk) in [(asks, true), (#""metadata":{}"#, false)] {
            review.pod = Array("{\(metadata),\(spec)}".utf8)
            let answer = Injection.decide(review, policy: try Case().policy, image: { _ in nil })
            if case .refused = answer.decision {
                #expect(doesAsk)
            } else {
                #expect(answer.decision == .notAskedFor && !doesAsk)
            }
        }
    }

    @Test func `a pod cut short anywhere is refused or did not ask`() throws {
        let whole = Case().pod.bytes
        var review = Case().review
        let policy = try Case().policy
        for count in 0..<whole.count {
            review.pod = Array(whole[..<count])
            let answer = Injection.decide(review, policy: policy, image: { _ in nil })
            if case .refused = answer.decision { continue }
            Issue.record("\(count)")
        }
    }
}
