// SPDX-License-Identifier: Apache-2.0
import AdmissionTrust
import Injection
import KubernetesFormat
import Testing

private func pem(_ text: String) -> [UInt8] {
    Array("-----BEGIN CERTIFICATE-----\n\(text)\n-----END CERTIFICATE-----\n".utf8)
}

private let holdings = CertificateHoldings(
    authorities: [pem("QQ=="), pem("Qg==")], authorityKey: KeyBytes(pem: Array("ca-key".utf8)),
    leaf: CertificateIdentity(
        certificate: pem("Qw=="), privateKey: KeyBytes(pem: Array("leaf-key".utf8))))

@Suite("The Secret with certificates") struct CertificateSecretTests {
    private func stored(_ change: (inout JSONTree) -> Void = { _ in }) throws -> CertificateSecret {
        let new = CertificateSecret(name: "certificates", namespace: "cloudtaser")
        var object = try JSONTree(new.rendered(holdings))
        change(&object)
        return try CertificateSecret(object.rendered())
    }

    @Test("gives back what was put in, in the form of every TLS Secret")
    func roundTrip() throws {
        let secret = try stored()
        #expect(secret.holdings == holdings)
        #expect(secret.isReplaceable)
        let object = try JSONTree(secret.rendered(holdings))
        #expect(object["type"] == "kubernetes.io/tls")
        #expect(object["data"]?.members?.map(\.name) == ["ca.crt", "ca.key", "tls.crt", "tls.key"])
        #expect(object.value(at: "data", "ca.key") == "Y2Eta2V5")
    }

    @Test("keeps what others wrote beside it, and the version that was read")
    func others() throws {
        let secret = try stored {
            $0["metadata"] = [
                "name": "certificates", "resourceVersion": "7", "uid": "u",
                "labels": ["team": "a"],
            ]
            $0["data"] = ["foreign": "QQ=="]
        }
        #expect(secret.holdings == nil)
        #expect(secret.uid == "u" && secret.resourceVersion == "7")
        let object = try JSONTree(secret.rendered(holdings))
        #expect(object.value(at: "metadata", "labels", "team") == "a")
        #expect(object.value(at: "metadata", "resourceVersion") == "7")
        #expect(object.value(at: "data", "foreign") == nil)
    }

    @Test("says when its content cannot be written or read")
    func broken() throws {
        #expect(try !stored { $0["immutable"] = true }.isReplaceable)
        #expect(try !stored { $0["type"] = "Opaque" }.isReplaceable)
        for entry in ["ca.crt", "ca.key", "tls.crt", "tls.key"] {
            for value: JSONTree? in [nil, "no base64", 1] {
                let secret = try stored {
                    var data = $0["data"] ?? [:]
                    data[entry] = value
                    $0["data"] = data
                }
                #expect(secret.holdings == nil)
            }
        }
        #expect(throws: AnswerFailure.self) { try CertificateSecret(Array("{}".utf8)) }
    }

    @Test("shows no key to whoever prints it")
    func hidden() {
        var text = "\(holdings) \(holdings.leaf) " + String(reflecting: holdings)
        dump(holdings, to: &text)
        // 99 is the first letter of the key, as a dump shows bytes.
        #expect(!text.contains("key\"") && !text.contains("- 99"))
        #expect("\(Array("ca-key".utf8))".contains("99"), "control")
    }

    @Test("a bundle is cut into its certificates, whatever stands between them")
    func bundle() {
        let text =
            "# a\r\n"
            + String(decoding: pem("QQ=="), as: UTF8.self)
            .replacing("\n", with: "\r\n") + "\n" + String(decoding: pem("Qg=="), as: UTF8.self)
            + "-----BEGIN CERTIFICATE-----\nnever ends"
        #expect(PEMBundle.certificates(in: Array(text.utf8)) == [pem("QQ=="), pem("Qg==")])
        #expect(PEMBundle.certificates(in: []).isEmpty)
    }
}

@Suite("The webhook's configuration") struct WebhookConfigurationTests {
    private func settings(_ selector: OptInSelector) -> WebhookSettings {
        WebhookSettings(
            name: "cloudtaser", namespace: "security",
            address: .service(
                namespace: "security", name: "webhook", port: 443, path: "/mutate"),
            selector: selector)
    }

    private func webhooks(_ selector: OptInSelector) throws -> [JSONTree] {
        let configuration = WebhookConfiguration(name: "cloudtaser").wanted(
            settings(selector), bundle: Array("bundle".utf8))
        return try #require(configuration.webhooks.elements)
    }

    @Test("fails closed, asks about new pods and debugging, and excludes what it needs to start")
    func wanted() throws {
        for selector in OptInSelector.allCases {
            for webhook in try webhooks(selector) {
                #expect(webhook["failurePolicy"] == "Fail")
                #expect(webhook["sideEffects"] == "None")
                #expect(webhook["reinvocationPolicy"] == "IfNeeded")
                #expect(webhook["matchPolicy"] == "Equivalent")
                #expect(webhook["timeoutSeconds"] == 5)
                #expect(webhook["admissionReviewVersions"] == ["v1"])
                #expect(webhook.value(at: "clientConfig", "caBundle") == "YnVuZGxl")
                #expect(
                    webhook["rules"] == [
                        [
                            "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                            "resources": ["pods"], "scope": "Namespaced",
                        ],
                        [
                            "apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"],
                            "resources": ["pods/ephemeralcontainers"], "scope": "Namespaced",
                        ],
                    ])
                let namespaces = webhook.value(at: "namespaceSelector", "matchExpressions")
                #expect(
                    namespaces?.elements?.last == [
                        "key": "kubernetes.io/metadata.name", "operator": "NotIn",
                        "values": ["kube-system", "security"],
                    ])
            }
        }
    }

    @Test("has conditions where labels do not say it")
    func conditions() throws {
        #expect(try webhooks(.label).allSatisfy { $0["matchConditions"] == nil })
        #expect(!settings(.label).needsMatchConditions)
        for selector in [OptInSelector.annotation, .either] {
            #expect(settings(selector).needsMatchConditions)
            let conditions = try webhooks(selector).map { webhook in
                try #require(webhook["matchConditions"]?.elements?.first?["expression"]?.text)
            }
            #expect(conditions.allSatisfy { $0.contains("metadata.annotations") })
            #expect(
                conditions.allSatisfy { $0.contains("metadata.labels") } == (selector == .either))
        }
    }

    @Test("is compared by what it asks, and keeps what others wrote beside it")
    func compared() throws {
        let settings = settings(.either)
        let fresh = WebhookConfiguration(name: "cloudtaser").wanted(settings, bundle: pem("QQ=="))
        var object = try JSONTree(fresh.rendered())
        object["metadata"] = [
            "name": "cloudtaser", "resourceVersion": "9", "annotations": ["team": "a"],
        ]
        let found = try WebhookConfiguration(object.rendered())
        let wanted = found.wanted(settings, bundle: pem("QQ=="))
        #expect(!found.matches(wanted), "labels are missing")
        let rendered = try JSONTree(wanted.rendered())
        #expect(rendered.value(at: "metadata", "annotations", "team") == "a")
        #expect(rendered.value(at: "metadata", "resourceVersion") == "9")
        #expect(try WebhookConfiguration(wanted.rendered()).matches(wanted))
        #expect(!wanted.matches(found.wanted(settings, bundle: pem("Qg=="))))
    }

    @Test("tells whether each of its webhooks has kept its conditions")
    func keptConditions() throws {
        let whole = WebhookConfiguration(name: "a").wanted(settings(.either), bundle: [])
        #expect(whole.hasMatchConditions)
        for dropped in [[0], [1], [0, 1]] {
            var object = try JSONTree(whole.rendered())
            var webhooks = try #require(object["webhooks"]?.elements)
            for index in dropped { webhooks[index]["matchConditions"] = index == 0 ? nil : [] }
            object["webhooks"] = .array(webhooks)
            #expect(try !WebhookConfiguration(object.rendered()).hasMatchConditions)
        }
        #expect(!WebhookConfiguration(name: "a").hasMatchConditions)
    }

    @Test("goes with its owner; one that is not known changes nothing")
    func owned() throws {
        func role(_ uid: String, kind: String = "ClusterRole") -> [UInt8] {
            Array(#"{"kind":"\#(kind)","metadata":{"name":"operator","uid":"\#(uid)"}}"#.utf8)
        }
        let settings = settings(.label)
        let owner = try ConfigurationOwner(role("u-1"))
        let owned = WebhookConfiguration(name: "a").wanted(settings, bundle: [], owner: owner)
        #expect(
            try JSONTree(owned.rendered()).value(at: "metadata", "ownerReferences") == [
                [
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                    "name": "operator", "uid": "u-1",
                ]
            ])
        #expect(owned.matches(owned.wanted(settings, bundle: [])))
        #expect(owned.matches(owned.wanted(settings, bundle: [], owner: owner)))
        let other = try ConfigurationOwner(role("u-2"))
        #expect(!owned.matches(owned.wanted(settings, bundle: [], owner: other)))
        let bare = WebhookConfiguration(name: "a").wanted(settings, bundle: [])
        #expect(!bare.matches(bare.wanted(settings, bundle: [], owner: owner)))
        for document in [role("u", kind: "Role"), Array(#"{"kind":"ClusterRole"}"#.utf8), []] {
            #expect(throws: AnswerFailure.self) { try ConfigurationOwner(document) }
        }
    }

    @Test("believes whom all of its webhooks believe")
    func authorities() throws {
        let settings = settings(.either)
        let bundle = PEMBundle.joined([pem("QQ=="), pem("Qg==")])
        let both = WebhookConfiguration(name: "a").wanted(settings, bundle: bundle)
        #expect(both.authorities == [pem("QQ=="), pem("Qg==")])
        var object = try JSONTree(both.rendered())
        var webhooks = try #require(object["webhooks"]?.elements)
        webhooks[1]["clientConfig"] = ["caBundle": .string(Base64.encoded(pem("Qg==")))]
        object["webhooks"] = .array(webhooks)
        #expect(try WebhookConfiguration(object.rendered()).authorities == [pem("Qg==")])
        object["webhooks"] = []
        #expect(try WebhookConfiguration(object.rendered()).authorities.isEmpty)
    }
}
