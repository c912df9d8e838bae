// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inventory
import KubernetesFormat
import Reporting
import TestKit
import Testing
import Validation

/// A cluster in which all is well, and what one case changes of it.
private struct Cluster {
    var objects: [ClusterObject]
    var vaults = [Samples.vault("active")]
    var now = Samples.now
    /// Of every login.
    var role = RoleValidationTests.bound()
    var certificates: [ValidationInput.Certificate] = []

    init() throws { objects = try Samples.whole() }

    var ids: Set<FindingID> {
        let logins = ValidationInput.logins(
            in: objects, Inventory(objects, unread: [], isWholeCluster: true))
        let roles = Dictionary(logins.map { ($0, role) }) { first, _ in first }
        let input = Samples.input(
            objects, vaults: vaults, certificates: certificates, roles: roles, now: now)
        return Set(Validation(input).findings.map(\.id))
    }

    /// In the time of the sample certificates of a webhook.
    mutating func trust(_ bundle: String) throws {
        vaults = []
        now = 1_830_000_000
        objects[3] = try Samples.webhook(bundle: bundle, service: "cloudtaser-operator")
        certificates = [
            .init(name: "webhook.crt", pem: Array(WebhookTrustTests.leaf.utf8))
        ]
    }
}

/// One change for each finding; nothing else of the cluster is touched.
private let changes: [(FindingID, @Sendable (inout Cluster) throws -> Void)] = [
    (.unwrapped, { $0.objects.append(try Samples.pod(bare: true)) }),
    (.nodeWithoutAgent, { $0.objects.append(try Samples.node("b")) }),
    (.vaultAway, { $0.vaults = [Samples.vault("sealed")] }),
    (.webhookFailsOpen, { $0.objects[3] = try Samples.webhook(failurePolicy: "Ignore") }),
    (.webhookMissing, { $0.objects.remove(at: 3) }),
    (
        .podRefused,
        { $0.objects[1] = try Samples.deployment(["cloudtaser.io/vault-role": "root"]) }
    ),
    (
        .annotationMisplaced,
        { $0.objects[1] = try Samples.deployment(outside: ["cloudtaser.io/delivery": "splice"]) }
    ),
    (
        .annotationIdle,
        { cluster in
            cluster.objects[0] = try Samples.namespace(labels: [:])
            cluster.objects[1] = try Samples.deployment(["cloudtaser.io/inject": nil])
        }
    ),
    (.selectorNeedsLabel, { $0.objects[3] = try Samples.webhook(byLabel: true) }),
    (
        .namespaceLeftOut,
        { cluster in
            cluster.objects[1] = try Samples.deployment(namespace: "left-out")
            cluster.objects[2] = try Samples.policy(namespaces: ["left-out", "shop"])
        }
    ),
    (
        .namespaceAnnotatedOnly,
        {
            $0.objects[0] = try Samples.namespace(
                labels: [:], annotations: ["cloudtaser.io/inject": "true"])
        }
    ),
    (
        .injectionWarning,
        { cluster in
            var tree = cluster.objects[1].tree
            tree["spec"]?["template"]?["spec"]?["shareProcessNamespace"] = true
            cluster.objects[1] = try Samples.object(tree)
        }
    ),
    (.policyMissing, { $0.objects.remove(at: 2) }),
    (.policyUnreadable, { $0.objects[2] = try Samples.policy(audience: nil) }),
    (.policiesSeveral, { $0.objects.append(try Samples.policy("second")) }),
    (
        .grantWithoutNamespace,
        { cluster in
            var tree = cluster.objects[2].tree
            let grants = tree["spec"]?["grants"]?.elements ?? []
            tree["spec"]?["grants"] = .array(
                grants.flatMap { grant -> [JSONTree] in
                    var other = grant
                    other["namespaces"] = ["shopp"]
                    return [grant, other]
                })
            cluster.objects[2] = try Samples.object(tree)
        }
    ),
    (
        .authoritiesMissing,
        { cluster in
            var tree = cluster.objects[2].tree
            tree["spec"]?["vaults"] = [
                [
                    "name": "main", "address": "https://vault.test:8200", "audience": "vault",
                    "trustAnchors": ["configMap": "vault-ca", "key": "ca.crt"],
                ]
            ]
            cluster.objects[2] = try Samples.object(tree)
        }
    ),
    (.webhookIncomplete, { $0.objects[3] = try Samples.webhook(onlyPods: true) }),
    (
        .certificateEnding,
        { $0.vaults = [Samples.vault("active", until: "Jun  3 00:00:00 2026 GMT")] }
    ),
    (
        .certificateOver,
        { $0.vaults = [Samples.vault("active", until: "May  3 00:00:00 2026 GMT")] }
    ),
    (.operatorNotReady, { $0.objects[4] = try Samples.part("operator", ready: 1) }),
    (
        .kernelWithoutSecretMemory,
        { $0.objects[5] = try Samples.node("a", kernel: "5.10.0-21") }
    ),
    (.vaultRoleMissing, { $0.role = .missing }),
    (.vaultRoleElsewhere, { $0.role = RoleValidationTests.bound(names: ["web"]) }),
    (.webhookDistrusted, { try $0.trust(WebhookTrustTests.stranger) }),
    (.kernelUnknown, { $0.objects[5] = try Samples.node("a", kernel: "5.15.0-91") }),
]

@Suite("Each finding of a validation") struct EachFindingTests {
    @Test(
        .evidence(
            "SIM-CLI-03",
            control: "the same cluster without the one change has no finding at all"))
    func `one change of a cluster in which all is well gives its finding and no other`() throws {
        let control = try Cluster()
        #expect(control.ids.isEmpty, "\(control.ids)")
        var trusted = control
        try trusted.trust(WebhookTrustTests.authority)
        #expect(trusted.ids.isEmpty, "\(trusted.ids)")
        for (id, change) in changes {
            var cluster = control
            try change(&cluster)
            #expect(cluster.ids == [id], "\(id): \(cluster.ids)")
        }
        Evidence.control(passed: control.ids.isEmpty && trusted.ids.isEmpty)
        Evidence.observe("Each of \(changes.count) changes gave its finding alone.")
    }

    /// Ids of the sources: a finding that is added needs a change above.
    @Test func `there is a change for every finding that a validation can have`() throws {
        let folder = URL(filePath: Checkout.root).appending(path: "Sources/Core/Validation")
        let files = try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil)
        let text = try files.map { try String(contentsOf: $0, encoding: .utf8) }.joined()
        let words = Set(text.split { !($0.isLetter || $0.isNumber || $0 == ".") }.map(String.init))
        let named = FindingID.allCases.filter { id in
            words.contains(".\(id)") || words.contains { $0.hasSuffix("FindingID.\(id).title") }
        }
        #expect(Set(named) == Set(changes.map(\.0)))
        #expect(named.count == changes.count, "each once")
        let own = FindingID.allCases.filter { $0.rawValue.hasPrefix("CT3") }
        #expect(own.count > 10 && Set(own).isSubset(of: named))
    }
}
