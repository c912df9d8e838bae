// SPDX-License-Identifier: Apache-2.0
import Injection
import Testing

@Suite struct `Who is injected, and with what` {
    static let name = "cloudtaser.io/inject"

    /// Annotation, label, the namespace's label: asked?
    @Test(
        arguments: [
            ("true", nil, nil, true), (nil, "true", nil, true), ("true", "true", nil, true),
            ("false", nil, nil, false), (nil, "false", nil, false), (nil, nil, nil, false),
            (nil, nil, "true", true), ("false", nil, "true", false), (nil, "false", "true", false),
            (nil, nil, "false", false), (nil, nil, "enabled", true), ("true", nil, "false", true),
        ] as [(String?, String?, String?, Bool)])
    func `a pod asks by annotation or label, or its namespace does`(
        annotation: String?, label: String?, namespace: String?, asks: Bool
    ) throws {
        let value = Case().changed {
            $0.annotate("inject", annotation)
            if let label { $0.pod.set("metadata", "labels", Self.name, to: .text(label)) }
            $0.namespace = NamespaceFacts(
                name: "shop", labels: namespace.map { [Self.name: $0] } ?? [:])
        }
        let decision = try value.answer().decision
        #expect((decision == .notAskedFor) == !asks)
        #expect((try value.patched() != nil) == asks)
    }

    @Test func `what the selector does not see is said`() throws {
        let byAnnotation = Case().changed { $0.selector = .label }
        #expect(try byAnnotation.answer().warnings.contains { $0.contains("no label") })
        #expect(try byAnnotation.patched() != nil)
        let byLabel = Case().changed {
            $0.annotate("inject", nil)
            $0.pod.set("metadata", "labels", Self.name, to: .text("true"))
            $0.selector = .annotation
        }
        #expect(try byLabel.answer().warnings.contains { $0.contains("no annotation") })
        #expect(try Case().answer().warnings.isEmpty)
    }

    @Test func `an update is never changed`() throws {
        let update = Case().changed { $0.operation = .update }
        #expect(try update.answer().decision == .unchanged)
    }

    @Test func `a forged status does not keep a pod from being wrapped`() throws {
        let forged = Case().changed { $0.annotate("status", "injected") }
        #expect(try Oracles.violations(of: forged, Injection.decide).isEmpty)
    }

    @Test func `a wrapped container with another vault is refused`() throws {
        let wrapped = try #require(try Case().patched())
        let forged = try Tree(
            wrapped.description.replacing(
                #"{"name":"VAULT_ADDR","value":"https://vault"#,
                with: #"{"name":"VAULT_ADDR","value":"https://evil"#))
        #expect(forged != wrapped)
        let refusals = try Case().changed { $0.pod = forged }.refusals()
        #expect(refusals.first?.field == "spec.containers[0].env[0]")
    }

    @Test(arguments: ["env", "volumeMounts", "command"])
    func `a wrapped container that lost something is refused`(part: String) throws {
        let wrapped = Case().changed { value in
            guard let pod = try? value.patched() else { return }
            value.pod = pod
            value.changeContainer { web in
                switch part {
                case "command": web[part] = web[part].map { .array(Array($0.elements.prefix(3))) }
                default: web[part] = web[part].map { .array(Array($0.elements.dropLast())) }
                }
                if part == "command" { web["args"] = nil }
            }
        }
        #expect(try wrapped.refusals().first?.field == "spec.containers[0].\(part)")
    }

    @Test func `a variable given twice is refused`() throws {
        let wrapped = Case().changed { value in
            guard let pod = try? value.patched() else { return }
            value.pod = pod
            value.changeContainer { web in
                web["env"] = .array(
                    (web["env"]?.elements ?? []) + [
                        .members(["name": .text("VAULT_ADDR"), "value": .text("https://evil")])
                    ])
            }
        }
        #expect(!(try wrapped.refusals().isEmpty))
    }

    /// An init container named as ours, with another image, that can write a volume like ours.
    static func forgedInstallation(at path: String) -> Case {
        Case().changed { value in
            guard let pod = try? value.patched() else { return }
            value.pod.set("spec", "volumes", to: pod["spec"]?["volumes"])
            var install = pod["spec"]?["initContainers"]?[0] ?? .object([])
            install["image"] = .text("evil")
            install["volumeMounts"] = .array([
                .members(["name": .text("cloudtaser-wrapper"), "mountPath": .text(path)])
            ])
            value.addContainer(install, to: "initContainers")
        }
    }

    @Test func `an installation of somebody else's image is no installation`() throws {
        let pod = try #require(try Self.forgedInstallation(at: "/x").patched())
        let inits = pod["spec"]?["initContainers"]?.elements ?? []
        #expect(inits.map { $0["name"]?.text } == ["cloudtaser-install-2", "cloudtaser-install"])
        #expect(inits[0]["image"]?.text == "registry.example.eu/wrapper:1")
        // The volume that it can write is not the one that is used.
        #expect(inits[0]["volumeMounts"]?[0]["name"]?.text == "cloudtaser-wrapper-2")
        #expect(Oracles.wrongMounts(in: pod).isEmpty)
        #expect(
            try Self.forgedInstallation(at: "/cloudtaser/bin").refusals().first?.field
                == "spec.initContainers[0].volumeMounts[0].mountPath")
    }

    @Test(arguments: ["/cloudtaser-wrapper", "/cloudtaser/bin/x", "/"])
    func `an installation with something mounted over it is no installation`(path: String) throws {
        let forged = Case().changed { value in
            guard let pod = try? value.patched() else { return }
            value.pod = pod
            value.changeContainer(of: "initContainers") { install in
                install["volumeMounts"] = .array(
                    (install["volumeMounts"]?.elements ?? []) + [
                        .members(["name": .text("evil"), "mountPath": .text(path)])
                    ])
            }
        }
        #expect(!(try forged.refusals().isEmpty))
        let harmless = Case().changed { value in
            guard let pod = try? value.patched() else { return }
            value.pod = pod
            value.changeContainer(of: "initContainers") { install in
                install["volumeMounts"] = .array(
                    (install["volumeMounts"]?.elements ?? []) + [
                        .members([
                            "name": .text("kube-api-access"),
                            "mountPath": .text("/var/run/secrets/kubernetes.io/serviceaccount"),
                        ])
                    ])
                install["env"] = .array([.members(["name": .text("TZ")])])
            }
        }
        #expect(try harmless.answer().decision == .unchanged)
    }

    @Test(arguments: ["args", "restartPolicy", "workingDir", "lifecycle", "tty"])
    func `an installation that says more than ours is no installation`(member: String) throws {
        let forged = Case().changed { value in
            guard let pod = try? value.patched() else { return }
            value.pod = pod
            value.changeContainer(of: "initContainers") { install in
                switch member {
                case "args": install[member] = .texts(["/elsewhere"])
                case "lifecycle": install[member] = .object([])
                case "tty": install[member] = .scalar("true")
                default: install[member] = .text("Always")
                }
            }
        }
        #expect(!(try forged.refusals().isEmpty))
    }

    @Test func `the agent is what the stricter of pod and policy wants`() throws {
        func agent(_ policy: String, _ annotation: String?) throws -> String? {
            let pod = try Case().changed {
                $0.policyText.replace(
                    #""wrapper""#, with: #""agent":"\#(policy)","wrapper""#)
                $0.annotate("ebpf", annotation)
            }.patched()
            let web = pod?["spec"]?["containers"]?[0]
            return web.flatMap { RuntimeModel.environment(of: $0)["CLOUDTASER_AGENT"] }
        }
        #expect(try agent("none", nil) == "none")
        #expect(try agent("none", "true") == "required")
        #expect(try agent("preferred", nil) == "preferred")
        #expect(try agent("preferred", "true") == "required")
        #expect(try agent("preferred", "false") == "preferred")
        #expect(try agent("required", nil) == "required")
        #expect(try agent("required", "false") == nil)
    }

    @Test func `without an agent there is no socket`() throws {
        let pod = try #require(
            try Case().changed {
                $0.policyText.replace(#""wrapper""#, with: #""agent":"none","wrapper""#)
            }.patched())
        #expect(pod["spec"]?["volumes"]?.elements.count == 2)
        #expect(pod["spec"]?["containers"]?[0]["volumeMounts"]?.elements.count == 2)
    }

    @Test(arguments: [("required", "Directory"), ("preferred", "DirectoryOrCreate")])
    func `a folder of the node is waited for only where it is required`(
        agent: String, kind: String
    ) throws {
        let pod = try #require(
            try Case().changed {
                $0.policyText.replace(
                    #""wrapper""#,
                    with: #""agent":"\#(agent)","agentSocket":{"hostPath":"/run/cloudtaser"},"#
                        + #""wrapper""#)
            }.patched())
        let volume = pod["spec"]?["volumes"]?[2]
        #expect(
            volume?["hostPath"]?.description == #"{"path":"/run/cloudtaser","type":"\#(kind)"}"#)
    }

    @Test func `where hostPath is forbidden a preferred agent is done without, and said`() throws {
        let value = Case().changed {
            $0.policyText.replace(
                #""wrapper""#,
                with: #""agent":"preferred","agentSocket":{"hostPath":"/run/cloudtaser"},"#
                    + #""wrapper""#)
            $0.namespace = NamespaceFacts(
                name: "shop", labels: ["pod-security.kubernetes.io/enforce": "baseline"])
        }
        let pod = try #require(try value.patched())
        #expect(pod["spec"]?["volumes"]?.elements.count == 2)
        #expect(try value.answer().warnings.contains { $0.contains("agent") })
    }

    @Test func `neighbours that can read the wrapped processes are told`() throws {
        let warnings = try Case().changed {
            $0.pod.set("spec", "hostPID", to: .scalar("true"))
            $0.pod.set("spec", "shareProcessNamespace", to: .scalar("true"))
            $0.addContainer(
                .members([
                    "name": .text("side"), "image": .text("x"), "command": .texts(["x"]),
                    "securityContext": .members([
                        "privileged": .scalar("true"),
                        "capabilities": .members(["add": .texts(["NET_ADMIN", "CAP_SYS_PTRACE"])]),
                    ]),
                ]), to: "containers")
        }.answer().warnings
        for part in [
            "spec.hostPID", "shareProcessNamespace", "containers[1].securityContext.p",
            "containers[1].securityContext.c",
        ] {
            #expect(warnings.contains { $0.contains(part) }, "\(part)")
        }
        #expect(!warnings.contains { $0.contains("NET_ADMIN") })
    }

    @Test func `an entry or a reference of a delivered name is told`() throws {
        let warnings = try Case().changed {
            $0.changeContainer {
                $0["env"] = .array([
                    .members([
                        "name": .text("DB_PASSWORD"),
                        "valueFrom": .members(["secretKeyRef": .object([])]),
                    ])
                ])
                $0["args"] = .texts(["--password=$(DB_PASSWORD)"])
            }
        }.answer().warnings
        #expect(warnings.count == 2)
        #expect(warnings[0].hasPrefix("spec.containers[0].env[0]"))
        #expect(warnings[1].hasPrefix("spec.containers[0].args[0]"))
    }

    @Test func `platforms are those of the policy, or of the node selector`() throws {
        let value = Case().changed {
            $0.changeContainer { $0["command"] = nil }
            $0.images["app"] = .found([
                ImageCommand(
                    system: "unknown", architecture: "unknown", entrypoint: [], command: []),
                ImageCommand(architecture: "amd64", entrypoint: ["/amd"], command: []),
                ImageCommand(architecture: "arm64", entrypoint: ["/arm"], command: []),
            ])
        }
        #expect(try value.patched() == nil)
        #expect(
            Injection.question(about: value.review, policy: try value.policy)?.architectures == [])
        let selected = value.changed {
            $0.pod.set("spec", "nodeSelector", "kubernetes.io/arch", to: .text("arm64"))
        }
        let byPolicy = value.changed {
            $0.policyText.replace(
                #""wrapper""#, with: #""architectures":["amd64"],"wrapper""#)
        }
        for (asking, wanted) in [(selected, "arm64"), (byPolicy, "amd64")] {
            let question = Injection.question(about: asking.review, policy: try asking.policy)
            #expect(question?.architectures == [wanted])
        }
        #expect(
            try selected.patched()?["spec"]?["containers"]?[0]["command"]?[3].text == "/arm")
        #expect(
            try byPolicy.patched()?["spec"]?["containers"]?[0]["command"]?[3].text == "/amd")
    }

    @Test func `images are asked about only where they are needed`() throws {
        let value = Case().changed {
            $0.pod.set(
                "spec", "imagePullSecrets",
                to: .array([.members(["name": .text("a")]), .members(["name": .text("b")])]))
            for _ in 0..<2 {
                $0.addContainer(
                    .members(["name": .text("n"), "image": .text("app")]), to: "containers")
            }
        }
        let question = Injection.question(about: value.review, policy: try value.policy)
        #expect(question?.images == ["app"])
        #expect(question?.pullSecrets == ["a", "b"])
        #expect(question?.serviceAccount == "default")
        for other in [
            Case(), value.changed { $0.annotate("inject", "false") },
            // Refused anyway: nobody is asked.
            value.changed { $0.annotate("vault-role", "bank-web") },
            value.changed { $0.namespace = NamespaceFacts(name: "elsewhere") },
            value.changed { $0.operation = .update },
            value.changed {
                $0.policyText.replace(
                    #""wrapper""#, with: #""entrypoints":"explicit-command","wrapper""#)
            },
        ] {
            #expect(Injection.question(about: other.review, policy: try other.policy) == nil)
        }
    }
}

@Suite struct `Ephemeral containers` {
    /// A running, wrapped pod to which somebody adds a container.
    static func debugging(
        policy: String = "", _ change: (inout Tree) -> Void
    ) throws -> Case {
        var value = Case()
        value.pod = try #require(try value.patched())
        // An annotation can be removed from a running pod.
        value.annotate("inject", nil)
        value.operation = .ephemeralContainers
        value.policyText.replace(#""wrapper""#, with: policy + #""wrapper""#)
        var container: Tree = .members(["name": .text("debug"), "image": .text("busybox")])
        change(&container)
        value.addContainer(container, to: "ephemeralContainers")
        return value
    }

    @Test func `one that sees nothing is let through unchanged`() throws {
        let value = try Self.debugging { _ in }
        #expect(try value.answer().decision == .unchanged)
    }

    @Test func `one that targets a wrapped container is refused, or told if the policy says so`()
        throws
    {
        let refused = try Self.debugging { $0["targetContainerName"] = .text("web") }
        #expect(
            try refused.refusals().first?.field
                == "spec.ephemeralContainers[0].targetContainerName")
        let told = try Self.debugging(policy: #""ephemeralContainers":"warn","#) {
            $0["targetContainerName"] = .text("web")
        }
        #expect(try told.answer().decision == .unchanged)
        #expect(try told.answer().warnings.count == 1)
    }

    @Test(arguments: ["privileged", "capabilities", "mount", "variable"])
    func `one that could take the secrets is refused whatever the policy says`(part: String) throws
    {
        let value = try Self.debugging(policy: #""ephemeralContainers":"warn","#) {
            switch part {
            case "privileged": $0.set("securityContext", "privileged", to: .scalar("true"))
            case "capabilities":
                $0.set("securityContext", "capabilities", "add", to: .texts(["SYS_PTRACE"]))
            case "mount":
                $0["volumeMounts"] = .array([
                    .members(["name": .text("cloudtaser-token"), "mountPath": .text("/t")])
                ])
            default:
                $0["env"] = .array([
                    .members(["name": .text("VAULT_ADDR"), "value": .text("https://x")])
                ])
            }
        }
        #expect(try value.refusals().count == 1)
    }

    @Test func `a pod that is not wrapped is left alone`() throws {
        var value = Case()
        value.operation = .ephemeralContainers
        value.addContainer(
            .members(["name": .text("debug"), "targetContainerName": .text("web")]),
            to: "ephemeralContainers")
        #expect(try value.answer().decision == .notAskedFor)
    }
}
