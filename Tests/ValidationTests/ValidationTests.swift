// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import Reporting
import Testing
import Validation

private func found(
    _ objects: [ClusterObject], scope: ValidationInput.Scope = .cluster
) -> [FindingID] {
    Validation(Samples.input(objects, scope: scope)).findings.map(\.id)
}

@Suite("What a validation finds") struct ValidationTests {
    /// Control of everything below.
    @Test func `finds nothing in a cluster where all is well`() throws {
        let validation = Validation(
            Samples.input(try Samples.whole(), vaults: [Samples.vault("active")]))
        #expect(validation.findings == [])
        #expect(
            validation.verdicts.first { $0.object == "Deployment shop/web" }?.answer == .injected)
        let open = validation.checks.filter { $0.state != .ok }.map(\.name)
        #expect(open == ["role binding"], "\(validation.checks)")
    }

    @Test(arguments: [
        ("cloudtaser.io/secret-path", "a", "is no annotation of CloudTaser"),
        ("cloudtaser.io/inject", "yes", "is neither true nor false"),
        ("cloudtaser.io/env-map", "a=A;b=B", "2 groups for 1 paths"),
        ("cloudtaser.io/delivery", "carrier-pigeon", "is no mode"),
        ("cloudtaser.io/secret-paths", "secret/other/db", "is no path that the policy grants"),
        ("cloudtaser.io/vault-role", "root", "is no role that the policy grants"),
        ("cloudtaser.io/vault-address", "https://evil.test:8200", "is no vault"),
    ])
    func `a pod that would be refused is found at its field`(
        _ name: String, _ value: String, _ reason: String
    ) throws {
        var objects = try Samples.whole()
        objects[1] = try Samples.deployment([name: value])
        let validation = Validation(Samples.input(objects))
        let finding = try #require(validation.findings.first)
        #expect(validation.findings.count == 1 && finding.id == .podRefused)
        #expect(finding.message.contains(reason), "\(finding.message)")
        #expect(finding.path == "spec.template.metadata.annotations[\(name)]")
        #expect(finding.object == "Deployment shop/web")
        #expect(finding.source == "web.yaml, document 2")
    }

    @Test func `asks without naming a path`() throws {
        var objects = try Samples.whole()
        objects[1] = try Samples.deployment([
            "cloudtaser.io/secret-paths": nil, "cloudtaser.io/env-map": nil,
        ])
        let finding = try #require(Validation(Samples.input(objects)).findings.first)
        #expect(finding.id == .podRefused && finding.message.contains("secret-paths]: is missing"))
    }

    @Test func `a label that contradicts the annotation is refused`() throws {
        var objects = try Samples.whole()
        objects[1] = try Samples.deployment(labels: ["cloudtaser.io/inject": "false"])
        #expect(found(objects) == [.podRefused])
        objects[1] = try Samples.deployment(labels: ["cloudtaser.io/inject": "true"])
        #expect(found(objects) == [])
    }

    @Test func `annotations on the Deployment, and without asking`() throws {
        var objects = try Samples.whole()
        objects[1] = try Samples.deployment(outside: ["cloudtaser.io/delivery": "splice"])
        #expect(found(objects) == [.annotationMisplaced])
        // Control: what the template says too is not misplaced.
        objects[1] = try Samples.deployment(outside: ["cloudtaser.io/vault-role": "shop"])
        #expect(found(objects) == [])
        objects[0] = try Samples.namespace(labels: [:])
        objects[1] = try Samples.deployment(["cloudtaser.io/inject": nil])
        #expect(found(objects) == [.annotationIdle])
        // Control: who says no, means it.
        objects[1] = try Samples.deployment(["cloudtaser.io/inject": "false"])
        #expect(found(objects) == [])
    }

    @Test func `without a policy only what the pod says is judged`() throws {
        let good = Validation(Samples.input([try Samples.deployment()], scope: .files))
        #expect(good.findings == [])
        #expect(good.verdicts.map(\.answer) == [.injected])
        #expect(good.verdicts.map(\.note) == ["if a policy grants it"])
        let bad = try Samples.deployment(["cloudtaser.io/env-map": "a=A;b=B"])
        #expect(found([bad], scope: .files) == [.podRefused])
        // A whole cluster without one refuses everything.
        let cluster = [
            try Samples.webhook(), try Samples.deployment(), try Samples.part("operator"),
        ]
        #expect(found(cluster) == [.policyMissing])
    }

    @Test func `labels of a namespace that was not read are no reason to refuse`() throws {
        let policy = try Samples.object([
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "CloudTaserPolicy",
            "metadata": ["name": "p"],
            "spec": [
                "vaults": [["name": "main", "address": "https://vault.test", "audience": "v"]],
                "agent": "none", "wrapper": ["image": "w"],
                "grants": [
                    [
                        "namespaceLabels": ["team": "a"], "vault": "main", "roles": ["shop"],
                        "paths": ["secret/shop/*"],
                    ]
                ],
            ],
        ])
        let deployment = try Samples.deployment()
        let unknown = Validation(Samples.input([deployment, policy], scope: .files))
        #expect(unknown.findings == [])
        #expect(unknown.verdicts.map(\.note) == ["if the namespace has team=a (it was not read)"])
        // Control: one that was read, and has other labels.
        let read = [deployment, policy, try Samples.namespace()]
        #expect(found(read, scope: .files) == [.podRefused, .grantWithoutNamespace])
    }

    @Test func `policies that are not in force`() throws {
        var objects = try Samples.whole()
        objects[2] = try Samples.policy(address: "http://vault.test:8200")
        var finding = try #require(Validation(Samples.input(objects)).findings.first)
        #expect(finding.id == .policyUnreadable && finding.path == "spec.vaults[0].address")
        objects[2] = try Samples.policy(audience: nil)
        finding = try #require(Validation(Samples.input(objects)).findings.first)
        #expect(finding.id == .policyUnreadable && finding.path == "spec.vaults[0].audience")
        objects[2] = try Samples.policy()
        objects.append(try Samples.policy("second"))
        #expect(found(objects) == [.policiesSeveral])
        objects.removeLast()
        objects[2] = try Samples.policy(namespaces: ["shop", "*"])
        #expect(found(objects) == [])
    }

    @Test func `authorities that a namespace does not have`() throws {
        var objects = try Samples.whole()
        var tree = objects[2].tree
        let vault: JSONTree = [
            "name": "main", "address": "https://vault.test", "audience": "v",
            "trustAnchors": ["configMap": "vault-ca", "key": "ca.crt"],
        ]
        tree["spec"]?["vaults"] = [vault]
        objects[2] = try Samples.object(tree)
        #expect(found(objects) == [.authoritiesMissing])
        // Files say nothing about what is not among them.
        #expect(!found(objects, scope: .files).contains(.authoritiesMissing))
        objects.append(
            try Samples.object([
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": ["name": "vault-ca", "namespace": "shop"], "data": ["ca.crt": "x"],
            ]))
        #expect(found(objects) == [])
    }

    @Test func `webhooks that fail open, lack something or are not there`() throws {
        var objects = try Samples.whole()
        objects[3] = try Samples.webhook(failurePolicy: "Ignore")
        #expect(Set(found(objects)) == [.webhookFailsOpen])
        objects[3] = try Samples.webhook(bundle: "")
        #expect(Set(found(objects)) == [.webhookIncomplete])
        objects[3] = try Samples.webhook(onlyPods: true)
        #expect(found(objects) == [.webhookIncomplete])
        objects.remove(at: 3)
        #expect(found(objects) == [.webhookMissing])
        // What may not be read is not missing.
        let unread = UnreadObject(
            source: "the cluster's mutatingwebhookconfigurations.admissionregistration.k8s.io",
            reason: "forbidden")
        #expect(Validation(Samples.input(objects, unread: [unread])).findings == [])
    }

    @Test func `what the webhook's selector does not see`() throws {
        var objects = try Samples.whole()
        objects[3] = try Samples.webhook(byLabel: true)
        #expect(found(objects) == [.selectorNeedsLabel])
        objects[1] = try Samples.deployment(labels: ["cloudtaser.io/inject": "true"])
        #expect(found(objects) == [])
        objects = try Samples.whole()
        objects[1] = try Samples.deployment(namespace: "left-out")
        objects[2] = try Samples.policy(namespaces: ["left-out", "shop"])
        #expect(found(objects) == [.namespaceLeftOut])
    }

    @Test func `a namespace that asks by annotation only`() throws {
        var objects = try Samples.whole()
        let asks = ["cloudtaser.io/inject": "true"]
        objects[0] = try Samples.namespace(labels: [:], annotations: asks)
        #expect(found(objects) == [.namespaceAnnotatedOnly])
        objects[0] = try Samples.namespace(labels: asks, annotations: asks)
        #expect(found(objects) == [])
    }

    @Test func `operator, agents, kernels and pods`() throws {
        let whole = try Samples.whole()
        #expect(
            found(Array(whole[..<4]) + [try Samples.part("operator", ready: 1)] + whole[5...])
                == [.operatorNotReady])
        #expect(found(Array(whole[..<4]) + whole[5...]) == [.operatorNotReady])
        #expect(found(whole + [try Samples.node("b")]) == [.nodeWithoutAgent])
        // Without any agent: the policy wants none, or it does.
        let without = whole.filter { $0.name != "agent-a" }
        #expect(found(without) == [])
        let wanting = [try Samples.policy(agent: "preferred")]
        #expect(found(Array(without[..<2]) + wanting + without[3...]) == [.nodeWithoutAgent])
        let old = [try Samples.node("b", kernel: "5.10.0-21"), try Samples.agent(on: "b")]
        #expect(found(whole + old) == [.kernelWithoutSecretMemory])
        let middle = [try Samples.node("b", kernel: "5.15.0-91"), try Samples.agent(on: "b")]
        #expect(found(whole + middle) == [.kernelUnknown])
        #expect(found(whole + [try Samples.pod(bare: true)]) == [.unwrapped])
        #expect(found(whole + [try Samples.pod(bare: false)]) == [])
    }

    @Test func `vaults and certificates`() throws {
        func ids(_ vault: VaultRecord, now: Int64 = Samples.now) throws -> [FindingID] {
            Validation(Samples.input(try Samples.whole(), vaults: [vault], now: now)).findings
                .map(\.id)
        }
        #expect(try ids(Samples.vault("active")) == [])
        #expect(try ids(Samples.vault("sealed")) == [.vaultAway])
        #expect(try ids(Samples.vault(nil)) == [.vaultAway])
        #expect(
            try ids(Samples.vault("active", until: "Jun  3 00:00:00 2026 GMT"))
                == [.certificateEnding])
        #expect(
            try ids(Samples.vault("active", until: "May  3 00:00:00 2026 GMT"))
                == [.certificateOver])
        // 2027-01-01, the end of the webhook's authority as of the vault's.
        #expect(
            try ids(Samples.vault("active"), now: 1_798_761_601)
                == [.certificateOver, .certificateOver])
        let file = ValidationInput.Certificate(
            name: "tls.crt", pem: Array(Samples.certificate.utf8))
        let validation = Validation(
            Samples.input([], scope: .files, certificates: [file], now: 1_798_000_000))
        #expect(validation.findings.map(\.object) == [])
        let later = Validation(
            Samples.input([], scope: .files, certificates: [file], now: 1_798_500_000))
        #expect(later.findings.map(\.id) == [.certificateEnding])
        #expect(later.findings.map(\.object) == ["tls.crt"])
    }

    @Test func `the answer has a form for people and one for programs`() throws {
        var objects = try Samples.whole()
        objects[1] = try Samples.deployment(["cloudtaser.io/secret-path": "a"])
        let validation = Validation(Samples.input(objects))
        let text = ValidationDocument(validation).report.text(isColored: false)
        #expect(text.contains("CT3001  high"))
        #expect(text.contains("would be refused"))
        #expect(validation.json["findings"]?.elements?.first?["id"]?.text == "CT3001")
        #expect(validation.json["pods"]?.elements?.first?["answer"]?.text == "would be refused")
        #expect(validation.reaches(.high) && !validation.reaches(.critical))
    }

    @Test func `names are neutralised for a terminal`() throws {
        var objects = try Samples.whole()
        objects[1] = try Samples.deployment(["cloudtaser.io/\u{1B}[31m": "a"])
        let text = ValidationDocument(Validation(Samples.input(objects))).report
            .text(isColored: false)
        #expect(text.contains("CT3001") && !text.contains("\u{1B}"))
    }

    @Test func `each finding has words`() {
        for id in FindingID.allCases {
            #expect(!id.meaning.isEmpty && !id.fix.isEmpty && id.title != id.rawValue, "\(id)")
        }
    }
}

@Suite("Lives of certificates, and kernels") struct CertificateLifeTests {
    @Test func `reads the times of a certificate, whatever stands around it`() throws {
        let text = "words\n" + Samples.certificate + "\n" + Samples.certificate + "\n"
        let lives = CertificateLife.all(inPEM: Array(text.utf8))
        #expect(lives.count == 2)
        let life = try #require(lives[0])
        #expect(life.notBefore == 1_767_225_600 && life.notAfter == 1_798_761_600)
        #expect(
            life
                == CertificateLife(
                    notBefore: "Jan  1 00:00:00 2026 GMT", notAfter: "Jan  1 00:00:00 2027 GMT"))
    }

    @Test func `its standing changes at the edges`() throws {
        let life = try #require(CertificateLife.all(inPEM: Array(Samples.certificate.utf8))[0])
        let soon = life.notAfter - CertificateLife.soonSeconds
        #expect(life.standing(at: life.notBefore - 1) == .notYet)
        #expect(life.standing(at: life.notBefore) == .valid)
        #expect(life.standing(at: soon) == .valid)
        #expect(life.standing(at: soon + 1) == .ending)
        #expect(life.standing(at: life.notAfter) == .ending)
        #expect(life.standing(at: life.notAfter + 1) == .over)
    }

    @Test func `bytes that are no certificate are none, at whatever length`() throws {
        let lines = Samples.certificate.split(separator: "\n").filter { !$0.hasPrefix("-") }
        let der = try #require(Base64.decoded(lines.joined()))
        #expect(CertificateLife(der: der) != nil)
        for count in 0..<der.count / 4 {
            #expect(CertificateLife(der: Array(der.prefix(count))) == nil)
        }
        for index in 0..<der.count {
            var bytes = der
            bytes[index] ^= 0xFF
            _ = CertificateLife(der: bytes)
        }
        #expect(CertificateLife(notBefore: "yesterday", notAfter: "tomorrow") == nil)
    }

    @Test(arguments: [
        ("6.5.0", KernelSupport.usual), ("6.8.0-45-generic", .usual), ("7.0", .usual),
        ("6.4.99", .unknown), ("5.14.0-427.el9", .unknown), ("5.13.19", .tooOld),
        ("4.18.0", .tooOld), ("", nil), ("linux", nil),
    ])
    func `a release says what the kernel has`(_ release: String, _ support: KernelSupport?) {
        #expect(KernelSupport(release: release) == support)
    }
}
