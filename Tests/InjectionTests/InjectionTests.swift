// SPDX-License-Identifier: Apache-2.0
import Delivery
import Injection
import Testing
import WrapperConfiguration

@Suite struct `What is injected` {
    @Test func `a program is started by the wrapper with the policy's vault`() throws {
        let pod = try #require(try Case().patched())
        let web = try #require(pod["spec"]?["containers"]?[0])
        #expect(
            web["command"]?.texts == [
                "/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/bin/web",
            ])
        #expect(web["args"]?.texts == ["--port", "$(PORT)"])
        let variables = RuntimeModel.environment(of: web)
        #expect(variables["VAULT_ADDR"] == "https://vault.example.eu:8200")
        #expect(variables["VAULT_AUTH_METHOD"] == "kubernetes")
        #expect(variables["VAULT_AUTH_ROLE"] == "shop-web")
        #expect(variables["VAULT_AUTH_MOUNT_PATH"] == "kubernetes-eu")
        #expect(variables["VAULT_NAMESPACE"] == "tenants/shop")
        #expect(variables["VAULT_JWT_FILE"] == "/cloudtaser/token/token")
        #expect(variables["VAULT_CACERT"] == "/cloudtaser/token/ca.crt")
        #expect(variables["CLOUDTASER_ALLOWED_ORIGINS"] == "https://vault.example.eu:8200")
        #expect(variables["CLOUDTASER_SECRET_PATHS"] == "secret/shop/db")
        #expect(variables["CLOUDTASER_ENV_MAP"] == "password=DB_PASSWORD")
        #expect(variables["CLOUDTASER_AGENT"] == "required")
        #expect(variables["CLOUDTASER_DELIVERY"] == "splice")
        #expect(variables["CLOUDTASER_MINIMUM_TIER"] == "memfd_secret")
        #expect(pod["metadata"]?["annotations"]?["cloudtaser.io/status"]?.text == "injected")
    }

    @Test func `the wrapper reads what was injected as it was meant`() throws {
        let pod = try #require(
            try Case().changed {
                $0.annotate("secret-paths", "secret/shop/$(x),database/creds/shop")
                $0.annotate("env-map", "pass$$word=A,b=B;username=USER;")
                $0.annotate("rotation", "signal:HUP")
                $0.annotate("destinations", "A=10.0.0.5:5432;*=:443")
            }.patched())
        let variables = RuntimeModel.environment(
            of: try #require(pod["spec"]?["containers"]?[0]))
        let settings = try SettingsParser(
            defaultFollow: .attached, hasCredential: { _ in false },
            lookUp: { variables[$0.rawValue] }
        ).parse()
        #expect(
            settings.requests == [
                SecretRequest(
                    path: "secret/shop/$(x)",
                    mappings: [
                        SecretRequest.Mapping(field: "pass$$word", name: "A"),
                        SecretRequest.Mapping(field: "b", name: "B"),
                    ]),
                SecretRequest(
                    path: "database/creds/shop",
                    mappings: [SecretRequest.Mapping(field: "username", name: "USER")]),
            ])
        #expect(settings.life.rotation == .signal(1))
        #expect(settings.destinations.count == 3)
        #expect(
            settings.vault.auth
                == .kubernetes(role: "shop-web", tokenFile: "/cloudtaser/token/token"))
        #expect(settings.vault.allowedOrigins == [settings.vault.origin])
    }

    @Test func `every variable of the wrapper is set, so that no image and no envFrom can`() throws
    {
        let pod = try #require(try Case().patched())
        let names = try #require(pod["spec"]?["containers"]?[0]["env"]).elements
            .compactMap { $0["name"]?.text }
        #expect(names.sorted() == ControlVariable.allCases.map(\.rawValue).sorted())
        let variables = RuntimeModel.environment(
            of: pod["spec"]?["containers"]?[0] ?? .object([]))
        for variable in ControlVariable.allCases where variable.isCredential {
            #expect(variables[variable.rawValue] == "")
        }
    }

    @Test func `words of the image are doubled, words of the pod are not`() throws {
        let fromImage = Case().changed { $0.changeContainer { $0["command"] = nil } }
        let web = try #require(try fromImage.patched()?["spec"]?["containers"]?[0])
        #expect(
            web["command"]?.texts.dropFirst(3) == ["/entry", "$$HOME", "$$$$", "$$(X)"])
        #expect(web["args"]?.texts == ["--port", "$(PORT)"])
        let all = fromImage.changed { $0.changeContainer { $0["args"] = nil } }
        let whole = try #require(try all.patched()?["spec"]?["containers"]?[0])
        #expect(
            whole["command"]?.texts.dropFirst(3)
                == ["/entry", "$$HOME", "$$$$", "$$(X)", "serve", "$$(PATH)"])
        #expect(whole["args"] == nil)
    }

    @Test func `probes and hooks that execute go through attach, others stay`() throws {
        let exec: Tree = .members(["exec": .members(["command": .texts(["check", "$(X)"])])])
        let http: Tree = .members(["httpGet": .members(["port": .scalar("80")])])
        let pod = try #require(
            try Case().changed {
                $0.changeContainer { web in
                    web["livenessProbe"] = exec
                    web["readinessProbe"] = http
                    web["startupProbe"] = exec
                    web["lifecycle"] = .members(["postStart": exec, "preStop": exec])
                }
            }.patched())
        let web = try #require(pod["spec"]?["containers"]?[0])
        let attached = [
            "/cloudtaser/bin/cloudtaser-wrapper", "attach", "--", "check", "$(X)",
        ]
        for place in [
            web["livenessProbe"], web["startupProbe"], web["lifecycle"]?["postStart"],
            web["lifecycle"]?["preStop"],
        ] {
            #expect(place?["exec"]?["command"]?.texts == attached)
        }
        #expect(web["readinessProbe"] == http)
        // The wrapper runs these and no others.
        let variables = RuntimeModel.environment(of: web)
        #expect(variables["CLOUDTASER_ATTACH"] == "check %24(X)")
        #expect(
            try AttachPolicy("check %24(X)")
                == .commands([DeclaredCommand(["check", "$(X)"])]))
        let plain = try #require(try Case().patched()?["spec"]?["containers"]?[0])
        #expect(RuntimeModel.environment(of: plain)["CLOUDTASER_ATTACH"] == "")
    }

    @Test func `a probe that was added to a wrapped container is let in, whatever the pod says`()
        throws
    {
        var value = Case()
        value.pod = try #require(try value.patched())
        value.changeContainer { web in
            web["livenessProbe"] = .members([
                "exec": .members(["command": .texts(["check", "a b"])])
            ])
            let entries = (web["env"]?.elements ?? []).map { entry in
                guard entry["name"]?.text == "CLOUDTASER_ATTACH" else { return entry }
                return .members(["name": .text("CLOUDTASER_ATTACH"), "value": .text("sh")])
            }
            web["env"] = .array(entries)
        }
        let again = try #require(try value.patched()?["spec"]?["containers"]?[0])
        #expect(RuntimeModel.environment(of: again)["CLOUDTASER_ATTACH"] == "check a%20b")
        #expect(again["livenessProbe"]?["exec"]?["command"]?.texts.suffix(2) == ["check", "a b"])
    }

    @Test func `init and restartable init containers are wrapped too, behind the installation`()
        throws
    {
        let pod = try #require(
            try Case().changed {
                $0.addContainer(
                    .members([
                        "name": .text("migrate"), "image": .text("m"),
                        "command": .texts(["migrate"]),
                    ]), to: "initContainers")
                $0.addContainer(
                    .members([
                        "name": .text("proxy"), "image": .text("p"), "command": .texts(["proxy"]),
                        "restartPolicy": .text("Always"),
                    ]), to: "initContainers")
            }.patched())
        let inits = try #require(pod["spec"]?["initContainers"]).elements
        #expect(inits.map { $0["name"]?.text } == ["cloudtaser-install", "migrate", "proxy"])
        #expect(inits[1]["command"]?.texts.dropFirst(3) == ["migrate"])
        #expect(inits[2]["command"]?.texts.dropFirst(3) == ["proxy"])
    }

    @Test func `the install container passes Pod Security's restricted and invents no user`() throws
    {
        let install = try #require(try Case().patched()?["spec"]?["initContainers"]?[0])
        #expect(
            install["command"]?.texts == ["/cloudtaser-wrapper", "install", "/cloudtaser/bin"])
        #expect(
            install["securityContext"]?.description
                == #"{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"#
                + #""readOnlyRootFilesystem":true,"runAsNonRoot":true,"#
                + #""seccompProfile":{"type":"RuntimeDefault"}}"#)
        #expect(install["resources"]?["limits"] == install["resources"]?["requests"])
        let asRoot = try #require(
            try Case().changed {
                $0.pod.set("spec", "securityContext", to: .members(["runAsUser": .scalar("0")]))
            }.patched())
        let context = asRoot["spec"]?["initContainers"]?[0]["securityContext"]
        #expect(context?["runAsNonRoot"] == nil)
        #expect(context?["runAsUser"] == nil)
    }

    @Test func `the token is for the vault, short-lived, and only where the wrapper is`() throws {
        let pod = try #require(
            try Case().changed {
                $0.policyText.replace(#""wrapper""#, with: #""tokenSeconds":900,"wrapper""#)
            }
            .patched())
        let volumes = try #require(pod["spec"]?["volumes"]).elements
        #expect(
            volumes.map(\.description) == [
                #"{"name":"cloudtaser-wrapper","emptyDir":{"sizeLimit":"32Mi"}}"#,
                #"{"name":"cloudtaser-token","projected":{"sources":[{"serviceAccountToken":"#
                    + #"{"audience":"vault","expirationSeconds":900,"path":"token"}},"#
                    + #"{"configMap":{"name":"vault-ca","items":"#
                    + #"[{"key":"ca.pem","path":"ca.crt"}]}}]}}"#,
                #"{"name":"cloudtaser-agent","csi":{"driver":"agent.csi.cloudtaser.io","#
                    + #""readOnly":true}}"#,
            ])
        let mounts = try #require(pod["spec"]?["containers"]?[0]["volumeMounts"]).elements
        #expect(mounts.allSatisfy { $0["readOnly"] == .scalar("true") })
        #expect(
            pod["spec"]?["initContainers"]?[0]["volumeMounts"]?.elements.map {
                $0["name"]?.text
            } == ["cloudtaser-wrapper"])
    }

    @Test func `references in the environment are delivered to their container only`() throws {
        let pod = try #require(
            try Case().changed {
                $0.annotate("secret-paths", nil)
                $0.annotate("env-map", nil)
                $0.changeContainer {
                    $0["env"] = .array([
                        .members([
                            "name": .text("A"), "value": .text("vault:secret/shop/db#password"),
                        ]),
                        .members([
                            "name": .text("B"), "value": .text("bao:secret/shop/db#user"),
                        ]),
                        .members(["name": .text("HOST"), "value": .text("vault:8200")]),
                    ])
                }
                $0.addContainer(
                    .members([
                        "name": .text("log"), "image": .text("l"), "command": .texts(["log"]),
                    ]), to: "containers")
            }.patched())
        let containers = try #require(pod["spec"]?["containers"]).elements
        let variables = RuntimeModel.environment(of: containers[0])
        #expect(variables["CLOUDTASER_SECRET_PATHS"] == "secret/shop/db")
        #expect(variables["CLOUDTASER_ENV_MAP"] == "password=A,user=B")
        #expect(containers[1].description == #"{"name":"log","image":"l","command":["log"]}"#)
    }

    @Test func `references join the annotation's paths`() throws {
        let pod = try #require(
            try Case().changed {
                $0.annotate("destinations", "A=:443")
                $0.changeContainer {
                    $0["env"] = .array([
                        .members([
                            "name": .text("A"), "value": .text("vault:secret/shop/db#user"),
                        ]),
                        .members([
                            "name": .text("B"), "value": .text("vault:secret/shop/more#b"),
                        ]),
                    ])
                }
            }.patched())
        let variables = RuntimeModel.environment(
            of: try #require(pod["spec"]?["containers"]?[0]))
        #expect(variables["CLOUDTASER_SECRET_PATHS"] == "secret/shop/db,secret/shop/more")
        #expect(variables["CLOUDTASER_ENV_MAP"] == "password=DB_PASSWORD,user=A;b=B")
    }
}
